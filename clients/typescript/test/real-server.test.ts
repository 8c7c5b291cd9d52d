/** The client and the server of this repository, together. */
import { afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { RoomSocket } from "../src/index.js";
import { Proxy } from "./support/proxy.js";
import { build, RealServer } from "./support/real-server.js";
import { next, sleep, until } from "./support/wait.js";

const CLIENTS = 4;
const MESSAGES = 200;

const toUndo: (() => unknown)[] = [];
beforeAll(build, 600_000);
afterEach(async () => {
  for (const undo of toUndo.splice(0).reverse()) await undo();
});

async function serve(...options: string[]): Promise<[RealServer, Proxy, reach: { isThere: boolean }]> {
  const server = await new RealServer(["--session-grace", "10m", ...options]).start();
  toUndo.push(() => server.remove());
  const reach = { isThere: true };
  const proxy = await new Proxy(() => (reach.isThere ? server.port : 1)).start();
  toUndo.push(() => proxy.stop());
  return [server, proxy, reach];
}

function open(url: string): RoomSocket<string, string> {
  const room = new RoomSocket<string, string>(url, { WebSocket, timing: { retry: 20, longestRetry: 100 } });
  toUndo.push(() => room.close());
  return room;
}

test("each message comes exactly once and in order, both ways, though the server is killed", async () => {
  const [server, proxy] = await serve();
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const room = open(proxy.url);
    const [got, missed]: [string[], boolean[]] = [[], []];
    room.onmessage = ({ data }) => got.push(data);
    room.onresume = ({ recovered, newSession }) => missed.push(!recovered, newSession);
    room.onclose = ({ code, reason }) => got.push(`closed ${code} ${reason}`);
    return { index, room, got, missed };
  });
  await until(() => clients.every(({ room }) => room.status === "live"));

  for (const part of [0, 1, 2, 3]) {
    const first = (part * MESSAGES) / 4;
    for (let number = first; number < first + MESSAGES / 4; number++) {
      for (const { index, room } of clients) room.send(`${index}:${number}`);
    }
    if (part === 3) break;
    // Some of it is heard, some is on its way, in either direction.
    await until(() => clients[part]!.got.length > first * CLIENTS);
    await server.kill();
    for (const { index, room } of clients) room.send(`${index}:away ${part}`);
    await server.start();
  }
  await Promise.all(clients.map(({ room }) => room.settled()));

  const total = CLIENTS * (MESSAGES + 3);
  await until(() => clients.every(({ got }) => got.length >= total), "everything has come");
  // What would come twice comes before the answer to this.
  clients[0]!.room.send("end");
  await until(() => clients.every(({ got }) => got.at(-1) === "end"));
  const said = ({ index }: { index: number }) =>
    [0, 1, 2, 3].flatMap((part) => [
      ...Array.from({ length: MESSAGES / 4 }, (_, number) => `${index}:${(part * MESSAGES) / 4 + number}`),
      ...(part < 3 ? [`${index}:away ${part}`] : []),
    ]);
  for (const { got, missed } of clients) {
    expect(got.length).toBe(total + 1);
    expect(got).toEqual(clients[0]!.got);
    expect(missed.length).toBeGreaterThan(0);
    expect(missed).not.toContain(true);
  }
  for (const client of clients) {
    expect(clients[0]!.got.filter((text) => text.startsWith(`${client.index}:`))).toEqual(said(client));
  }
});

test("a server that is full is tried again, and nothing is lost", async () => {
  const [server, proxy, reach] = await serve("--max-clients", "1");
  const room = open(proxy.url);
  await until(() => room.status === "live");
  reach.isThere = false;
  proxy.fault("cut");
  await until(() => room.status === "away");
  // It takes the place as soon as the server has noticed that it is free.
  let other: WebSocket;
  do {
    other = new WebSocket(`ws://127.0.0.1:${server.port}/ws/other`);
    await new Promise((resolve) => other.on("open", resolve).on("error", resolve));
  } while (other.readyState !== WebSocket.OPEN);
  room.send("kept");
  const refused = async () => Number(/refusals_total\{reason="max_clients"\} (\d+)/.exec(await server.metrics())?.[1] ?? 0);
  const before = await refused();
  reach.isThere = true;
  while ((await refused()) === before) await sleep(10);
  expect(room.status).toBe("away");
  const resumed = next<Event & { recovered: boolean }>(room, "resume");
  other.terminate();
  expect((await resumed).recovered).toBe(true);
  await room.settled();
});

test("what a room has not heard that was restarted meanwhile is given back", async () => {
  const [server, proxy] = await serve();
  const room = open(proxy.url);
  const told: unknown[] = [];
  room.onunsettled = ({ messages, heard }) => told.push({ messages, heard });
  room.onresume = ({ recovered, newSession }) => told.push({ recovered, newSession });
  await until(() => room.status === "live");
  room.send("heard");
  await room.settled();
  await server.kill();
  room.send("not heard");
  server.rooms("restart", "lobby");
  await server.start();
  await until(() => told.length === 2);
  expect(told).toEqual([
    { messages: ["not heard"], heard: 1 },
    { recovered: false, newSession: false },
  ]);
  room.send("after");
  expect((await next<MessageEvent>(room, "message")).data).toBe("after");
  await room.settled();
});
