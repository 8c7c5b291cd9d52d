/** A small server of the session protocol, with a disk that takes its time, that can be killed and started again. */
import { createServer, type IncomingMessage, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { Room, type Data, type RoomEvent, type Service } from "./room.js";

export interface ServerOptions {
  service?: Service;
  /** How long it takes until what has happened is durable. */
  commit?: () => number;
  grace?: number;
  largest?: number;
  ackBytes?: number;
  /** Looks at each handshake: a close code, if it is to be refused. */
  refuse?: (offers: string[], request: IncomingMessage) => [code: number, reason: string] | undefined;
  /** Which subprotocol it selects that speaks no sessions. */
  plain?: (offers: string[]) => string;
}

interface Request {
  key: string;
  attempt: number;
  life: string;
  have: number;
  acked: number;
  sent: number;
}

interface Place {
  attempt: number;
  socket: WebSocket | undefined;
  isAttached: boolean;
  /** How many of its messages are durable, as it may be told. */
  durable: number;
  /** How many messages were written to the socket, or came before. */
  position: number;
  gone: ReturnType<typeof setTimeout> | undefined;
}

const ECHO: Service = (event, say) => {
  if (event.type === "message") say.to(event.client, event.data);
};

const NUMBER = /^(0|[1-9]\d{0,15})$/;

export class Server {
  room: Room;
  epoch = 1;
  incarnation = 1;
  /** All that clients have written, and all close codes that they have used. */
  readonly written: string[] = [];
  readonly closes: number[] = [];
  readonly handshakes: string[][] = [];
  readonly requests: IncomingMessage[] = [];
  port = 0;

  #journal: RoomEvent[] = [];
  #durable = 0;
  #gate: { at: number; run: () => void }[] = [];
  #places = new Map<number, Place>();
  /** How many messages each client may be told. */
  #released = new Map<number, number>();
  #http: HttpServer | undefined;
  #sockets = new Set<WebSocket>();
  #commits: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly options: ServerOptions = {}) {
    this.room = new Room(options.service ?? ECHO);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws/lobby`;
  }

  async start(): Promise<this> {
    const http = createServer();
    const sockets = new WebSocketServer({
      server: http,
      handleProtocols: (offers) => this.options.plain?.([...offers]) ?? (offers.has("stateroom.v1") ? "stateroom.v1" : ([...offers][0] ?? false)),
    });
    sockets.on("connection", (socket, request) => this.#connected(socket, request));
    await new Promise<void>((resolve, reject) => http.once("error", reject).listen(this.port, "127.0.0.1", resolve));
    this.port = (http.address() as AddressInfo).port;
    this.#http = http;
    return this;
  }

  /** Ends as a process does that is killed: what was on its way to the disk is there, or it is not. */
  async kill(kept = 0): Promise<void> {
    clearTimeout(this.#commits);
    this.#commits = undefined;
    this.#journal.length = Math.min(this.#journal.length, this.#durable + kept);
    this.#gate = [];
    for (const place of this.#places.values()) clearTimeout(place.gone);
    this.#places.clear();
    for (const socket of this.#sockets) socket.terminate();
    this.#sockets.clear();
    this.#http?.closeAllConnections();
    await new Promise((resolve) => (this.#http ? this.#http.close(resolve) : resolve(undefined)));
    this.#http = undefined;
  }

  /** Starts again, from what is durable. Whoever is away has the whole grace to come back. */
  async restart(): Promise<void> {
    this.room = new Room(this.room.service, this.#journal);
    this.#durable = this.#journal.length;
    this.#released.clear();
    for (const [client, session] of this.room.sessions) {
      this.#released.set(client, session.sent.length);
      const place: Place = { attempt: 0, socket: undefined, isAttached: false, durable: session.heard, position: session.sent.length, gone: undefined };
      this.#places.set(client, place);
      this.#goesAway(client, place);
    }
    await this.start();
  }

  /** Is as it was after so many events, as after a restore from a copy: what was told since is not known any more. */
  async restore(events: number): Promise<void> {
    await this.kill();
    this.#journal.length = events;
    this.incarnation++;
    await this.restart();
  }

  /** How many events there were. */
  get events(): number {
    return this.#journal.length;
  }

  /** Begins the room anew, with the same clients. */
  anew(): void {
    this.flushDisk();
    this.epoch++;
    for (const [client, session] of this.room.sessions) {
      session.sent.push(`\0anew ${this.epoch}`);
      this.#letOut(client);
    }
  }

  /** Forgets what was said to everybody and what they have not got. */
  forgetTails(): void {
    this.flushDisk();
    for (const session of this.room.sessions.values()) {
      session.dropped += session.sent.length;
      session.sent = [];
    }
  }

  /** Fails at the next message of this client. */
  failAt: ((data: Data) => string | undefined) | undefined;

  /** Closes a client, as a service does. */
  close(client: number, code: number): void {
    const at = this.#hear({ type: "disconnect", client, closedWith: code });
    this.#gated(at, () => this.#places.get(client)?.socket?.close(code, "closed by the service"));
  }

  /** Closes all sockets with this code, as a server does that has a reason to. */
  closeSockets(code: number, reason = ""): void {
    for (const socket of this.#sockets) socket.close(code, reason);
  }

  /** Waits for all that has happened to be durable, and says it. */
  flushDisk(): void {
    this.#durable = this.#journal.length;
    while (this.#gate[0] && this.#gate[0].at <= this.#durable) this.#gate.shift()!.run();
  }

  #connected(socket: WebSocket, request: IncomingMessage): void {
    this.#sockets.add(socket);
    this.requests.push(request);
    socket.on("close", (code) => {
      this.#sockets.delete(socket);
      this.closes.push(code);
    });
    socket.on("error", () => {});
    const offers = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((offer) => offer.trim());
    this.handshakes.push(offers);
    const refusal = this.options.refuse?.(offers, request);
    if (refusal) return socket.close(...refusal);
    if (socket.protocol !== "stateroom.v1") {
      socket.on("message", (data: Buffer, isBinary) => {
        const text = isBinary ? new Uint8Array(data) : data.toString();
        this.written.push(String(text));
        socket.send(text);
      });
      return;
    }
    const words = offers.find((offer) => offer.startsWith("s."))?.split(".") ?? [];
    const [, key = "", ...numbers] = words;
    if (!/^[\w-]{21}[AQgw]$/.test(key) || numbers.length !== 6 || !numbers.every((number) => NUMBER.test(number))) {
      return socket.close(1002, "malformed handshake");
    }
    const [attempt, epoch, incarnation, have, acked, sent] = numbers.map(Number) as [number, number, number, number, number, number];
    this.#ask(socket, { key, attempt, life: `${epoch}.${incarnation}`, have, acked, sent });
  }

  #ask(socket: WebSocket, request: Request): void {
    const client = this.room.find(request.key);
    if (client !== undefined) return this.#comesBack(socket, client, request);
    const isFirst = request.life === "0.0" && !request.have && !request.acked && !request.sent;
    const heard = this.room.tombstones.get(request.key);
    if (heard !== undefined || !isFirst) {
      return this.#gated(this.#journal.length, () => socket.close(4200, heard === undefined ? "ended" : `heard=${heard}`));
    }
    const at = this.#hear({ type: "connect", key: request.key });
    const opened = this.room.find(request.key)!;
    const place: Place = { attempt: request.attempt, socket, isAttached: false, durable: 0, position: 0, gone: undefined };
    this.#places.set(opened, place);
    this.#listen(socket, opened, place);
    this.#gated(at, () => this.#welcome(socket, opened, 0, 0));
  }

  #comesBack(socket: WebSocket, client: number, request: Request): void {
    const session = this.room.sessions.get(client)!;
    const place = this.#places.get(client)!;
    const at = this.#journal.length;
    const refuse = (code: number, reason: string) => this.#gated(at, () => socket.close(code, reason));
    if (request.attempt < place.attempt) return refuse(4300, "moved");
    if (request.attempt === place.attempt) return refuse(4000, "again");
    const { heard } = session;
    if (request.acked > heard || heard > request.sent) return refuse(4200, `heard=${heard}`);
    const total = session.dropped + session.sent.length;
    const isKnown = request.life === "0.0" || request.life === `${this.epoch}.${this.incarnation}`;
    const from = isKnown && request.have >= session.dropped && request.have <= total ? request.have : total;
    const old = place.socket;
    Object.assign(place, { attempt: request.attempt, socket, isAttached: false });
    clearTimeout(place.gone);
    this.#listen(socket, client, place);
    if (old) this.#gated(at, () => old.close(4300, "moved"));
    this.#gated(at, () => this.#welcome(socket, client, heard, from));
    if (session.closedWith !== undefined) refuse(session.closedWith, "closed by the service");
  }

  #welcome(socket: WebSocket, client: number, heard: number, from: number): void {
    const place = this.#places.get(client);
    if (place?.socket !== socket) return;
    Object.assign(place, { isAttached: true, durable: Math.max(place.durable, heard), position: from });
    const { ackBytes = 65_536, largest = 1_048_576, grace = 30_000 } = this.options;
    socket.send(`\0welcome ${this.epoch} ${this.incarnation} ${heard} ${from} ${ackBytes} ${largest} ${grace}`);
    this.#release(client);
  }

  #listen(socket: WebSocket, client: number, place: Place): void {
    socket.on("message", (raw: Buffer, isBinary) => {
      const data = isBinary ? new Uint8Array(raw) : raw.toString();
      if (place.socket !== socket || this.room.sessions.get(client)?.closedWith !== undefined) return;
      this.written.push(String(data));
      const isControl = typeof data === "string" && data[0] === "\0" && data[1] !== "\0";
      const session = this.room.sessions.get(client)!;
      if (!place.isAttached) return socket.close(1002, "said before the welcome");
      if (!isControl) {
        const plain = typeof data === "string" && data[0] === "\0" ? data.slice(1) : data;
        const reason = this.failAt?.(plain);
        const at = this.#hear(reason === undefined ? { type: "message", client, data: plain } : { type: "skip", client, reason });
        this.#gated(at, () => place.durable++);
        return;
      }
      const tell = () => socket.readyState === socket.OPEN && socket.send(`\0ack ${place.durable}`);
      const [word, number] = data.slice(1).split(" ");
      if (data === "\0probe") tell();
      else if (data === "\0flush") this.#gated(this.#journal.length, tell);
      else if (word === "ack" && NUMBER.test(number ?? "") && Number(number) <= place.position) {
        // What it has got need not be kept.
        const got = Number(number) - session.dropped;
        session.sent.splice(0, got);
        session.dropped += got;
      } else socket.close(1002, "not in the protocol");
    });
    socket.on("close", (code) => {
      if (place.socket !== socket) return;
      place.socket = undefined;
      place.isAttached = false;
      if (code === 1000) this.#hear({ type: "disconnect", client });
      else this.#goesAway(client, place);
    });
  }

  #goesAway(client: number, place: Place): void {
    const { grace = 30_000 } = this.options;
    clearTimeout(place.gone);
    place.gone = setTimeout(() => !place.socket && this.#hear({ type: "disconnect", client }), grace);
    place.gone.unref();
  }

  /** Has the room hear an event. Returns after how many events what follows may be told. */
  #hear(event: RoomEvent): number {
    this.#journal.push(event);
    const at = this.#journal.length;
    for (const { client } of this.room.apply(event)) this.#gated(at, () => this.#letOut(client));
    return at;
  }

  /** One more message to a client may be told. */
  #letOut(client: number): void {
    this.#released.set(client, (this.#released.get(client) ?? 0) + 1);
    this.#release(client);
  }

  /** Writes all to a client that may be told and it does not have. */
  #release(client: number): void {
    const [place, session] = [this.#places.get(client), this.room.sessions.get(client)];
    if (!place?.isAttached || !session || place.socket?.readyState !== 1) return;
    const released = this.#released.get(client) ?? 0;
    for (; place.position < released; place.position++) place.socket.send(session.sent[place.position - session.dropped]!);
  }

  #gated(at: number, run: () => void): void {
    this.#gate.push({ at, run });
    this.#commits ??= setTimeout(() => {
      this.#commits = undefined;
      this.flushDisk();
    }, this.options.commit?.() ?? 0);
  }
}
