/** Where a room is, and what is shown there. */

/** A value, or what gives it, now or later. It is asked for each time the client connects. */
export type Given<Value> = Value | (() => Value | PromiseLike<Value>);

/** Parts of the query. What is null or undefined is left out. */
export type Params = Record<string, string | number | boolean | null | undefined>;

/** The value that is given. */
export const get = async (given: unknown): Promise<unknown> => (typeof given === "function" ? given() : given);

/** The address to connect to: `http` is taken as `ws`, and a path as one of this page's host. */
export function address(url: string | URL, params?: Params): string {
  const full = new URL(url, globalThis.location?.href);
  full.hash = "";
  for (const name in params) {
    if (params[name] != null) full.searchParams.set(name, params[name] as string);
  }
  return full.href.replace(/^http/, "ws");
}
