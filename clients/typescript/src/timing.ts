/** How long a client waits for what, in milliseconds. */

/** What an application may choose of it. */
export interface Timing {
  /** The longest wait before the second try to connect, 300 by default; the first is at once. It doubles with each try. */
  retry: number;
  /** The longest wait before any try: 10,000. */
  longestRetry: number;
  /** After how long a silence it is found out whether the connection lives: 10,000. */
  idle: number;
  /** How long the answer to that may take: 4,000. */
  probe: number;
}

/** A connection that lasted so long is tried again at once. */
export const STABLE = 5_000;
/** How long a handshake may take. */
export const HANDSHAKE = 10_000;
/** A connection that does not answer what was sent is probed after so long. */
export const UNANSWERED = 2_000;
/** How long `close()` waits for what was sent to be durable. */
export const CLOSING = 2_000;
/** How long it takes at most to tell the server what has come. */
export const ACKNOWLEDGE = 1_000;
