// Runs the real commands, and opens pages on them in a real browser.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../../", import.meta.url));
const screenshots = fileURLToPath(new URL("screenshots/", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? `${root}target`;
export const stateroom = `${target}/debug/stateroom`;

/** Long enough for cargo on a busy machine, short enough not to hang a test run. */
const PATIENCE_MS = 300_000;

export function cargo(...args) {
  execFileSync("cargo", args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
}

const undoings = new WeakMap();

/** Has `undo` called when the test `t` has ended, however it ended; what was done last comes first. */
export function atEnd(t, undo) {
  if (!undoings.has(t)) {
    undoings.set(t, []);
    t.after(async () => {
      const results = [];
      for (const undo of undoings.get(t).reverse()) results.push(...(await Promise.allSettled([undo()])));
      const failed = results.find(({ status }) => status === "rejected");
      if (failed) throw failed.reason;
    });
  }
  undoings.get(t).push(undo);
}

/** A command that goes on, such as a server, until the test `t` ends. */
export class Running {
  #child;
  #said = "";
  #heard = 0;
  #wake = () => {};

  constructor(t, command, args, { cwd = root, env = {} } = {}) {
    this.#child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.#said += text;
        this.#wake();
      });
    }
    this.#child.on("close", () => this.#wake());
    atEnd(t, () => this.end());
  }

  /** Waits until the command says what `pattern` matches, after what was waited for before. */
  async hears(pattern) {
    let late = false;
    const timer = setTimeout(() => this.#wake((late = true)), PATIENCE_MS);
    try {
      for (;;) {
        const match = this.#said.slice(this.#heard).match(pattern);
        if (match) {
          this.#heard += match.index + match[0].length;
          return match;
        }
        if (this.#ended || late) throw new Error(`${pattern} was not said, but\n${this.#said}`);
        await new Promise((wake) => (this.#wake = wake));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  get #ended() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Has it hear nothing any more, though it is there: what is written to it then is lost when it is killed. */
  freeze() {
    this.#child.kill("SIGSTOP");
  }

  async end(signal = "SIGTERM") {
    if (this.#ended) return;
    const closed = once(this.#child, "close");
    this.#child.kill(signal);
    await closed;
  }
}

/**
 * `stateroom dev` on a folder; resolves with the process and the address of its page. Rooms are kept
 * in `dataDir`, or not at all.
 */
export async function dev(t, folder, { port = 0, dataDir, ...options } = {}) {
  const kept = dataDir ? ["--data-dir", dataDir] : ["--ephemeral"];
  const server = new Running(t, stateroom, ["dev", folder, "--port", String(port), ...kept], options);
  const [, url] = await server.hears(/(?:Open|Serving)\S* (http:\S+\/)/);
  return { server, url };
}

export async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

/** A network between pages and the server at `port`, which can be cut. */
export class Network {
  port = 0;
  #isCut = false;
  #listener;
  #sockets = new Set();

  constructor(port) {
    this.#listener = createServer((down) => {
      if (this.#isCut) return down.destroy();
      const up = connect(port, "127.0.0.1");
      for (const [from, to] of [[down, up], [up, down]]) {
        this.#sockets.add(from);
        from.pipe(to).on("error", () => {});
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(t, port) {
    const network = new Network(port);
    network.#listener.listen(0, "127.0.0.1");
    await once(network.#listener, "listening");
    network.port = network.#listener.address().port;
    atEnd(t, () => {
      network.cut();
      network.#listener.close();
    });
    return network;
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
  }
}

/** A browser for the tests of one file. */
export async function launch() {
  mkdirSync(screenshots, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--headless",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/**
 * Opens the page at `url` as somebody new would, and waits until it is live. The test fails if the
 * page throws anything. `watch` gets the page before it is opened.
 */
export async function visit(t, browser, url, { watch, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 640 }, ...options });
  const page = await context.newPage();
  watch?.(page);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  atEnd(t, async () => {
    await context.close();
    if (errors.length) throw new AggregateError(errors, `the page threw ${errors[0].stack}`);
  });
  await page.goto(url);
  await page.locator("body.live").waitFor();
  return page;
}

/** Keeps what pages show, for people to look at. */
export async function photograph(pages) {
  for (const [name, page] of Object.entries(pages)) {
    await page.screenshot({ path: `${screenshots}${name}.png`, animations: "disabled" });
  }
}

/** Waits until the text of the element `selector` is `text`, or matches it. */
export async function shows(page, selector, text) {
  const exactly = (text) => new RegExp(`^\\s*${text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}\\s*$`);
  await page.locator(selector).filter({ hasText: text instanceof RegExp ? text : exactly(text) }).waitFor();
}
