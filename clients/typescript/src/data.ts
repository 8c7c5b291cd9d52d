/** Whole messages as sockets take and give them, and their sizes. */
import type { SendData } from "./codec.js";

const encoder = new TextEncoder();

/** How many bytes it has on the socket. */
export function byteLength(data: string | ArrayBuffer | Blob): number {
  if (typeof data === "string") return encoder.encode(data).length;
  return (data as ArrayBuffer).byteLength ?? (data as Blob).size;
}

/** What is to be sent, as it is now: buffers may be written to later. */
export function snapshot(data: SendData): string | ArrayBuffer | Blob {
  const { buffer = data, byteOffset, byteLength } = data as Partial<ArrayBufferView>;
  if (byteLength !== undefined) return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice().buffer;
  return data instanceof Blob ? data : String(data);
}
