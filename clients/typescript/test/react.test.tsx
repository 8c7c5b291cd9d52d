// @vitest-environment happy-dom
/** Rooms in React, as it renders: twice in strict mode, and with code that is replaced. */
import { Activity, StrictMode, useState, type ReactNode } from "react";
import type { Root } from "react-dom/client";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { json, type RoomSocket } from "../src/index.js";
import { useRoom, useRoomEvent, useRoomState, useRoomStatus } from "../src/react.js";
import { Server } from "./support/server.js";
import { sleep, until } from "./support/wait.js";

interface Refresh {
  injectIntoGlobalHook(scope: object): void;
  register(type: unknown, id: string): void;
  performReactRefresh(): unknown;
}

let server: Server;
let root: Root;
let element: HTMLElement;
let refresh: Refresh;
let createRoot: (element: HTMLElement) => Root;

/** Does something, and gives React the time to follow. */
async function act(what: () => unknown): Promise<void> {
  await what();
  await sleep(20);
}

const timing = { retry: 20, longestRetry: 100 };

beforeAll(async () => {
  // Before React: it is told of it when it is loaded.
  refresh = (await import("react-refresh/runtime" as string)).default;
  refresh.injectIntoGlobalHook(globalThis);
  ({ createRoot } = await import("react-dom/client"));
});

beforeEach(async () => {
  server = await new Server().start();
  element = document.createElement("main");
  root = createRoot(element);
});

afterEach(async () => {
  await act(() => root.unmount());
  await server.kill();
});

const render = (node: ReactNode, strict = true) => act(() => root.render(strict ? <StrictMode>{node}</StrictMode> : node));
let last: RoomSocket<any, any>;

function Echo({ url, names = [] }: { url: string; names?: string[] }) {
  const room = useRoom(url, { WebSocket, timing, params: { names: names.join() } });
  last = room;
  const said = useRoomState(room, (all: string[], message: string) => [...all, message], []);
  return (
    <p>
      {room.status}:{useRoomStatus(room)} {said.join(" ")}
    </p>
  );
}

test.each([true, false])("a component has one room, which is left when it goes (strict: %s)", async (strict) => {
  await render(<Echo url={server.url} />, strict);
  await until(() => last.status === "live");
  expect(element.textContent).toBe("live:live ");
  expect(server.handshakes.length).toBe(1);
  const room = last;
  await render(<Echo url={server.url} />, strict);
  expect(last).toBe(room);
  await act(() => root.render(null));
  await until(() => server.closes.length === 1);
  expect(server.closes).toEqual([1000]);
  expect(server.room.sessions.size).toBe(0);
});

test("messages make a state, each of them once", async () => {
  await render(<Echo url={server.url} />);
  last.send("one");
  last.send("two");
  await until(() => element.textContent === "live:live one two");
  await server.kill();
  await until(() => last.status === "away");
  expect(element.textContent).toBe("away:away one two");
  last.send("three");
  await act(() => server.restart());
  await until(() => element.textContent === "live:live one two three");
});

test("the state begins again when something was missed", async () => {
  await render(<Echo url={server.url} />);
  last.send("one");
  await until(() => element.textContent === "live:live one");
  server.anew();
  await until(() => element.textContent === "live:live ");
  last.send("two");
  await until(() => element.textContent === "live:live two");
});

test("another address or other parameters are another room", async () => {
  await render(<Echo url={server.url} names={["Ada"]} />);
  last.send("one");
  await until(() => element.textContent === "live:live one");
  const room = last;
  await render(<Echo url={server.url} names={["Bob"]} />);
  expect(last).not.toBe(room);
  await until(() => element.textContent === "live:live ");
  await until(() => server.closes.length === 1);
  expect(room.status).toBe("closed");
  last.send("two");
  await until(() => element.textContent === "live:live two");
  expect(server.requests.map(({ url }) => url)).toEqual(["/ws/lobby?names=Ada", "/ws/lobby?names=Bob"]);
});

test("functions may be new ones each time: the newest are asked", async () => {
  let current: RoomSocket<any, any> | undefined;
  function Member({ name }: { name: string }) {
    current = useRoom(() => server.url, { WebSocket, timing, token: () => name, codec: json<string, string>() });
    return name;
  }
  await render(<Member name="ada" />);
  await until(() => current!.status === "live");
  const room = current;
  await render(<Member name="bob" />);
  expect(current).toBe(room);
  server.closeSockets(4201);
  await until(() => server.handshakes.length === 2 && room!.status === "live");
  expect(server.handshakes.map((offers) => offers.at(-1))).toEqual(["bearer.ada", "bearer.bob"]);
  room!.send("typed");
  await until(() => server.written.includes('"typed"'));
});

test("the newest handler hears an event, in the order in which they come", async () => {
  const heard: string[] = [];
  function Listener({ url, label }: { url: string; label: string }) {
    const room = useRoom<string>(url, { WebSocket, timing });
    last = room;
    useRoomEvent(room, "message", ({ data }) => void heard.push(`${label} ${data}`));
    useRoomEvent(room, "open", () => room.send("open"));
    return null;
  }
  await render(<Listener url={server.url} label="first" />);
  await until(() => heard.length === 1);
  await render(<Listener url={server.url} label="second" />);
  last.send("more");
  await until(() => heard.length === 2);
  expect(heard).toEqual(["first open", "second more"]);
});

test("code that is replaced keeps the room, and its state", async () => {
  const component = (greeting: string) =>
    function Replaced() {
      const room = useRoom(server.url, { WebSocket, timing });
      const [count] = useState(() => Math.random());
      last = room;
      const said = useRoomState(room, (all: string, message: string) => `${all}${message}`, "");
      return `${greeting} ${said} ${count}`;
    };
  const First = component("hello");
  refresh.register(First, "Replaced");
  await render(<First />);
  last.send("one");
  await until(() => element.textContent!.startsWith("hello one"));
  const [room, text] = [last, element.textContent!];
  await act(() => {
    refresh.register(component("good day"), "Replaced");
    refresh.performReactRefresh();
  });
  expect(element.textContent).toBe(text.replace("hello", "good day"));
  await sleep(50);
  expect(last).toBe(room);
  expect(room.status).toBe("live");
  expect(server.handshakes.length).toBe(1);
});

test("a component that was hidden has a room again when it is shown", async () => {
  const page = (mode: "visible" | "hidden") => (
    <Activity mode={mode}>
      <Echo url={server.url} />
    </Activity>
  );
  await render(page("visible"));
  await until(() => last.status === "live");
  const room = last;
  await render(page("hidden"));
  await until(() => room.status === "closed");
  await render(page("visible"));
  await until(() => last !== room && last.status === "live");
  expect(element.textContent).toBe("live:live ");
});

test("on a server it is rendered without a connection", async () => {
  const { renderToString } = await import("react-dom/server");
  expect(renderToString(<Echo url="/ws/lobby" />)).toContain("connecting");
  await sleep(20);
  expect(server.handshakes).toEqual([]);
});
