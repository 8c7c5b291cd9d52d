/** Waits for what happens. */

/** Resolves when `is` says so. */
export async function until(is: () => unknown, what = String(is), milliseconds = 20_000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!is()) {
    if (performance.now() > end) throw new Error(`still not after ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resolves with the next event of this name. */
export const next = <Event>(target: { addEventListener(type: string, listener: (event: Event) => void, options?: object): void }, type: string) =>
  new Promise<Event>((resolve) => target.addEventListener(type, resolve, { once: true }));

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
