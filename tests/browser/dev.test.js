// A page that is open while its server changes: new code, broken code, no server at all.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { atEnd, cargo, dev, freePort, launch, root, shows, stateroom, visit } from "./support.js";

let browser;
before(async () => {
  cargo("build", "-p", "stateroom-cli");
  browser = await launch();
});
after(() => browser?.close());

const seesCursors = (page, count) =>
  page.waitForFunction((count) => document.querySelectorAll(".cursor").length === count, count);

test("new code takes over while the page stays up", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(folder, { recursive: true }));
  const project = join(folder, "my-counter"), source = join(project, "src/lib.rs");
  execFileSync(stateroom, ["new", project], { stdio: "ignore" });
  // One target folder for every run, so that the dependencies are built once.
  const { server, url } = await dev(t, project, { env: { CARGO_TARGET_DIR: `${root}target/browser-tests` } });
  const page = await visit(t, browser, url);
  await page.evaluate(() => (window.opened = "before the edit"));
  const more = page.getByRole("button", { name: "One more" });
  await more.click();
  await shows(page, "#value", "1");
  const edit = (from, to) => {
    const code = readFileSync(source, "utf8");
    assert.ok(code.includes(from));
    writeFileSync(source, code.replace(from, to));
  };

  // Code that does not compile changes nothing.
  edit("self.value += 1", "self.value += one");
  await server.hears(/Kept/);
  await more.click();
  await shows(page, "#value", "2");

  // The room goes on with its state and the new code, on the same socket.
  edit("self.value += one", "self.value += 10");
  const edited = performance.now();
  await server.hears(/Swapped/);
  t.diagnostic(`the new code was in ${Math.round(performance.now() - edited)} ms after the edit`);
  await more.click();
  await shows(page, "#value", "12");

  // Code that cannot take the state over starts the room anew, with everyone in it.
  edit("#[stateroom_wasm(carry_over)]", "#[stateroom_wasm]");
  await shows(page, "#value", "0");
  await page.locator("body.live").waitFor();
  await more.click();
  await shows(page, "#value", "10");
  assert.equal(await page.evaluate(() => window.opened), "before the edit");
});

test("an edited page is loaded again, and its room stays as it was", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(folder, { recursive: true }));
  const project = join(folder, "my-page"), source = join(project, "static/index.html");
  execFileSync(stateroom, ["new", project], { stdio: "ignore" });
  const { url } = await dev(t, project, { env: { CARGO_TARGET_DIR: `${root}target/browser-tests` } });
  const page = await visit(t, browser, url);
  await page.getByRole("button", { name: "One more" }).click();
  await shows(page, "#value", "1");
  writeFileSync(source, readFileSync(source, "utf8").replace("<title>", "<title>Edited: "));
  await page.waitForFunction(() => document.title.startsWith("Edited: "));
  await page.locator("body.live").waitFor();
  await shows(page, "#value", "1");
});

test("a page finds its server again after a kill, and its room as it was", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(dataDir, { recursive: true }));
  const port = await freePort();
  const { server } = await dev(t, "examples/counter", { port, dataDir });
  const page = await visit(t, browser, `http://127.0.0.1:${port}/`);
  const more = page.getByRole("button", { name: "One more" });
  await more.click();
  await shows(page, "#value", "1");

  await server.end("SIGKILL");
  await shows(page, "#state", "Away");
  await dev(t, "examples/counter", { port, dataDir });

  await page.locator("body.live").waitFor();
  await shows(page, "#value", "1");
  await more.click();
  await shows(page, "#value", "2");
});

test("a page finds its server again where nothing is kept, in a fresh room", async (t) => {
  const port = await freePort();
  const { server } = await dev(t, "examples/counter", { port });
  let isDurable;
  const watch = (page) => page.on("websocket", (socket) => {
    isDurable ??= socket.waitForEvent("framereceived", ({ payload }) => payload === "\0ack 1");
  });
  const page = await visit(t, browser, `http://127.0.0.1:${port}/`, { watch });
  await page.getByRole("button", { name: "One more" }).click();
  await shows(page, "#value", "1");
  // Otherwise the page says it again to the fresh room.
  await isDurable;
  await server.end();
  await shows(page, "#state", "Away");
  await dev(t, "examples/counter", { port });
  await page.locator("body.live").waitFor();
  await shows(page, "#value", "0");
});

test("nothing moves when the connection is lost, and everything can be pressed", async (t) => {
  const { server, url } = await dev(t, "examples/whiteboard");
  const pages = [];
  for (const width of [1280, 760, 375]) {
    pages.push(await visit(t, browser, `${url}#a-room-with-a-rather-long-name`, { viewport: { width, height: 700 } }));
  }
  const undo = (page) => page.getByRole("button", { name: "Undo" });
  for (const page of pages) await shows(page, "#me", /^You are/);
  const places = () => Promise.all(pages.map((page) => page.evaluate(() =>
    ["h1", "main"].map((selector) => JSON.stringify(document.querySelector(selector).getBoundingClientRect())))));
  const before = await places();
  for (const page of pages) assert.ok(await undo(page).isEnabled());

  await server.end("SIGKILL");
  for (const page of pages) await shows(page, "#state", "Away");

  assert.deepEqual(await places(), before);
  for (const page of pages) assert.ok(await undo(page).isEnabled());
});

test("whiteboard: after a kill everyone sees everyone's cursor again", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(dataDir, { recursive: true }));
  const port = await freePort();
  const { server } = await dev(t, "examples/whiteboard", { port, dataDir });
  const pages = [];
  for (let n = 0; n < 3; n++) {
    const page = await visit(t, browser, `http://127.0.0.1:${port}/`);
    await page.locator("canvas").hover({ position: { x: 50 + 100 * n, y: 100 } });
    pages.push(page);
  }
  const seeEachOther = () => Promise.all(pages.map((page) => seesCursors(page, 2)));
  await seeEachOther();

  await server.end("SIGKILL");
  for (const page of pages) await shows(page, "#state", "Away");
  await dev(t, "examples/whiteboard", { port, dataDir });
  for (const page of pages) await page.locator("body.live").waitFor();
  // Whoever comes now comes after the room has heard that each of the others was gone and is back.
  const late = await visit(t, browser, `http://127.0.0.1:${port}/`);
  await seesCursors(late, 3);
  await seeEachOther();
});

test("chat: whoever comes back after a kill, or loads the page again, has not left", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(dataDir, { recursive: true }));
  const port = await freePort();
  const { server } = await dev(t, "examples/chat", { port, dataDir });
  const people = [];
  for (const name of ["Ada", "Bob"]) {
    const page = await visit(t, browser, `http://127.0.0.1:${port}/`);
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Join" }).click();
    await shows(page, "#people", new RegExp(`${name} \\(you\\)`));
    people.push(page);
  }
  const [ada, bob] = people;
  assert.deepEqual(await bob.locator(".note").allTextContents(), ["Bob joined"]);

  await server.end("SIGKILL");
  for (const page of people) await shows(page, "#state", "Away");
  await dev(t, "examples/chat", { port, dataDir });
  for (const page of people) await page.locator("body.live").waitFor();
  await ada.reload();
  await ada.locator("body.live").waitFor();

  await ada.getByLabel("Message to everyone").fill("Still here?");
  await ada.getByRole("button", { name: "Send" }).click();
  await shows(bob, "#lines .said", /Still here/);
  for (const page of people) await shows(page, "#people", /Ada.*Bob/);
  assert.deepEqual(await ada.locator(".note").allTextContents(), []);
  assert.deepEqual(await bob.locator(".note").allTextContents(), ["Bob joined"]);
});
