/** Rooms that one never loses: `new RoomSocket(url)`. */
export { json, type Codec, type RoomData, type SendData } from "./codec.js";
export { RoomError, type RoomErrorCode } from "./errors.js";
export type * from "./events.js";
export { RoomSocket } from "./room-socket.js";
export type { RoomSocketOptions, RoomUrl, WebSocketConstructor, WebSocketLike } from "./options.js";
export type { Given, Params } from "./address.js";
export type { Status } from "./session.js";
export type { Timing } from "./timing.js";
