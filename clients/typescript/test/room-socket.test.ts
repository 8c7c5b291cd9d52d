/** A room as an application has it, over real sockets. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { json, RoomError, RoomSocket, type RoomSocketOptions, type RoomUrl } from "../src/index.js";
import { Proxy } from "./support/proxy.js";
import { Server, type ServerOptions } from "./support/server.js";
import { next, sleep, until } from "./support/wait.js";

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(options?: ServerOptions): Promise<Server> {
  const server = await new Server(options).start();
  cleanups.push(() => server.kill());
  return server;
}

function open(url: RoomUrl, options: RoomSocketOptions = {}): RoomSocket {
  const room = new RoomSocket(url, { WebSocket, timing: { retry: 20, longestRetry: 100 }, ...options });
  cleanups.push(() => room.close());
  return room;
}

const live = (room: RoomSocket<any, any>) => until(() => room.status === "live");

describe("as a WebSocket", () => {
  test("it has all that a WebSocket has", async () => {
    const server = await serve();
    const room = open(server.url);
    expect([RoomSocket.CONNECTING, RoomSocket.OPEN, RoomSocket.CLOSING, RoomSocket.CLOSED]).toEqual([0, 1, 2, 3]);
    expect([room.CONNECTING, room.OPEN, room.CLOSING, room.CLOSED]).toEqual([0, 1, 2, 3]);
    expect([room.readyState, room.bufferedAmount, room.protocol, room.extensions, room.binaryType]).toEqual([0, 0, "", "", "blob"]);
    expect(room.url).toBe(server.url);
    expect([room.onopen, room.onmessage, room.onerror, room.onclose]).toEqual([null, null, null, null]);
    expect(room).toBeInstanceOf(EventTarget);
    await next(room, "open");
    expect([room.readyState, room.protocol]).toEqual([1, "stateroom.v1"]);
    room.close(3001, "enough");
    expect(room.readyState).toBe(2);
    const end = await next<CloseEvent>(room, "close");
    expect([room.readyState, end.code, end.reason, end.wasClean]).toEqual([3, 3001, "enough", true]);
    await until(() => server.closes.length);
    expect(server.closes).toEqual([1000]);
  });

  test("its handlers can be set, replaced and taken away, and are called with the event", async () => {
    const server = await serve();
    const room = open(server.url);
    const first = vi.fn();
    const second = vi.fn();
    room.onmessage = first;
    room.onmessage = second;
    expect(room.onmessage).toBe(second);
    room.send("one");
    await until(() => second.mock.calls.length);
    expect(second.mock.calls[0]![0]).toMatchObject({ type: "message", data: "one", target: room });
    expect(second.mock.contexts[0]).toBe(room);
    expect(first).not.toHaveBeenCalled();
    room.onmessage = null;
    room.send("two");
    await next(room, "message");
    expect(second).toHaveBeenCalledTimes(1);
  });

  test("what a handler throws stops nothing", async () => {
    const thrown: unknown[] = [];
    const listener = (error: unknown) => thrown.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", listener);
    cleanups.push(() => {
      process.off("uncaughtException", listener);
      others.forEach((other) => process.on("uncaughtException", other));
    });
    const server = await serve();
    const room = open(server.url);
    const got: string[] = [];
    room.onmessage = ({ data }) => {
      got.push(data);
      throw new Error("of the application");
    };
    room.send("one");
    room.send("two");
    await until(() => got.length === 2);
    await until(() => thrown.length === 2);
    expect(room.status).toBe("live");
  });

  test("text, buffers, views and blobs go and come, as they were when they were sent", async () => {
    const server = await serve();
    const room = open(server.url);
    const got: unknown[] = [];
    room.onmessage = ({ data }) => got.push(data);
    const bytes = new Uint8Array([1, 2, 3, 4]);
    room.send("text\u0000 é 😀");
    room.send(bytes.subarray(1, 3));
    room.send(bytes.buffer);
    room.send(new Blob([bytes]));
    room.send("");
    room.send(7 as unknown as string);
    bytes.fill(9);
    await until(() => got.length === 6);
    expect(got[0]).toBe("text\u0000 é 😀");
    const blobs = got.slice(1, 4).map(async (blob) => [...new Uint8Array(await (blob as Blob).arrayBuffer())]);
    expect(await Promise.all(blobs)).toEqual([[2, 3], [1, 2, 3, 4], [1, 2, 3, 4]]);
    expect(got.slice(4)).toEqual(["", "7"]);
    await room.settled();
    expect(server.room.sessions.get(1)!.heard).toBe(6);
  });

  test("bytes come as an ArrayBuffer where that is asked for", async () => {
    const server = await serve();
    const room = open(server.url);
    room.binaryType = "arraybuffer";
    room.send(new Uint8Array([7]));
    const { data } = await next<MessageEvent>(room, "message");
    expect(data).toBeInstanceOf(ArrayBuffer);
  });

  test("codes that no application may use are refused, as everywhere", async () => {
    const server = await serve();
    const room = open(server.url);
    for (const code of [0, 999, 1001, 1006, 2999, 5000, NaN]) expect(() => room.close(code)).toThrow(DOMException);
    expect(room.readyState).toBe(0);
  });

  test("an address that is none is refused at once", () => {
    expect(() => open("ws://")).toThrow(TypeError);
    expect(() => open("/ws/lobby")).toThrow(TypeError); // There is no page here that it could be of.
  });
});

describe("while it is away", () => {
  test("it is open, what is sent waits, and the server can be killed", async () => {
    const server = await serve();
    const room = open(server.url);
    const statuses: string[] = [];
    const resumes: boolean[] = [];
    const got: string[] = [];
    room.onstatuschange = ({ status }) => statuses.push(`${status} ${room.status}`);
    room.onresume = ({ recovered }) => resumes.push(recovered);
    room.onmessage = ({ data }) => got.push(data);
    room.send("one");
    await room.settled();
    await server.kill();
    await until(() => room.status === "away");
    expect(room.readyState).toBe(1);
    room.send("two");
    room.send("three");
    expect([room.bufferedAmount, room.unsettledAmount]).toEqual([8, 8]);
    const settled = room.settled();
    await server.restart();
    await settled;
    expect([room.bufferedAmount, room.unsettledAmount]).toEqual([0, 0]);
    await until(() => got.length === 3);
    expect(got).toEqual(["one", "two", "three"]);
    expect(statuses).toEqual(["live live", "away away", "live live"]);
    expect(resumes).toEqual([true]);
    expect(server.room.sessions.size).toBe(1);
  });

  test("it connects when the server comes up at last", async () => {
    const server = await serve();
    await server.kill();
    const room = open(server.url);
    room.send("hello");
    await sleep(100);
    expect([room.status, room.readyState]).toEqual(["connecting", 0]);
    await server.restart();
    expect((await next<MessageEvent>(room, "message")).data).toBe("hello");
  });

  test("a connection that is silent is found and replaced", async () => {
    const server = await serve();
    const proxy = await new Proxy(() => server.port).start();
    cleanups.push(() => proxy.stop());
    const room = open(proxy.url, { timing: { retry: 20, idle: 100, probe: 100 } });
    await live(room);
    proxy.fault("silence");
    const began = performance.now();
    await until(() => room.status === "away");
    await live(room);
    expect(performance.now() - began).toBeLessThan(2_000);
    room.send("still here");
    expect((await next<MessageEvent>(room, "message")).data).toBe("still here");
  });

  test("whoever has missed something is told, and is in the same session", async () => {
    const server = await serve({ service: (event, say) => event.type === "message" && say.all(String(event.data)) });
    const [one, two] = [open(server.url), open(server.url)];
    await live(one);
    await live(two);
    const resumes: boolean[] = [];
    one.onresume = ({ recovered }) => resumes.push(recovered);
    const got: string[] = [];
    one.onmessage = ({ data }) => got.push(data);
    // It is kept away until the room has forgotten what it missed.
    let isAway = true;
    server.options.refuse = () => (isAway ? [4100, "later"] : undefined);
    server.closeSockets(4100);
    await until(() => one.status === "away" && two.status === "away");
    server.room.apply({ type: "message", client: 2, data: "missed" });
    server.forgetTails();
    isAway = false;
    await until(() => resumes.length);
    expect(resumes).toEqual([false]);
    expect(got).toEqual([]);
    expect(server.room.sessions.size).toBe(2);
  });

  test("a room that begins anew tells so", async () => {
    const server = await serve();
    const room = open(server.url);
    await live(room);
    server.anew();
    const { recovered } = await next<Event & { recovered: boolean }>(room, "resume");
    expect(recovered).toBe(false);
    server.closeSockets(1012);
    expect((await next<Event & { recovered: boolean }>(room, "resume")).recovered).toBe(true);
  });

  test("a server that was restored from an older copy is found out", async () => {
    const server = await serve({ service: (event, say) => event.type === "message" && say.others(event.client, String(event.data)) });
    const [speaker, listener] = [open(server.url), open(server.url)];
    const got: string[] = [];
    listener.onmessage = ({ data }) => got.push(data);
    await live(speaker);
    await live(listener);
    speaker.send("one");
    await speaker.settled();
    const copy = server.events;
    speaker.send("two");
    await speaker.settled();
    await until(() => got.length === 2);
    const resumes = [speaker, listener].map((room) => next<Event & { recovered: boolean }>(room, "resume"));
    await server.restore(copy);
    expect((await Promise.all(resumes)).map(({ recovered }) => recovered)).toEqual([false, false]);
    speaker.send("three");
    await until(() => got.length === 3);
    expect(got).toEqual(["one", "two", "three"]);
    await speaker.settled();
    // What is durable there is known of one session, and the other began another.
    expect([...server.room.sessions.values()].map(({ heard }) => heard)).toEqual([1, 0, 1]);
  });

  test("a session that is over is told with what nobody knows, and another begins", async () => {
    const server = await serve({ grace: 20, commit: () => 100 });
    const room = open(server.url);
    await live(room);
    let isAway = true;
    server.options.refuse = () => (isAway ? [4100, "later"] : undefined);
    server.closeSockets(1012);
    await until(() => room.status === "away");
    room.send("lost");
    const settled = room.settled();
    const caught = expect(settled).rejects.toThrow(RoomError);
    await until(() => server.room.sessions.size === 0);
    const unsettled = next<Event & { messages: string[]; heard: number }>(room, "unsettled");
    isAway = false;
    const { messages, heard } = await unsettled;
    expect([messages, heard]).toEqual([["lost"], 0]);
    await caught;
    expect((await next<Event & { recovered: boolean }>(room, "resume")).recovered).toBe(false);
    room.send("found");
    expect((await next<MessageEvent>(room, "message")).data).toBe("found");
  });
});

test("what is settled is durable, and not before", async () => {
  const server = await serve({ commit: () => 150 });
  const room = open(server.url);
  await live(room);
  room.send("one");
  expect(room.unsettledAmount).toBe(3);
  let isSettled = false;
  const settled = room.settled().then(() => (isSettled = true));
  await sleep(50);
  expect(isSettled).toBe(false);
  await settled;
  expect(room.unsettledAmount).toBe(0);
  await room.settled();
});

test("a message at which the room fails is told to whoever sent it", async () => {
  const server = await serve();
  server.failAt = (data) => (data === "bad" ? "index out of bounds" : undefined);
  const room = open(server.url);
  const got: string[] = [];
  room.onmessage = ({ data }) => got.push(data);
  room.send("good");
  room.send("bad");
  room.send("better");
  const { number, reason, sent } = await next<Event & { number: number; reason: string; sent: string }>(room, "skipped");
  expect([number, reason, sent]).toEqual([2, "index out of bounds", "bad"]);
  await until(() => got.length === 2);
  await room.settled();
  server.closeSockets(1012);
  await next(room, "resume");
  room.send("best");
  await until(() => got.length === 3);
  expect(got).toEqual(["good", "better", "best"]);
});

test("a service closes a client for good, and a newer client of the same key takes over", async () => {
  const server = await serve();
  const room = open(server.url);
  await live(room);
  server.close(1, 4321);
  const { code, reason } = await next<CloseEvent>(room, "close");
  expect([code, reason, room.status]).toEqual([4321, "closed by the service", "closed"]);
  room.send("ignored");
  expect(room.unsettledAmount).toBe(0);
  const other = open(server.url);
  await live(other);
  server.closeSockets(4300, "moved");
  expect((await next<CloseEvent>(other, "close")).code).toBe(4300);
  await sleep(50);
  expect(server.handshakes.length).toBe(2);
});

describe("who and where", () => {
  test("the address, the token and the parameters may be functions, which are asked for each attempt", async () => {
    const server = await serve();
    let tokens = 0;
    const room = open(() => server.url.replace("ws", "http"), {
      token: async () => `t${++tokens}`,
      params: () => ({ name: "Ada & Bob", age: 36, nothing: null, missing: undefined, is: false, attempt: tokens }),
      protocols: ["chat"],
    });
    await live(room);
    const [offers] = server.handshakes;
    expect(offers).toEqual([expect.stringMatching(/^s\./), "stateroom.v1", "chat", "bearer.t1"]);
    expect(server.requests[0]!.url).toBe("/ws/lobby?name=Ada+%26+Bob&age=36&is=false&attempt=1");
    expect(room.url).not.toContain("t1");
    server.closeSockets(4201, "log in again");
    await next(room, "resume");
    expect(server.handshakes[1]).toContain("bearer.t2");
  });

  test("plain values do as well", async () => {
    const server = await serve();
    const room = open(new URL(`${server.url}?color=red#part`), { token: "abc", params: { color: "blue" } });
    await live(room);
    expect(server.requests[0]!.url).toBe("/ws/lobby?color=blue");
    expect(server.handshakes[0]).toContain("bearer.abc");
  });

  test("what cannot be got is told, and tried again", async () => {
    const server = await serve();
    let tries = 0;
    const room = open(server.url, {
      token: () => {
        if (++tries < 3) throw new Error(`no token ${tries}`);
        return "abc";
      },
    });
    const errors: string[] = [];
    room.onerror = ({ error }) => errors.push(String(error));
    await live(room);
    expect(errors).toEqual(["Error: no token 1", "Error: no token 2"]);
  });

  test("a room that is closed while its token is fetched does not connect", async () => {
    const server = await serve();
    let give = (_: string) => {};
    const room = open(server.url, { token: () => new Promise<string>((resolve) => (give = resolve)) });
    await sleep(10);
    room.close();
    give("abc");
    await next(room, "close");
    await sleep(50);
    expect(server.handshakes).toEqual([]);
  });

  test("a signal closes it, now or before", async () => {
    const server = await serve();
    const controller = new AbortController();
    const room = open(server.url, { signal: controller.signal });
    await live(room);
    controller.abort();
    expect((await next<CloseEvent>(room, "close")).code).toBe(1000);
    const late = open(server.url, { signal: controller.signal });
    await next(late, "close");
    expect(late.status).toBe("closed");
    expect(server.handshakes.length).toBe(1);
  });

  test("it connects when it is told to, if that is wanted", async () => {
    const server = await serve();
    const room = open(server.url, { connect: false });
    room.send("hello");
    await sleep(30);
    expect(server.handshakes).toEqual([]);
    room.connect();
    room.connect();
    expect((await next<MessageEvent>(room, "message")).data).toBe("hello");
    expect(server.handshakes.length).toBe(1);
  });

  test("where there is no WebSocket it says what to do", () => {
    vi.stubGlobal("WebSocket", undefined);
    cleanups.push(() => vi.unstubAllGlobals());
    const opening = () => new RoomSocket("ws://localhost/ws/lobby");
    expect(opening).toThrow(RoomError);
    expect(opening).toThrow("ws://localhost/ws/lobby: pass a WebSocket as an option");
  });
});

test("typed messages pass a codec, and what it cannot read is told", async () => {
  const server = await serve();
  interface Said {
    text: string;
  }
  const room = new RoomSocket(server.url, { WebSocket, codec: json<Said, Said>() });
  cleanups.push(() => room.close());
  room.send({ text: "typed" });
  const message = await next<MessageEvent<Said>>(room, "message");
  expect(message.data.text).toBe("typed");
  expect(server.written[0]).toBe('{"text":"typed"}');
  const raw = open(server.url, { codec: { encode: (text: string) => text, decode: JSON.parse } } as RoomSocketOptions);
  raw.send("{");
  const { error } = await next<Event & { error: unknown }>(raw, "error");
  expect(error).toBeInstanceOf(SyntaxError);
  expect(raw.status).toBe("live");
});

describe("with a server that keeps no sessions", () => {
  test("it comes back, and tells that something may be missing", async () => {
    const server = await serve({ plain: () => "chat" });
    const room = open(server.url, { protocols: "chat" });
    const resumes: boolean[] = [];
    room.onresume = ({ recovered }) => resumes.push(recovered);
    room.send("\0one");
    expect((await next<MessageEvent>(room, "message")).data).toBe("\0one");
    expect(room.protocol).toBe("chat");
    await expect(room.settled()).rejects.toMatchObject({ code: "no-session", message: `${server.url}: the server has no sessions` });
    await server.kill();
    await until(() => room.status === "away");
    room.send("two");
    await server.restart();
    expect((await next<MessageEvent>(room, "message")).data).toBe("two");
    expect(resumes).toEqual([false]);
    expect(server.written).toEqual(["\0one", "two"]);
    room.close(4001, "bye");
    await until(() => server.closes.includes(4001));
  });

  test("one that selects the first that is offered, whatever it is, will do", async () => {
    const server = await serve({ plain: ([first]) => first! });
    const room = open(server.url);
    room.send("one");
    expect((await next<MessageEvent>(room, "message")).data).toBe("one");
    await expect(room.settled()).rejects.toMatchObject({ code: "no-session" });
  });

  test("none is asked for, if that is not wanted", async () => {
    const server = await serve();
    const room = open(server.url, { session: false });
    await live(room);
    expect(server.handshakes).toEqual([[""]]);
    room.send("one");
    expect((await next<MessageEvent>(room, "message")).data).toBe("one");
  });
});

test("what is sent while an event is told comes after it", async () => {
  const server = await serve();
  const room = open(server.url);
  const got: string[] = [];
  room.addEventListener("open", () => room.send("two"));
  room.addEventListener("message", ({ data }) => {
    got.push(`first ${data}`);
    if (data === "one") room.send("three");
  });
  room.addEventListener("message", ({ data }) => got.push(`second ${data}`));
  room.send("one");
  await until(() => got.length === 6);
  expect(got).toEqual(["first one", "second one", "first two", "second two", "first three", "second three"]);
});

test("each event is told to all before the next one is", async () => {
  const server = await serve();
  const room = open(server.url);
  const told: string[] = [];
  room.addEventListener("statuschange", () => room.send("one"));
  room.addEventListener("statuschange", () => told.push("statuschange"));
  room.addEventListener("open", () => told.push("open"));
  await until(() => told.length === 2);
  expect(told).toEqual(["statuschange", "open"]);
});

test("what could not be sent is told as it was when it was sent", async () => {
  const server = await serve();
  await server.kill();
  const room = open(server.url);
  const bytes = new Uint8Array([1, 2]);
  room.send(bytes);
  bytes.fill(9);
  room.send("text");
  room.close();
  const { messages } = await next<Event & { messages: unknown[] }>(room, "unsettled");
  expect([[...new Uint8Array(messages[0] as ArrayBuffer)], messages[1]]).toEqual([[1, 2], "text"]);
});

/** A socket of which a test says what it hears, as one that goes on although it was given up. */
class FakeSocket {
  static all: FakeSocket[] = [];
  binaryType = "blob";
  protocol = "stateroom.v1";
  extensions = "";
  bufferedAmount = 0;
  sent: unknown[] = [];
  closed: unknown[] = [];
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;

