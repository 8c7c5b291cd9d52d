/** Promises that wait for messages to be durable. */

export function createWaiters() {
  let waiters: { upTo: number; resolve: () => void; reject: (error: Error) => void }[] = [];

  /** So many messages of the session are durable. */
  const settle = (heard: number) => {
    waiters = waiters.filter((waiter) => waiter.upTo > heard || waiter.resolve());
  };

  return {
    settle,

    /** Resolves when so many are. */
    settled: (upTo: number) => new Promise<void>((resolve, reject) => waiters.push({ upTo, resolve, reject })),

    /** The message of this number is gone, and those after it have one less. */
    drop(number: number, heard: number): void {
      for (const waiter of waiters) if (waiter.upTo >= number) waiter.upTo--;
      settle(heard);
    },

    fail(error: Error): void {
      for (const waiter of waiters.splice(0)) waiter.reject(error);
    },
  };
}
