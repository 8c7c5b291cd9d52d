// Pages that lose their connection while people draw and type: nothing is lost, and nothing comes twice.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { atEnd, cargo, dev, freePort, launch, Network, root, Running, shows, stateroom, visit } from "./support.js";

let browser;
before(async () => {
  cargo("build", "-p", "stateroom-cli", "-p", "native");
  browser = await launch();
});
after(() => browser?.close());

const GREEN = 3, RED = 4;

/** An example whose rooms are kept, and whose server can be killed and started again. */
async function kept(t, example, options = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(dataDir, { recursive: true }));
  const port = await freePort();
  const start = async () => (await dev(t, `examples/${example}`, { port, dataDir, ...options })).server;
  const service = { dataDir, port, url: `http://127.0.0.1:${port}/`, server: await start() };
  service.kill = () => service.server.end("SIGKILL");
  service.start = async () => (service.server = await start());
  return service;
}

const opened = (page) => page.evaluate(() => (window.opened = "once"));
const isNotReloaded = async (page) => assert.equal(await page.evaluate(() => window.opened), "once");

/** Joins a chat. */
async function person(t, url, name) {
  const page = await visit(t, browser, url);
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
  await shows(page, "#people", new RegExp(`${name} \\(you\\)`));
  await opened(page);
  return page;
}

async function say(page, text) {
  await page.getByLabel("Message to everyone").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

/** What a page shows as said, as name and text. */
const said = (page) => page.locator("#lines .said").evaluateAll((lines) => lines.map((line) => {
  const text = [...line.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data).join("");
  return `${line.querySelector("b")?.textContent ?? "waiting"}: ${text}`;
}));

/** Waits until each page shows as many lines, none of which waits, and has each of them exactly once, and everyone's in order. */
async function allSaid(pages, expected) {
  for (const page of pages) {
    await page.waitForFunction((count) => document.querySelectorAll("#lines .said:not(.waiting)").length >= count, expected.length);
    const lines = await said(page);
    assert.deepEqual([...lines].sort(), [...expected].sort());
    for (const name of new Set(expected.map((line) => line.split(":")[0]))) {
      const of = (lines) => lines.filter((line) => line.startsWith(`${name}:`));
      assert.deepEqual(of(lines), of(expected));
    }
  }
}

/** Opens the whiteboard with that pen, and has the page note where the pen is while it draws. */
async function painter(t, url, name) {
  const page = await visit(t, browser, url);
  await shows(page, "#me", /^You are/);
  await page.getByRole("radio", { name }).check();
  await opened(page);
  await page.evaluate(() => {
    window.strokes = [];
    const board = document.querySelector("canvas");
    let isDown = false;
    for (const type of ["pointerdown", "pointermove", "pointerup"]) {
      board.addEventListener(type, (event) => {
        if (type === "pointerdown") strokes.push([]);
        isDown ||= type === "pointerdown";
        if (!isDown) return;
        const { left, top, width, height } = board.getBoundingClientRect();
        const moves = type === "pointermove" ? event.getCoalescedEvents() : [event];
        for (const { clientX, clientY } of moves) {
          strokes.at(-1).push([(clientX - left) / width, (clientY - top) / height].map((share) => Math.round(share * 65535)));
        }
        isDown &&= type !== "pointerup";
      }, true);
    }
  });
  return page;
}

const drawn = (page) => page.evaluate(() => strokes);

async function line(page, y, { from = 0.1, to = 0.9, steps = 30, during } = {}) {
  const board = await page.locator("canvas").boundingBox();
  const at = (x, y) => [board.x + x * board.width, board.y + y * board.height];
  await page.mouse.move(...at(from, y));
  await page.mouse.down();
  for (let n = 1; n <= steps; n++) {
    await page.mouse.move(...at(from + ((to - from) * n) / steps, y));
    await during?.(n);
  }
  await page.mouse.up();
}

/** The drawing as the room tells it to a newcomer: strokes by their colour. */
function drawingOf(page) {
  return page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket("/ws/default");
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      socket.close();
      const welcome = new DataView(data), drawing = {};
      for (let at = 5, length; at < welcome.byteLength; at += 4 + length) {
        length = welcome.getUint32(at, true);
        const stroke = new DataView(data, at + 4, length), points = [];
        if (stroke.getUint8(0) !== 1) continue; // A pointer.
        for (let at = 6; at < length; at += 4) points.push([stroke.getUint16(at, true), stroke.getUint16(at + 2, true)]);
        (drawing[stroke.getUint8(5)] ??= []).push(points);
      }
      resolve(drawing);
    };
  }));
}

