/** A room with sessions as the protocol has them: what follows from its events alone, and is the same when they are heard again. */

export type Data = string | Uint8Array;

export type RoomEvent =
  | { type: "connect"; key: string }
  | { type: "message"; client: number; data: Data }
  /** A message at which the room failed. */
  | { type: "skip"; client: number; reason: string }
  | { type: "disconnect"; client: number; closedWith?: number };

/** What a service hears and can do. It may depend on nothing but the events. */
export interface Service {
  (event: RoomEvent & { client: number }, say: { to(client: number, data: Data): void; all(data: Data): void; others(client: number, data: Data): void }): void;
}

export interface Session {
  key: string;
  /** How many messages of it were heard. */
  heard: number;
  /** All that it was sent and counts, as it stands on the wire, after the first `dropped`. */
  sent: Data[];
  dropped: number;
  closedWith: number | undefined;
}

export class Room {
  readonly sessions = new Map<number, Session>();
  /** Sessions that are over: how many messages of theirs were heard. */
  readonly tombstones = new Map<string, number>();
  readonly heard: { key: string; data: Data }[] = [];
  #clients = 0;

  constructor(
    readonly service: Service,
    journal: readonly RoomEvent[] = [],
  ) {
    for (const event of journal) this.apply(event);
  }

  find(key: string): number | undefined {
    for (const [client, session] of this.sessions) if (session.key === key) return client;
  }

  /** Hears an event. Returns what it causes to be said, in order. */
  apply(event: RoomEvent): { client: number; data: Data }[] {
    const said: { client: number; data: Data }[] = [];
    const say = (client: number, data: Data) => {
      const session = this.sessions.get(client);
      if (!session || session.closedWith !== undefined) return;
      session.sent.push(data);
      said.push({ client, data });
    };
    // What a service says is never taken for what the protocol says.
    const escape = (data: Data) => (typeof data === "string" && data[0] === "\0" ? `\0${data}` : data);
    let client = "client" in event ? event.client : 0;
    if (event.type === "connect") {
      client = ++this.#clients;
      this.sessions.set(client, { key: event.key, heard: 0, sent: [], dropped: 0, closedWith: undefined });
    }
    const session = this.sessions.get(client);
    if (!session) return said;
    if (event.type === "message" || event.type === "skip") session.heard++;
    if (event.type === "message") this.heard.push({ key: session.key, data: event.data });
    if (event.type === "skip") {
      say(client, `\0skipped ${session.heard} ${event.reason}`);
      return said;
    }
    this.service(
      { ...event, client },
      {
        to: (client, data) => say(client, escape(data)),
        all: (data) => [...this.sessions.keys()].forEach((client) => say(client, escape(data))),
        others: (left, data) => [...this.sessions.keys()].forEach((client) => client !== left && say(client, escape(data))),
      },
    );
    if (event.type === "disconnect") {
      this.tombstones.set(session.key, session.heard);
      if (event.closedWith === undefined) this.sessions.delete(client);
      else session.closedWith = event.closedWith;
    }
    return said;
  }
}
