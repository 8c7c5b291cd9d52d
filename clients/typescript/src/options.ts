/** What an application may choose. */
import type { Given, Params } from "./address.js";
import type { Timing } from "./timing.js";

/** Where a room is. A path is one of the page's own host. */
export type RoomUrl = Given<string | URL>;

/** As much of a `WebSocket` as is needed. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly extensions: string;
  readonly bufferedAmount: number;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}

/** What makes them, such as `WebSocket` itself. */
export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

/** What may wait to be durable, or to be sent. */
export interface QueueOptions {
  /** How much, in bytes; 64 are reckoned for each message besides. */
  bytes: number;
  /** What `send` does when there is no room: throws, or drops the oldest message that was never written. */
  full: "throw" | "drop-oldest";
}

/** Options of a room. */
export interface RoomSocketOptions {
  /** Who you are, for servers that ask: sent as the subprotocol entry `bearer.TOKEN`, not in the address. */
  token?: Given<string | null | undefined>;
  /** Parts of the query of the address. */
  params?: Given<Params | undefined>;
  /** Subprotocols of your own, for a server without sessions. */
  protocols?: string | readonly string[];
  /** `false`: ask for no session. Then nothing is sent again that was lost on its way. */
  session?: boolean;
  /** Closes the room when it is aborted. */
  signal?: AbortSignal;
  /** What may wait to be durable, or to be sent: 4 MiB by default; then `send` throws. */
  queue?: Partial<QueueOptions>;
  /** `false`: connect when `connect()` is called. */
  connect?: boolean;
  /** What to connect with, where there is no global `WebSocket` or another is wanted. */
  WebSocket?: WebSocketConstructor;
  /** How long to wait for what, in milliseconds. */
  timing?: Partial<Timing>;
}
