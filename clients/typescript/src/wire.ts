/** The messages of the session protocol, as they stand in whole WebSocket messages. */

/** The subprotocol of sessions. */
export const SUBPROTOCOL = "stateroom.v1";

/** What a server says: a word of the protocol, with numbers and perhaps a reason; or no word, and what the service says. */
export type Down = [word: string, numbers: number[], rest: string | ArrayBuffer];

/** How many numbers follow each word. */
const NUMBERS: Record<string, number> = { welcome: 7, ack: 1, anew: 1, skipped: 1 };

/** Reads what a server says; nothing if it is not in the protocol. */
export function read(message: string | ArrayBuffer): Down | undefined {
  if (typeof message !== "string" || message[0] !== "\0") return ["", [], message];
  if (message[1] === "\0") return ["", [], message.slice(1)];
  const [word, ...rest] = message.slice(1).split(" ") as [string, ...string[]];
  const numbers = rest.splice(0, NUMBERS[word]).map((digits) => (/^(0|[1-9]\d*)$/.test(digits) ? +digits : NaN));
  const isSound = numbers.length === NUMBERS[word] && numbers.every(Number.isSafeInteger);
  if (isSound && (word === "skipped") === rest.length > 0) return [word, numbers, rest.join(" ")];
}

/** Text of the application, as a session has it: what begins with U+0000 has that doubled. */
export const escape = <Data>(data: Data): Data | string =>
  typeof data === "string" && data[0] === "\0" ? "\0" + data : data;

/** 128 random bits in base64url. */
export const newKey = (): string =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
    .slice(0, 22)
    .replace(/\W/g, (other) => (other === "+" ? "-" : "_"));
