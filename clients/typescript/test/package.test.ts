/** What is published works: it is built, packed, installed elsewhere, and used there. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Server } from "./support/server.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const app = mkdtempSync(`${tmpdir()}/stateroom-client-`);

async function run(command: string, options: string[], settings: { cwd?: string; env?: Record<string, string> } = {}): Promise<string> {
  const { cwd = root, env = {} } = settings;
  try {
    const { stdout } = await promisify(execFile)(command, options, { cwd, env: { ...process.env, ...env } });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${options.join(" ")}: ${stdout}${stderr}`);
  }
}

beforeAll(async () => {
  const built = await run("npm", ["run", "--silent", "build"]);
  expect(built).toMatch(/^@stateroom\/client: \d{4} bytes minified and gzipped/);
  const [packed] = JSON.parse(await run("npm", ["pack", "--json", "--pack-destination", app])) as [{ filename: string }];
  const target = `${app}/node_modules/@stateroom/client`;
  mkdirSync(target, { recursive: true });
  await run("tar", ["-xzf", `${app}/${packed.filename}`, "-C", target, "--strip-components=1"]);
  for (const name of ["ws", "react"]) symlinkSync(`${root}node_modules/${name}`, `${app}/node_modules/${name}`);
  writeFileSync(`${app}/package.json`, '{ "type": "module" }');
}, 60_000);

afterAll(() => rmSync(app, { recursive: true, force: true }));

test("what the README shows for Node runs, and ends", async () => {
  const readme = readFileSync(`${app}/node_modules/@stateroom/client/README.md`, "utf8");
  const [, code = ""] = /```js\n([^]*?)```/.exec(readme)!;
  writeFileSync(`${app}/node.js`, code);
  const server = await new Server().start();
  const began = performance.now();
  expect(await run("node", ["node.js", server.url], { cwd: app })).toBe("It is durable.\n");
  // No timer keeps it: the shortest has four seconds.
  expect(performance.now() - began).toBeLessThan(4_000);
  expect(server.room.heard.map(({ data }) => data)).toEqual(["hello from Node"]);
  expect(server.closes).toEqual([1000]);
  await server.kill();
});

test("what is for React is for the browser's side", () => {
  expect(readFileSync(`${app}/node_modules/@stateroom/client/dist/react.js`, "utf8")).toMatch(/^"use client";/);
});

test("its types are found, with and without those of the DOM", async () => {
  const code = `
    import { RoomSocket, json, type Status } from "@stateroom/client";
    import { useRoom } from "@stateroom/client/react";
    const room = new RoomSocket("/ws/lobby", { codec: json<{ said: string }, string>() });
    room.addEventListener("message", ({ data }) => data.said.length);
    export const status: Status = room.status;
    export const use = useRoom;
  `;
  writeFileSync(`${app}/types.ts`, code);
  for (const lib of ["ES2022,DOM", "ES2022"]) {
    const types = lib === "ES2022" ? "node" : "";
    const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", lib, "--skipLibCheck", "--typeRoots", `${root}node_modules/@types`];
    await run(`${root}node_modules/.bin/tsc`, [...options, "--types", types, "types.ts"], { cwd: app });
  }
});

test("what is bundled does all that its sources do", async () => {
  const said = await run("npx", ["vitest", "run", "test/room-socket.test.ts", "test/chaos.test.ts"], { env: { BUNDLE: "1", SEED: "9", NO_COLOR: "1" } });
  expect(said).toMatch(/Test Files {2}2 passed/);
});