/** Waits until the room has exactly these strokes of each colour. */
async function roomHas(page, expected) {
  for (let tries = 0; ; tries++) {
    const drawing = await drawingOf(page);
    if (tries > 50 || JSON.stringify(drawing) === JSON.stringify(expected)) return assert.deepEqual(drawing, expected);
    await sleep(100);
  }
}

const ink = (page, x, y) => page.evaluate(([x, y]) => {
  const canvas = document.querySelector("canvas");
  return canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3];
}, [x, y]);

async function inked(page, x, y, isInked = true) {
  for (let tries = 0; tries < 100 && (await ink(page, x, y)) > 0 !== isInked; tries++) await sleep(50);
  assert.equal((await ink(page, x, y)) > 0, isInked, `${x}, ${y}`);
}

/** Waits until the page shows that somebody else points there. */
async function points(page, x, y) {
  await page.waitForFunction(([x, y]) => {
    const board = document.querySelector("canvas").getBoundingClientRect();
    const cursor = document.querySelector(".cursor")?.getBoundingClientRect();
    return cursor && Math.hypot(cursor.left - board.left - x * board.width, cursor.top - board.top - y * board.height) < 3;
  }, [x, y]);
}

test("whiteboard: the server is killed and started again while two people draw", async (t) => {
  const service = await kept(t, "whiteboard");
  const [ada, bob] = [await painter(t, service.url, "Red"), await painter(t, service.url, "Green")];
  const names = await Promise.all([ada, bob].map((page) => page.textContent("#me")));
  await line(ada, 0.1);

  // Each is in the middle of a stroke when the server hears no more and is killed, and ends it before there is a new one.
  let killed;
  const kill = async (n) => {
    if (n === 10) service.server.freeze();
    if (n === 30) killed = service.kill();
    await sleep(10);
  };
  await Promise.all([line(ada, 0.2, { steps: 40, during: kill }), line(bob, 0.3, { steps: 40, during: () => sleep(10) })]);
  await killed;
  for (const page of [ada, bob]) await shows(page, "#state", "Away");
  await line(bob, 0.4);
  // And in the middle of the next when it is there again.
  const live = Promise.all([ada, bob].map((page) => page.locator("body.live").waitFor()));
  let isLive = false;
  live.then(() => (isLive = true));
  const started = service.start();
  const untilLive = async (page, y) => {
    for (let n = 0; !isLive && n < 40; n++) {
      await line(page, y + n / 100, { to: 0.5, steps: 8, during: () => sleep(50) });
    }
  };
  await Promise.all([untilLive(ada, 0.5), untilLive(bob, 0.55)]);
  await Promise.all([started, live]);
  await line(ada, 0.95);

  const expected = { [GREEN]: await drawn(bob), [RED]: await drawn(ada) };
  assert.ok(expected[RED].length > 3 && expected[GREEN].length > 2);
  await roomHas(ada, expected);
  for (const page of [ada, bob]) {
    for (const y of [0.1, 0.2, 0.3, 0.4, 0.95]) await inked(page, 0.3, y);
    await isNotReloaded(page);
  }
  assert.deepEqual(await Promise.all([ada, bob].map((page) => page.textContent("#me"))), names, "they are who they were");
  assert.ok(await ada.getByRole("radio", { name: "Red" }).isChecked(), "and have their pens");
});

