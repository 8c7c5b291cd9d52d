/** What was sent and is not known to be durable, in order. */

/** A message on its way. */
export interface Outgoing<Value> {
  /** As it is written. */
  data: string | ArrayBuffer | Blob;
  /** How many bytes that has. */
  bytes: number;
  /** As the application gave it. */
  value: Value;
}

/** What keeps a queue of empty messages from growing without a bound. */
const COST_OF_A_MESSAGE = 64;

/** The last messages of a session. They are counted from its beginning. */
export function createQueue<Value>() {
  const items: Outgoing<Value>[] = [];
  /** How many of the items were written to the socket there is. */
  let written = 0;

  const remove = (index: number, count: number) => {
    const removed = items.splice(index, count);
    for (const item of removed) queue.bytes -= item.bytes;
    return removed;
  };

  const queue = {
    items,
    /** The bytes of all items. */
    bytes: 0,
    /** How many messages were durable before the first item. */
    settled: 0,
    /** How many were ever written. */
    sent: 0,

    /** How many messages there were. */
    total: () => queue.settled + items.length,

    /** The bytes of what was not written to the socket there is. */
    bufferedAmount: () => items.slice(written).reduce((sum, item) => sum + item.bytes, 0),

    /** Whether there is no room for so many bytes. A message alone always has. */
    full: (bytes: number, limit: number) => items.length && queue.bytes + bytes + items.length * COST_OF_A_MESSAGE > limit,

    push(item: Outgoing<Value>): void {
      items.push(item);
      queue.bytes += item.bytes;
    },

    /** The next message to be written to the socket there is; it is `forgotten` where nobody will say that it is durable. */
    next(forgotten: boolean): Outgoing<Value> | undefined {
      if (forgotten) return remove(0, 1)[0];
      const item = items[written];
      if (item) queue.sent = queue.settled + ++written;
      return item;
    },

    /** Notes that so many are durable. `false` if that cannot be. */
    settle(heard: number): boolean {
      if (!(heard >= queue.settled && heard <= queue.sent)) return false;
      written = Math.max(0, written - remove(0, heard - queue.settled).length);
      queue.settled = heard;
      return true;
    },

    /** Has everything be written again, to another socket. */
    resend(): void {
      written = 0;
    },

    /** Drops the oldest message that was never written: the number that it had, or 0 if there is none. */
    drop(): number {
      const index = queue.sent - queue.settled;
      return remove(index, 1).length && queue.settled + index + 1;
    },

    /** Gives back what is here. */
    giveUp(): Value[] {
      queue.sent = queue.settled;
      return remove(0, items.length).map((item) => item.value);
    },
  };
  return queue;
}
