/** What the types allow and what they do not: this file is compiled, and never run. */
import { WebSocket as NodeWebSocket } from "ws";
import { json, RoomSocket, type Codec } from "../src/index.js";
import { useRoom, useRoomEvent, useRoomState } from "../src/react.js";

interface ToClient {
  said: string;
}
interface FromClient {
  say: string;
}
declare function is<Type>(value: Type): void;

// Where a WebSocket is wanted, a room will do.
export const plain: WebSocket = new RoomSocket("/ws/lobby");
new RoomSocket("/ws/lobby", { WebSocket: NodeWebSocket });
new RoomSocket("/ws/lobby", { WebSocket });

const untyped = new RoomSocket(new URL("ws://localhost"));
untyped.send("text");
untyped.send(new Uint8Array(1));
// @ts-expect-error: without a codec, messages are text or bytes.
untyped.send({ say: "hi" });
untyped.onmessage = ({ data }) => JSON.parse(data);

// A codec tells the types.
const told = new RoomSocket("/ws/lobby", { codec: json<ToClient, FromClient>() });
told.send({ say: "hi" });
// @ts-expect-error: not what is sent.
told.send({ said: "hi" });
// @ts-expect-error: not what is sent.
told.send("hi");
told.onmessage = ({ data }) => is<string>(data.said);
told.addEventListener("message", ({ data }) => is<string>(data.said));
told.addEventListener("resume", ({ recovered, newSession }) => is<boolean>(recovered && newSession));
told.addEventListener("unsettled", ({ messages }) => is<readonly FromClient[]>(messages));
told.addEventListener("skipped", ({ sent }) => is<FromClient | undefined>(sent));
told.addEventListener("close", ({ code }) => is<number>(code));
told.addEventListener("statuschange", ({ status }) => is<"connecting" | "live" | "away" | "closed">(status));
// @ts-expect-error: there is no such field.
told.addEventListener("resume", ({ missed }) => missed);

// Types need a codec that makes what they say; text and bytes do not.
new RoomSocket<ToClient, FromClient>("/ws/lobby", { codec: json() });
// @ts-expect-error: nothing makes a ToClient.
new RoomSocket<ToClient, FromClient>("/ws/lobby");
// @ts-expect-error: nothing makes a ToClient.
new RoomSocket<ToClient, FromClient>("/ws/lobby", { token: "abc" });
new RoomSocket<string, string>("/ws/lobby", { token: "abc" });
const numbers: Codec<number, number> = { decode: Number, encode: String };
new RoomSocket("/ws/lobby", { codec: numbers }).onmessage = ({ data }) => is<number>(data);

// What is chosen must be one of what there is.
// @ts-expect-error: not a policy.
new RoomSocket("/ws/lobby", { queue: { full: "drop-newest" } });
// @ts-expect-error: not an option.
new RoomSocket("/ws/lobby", { tokens: "abc" });
new RoomSocket(async () => "/ws/lobby", { token: async () => null, params: async () => ({ a: 1, b: null }) });

export function Component() {
  const room = useRoom("/ws/lobby", { codec: json<ToClient, FromClient>() });
  useRoomEvent(room, "message", ({ data }) => is<string>(data.said));
  useRoomEvent(room, "unsettled", ({ messages }) => is<readonly FromClient[]>(messages));
  // @ts-expect-error: there is no such event.
  useRoomEvent(room, "nothing", () => {});
  const said = useRoomState(room, (all: string[], message) => [...all, message.said], []);
  is<string[]>(said);
  useRoom("/ws/lobby").send("text");
  // @ts-expect-error: nothing makes a ToClient.
  useRoom<ToClient, FromClient>("/ws/lobby");
  return null;
}