test("chat: the server is killed and started again while two people type", async (t) => {
  const service = await kept(t, "chat");
  const [ada, bob] = [await person(t, service.url, "Ada"), await person(t, service.url, "Bob")];
  const expected = [];
  const talk = async (page, name) => {
    for (let n = 1; n <= 12; n++) {
      expected.push(`${name}: ${n} of ${name}`);
      await say(page, `${n} of ${name}`);
      // What is said between is written to a socket, and heard by nobody.
      if (n === 4 && name === "Ada") service.server.freeze();
      if (n === 8 && name === "Ada") await service.kill();
      await sleep(40);
    }
  };
  await Promise.all([talk(ada, "Ada"), talk(bob, "Bob")]);
  for (const page of [ada, bob]) await shows(page, "#state", "Away");
  await shows(ada, ".waiting >> nth=-1", /12 of Ada/);
  await service.start();

  await allSaid([ada, bob], expected);
  // And killed as soon as somebody has heard what is not yet known to be durable.
  await say(ada, "heard");
  expected.push("Ada: heard");
  await shows(bob, "#lines .said >> nth=-1", /heard/);
  await service.kill();
  await shows(ada, "#state", "Away");
  await service.start();
  await say(bob, "all of it");
  expected.push("Bob: all of it");
  const late = await visit(t, browser, service.url);
  await allSaid([ada, bob, late], expected);
  for (const page of [ada, bob]) {
    await isNotReloaded(page);
    await shows(page, "#people", /Ada.*Bob/);
    const notes = await page.locator(".note").allTextContents();
    assert.ok(!notes.some((note) => note.includes("left")), `${notes}`);
  }
});

test("a laptop that was shut for 20 seconds has lost nothing, and neither have the others", async (t) => {
  const board = await kept(t, "whiteboard"), chat = await kept(t, "chat");
  const networks = [await Network.to(t, board.port), await Network.to(t, chat.port)];
  const [here, there] = networks.map(({ port }) => `http://127.0.0.1:${port}/`);
  const ada = await painter(t, here, "Red"), bob = await painter(t, board.url, "Green");
  const cy = await person(t, there, "Cy"), dee = await person(t, chat.url, "Dee");
  await say(cy, "before");

  const shut = Date.now();
  for (const page of [ada, cy]) await page.context().setOffline(true);
  for (const network of networks) network.cut();
  for (const page of [ada, cy]) await shows(page, "#state", "Away");
  await line(ada, 0.2);
  await line(bob, 0.3);
  await say(cy, "from within");
  await say(dee, "from without");
  // What one took back is gone at once, and nothing else.
  await line(ada, 0.4);
  await inked(ada, 0.5, 0.4);
  await ada.keyboard.press("Control+z");
  await inked(ada, 0.5, 0.4, false);
  await inked(ada, 0.5, 0.2);
  await sleep(20_000 - (Date.now() - shut));
  assert.deepEqual(await said(dee), ["Cy: before", "Dee: from without"]);
  for (const page of [ada, cy]) await page.context().setOffline(false);
  for (const network of networks) network.mend();
  for (const page of [ada, cy]) await page.locator("body.live").waitFor();

  await roomHas(bob, { [GREEN]: await drawn(bob), [RED]: (await drawn(ada)).slice(0, 1) });
  for (const page of [ada, bob]) {
    for (const y of [0.2, 0.3]) await inked(page, 0.5, y);
    await inked(page, 0.5, 0.4, false);
    await isNotReloaded(page);
  }
  await points(bob, 0.9, 0.4);
  await allSaid([cy, dee], ["Cy: before", "Dee: from without", "Cy: from within"]);
  await isNotReloaded(cy);
});

test("whiteboard: what is taken back or cleared meanwhile is gone at once, and for all when the connection is back", async (t) => {
  const board = await kept(t, "whiteboard");
  const network = await Network.to(t, board.port);
  const ada = await painter(t, `http://127.0.0.1:${network.port}/`, "Red"), bob = await painter(t, board.url, "Green");
  await line(ada, 0.1);
  await line(ada, 0.2);
  await line(bob, 0.3);
  for (const page of [ada, bob]) for (const y of [0.1, 0.2, 0.3]) await inked(page, 0.5, y);
  network.cut();
  await shows(ada, "#state", "Away");

  const undo = ada.getByRole("button", { name: "Undo" });
  await undo.click();
  await inked(ada, 0.5, 0.2, false);
  for (const y of [0.1, 0.3]) await inked(ada, 0.5, y);
  await inked(bob, 0.5, 0.2);
  await undo.click();
  await undo.click(); // There is nothing of hers any more.
  await inked(ada, 0.5, 0.1, false);
  await inked(ada, 0.5, 0.3);
  await line(ada, 0.4);
  network.mend();
  await ada.locator("body.live").waitFor();
  await roomHas(bob, { [GREEN]: await drawn(bob), [RED]: (await drawn(ada)).slice(2) });
  for (const page of [ada, bob]) {
    for (const y of [0.1, 0.2]) await inked(page, 0.5, y, false);
    for (const y of [0.3, 0.4]) await inked(page, 0.5, y);
  }

  network.cut();
  await shows(ada, "#state", "Away");
  await line(bob, 0.5);
  await ada.getByRole("button", { name: "Clear", exact: true }).click();
  await ada.getByRole("button", { name: "Clear the board" }).click();
  await ada.locator("body.empty").waitFor();
  await undo.click();
  await line(ada, 0.6);
  network.mend();
  await ada.locator("body.live").waitFor();
  await roomHas(bob, { [RED]: (await drawn(ada)).slice(3) });
  for (const page of [ada, bob]) {
    for (const y of [0.3, 0.4, 0.5]) await inked(page, 0.5, y, false);
    await inked(page, 0.5, 0.6);
  }
});

