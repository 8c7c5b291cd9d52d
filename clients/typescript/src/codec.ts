/** How messages become what is written to a socket, and back. */

/** What a room can say: text, or bytes as `binaryType` says. */
export type RoomData = string | ArrayBuffer | Blob;

/** What can be sent to a room. */
export type SendData = string | ArrayBufferLike | ArrayBufferView<ArrayBufferLike> | Blob;

/** Makes messages of what comes in, and data of what goes out. */
export interface Codec<In, Out> {
  decode(data: string | ArrayBuffer): In;
  encode(message: Out): SendData;
}

const JSON_TEXT: Codec<any, any> = { decode: JSON.parse, encode: JSON.stringify };

/** Messages as JSON texts. The types are yours to say: nothing checks that a message has them. */
export const json = <In = any, Out = any>(): Codec<In, Out> => JSON_TEXT;