  constructor() {
    FakeSocket.all.push(this);
  }

  send(data: unknown) {
    this.sent.push(data);
  }

  close(...how: unknown[]) {
    this.closed.push(how);
  }

  welcome() {
    this.onopen?.({});
    this.onmessage?.({ data: "\0welcome 1 1 0 0 100 100 100" });
  }
}

describe("with a socket that goes on although it was given up", () => {
  test("it hears the new one only", async () => {
    const room = open("ws://localhost/", { WebSocket: FakeSocket });
    FakeSocket.all = [];
    await until(() => FakeSocket.all.length === 1);
    const [old] = FakeSocket.all as [FakeSocket];
    old.welcome();
    const got: string[] = [];
    room.onmessage = ({ data }) => got.push(data);
    old.onmessage({ data: "one" });
    old.onmessage({ data: "\0nonsense" });
    expect(old.closed).toEqual([[4999, ""]]);
    expect(room.status).toBe("away");
    old.onmessage?.({ data: "late" });
    await until(() => FakeSocket.all.length === 2);
    old.onmessage?.({ data: "later" });
    old.onclose?.({ code: 4300, reason: "moved" });
    const fresh = FakeSocket.all[1]!;
    fresh.onopen({});
    fresh.onmessage({ data: "\0welcome 1 1 0 1 100 100 100" });
    expect(room.status).toBe("live");
    old.onopen?.({});
    old.onmessage?.({ data: "much later" });
    fresh.onmessage({ data: "two" });
    expect(got).toEqual(["one", "two"]);
    room.send("three");
    expect([old.sent, fresh.sent]).toEqual([[], ["three"]]);
  });

  test("and with one that has yet to be written, it tells how much", async () => {
    const room = open("ws://localhost/", { WebSocket: FakeSocket });
    FakeSocket.all = [];
    await until(() => FakeSocket.all.length === 1);
    room.send("12345");
    expect(room.bufferedAmount).toBe(5);
    const [socket] = FakeSocket.all as [FakeSocket];
    socket.welcome();
    socket.bufferedAmount = 3;
    expect([room.bufferedAmount, room.unsettledAmount]).toEqual([3, 5]);
    socket.onclose({ code: 1006, reason: "" });
    expect([room.bufferedAmount, room.unsettledAmount]).toEqual([5, 5]);
  });
});

test("a room that is closed listens to nothing more, and tells no errors", async () => {
  const signals: AbortSignal[] = [];
  vi.stubGlobal("addEventListener", (_: string, __: unknown, { signal }: { signal: AbortSignal }) => signals.push(signal));
  cleanups.push(() => vi.unstubAllGlobals());
  let fail = (_: Error) => {};
  const room = open("ws://localhost/", { WebSocket: FakeSocket, token: () => new Promise<string>((_, reject) => (fail = reject)) });
  const errors: unknown[] = [];
  room.onerror = ({ error }) => errors.push(error);
  await sleep(5);
  expect(signals.length).toBeGreaterThan(0);
  room.close();
  await next(room, "close");
  expect(signals.every((signal) => signal.aborted)).toBe(true);
  fail(new Error("too late"));
  await sleep(5);
  expect(errors).toEqual([]);
});
