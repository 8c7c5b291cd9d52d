/** A `WebSocket` to a room that comes back by itself. */
import type { Codec, RoomData, SendData } from "./codec.js";
import { drive, type Driver } from "./driver.js";
import { addHandlers, type RoomEventMap } from "./events.js";
import type { RoomSocketOptions, RoomUrl } from "./options.js";
import type { Status } from "./session.js";

/** The options, where no codec is needed: what comes in and goes out is what sockets have. */
type WithoutCodec<In, Out> = [In, Out] extends [RoomData, SendData]
  ? [options?: RoomSocketOptions & { codec?: undefined }]
  : [options: RoomSocketOptions & { codec: Codec<In, Out> }];

export interface RoomSocket<In = any, Out = SendData> {
  onopen: ((event: Event) => any) | null;
  onmessage: ((event: MessageEvent<In>) => any) | null;
  onerror: ((event: RoomEventMap<In, Out>["error"]) => any) | null;
  onclose: ((event: RoomEventMap<In, Out>["close"]) => any) | null;
  onstatuschange: ((event: RoomEventMap<In, Out>["statuschange"]) => any) | null;
  onresume: ((event: RoomEventMap<In, Out>["resume"]) => any) | null;
  onunsettled: ((event: RoomEventMap<In, Out>["unsettled"]) => any) | null;
  onskipped: ((event: RoomEventMap<In, Out>["skipped"]) => any) | null;

  addEventListener<Type extends keyof RoomEventMap<In, Out>>(
    type: Type,
    listener: (event: RoomEventMap<In, Out>[Type]) => any,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<Type extends keyof RoomEventMap<In, Out>>(
    type: Type,
    listener: (event: RoomEventMap<In, Out>[Type]) => any,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

/**
 * A room, as a `WebSocket` that comes back by itself. `In` is what you get, `Out` what you send.
 *
 * What is sent while the connection is lost waits. With a server that keeps sessions, nothing is lost and nothing comes
 * twice, in both directions.
 */
export class RoomSocket<In = any, Out = SendData> extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;

  /** As what bytes come: as a `Blob`, unless you say otherwise. A codec always gets an `ArrayBuffer`. */
  binaryType: "blob" | "arraybuffer" = "blob";

  #driver: Driver<Out>;

  /** Typed by a codec. */
  constructor(url: RoomUrl, options: RoomSocketOptions & { codec: Codec<In, Out> });
  /** Text and bytes. */
  constructor(url: RoomUrl, ...options: WithoutCodec<In, Out>);
  constructor(url: RoomUrl, options: RoomSocketOptions & { codec?: Codec<In, Out> | undefined } = {}) {
    super();
    addHandlers(this);
    this.#driver = drive(this, url, options);
    if (options.connect !== false) this.connect();
  }

  /** Connects, if it was told not to at first. Nothing happens when it has before. */
  connect(): void {
    this.#driver.connect();
  }

  /** How it stands with the room: never open yet, open, open but not connected, or over. */
  get status(): Status {
    return this.#driver.status();
  }

  /** That of a `WebSocket`. A room that is away is open, since what is sent waits. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#driver.readyState();
  }

  /** How many bytes were not yet handed over to the network. */
  get bufferedAmount(): number {
    return this.#driver.bufferedAmount();
  }

  /** How many bytes are not known to be durable. Without a session: how many were not yet handed over. */
  get unsettledAmount(): number {
    return this.#driver.unsettledAmount();
  }

  /** Where the room is, as last connected to. */
  get url(): string {
    return this.#driver.url();
  }

  /** The subprotocol that the server has selected: `stateroom.v1`, where it keeps sessions. */
  get protocol(): string {
    return this.#driver.socket().protocol ?? "";
  }

  get extensions(): string {
    return this.#driver.socket().extensions ?? "";
  }

  /**
   * Sends a message, now or when the room is back. Nothing happens when it is closed.
   *
   * Throws a `RoomError` when too much waits (`queue-full`), or the server would not take it (`too-large`).
   */
  send(message: Out): void {
    this.#driver.send(message);
  }

  /**
   * Resolves when all that was sent before is durable. Rejects with a `RoomError`: when the session is over
   * (`unsettled`), and where the server keeps none (`no-session`).
   */
  settled(): Promise<void> {
    return this.#driver.settled();
  }

  /**
   * Leaves the room for good. What was sent is given up to two seconds to become durable, if the room is live.
   * The code and reason are those of the `close` event; a server without sessions gets them too.
   */
  close(code = 1000, reason = ""): void {
    this.#driver.close(code, reason);
  }
}