test("a page asks before it is left with something that waits", async (t) => {
  const { url, kill } = await kept(t, "chat");
  const ada = await person(t, url, "Ada");
  const asked = [];
  ada.on("dialog", (dialog) => asked.push(dialog.type()) && dialog.dismiss());
  await kill();
  await shows(ada, "#state", "Away");
  await say(ada, "Are you there?");
  await ada.close({ runBeforeUnload: true });
  for (let tries = 0; tries < 100 && !asked.length; tries++) await sleep(50);
  assert.deepEqual(asked, ["beforeunload"]);
  await shows(ada, ".waiting", /Are you there/);
});

test("who was away for longer than the room waits comes back by the same name, and what was typed and drawn is there once", async (t) => {
  const env = { STATEROOM_SESSION_GRACE: "500ms" };
  const board = await kept(t, "whiteboard", { env }), chat = await kept(t, "chat", { env });
  const networks = [await Network.to(t, board.port), await Network.to(t, chat.port)];
  const [here, there] = networks.map(({ port }) => `http://127.0.0.1:${port}/`);
  const ada = await painter(t, here, "Red"), bob = await painter(t, board.url, "Green");
  const cy = await person(t, there, "Cy"), dee = await person(t, chat.url, "Dee");
  const name = await ada.textContent("#me");
  await line(ada, 0.1);
  await say(cy, "before");
  await shows(dee, "#lines", /before/);

  for (const network of networks) network.cut();
  for (const page of [ada, cy]) await shows(page, "#state", "Away");
  await line(ada, 0.2);
  await line(bob, 0.3);
  await say(cy, "from within");
  await say(dee, "from without");
  await shows(dee, "#lines", /Cy left/);
  for (const network of networks) network.mend();
  for (const page of [ada, cy]) await page.locator("body.live").waitFor();

  await roomHas(bob, { [RED]: await drawn(ada), [GREEN]: await drawn(bob) });
  await allSaid([cy, dee], ["Cy: before", "Dee: from without", "Cy: from within"]);
  for (const page of [ada, bob]) for (const y of [0.1, 0.2, 0.3]) await inked(page, 0.5, y);
  for (const page of [ada, cy]) await isNotReloaded(page);
  await shows(ada, "#me", name);
  await shows(dee, "#people", /Cy/);
  // Nobody who comes back without anything to say misses what was said either.
  networks[1].cut();
  await shows(cy, "#state", "Away");
  await say(dee, "again");
  await shows(dee, "#people", /^(?!.*Cy)/);
  networks[1].mend();
  await shows(cy, "#lines .said >> nth=3", /again/);
});

test("who has missed more than the room keeps is told everything anew", async (t) => {
  const env = { STATEROOM_MAX_RETAINED_BYTES_PER_ROOM: "1KiB" };
  const board = await kept(t, "whiteboard", { env });
  const network = await Network.to(t, board.port);
  const ada = await painter(t, `http://127.0.0.1:${network.port}/`, "Red"), bob = await painter(t, board.url, "Green");
  network.cut();
  await shows(ada, "#state", "Away");
  await line(ada, 0.2);
  for (let n = 0; n < 8; n++) await line(bob, 0.3 + 0.05 * n, { during: () => sleep(5) });
  network.mend();
  for (let n = 8; n < 12; n++) await line(bob, 0.3 + 0.05 * n);
  await ada.locator("body.live").waitFor();
  await line(ada, 0.1);
  await roomHas(bob, { [GREEN]: await drawn(bob), [RED]: await drawn(ada) });
  for (let n = 0; n < 12; n++) for (const page of [ada, bob]) await inked(page, 0.5, 0.3 + 0.05 * n);
  for (const page of [ada, bob]) for (const y of [0.1, 0.2]) await inked(page, 0.5, y);
  await isNotReloaded(ada);
});

