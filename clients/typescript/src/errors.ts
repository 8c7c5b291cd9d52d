/** What can go wrong, as errors with a `code`. */

const TEXTS = {
  "queue-full": "too much waits: await settled() first",
  "too-large": "the server takes less",
  unsettled: "these are not sent again",
  "no-session": "the server has no sessions",
  "no-websocket": "pass a WebSocket as an option",
};

/**
 * Which error it is.
 *
 * - `queue-full`: too much waits to be durable.
 * - `too-large`: the message is larger than the server takes.
 * - `unsettled`: `messages` will not be sent again: the session is over, and nobody can say whether they were heard; or
 *   the room began anew, and has not heard them.
 * - `no-session`: the server keeps no session, so nobody can say what is durable.
 * - `no-websocket`: this runtime has no `WebSocket`, and none was given.
 */
export type RoomErrorCode = keyof typeof TEXTS;

/** Something went wrong with a room. */
export class RoomError extends Error {
  declare readonly code: RoomErrorCode;
  /** The messages that it is about, as they were sent. */
  declare readonly messages: readonly unknown[];

  constructor(code: RoomErrorCode, url: string, messages: readonly unknown[]) {
    super(url + ": " + TEXTS[code]);
    this.name = "RoomError";
    this.code = code;
    this.messages = messages;
  }
}
