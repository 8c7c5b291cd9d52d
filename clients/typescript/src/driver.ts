/** What carries a session: sockets, timers and events. */
import { address, get, type Params } from "./address.js";
import type { Codec, SendData } from "./codec.js";
import { byteLength, snapshot } from "./data.js";
import { RoomError } from "./errors.js";
import type { RoomSocketOptions, RoomUrl, WebSocketLike } from "./options.js";
import { createSession, type Output } from "./session.js";
import { watch } from "./surroundings.js";
import { escape, SUBPROTOCOL } from "./wire.js";

export type Driver<Out> = ReturnType<typeof drive<any, Out>>;

const now = () => performance.now();

/** Drives a session with the room at `given`, and has `room` tell of it. */
export function drive<In, Out>(
  room: EventTarget & { binaryType: "blob" | "arraybuffer" },
  given: RoomUrl,
  options: RoomSocketOptions & { codec?: Codec<In, Out> | undefined },
) {
  const { codec, token, params, protocols = [], session: isWanted = true, signal, WebSocket = globalThis.WebSocket } = options;
  const events: Event[] = [];
  /** The one there is; nothing of it is there before it is opened. */
  let socket: Partial<WebSocketLike> = {};
  let url = "";
  /** Whether the application knows that it is closed. */
  let isClosed = false;
  let isBusy = false;
  /** Ends what it listens to; there once it connects. */
  let stop: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const output: Output = {
    write: (data) => socket.send!(data),
    close(code, reason) {
      const old = socket;
      socket = {};
      old.close?.(code, reason);
    },
    message(raw) {
      try {
        const data = codec ? codec.decode(raw) : typeof raw !== "string" && room.binaryType === "blob" ? new Blob([raw]) : raw;
        events.push(new MessageEvent("message", { data }));
      } catch (error) {
        output.tell("error", { error });
      }
    },
    tell: (type, facts) => events.push(Object.assign(new Event(type), facts)),
    error: (code, messages) => new RoomError(code, url, messages),
    buffered: () => socket.bufferedAmount!,
    random: Math.random,
  };
  const session = createSession<Out>(output, options.timing, options.queue, now());
  const { queue } = session;

  /** Tells what has happened, connects if it is time, and waits for what is next. */
  function update(): void {
    if (isBusy) return;
    isBusy = true;
    for (let event; (event = events.shift()); room.dispatchEvent(event)) isClosed ||= event.type === "close";
    isBusy = false;
    if (!stop) return;
    if (isClosed) {
      clearTimeout(timer);
      return stop.abort();
    }
    const attempt = session.dial(now());
    if (attempt) void dial(attempt);
    clearTimeout(timer);
    // No timer can wait for ever.
    timer = setTimeout(act, Math.min(session.next() - now(), 1e9), session.timer);
  }

  /** Has the session know of something. */
  function act<Facts extends unknown[]>(what: (now: number, ...facts: Facts) => void, ...facts: Facts): void {
    what(now(), ...facts);
    update();
  }

  async function dial(attempt: number): Promise<void> {
    try {
      const [base, bearer, query] = (await Promise.all([given, token, params].map(get))) as [string | URL, string?, Params?];
      const entry = session.protocol(now(), attempt);
      if (!entry) return; // It was closed, or lost, meanwhile.
      url = address(base, query);
      // A server that knows nothing of sessions and selects the first must not select that of sessions.
      const offers = (isWanted ? [entry, SUBPROTOCOL] : []).concat(protocols, bearer ? "bearer." + bearer : []);
      const mine: WebSocketLike = (socket = new WebSocket(url, offers));
      // What a socket says that was given up is nobody's concern.
      const hear = <Facts extends unknown[]>(what: (now: number, ...facts: Facts) => void, ...facts: Facts) => {
        if (socket === mine) act(what, ...facts);
      };
      mine.binaryType = "arraybuffer";
      mine.onopen = () => {
        // Otherwise the welcome follows.
        if (mine.protocol !== SUBPROTOCOL) hear(session.open);
      };
      mine.onmessage = ({ data }) => hear(session.message, data, byteLength(data));
      mine.onclose = ({ code, reason }) => hear(session.lost, code, reason);
      mine.onerror = () => {};
      update();
    } catch (error) {
      if (!session.protocol(now(), attempt)) return;
      output.tell("error", { error });
      act(session.lost, 1006, "");
    }
  }

  return {
    status: session.status,
    readyState: () => (isClosed ? 3 : session.closed() ? 2 : session.status() === "connecting" ? 0 : 1),
    bufferedAmount: () => queue.bufferedAmount() + (session.status() === "live" ? output.buffered() : 0),
    unsettledAmount: () => queue.bytes,
    url: () => url,
    socket: () => socket,

    connect(): void {
      if (stop || session.closed()) return;
      if (typeof given !== "function") url = address(given);
      if (!WebSocket) throw output.error("no-websocket", []);
      stop = new AbortController();
      watch((what, waits) => act<[waits?: boolean]>(session[what], waits), stop.signal);
      const abort = () => this.close(1000, "");
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { signal: stop.signal });
      update();
    },

    send(message: Out): void {
      if (session.closed()) return;
      const data = snapshot(codec ? codec.encode(message) : (message as SendData));
      act(session.send, { data, bytes: byteLength(escape(data)), value: codec ? message : (data as Out) });
    },

    settled: session.settled,

    close(code: number, reason: string): void {
      if (code !== 1000 && !(code >= 3000 && code < 5000)) {
        throw new DOMException("the code must be 1000 or 3000-4999", "InvalidAccessError");
      }
      session.close(now(), code, reason);
      // Whoever closes can still add a listener.
      queueMicrotask(update);
    },
  };
}