test("a room that began anew meanwhile has each page begin anew with it", async (t) => {
  const counter = await kept(t, "counter"), chat = await kept(t, "chat");
  const page = await visit(t, browser, counter.url), ada = await person(t, chat.url, "Ada");
  await opened(page);
  await page.getByRole("button", { name: "One more" }).click();
  await shows(page, "#value", "1");
  await say(ada, "before");
  await shows(ada, "#lines .said:not(.waiting)", /before/);
  // Each has heard that it is durable.
  await sleep(500);
  for (const [service, of] of [[counter, page], [chat, ada]]) {
    await service.kill();
    execFileSync(stateroom, ["rooms", "restart", "default", "--data-dir", service.dataDir], { cwd: root, stdio: "ignore" });
    await shows(of, "#state", "Away");
  }
  await page.keyboard.press("ArrowUp");
  await shows(page, "#value", "2");
  await say(ada, "meanwhile");
  for (const service of [counter, chat]) await service.start();

  await shows(page, "#value", "1");
  await ada.locator("body.live").waitFor();
  await say(ada, "after");
  await ada.getByText("before").waitFor({ state: "detached" });
  await allSaid([ada], ["Ada: meanwhile", "Ada: after"]);
  await shows(ada, "#people", "Ada (you)");
  for (const of of [page, ada]) await isNotReloaded(of);
});

test("a copy of a tab is somebody of its own, and the two do not fight", async (t) => {
  const { url } = await kept(t, "chat");
  const ada = await person(t, url, "Ada");
  const bob = await person(t, url, "Bob");
  let sockets = 0;
  ada.context().on("page", (page) => page.on("websocket", () => sockets++));
  ada.on("websocket", () => sockets++);
  const [copy] = await Promise.all([ada.waitForEvent("popup"), ada.evaluate(() => void open(location))]);
  for (const page of [copy, ada]) await page.locator("body.live").waitFor();
  await shows(bob, "#people", /Ada.*Ada/);
  await say(ada, "one");
  await say(copy, "two");
  await allSaid([ada, copy, bob], ["Ada: one", "Ada: two"]);
  const mine = (page) => page.locator("#lines .mine").evaluateAll((lines) => lines.length);
  assert.deepEqual(await Promise.all([ada, copy].map(mine)), [1, 1]);
  assert.equal(sockets, 2, "one for the copy, and another for the tab whose place it took");
  const tokens = await Promise.all([ada, copy].map((page) => page.evaluate(() => sessionStorage.token)));
  assert.notEqual(tokens[0], tokens[1]);
  await isNotReloaded(ada);
});

test("native: what was pressed while the server was away counts, though it keeps nothing", async (t) => {
  const port = await freePort();
  const start = async () => {
    const server = new Running(t, "cargo", ["run", "-q", "-p", "native"], { env: { PORT: String(port) } });
    await server.hears(/Serving (http:\S+)/);
    return server;
  };
  const server = await start();
  const ada = await visit(t, browser, `http://127.0.0.1:${port}/`), bob = await visit(t, browser, `http://127.0.0.1:${port}/`);
  await bob.getByRole("button", { name: "BUZZ" }).click();
  await shows(bob, "#verdict", "You were first!");
  await sleep(500);
  await server.end("SIGKILL");
  for (const page of [ada, bob]) await shows(page, "#state", "Away");
  await ada.getByRole("button", { name: "BUZZ" }).click();
  await shows(ada, "#verdict", "You have buzzed");
  await start();
  for (const page of [ada, bob]) await page.locator("body.live").waitFor();
  await shows(ada, "#verdict", "You were first!");
  await shows(bob, "#verdict", /^(?!You)\w+ was first$/);
});
