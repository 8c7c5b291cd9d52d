// Every example in a real browser: what one person does, another sees.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { atEnd, cargo, dev, freePort, launch, photograph, Running, shows, visit } from "./support.js";

let browser;
before(async () => {
  cargo("build", "-p", "stateroom-cli", "-p", "native");
  browser = await launch();
});
after(() => browser?.close());

test("counter: a click in one window is counted in the other", async (t) => {
  const { url } = await dev(t, "examples/counter");
  const ada = await visit(t, browser, url);
  const bob = await visit(t, browser, url, { colorScheme: "dark" });
  const elsewhere = await visit(t, browser, `${url}#elsewhere`);

  await ada.getByRole("button", { name: "One more" }).click();
  await shows(bob, "#value", "1");
  await bob.getByRole("button", { name: "One less" }).click();
  await bob.getByRole("button", { name: "One less" }).click();
  await shows(ada, "#value", "−1");
  await ada.keyboard.press("ArrowUp");
  await ada.keyboard.press("ArrowUp");

  await shows(bob, "#value", "1");
  assert.equal(await elsewhere.textContent("#value"), "0", "another room has a number of its own");
  await photograph({ counter: ada, "counter-dark": bob });
});

test("chat: what one says the other reads, also when coming later", async (t) => {
  const { url } = await dev(t, "examples/chat");
  const join = async (page, name) => {
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Join" }).click();
  };
  const say = async (page, text) => {
    await page.getByLabel("Message to everyone").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const ada = await visit(t, browser, url);
  const bob = await visit(t, browser, url, { colorScheme: "dark" });

  await join(ada, "Ada");
  await join(bob, "Bob");
  await shows(bob, "#people", /Ada.*Bob \(you\)/);
  await say(ada, "Shall we draw the engine tonight?");
  await say(bob, "Yes! <b>Bold</b> plans.");
  await say(bob, "I bring the pencils.");
  await shows(bob, "#lines .said >> nth=0", /Ada\s*Shall we draw/);
  await shows(ada, "#lines .said >> nth=1", /Yes! <b>Bold<\/b> plans\./);
  await say(ada, "Wonderful. See you at eight.");
  await shows(bob, "#lines .said >> nth=3", /See you at eight/);

  const cy = await visit(t, browser, url, { viewport: { width: 390, height: 760 } });
  await join(cy, "Cy");
  await shows(cy, "#lines .said >> nth=3", /See you at eight/);
  await shows(ada, "#lines", /Cy joined/);
  await photograph({ chat: ada, "chat-dark": bob, "chat-phone": cy });
  await cy.goto("about:blank");
  await shows(ada, "#lines", /Cy left/);

  assert.equal(await bob.getByRole("button", { name: "Remove" }).count(), 0, "only the first is the moderator");
  await ada.getByRole("button", { name: "Remove Bob" }).click();
  await shows(bob, "#refusal", "Ada has sent you away.");
  await shows(bob, "#state", "Closed");
  await shows(ada, "#people", /^Ada \(you\)$/);
});

test("whiteboard: a stroke and a cursor in one window are in the other", async (t) => {
  const { url } = await dev(t, "examples/whiteboard");
  const ada = await visit(t, browser, url);
  const bob = await visit(t, browser, url, { viewport: { width: 1200, height: 500 }, deviceScaleFactor: 2 });
  assert.equal(await inkAt(bob, 0.5, 0.5), 0);

  await stroke(ada, [[0.2, 0.5], [0.5, 0.5], [0.8, 0.2]]);
  await inked(ada, 0.4, 0.5);
  await inked(bob, 0.4, 0.5);
  await inked(bob, 0.8, 0.2);
  assert.equal(await inkAt(bob, 0.4, 0.8), 0, "nothing where nobody drew");

  // Each sees the other's cursor, at rest where the other's pointer is, and not their own.
  await rests(bob.locator(".cursor"), 0.8, 0.2);
  await stroke(bob, [[0.3, 0.7]]);
  await inked(ada, 0.3, 0.7);
  await rests(ada.locator(".cursor"), 0.3, 0.7);
  assert.equal(await ada.locator(".cursor").count(), 1);
  assert.equal(await bob.textContent("#me"), `You are ${await ada.textContent(".cursor")}`);

  // A window of another size shows the same, and so does one that comes later.
  await bob.setViewportSize({ width: 390, height: 500 });
  await inked(bob, 0.4, 0.5);
  const cy = await visit(t, browser, url, { colorScheme: "dark" });
  await inked(cy, 0.8, 0.2);
  await cy.locator(".cursor").nth(1).waitFor();

  await photograph({ whiteboard: ada, "whiteboard-small": bob, "whiteboard-dark": cy });

  // Everyone takes back what is their own.
  await stroke(cy, [[0.6, 0.9]]);
  await inked(ada, 0.6, 0.9);
  await cy.keyboard.press("Control+z");
  for (const page of [ada, bob, cy]) await blank(page, 0.6, 0.9);
  await inked(cy, 0.8, 0.2);

  // Clearing asks first.
  await cy.getByRole("button", { name: "Clear", exact: true }).click();
  await cy.getByRole("button", { name: "Keep it" }).click();
  await inked(cy, 0.8, 0.2);
  await cy.getByRole("button", { name: "Clear", exact: true }).click();
  await cy.getByRole("button", { name: "Clear the board" }).click();
  for (const page of [ada, bob, cy]) {
    await page.locator("body.empty").waitFor();
    assert.equal(await inkAt(page, 0.4, 0.5), 0);
  }
  await bob.goto("about:blank");
  await cy.goto("about:blank");
  await ada.locator(".cursor").waitFor({ state: "detached" });
});

test("whiteboard: a stroke has the colour that was chosen, in every window", async (t) => {
  const { url } = await dev(t, "examples/whiteboard");
  const [ada, bob] = [await visit(t, browser, url), await visit(t, browser, url, { viewport: { width: 390, height: 760 } })];
  for (const [n, name] of ["Red", "Green"].entries()) {
    await ada.getByRole("radio", { name }).check();
    await stroke(ada, [[0.2, 0.3 + 0.3 * n], [0.8, 0.3 + 0.3 * n]]);
    await inked(bob, 0.5, 0.3 + 0.3 * n);
  }
  const [red, green] = [await colourAt(bob, 0.5, 0.3), await colourAt(bob, 0.5, 0.6)];
  assert.ok(red[0] > 180 && red[1] < 100, `${red} is red`);
  assert.ok(green[1] > 120 && green[0] < 100, `${green} is green`);
  const who = (page, selector) => page.locator(selector).evaluate((element) => getComputedStyle(element).getPropertyValue("--who"));
  assert.equal(await who(bob, ".cursor"), await who(ada, "#me"), "the cursor has the colour of the pen");

  // On a phone the board is as wide as the screen.
  const { width, height } = await bob.locator("canvas").boundingBox();
  assert.ok(width > 340 && height > 340, `${width} × ${height}`);
});

test("a page is live when its connection is open, though its room says nothing", async (t) => {
  const { url } = await dev(t, "examples/chat");
  const context = await browser.newContext();
  atEnd(t, () => context.close());
  const page = await context.newPage();
  // It hears what the server says, and nothing of the room.
  await page.addInitScript(() => {
    const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
    Object.defineProperty(WebSocket.prototype, "onmessage", {
      set(hear) {
        set.call(this, (event) => typeof event.data === "string" && event.data[0] === "\0" && hear(event));
      },
    });
  });
  await page.goto(url);
  await page.locator("body.live").waitFor();
  const said = await page.evaluate(() => ["#people", "#lines"].map((id) => getComputedStyle(document.querySelector(id), "::before").content));
  assert.deepEqual(said, ["none", "none"], "nobody knows yet that the room is empty");
});

test("whiteboard: fast drawing reaches the other window whole", async (t) => {
  const { url } = await dev(t, "examples/whiteboard");
  const [ada, bob] = [await visit(t, browser, url), await visit(t, browser, url)];

  // More points in one frame than one message may hold, and two strokes in one frame.
  await ada.evaluate(() => {
    const board = document.querySelector("canvas"), { left, top, width, height } = board.getBoundingClientRect();
    board.setPointerCapture = () => {};
    const fire = (type, x, y) => board.dispatchEvent(new PointerEvent(type, {
      pointerId: 1, button: 0, clientX: left + x * width, clientY: top + y * height,
    }));
    for (const y of [0.25, 0.75]) {
      fire("pointerdown", 0.05, y);
      for (let n = 0; n <= 500; n++) fire("pointermove", 0.05 + 0.9 * n / 500, y);
      fire("pointerup", 0.95, y);
      fire("lostpointercapture", 0.95, y);
    }
  });

  for (const x of [0.1, 0.5, 0.9]) {
    await inked(bob, x, 0.25);
    await inked(bob, x, 0.75);
  }
  assert.equal(await inkAt(bob, 0.5, 0.5), 0, "the two strokes are not joined");
});

test("stopwatch: it ticks, and both windows agree", async (t) => {
  const { url } = await dev(t, "examples/stopwatch");
  const ada = await visit(t, browser, url);
  const bob = await visit(t, browser, url, { colorScheme: "dark" });
  const pages = [ada, bob];
  for (const page of pages) {
    await page.evaluate(() => {
      const ticks = document.querySelector("#ticks"), now = () => Number(ticks.textContent);
      window.seen = [now()];
      new MutationObserver(() => seen.push(now())).observe(ticks, { childList: true });
    });
  }

  const later = (await bob.evaluate(() => seen.at(-1))) + 2;
  for (const page of pages) {
    await page.waitForFunction((later) => seen.includes(later), later);
    const seen = await page.evaluate(() => seen);
    assert.deepEqual(seen, seen.map((_, n) => seen[0] + n), "every tick, once and in order");
  }
  await Promise.all(pages.map((page) => shows(page, "#time", /^00:00:\d\d$/)));
  await photograph({ stopwatch: ada, "stopwatch-dark": bob });

  // Starting again asks first.
  const now = async () => Number(await bob.textContent("#ticks"));
  const before = await now();
  for (const answer of ["dismiss", "accept"]) {
    ada.once("dialog", (dialog) => dialog[answer]());
    await ada.getByRole("button", { name: "Start again" }).click();
    if (answer === "dismiss") assert.ok((await now()) >= before);
  }
  await bob.waitForFunction((before) => Number(document.querySelector("#ticks").textContent) < before, before);
});

test("native: everyone sees who buzzed first", async (t) => {
  const port = await freePort();
  const server = new Running(t, "cargo", ["run", "-q", "-p", "native"], { env: { PORT: String(port) } });
  const [, url] = await server.hears(/Serving (http:\S+)/);
  const ada = await visit(t, browser, url);
  const bob = await visit(t, browser, url, { colorScheme: "dark" });

  await bob.getByRole("button", { name: "BUZZ" }).click();
  await shows(ada, "#verdict", /^(?!You)\w+ was first$/);
  await ada.keyboard.press("Space");
  await shows(bob, "#verdict", "You were first!");
  await shows(bob, "#order li >> nth=1", /\+ \d+\.\d{3} s/);
  await shows(ada, "#order li >> nth=1", /\(you\)/);

  await ada.getByRole("button", { name: "Next question" }).click();
  await shows(bob, "#verdict", "Who will be first?");
  await ada.getByRole("button", { name: "BUZZ" }).click();
  await shows(ada, "#verdict", "You were first!");
  await bob.getByRole("button", { name: "BUZZ" }).click();
  await shows(ada, "#order li >> nth=1", /\+/);
  await photograph({ native: ada, "native-dark": bob });
});

/** Draws through points that are given as shares of the board. */
async function stroke(page, [first, ...rest]) {
  const { x, y, width, height } = await page.locator("canvas").boundingBox();
  const to = ([shareX, shareY]) => [x + shareX * width, y + shareY * height];
  await page.mouse.move(...to(first));
  await page.mouse.down();
  for (const point of rest) await page.mouse.move(...to(point), { steps: 4 });
  await page.mouse.up();
}

function blank(page, x, y) {
  return page.waitForFunction(([x, y]) => {
    const canvas = document.querySelector("canvas");
    return canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3] === 0;
  }, [x, y]);
}

function colourAt(page, x, y) {
  return page.evaluate(([x, y]) => {
    const canvas = document.querySelector("canvas");
    return [...canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data];
  }, [x, y]);
}

/** How opaque the drawing is there, from 0 to 255. */
function inkAt(page, x, y) {
  return page.evaluate(([x, y]) => {
    const { width, height } = document.querySelector("canvas");
    return document.querySelector("canvas").getContext("2d").getImageData(x * width, y * height, 1, 1).data[3];
  }, [x, y]);
}

function inked(page, x, y) {
  return page.waitForFunction(([x, y]) => {
    const canvas = document.querySelector("canvas");
    return canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3] > 0;
  }, [x, y]);
}

/** Waits until a cursor has come to rest at that place of the board. */
async function rests(cursor, x, y) {
  await cursor.waitFor();
  await cursor.page().waitForFunction(([cursor, x, y]) => {
    const board = document.querySelector("canvas").getBoundingClientRect(), { left, top } = cursor.getBoundingClientRect();
    return Math.hypot(left - board.left - x * board.width, top - board.top - y * board.height) < 2;
  }, [await cursor.elementHandle(), x, y]);
}
