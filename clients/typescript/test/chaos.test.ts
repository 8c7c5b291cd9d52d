/** Nothing is lost, nothing comes twice, and all is in order, whatever happens to connections and to the server. */
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { RoomSocket } from "../src/index.js";
import { Proxy, type Fault } from "./support/proxy.js";
import { seeded } from "./support/random.js";
import { Server } from "./support/server.js";
import { sleep, until } from "./support/wait.js";

const CLIENTS = 8;
const MESSAGES = 300;
const FAULTS: Fault[] = ["cut", "reset", "half-close", "delay", "delay-up", "delay-down", "silence"];

const seeds = process.env.SEED ? [Number(process.env.SEED)] : [1, 2, 3];

test.each(seeds)("each message comes exactly once and in order, both ways, whatever fails (seed %i)", async (seed) => {
  const random = seeded(seed);
  const below = (end: number) => Math.floor(random() * end);
  let told = 0;
  const server = await new Server({
    commit: () => below(8),
    service: (event, say) => {
      if (event.type !== "message") return;
      if (!event.client) throw new Error("nobody");
      say.to(event.client, event.data);
      // The same for all, numbered by the journal: it is heard again when the room is brought back.
      say.all(`all ${String(event.data)}`);
    },
  }).start();
  const proxy = await new Proxy(() => server.port).start();

  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    const room = new RoomSocket<string, string>(proxy.url, {
      WebSocket,
      timing: { retry: 20, longestRetry: 150, idle: 250, probe: 250 },
    });
    const got: string[] = [];
    const resumes: boolean[] = [];
    room.onmessage = ({ data }) => got.push(data);
    room.onresume = ({ recovered }) => resumes.push(recovered);
    room.onclose = ({ code, reason }) => got.push(`closed ${code} ${reason}`);
    return { index, room, got, resumes };
  });
  // All are there before anybody speaks, so that all hear the same.
  await until(() => clients.every(({ room }) => room.status === "live"));

  const speaking = clients.map(async ({ index, room }) => {
    for (let number = 0; number < MESSAGES; number++) {
      room.send(`${index}:${number}`);
      if (random() < 0.1) await sleep(below(60));
    }
    await room.settled();
    told++;
  });

  let faults = 0;
  let kills = 0;
  // However few faults there is time for, one of the first is a kill.
  while (kills === 0 || (told < CLIENTS && faults < 400)) {
    await sleep(below(40));
    faults++;
    if (faults === 3 || random() < 0.08) {
      kills++;
      await server.kill(below(5));
      await sleep(below(60));
      await server.restart();
    } else {
      proxy.fault(FAULTS[below(FAULTS.length)]!, below(CLIENTS), 1 + below(150));
    }
  }
  await Promise.all(speaking);
  const total = CLIENTS * MESSAGES;
  await until(() => clients.every(({ got }) => got.length >= total + MESSAGES), "everything has come");
  // Connections that are silent are found and replaced.
  await sleep(700);
  await until(() => clients.every(({ room }) => room.status === "live"));

  // What the room has heard of each is what it said, and everybody has got the same in the same order.
  const heard = server.room.heard.map(({ data }) => String(data));
  expect(heard.length).toBe(total);
  for (const { index, got, room } of clients) {
    const mine = Array.from({ length: MESSAGES }, (_, number) => `${index}:${number}`);
    expect(heard.filter((text) => text.startsWith(`${index}:`))).toEqual(mine);
    expect(got.filter((text) => !text.startsWith("all "))).toEqual(mine);
    expect(got.filter((text) => text.startsWith("all "))).toEqual(heard.map((text) => `all ${text}`));
    expect(room.unsettledAmount).toBe(0);
  }
  // Nobody was told of a loss that there was not.
  const resumes = clients.flatMap(({ resumes }) => resumes);
  expect(resumes.length).toBeGreaterThanOrEqual(CLIENTS);
  expect(resumes).not.toContain(false);
  expect(server.room.sessions.size).toBe(CLIENTS);
  console.log(`seed ${seed}: ${faults} faults, ${kills} kills, ${resumes.length} resumes`);

  for (const { room } of clients) room.close();
  await until(() => clients.every(({ room }) => room.readyState === room.CLOSED));
  await until(() => server.room.sessions.size === 0, "all have left");
  await proxy.stop();
  await server.kill();
});
