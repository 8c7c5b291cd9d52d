/** The state machine by itself, with a time of its own: each row of what a client does. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RoomError } from "../src/errors.js";
import type { QueueOptions } from "../src/options.js";
import { createSession, type Output } from "../src/session.js";

const LIFE = "3 1";

class Driver {
  now = 0;
  done: unknown[][] = [];
  random = 1;
  attempt = 0;
  buffered = 0;
  session;

  constructor(queue: Partial<QueueOptions> = {}) {
    const note = (what: string) => (...facts: unknown[]) => void this.done.push([what, ...facts.filter((fact) => fact !== undefined)]);
    const output: Output = {
      write: note("write"),
      close: note("close"),
      message: note("message"),
      tell: (type, facts) => type !== "statuschange" && note(type)(facts),
      error: (code, messages) => new RoomError(code, "here", messages),
      buffered: () => this.buffered,
      random: () => this.random,
    };
    this.session = createSession<string>(output, {}, queue, 0);
  }

  static live(queue?: Partial<QueueOptions>): Driver {
    const driver = new Driver(queue);
    driver.dial();
    driver.welcome();
    expect(driver.did()).toEqual([["open"]]);
    return driver;
  }

  /** Connects when that is due: the numbers of the handshake, from the attempt on. */
  dial(): string {
    this.now = Math.max(this.now, this.session.next());
    this.attempt = this.session.dial(this.now);
    expect(this.attempt).toBeGreaterThan(0);
    return this.session.protocol(this.now, this.attempt)!.split(".").slice(2).join(".");
  }

  key(): string {
    return this.session.protocol(this.now, this.attempt)!.split(".")[1]!;
  }

  hear(message: string, bytes = message.length): void {
    this.session.message(this.now, message, bytes);
  }

  welcome(life = LIFE, heard = 0, from = 0): void {
    this.hear(`\0welcome ${life} ${heard} ${from} 100 1000 30000`);
  }

  say(value: string): void {
    this.session.send(this.now, { data: value, bytes: value.length, value });
  }

  lose(code = 1006, reason = ""): void {
    this.session.lost(this.now, code, reason);
  }

  /** What was done since it was last asked. */
  did(): unknown[][] {
    return this.done.splice(0);
  }

  written(): unknown[] {
    return this.did()
      .filter(([what]) => what === "write")
      .map(([, data]) => data);
  }

  wait(): number {
    return this.session.next() - this.now;
  }
}

/** When all promises that can have resolved. */
const soon = () => new Promise((resolve) => setTimeout(resolve));

const GIVEN_UP = ["close", 4999, ""];

test("what is sent before the welcome is written after it", () => {
  const driver = new Driver();
  driver.say("one");
  expect(driver.dial()).toBe("1.0.0.0.0.0");
  driver.say("two");
  expect(driver.did()).toEqual([]);
  driver.welcome();
  expect(driver.written()).toEqual(["one", "two", "\0flush"]);
  expect(driver.session.status()).toBe("live");
});

test("after a loss, what was not heard is written again, in order", () => {
  const driver = Driver.live();
  for (const text of ["one", "two", "three"]) driver.say(text);
  driver.hear("hi");
  driver.hear("\0ack 1");
  driver.lose();
  expect(driver.session.status()).toBe("away");
  driver.say("four");
  driver.did();
  expect(driver.dial()).toBe("2.3.1.1.1.3");
  driver.welcome(LIFE, 2, 1);
  expect(driver.did()).toEqual([["resume", { recovered: true, newSession: false }], ["write", "three"], ["write", "four"], ["write", "\0flush"]]);
  expect(driver.session.queue.bytes).toBe("threefour".length);
});

// Whether another incarnation is of any matter, the server knows: it tells by where it goes on.
test.each([
  [LIFE, 5, false],
  ["4 1", 0, false],
  ["3 2", 0, true],
  ["3 2", 5, false],
])("whoever was not told everything learns that (life %s, from %i)", (life, from, recovered) => {
  const driver = Driver.live();
  driver.lose();
  driver.dial();
  driver.welcome(life, 0, from);
  expect(driver.did()).toEqual([["resume", { recovered, newSession: false }]]);
  driver.lose();
  expect(driver.dial()).toBe(`3.${life.replace(" ", ".")}.${from}.0.0`);
});

test("a room that begins anew under a live socket is told, and counts", () => {
  const driver = Driver.live();
  driver.hear("\0anew 4");
  expect(driver.did()).toEqual([["resume", { recovered: false, newSession: false }]]);
  driver.lose();
  expect(driver.dial()).toBe("2.4.1.1.0.0");
});

test("what a room has not heard that began anew while the client was away is handed back", async () => {
  const driver = Driver.live();
  for (const text of ["one", "two"]) driver.say(text);
  driver.lose();
  driver.say("three");
  driver.did();
  const settled = driver.session.settled();
  driver.dial();
  driver.welcome("4 1", 1, 5);
  const unsettled = ["unsettled", { messages: ["two", "three"], heard: 1 }];
  expect(driver.did()).toEqual([unsettled, ["resume", { recovered: false, newSession: false }]]);
  await expect(settled).rejects.toMatchObject({ code: "unsettled", messages: ["two", "three"] });
  expect(driver.session.queue.bytes).toBe(0);
  driver.say("four");
  expect(driver.written()).toEqual(["four"]);
  driver.hear("\0ack 2");
  await driver.session.settled();
  driver.lose();
  expect(driver.dial()).toBe("3.4.1.5.2.2");
});

test("what the room failed at is told, and counts on both sides", () => {
  const driver = Driver.live();
  driver.say("bad");
  driver.did();
  driver.hear("\0skipped 1 it is  bad");
  expect(driver.did()).toEqual([["skipped", { number: 1, reason: "it is  bad", sent: "bad" }]]);
  driver.hear("\0ack 1");
  driver.hear("\0skipped 1 told again");
  expect(driver.did()).toEqual([["skipped", { number: 1, reason: "told again", sent: undefined }]]);
  driver.lose();
  expect(driver.dial()).toBe("2.3.1.2.1.1");
});

test("text that begins with U+0000 is doubled, and taken apart", () => {
  const driver = Driver.live();
  driver.say("\0ack 7");
  driver.say("\0\0");
  expect(driver.written()).toEqual(["\0\0ack 7", "\0\0\0"]);
  driver.hear("\0\0ack 7");
  expect(driver.did()).toEqual([["message", "\0ack 7"]]);
  driver.lose();
  expect(driver.dial()).toBe("2.3.1.1.0.2");
});

test("a session that is over tells what nobody knows, and another begins", () => {
  const driver = Driver.live();
  const first = driver.key;
  for (const text of ["one", "two"]) driver.say(text);
  driver.did();
  driver.lose(4200, "heard=1");
  expect(driver.did()).toEqual([["unsettled", { messages: ["two"], heard: 1 }]]);
  driver.say("three");
  expect(driver.dial()).toBe("2.0.0.0.0.0");
  expect(driver.key()).not.toBe(first);
  driver.welcome();
  expect(driver.did()).toEqual([["resume", { recovered: false, newSession: true }], ["write", "three"], ["write", "\0flush"]]);
});

test("a session that is over before its first welcome costs nothing", () => {
  const driver = new Driver();
  driver.say("one");
  driver.dial();
  const key = driver.key();
  driver.lose(4200, "ended");
  expect(driver.did()).toEqual([]);
  expect(driver.dial()).toBe("2.0.0.0.0.0");
  expect(driver.key()).not.toBe(key);
  driver.welcome();
  expect(driver.written()).toEqual(["one", "\0flush"]);
});

test.each(["heard=9", "heard=-1", "heard=", "heard=x", "ended", ""])("a wrong reason of an end (%s) settles nothing", (reason) => {
  const driver = Driver.live();
  driver.say("one");
  driver.did();
  driver.lose(4200, reason);
  expect(driver.did()).toEqual([["unsettled", { messages: ["one"], heard: 0 }]]);
});

describe("connecting again", () => {
  test("at once, and then later and later", () => {
    const driver = Driver.live();
    const waits = [];
    for (let tries = 0; tries < 8; tries++) {
      driver.lose();
      waits.push(driver.wait());
      driver.dial();
    }
    expect(waits).toEqual([0, 300, 600, 1_200, 2_400, 4_800, 9_600, 10_000]);
  });

  test("no earlier than after half the wait", () => {
    const driver = Driver.live();
    driver.random = 0;
    driver.lose();
    driver.dial();
    driver.lose();
    expect(driver.wait()).toBe(150);
  });

  test("at once after a connection that lasted, and not after one that did not", () => {
    const driver = Driver.live();
    driver.lose();
    driver.dial();
    driver.welcome();
    driver.now += 4_999;
    driver.lose();
    expect(driver.wait()).toBe(300);
    driver.dial();
    driver.welcome();
    driver.now += 5_000;
    driver.lose();
    expect(driver.wait()).toBe(0);
  });

  test("soon after one that did not last, however long it was away before", () => {
    const driver = Driver.live();
    for (let tries = 0; tries < 8; tries++) {
      driver.lose();
      driver.dial();
    }
    driver.welcome();
    driver.lose();
    expect(driver.wait()).toBe(600);
  });

  test("not at once to a server that has too much to do", () => {
    const driver = Driver.live();
    driver.lose(4100, "later");
    expect(driver.wait()).toBe(300);
  });

  test("at once when the network is back or somebody looks, and not twice", () => {
    const driver = Driver.live();
    driver.lose(4100);
    driver.session.wake(driver.now);
    expect(driver.wait()).toBe(0);
    driver.dial();
    driver.lose();
    expect(driver.wait()).toBe(0); // The first try may have been too early.
    driver.dial();
    driver.session.wake(driver.now);
    expect(driver.session.dial(driver.now)).toBe(0);
  });

  test("when a handshake takes too long", () => {
    const driver = new Driver();
    driver.dial();
    driver.now += 9_999;
    driver.session.timer(driver.now);
    expect(driver.did()).toEqual([]);
    driver.now += 1;
    driver.session.timer(driver.now);
    expect(driver.did()).toEqual([GIVEN_UP]);
    expect(driver.dial()).toBe("2.0.0.0.0.0");
  });

  test("only when woken, after the page was frozen", () => {
    const driver = Driver.live();
    driver.session.giveUp(driver.now, true);
    expect(driver.did()).toEqual([GIVEN_UP]);
    expect(driver.session.status()).toBe("away");
    expect(driver.session.next()).toBe(Infinity);
    driver.session.wake(driver.now);
    expect(driver.wait()).toBe(0);
  });

  test("and a handshake that was overtaken is not made", () => {
    const driver = new Driver();
    const attempt = driver.session.dial(0);
    driver.session.giveUp(0);
    expect(driver.session.protocol(0, attempt)).toBeUndefined();
    expect(driver.session.dial(0)).toBe(attempt + 1);
    expect(driver.session.protocol(0, attempt)).toBeUndefined();
    expect(driver.session.protocol(0, attempt + 1)).toBeDefined();
  });
});

describe("finding a connection that is silent", () => {
  test("when somebody looks, within four seconds", () => {
    const driver = Driver.live();
    driver.session.wake(driver.now);
    driver.session.wake(driver.now);
    expect(driver.written()).toEqual(["\0probe"]);
    driver.hear("\0ack 0");
    expect(driver.wait()).toBe(10_000);
    driver.session.wake(driver.now);
    driver.did();
    driver.now += 4_000;
    driver.session.timer(driver.now);
    expect(driver.did()).toEqual([GIVEN_UP]);
    expect(driver.session.status()).toBe("away");
  });

  test("after ten seconds in which nothing came", () => {
    const driver = Driver.live();
    driver.now = 9_000;
    driver.hear("hi");
    driver.now = 10_000;
    driver.session.timer(driver.now);
    expect(driver.written()).toEqual(["\0ack 1"]);
    driver.now = 19_000;
    driver.session.timer(driver.now);
    expect(driver.written()).toEqual(["\0probe"]);
  });

  test("but not while what was sent is leaving, on a slow line", () => {
    const driver = Driver.live();
    driver.buffered = 3_000;
    driver.session.wake(driver.now);
    for (driver.buffered of [2_000, 1_000]) {
      driver.now += 4_000;
      driver.session.timer(driver.now);
      expect(driver.did()).toContainEqual(["write", "\0probe"]);
    }
    driver.now += 4_000;
    driver.session.timer(driver.now);
    expect(driver.did()).toEqual([GIVEN_UP]);
  });

  test("two seconds after something was sent and nothing came", () => {
    const driver = Driver.live();
    driver.now = 3_000;
    driver.say("one");
    driver.now = 4_000;
    driver.say("two");
    driver.did();
    expect(driver.wait()).toBe(1_000);
    driver.now = 5_000;
    driver.session.timer(driver.now);
    expect(driver.written()).toEqual(["\0probe"]);
    // It lives, and its disk is slow: it is not asked again and again.
    driver.hear("\0ack 0");
    expect(driver.wait()).toBe(10_000);
  });
});

test("it tells what it has got after a second or many bytes", () => {
  const driver = Driver.live();
  driver.random = 0;
  driver.hear("hi");
  expect(driver.did()).toEqual([["message", "hi"]]);
  expect(driver.wait()).toBe(1_000);
  driver.now = 1_000;
  driver.session.timer(driver.now);
  expect(driver.written()).toEqual(["\0ack 1"]);
  driver.hear("x", 100);
  expect(driver.written()).toEqual(["\0ack 2"]);
  driver.hear("hi");
  // In a hidden tab timers come late.
  driver.now = 9_000;
  driver.hear("hi");
  expect(driver.written()).toEqual(["\0ack 4"]);
});

test("what it has not told when it is lost, the next handshake tells", () => {
  const driver = Driver.live();
  driver.hear("x", 60);
  driver.did();
  driver.lose();
  expect(driver.wait()).toBe(0);
  expect(driver.session.dial(0)).toBe(2);
  expect(driver.session.next()).toBe(Infinity);
  driver.attempt = 2;
  expect(driver.session.protocol(0, 2)).toMatch(/\.2\.3\.1\.1\.0\.0$/);
  driver.welcome(LIFE, 0, 1);
  driver.hear("y", 60);
  expect(driver.written()).toEqual([]);
});

describe("what may not come ends the socket, and not the session", () => {
  test.each(["before the welcome", "\0ack 0", "\0welcome 3 1 7 0 1 1 1", "\0welcome 3 1 0 0 1 1", "\0welcome 3 1 0 0 1 1 1 1", "\0"])(
    "before the welcome: %j",
    (message) => {
      const driver = new Driver();
      driver.dial();
      driver.hear(message);
      expect(driver.did()).toEqual([GIVEN_UP]);
      expect(driver.dial()).toBe("2.0.0.0.0.0");
    },
  );

  test.each([
    "\0ack 1", // Nothing was sent.
    "\0ack",
    "\0ack 01",
    "\0ack -1",
    "\0ack 0 ",
    "\0ack 1e0",
    "\0ack 9007199254740992",
    "\0anew",
    "\0skipped 1",
    "\0skipped",
    "\0welcome 3 1 0 0 100 1000 30000", // Once is enough.
    "\0probe",
    "\0constructor",
    "\0 ack 0",
  ])("after it: %j", (message) => {
    const driver = Driver.live();
    driver.hear(message);
    expect(driver.did()).toEqual([GIVEN_UP]);
    expect(driver.dial()).toMatch(/^2\.3\.1\.0\.0\.0$/);
  });

  test("an acknowledgement of less than before", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.say("two");
    driver.hear("\0ack 2");
    driver.did();
    driver.hear("\0ack 1");
    expect(driver.did()).toEqual([GIVEN_UP]);
  });
});

describe("what cannot be kept is not taken", () => {
  const throwing = (say: () => void) => {
    try {
      say();
    } catch (error) {
      return (error as RoomError).code;
    }
  };

  test("a message that the server would not take", () => {
    const driver = Driver.live();
    expect(throwing(() => driver.say("x".repeat(1_001)))).toBe("too-large");
    driver.say("x".repeat(1_000));
  });

  test("too much that waits", () => {
    const driver = Driver.live({ bytes: 500 });
    driver.say("x".repeat(900)); // Alone it may be larger.
    expect(throwing(() => driver.say("y"))).toBe("queue-full");
    driver.hear("\0ack 1");
    driver.say("y");
  });

  test("empty messages without end", () => {
    const driver = Driver.live({ bytes: 640 });
    for (let number = 0; number <= 10; number++) driver.say("");
    expect(throwing(() => driver.say(""))).toBe("queue-full");
  });

  test("where the oldest may be dropped, those that were never written are", async () => {
    const driver = Driver.live({ bytes: 300, full: "drop-oldest" });
    driver.say("written");
    const settled: string[] = [];
    void driver.session.settled().then(() => settled.push("written"));
    driver.lose();
    for (const text of ["a", "b", "c", "d"]) driver.say(text.repeat(30));
    void driver.session.settled().then(() => settled.push("all"));
    driver.did();
    driver.dial();
    driver.welcome(LIFE, 0, 0);
    expect(driver.written()).toEqual(["written", "b".repeat(30), "c".repeat(30), "d".repeat(30), "\0flush"]);
    expect(throwing(() => driver.say("e".repeat(200)))).toBe("queue-full"); // All were written by now.
    driver.hear("\0ack 1");
    await soon();
    expect(settled).toEqual(["written"]);
    driver.hear("\0ack 4");
    await soon();
    expect(settled).toEqual(["written", "all"]);
  });
});

describe("closing", () => {
  test("is done once", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.session.close(0, 4001, "first");
    driver.session.close(0, 4002, "second");
    driver.did();
    driver.hear("\0ack 1");
    driver.session.close(0, 4003, "third");
    driver.session.wake(0);
    expect(driver.did()).toEqual([
      ["close", 1000, "first"],
      ["close", { code: 4001, reason: "first", wasClean: true }],
    ]);
    expect(driver.session.next()).toBe(Infinity);
  });

  test("is at once where all is durable", () => {
    const driver = Driver.live();
    driver.session.close(0, 4001, "bye");
    expect(driver.did()).toEqual([
      ["close", 1000, "bye"],
      ["close", { code: 4001, reason: "bye", wasClean: true }],
    ]);
    expect(driver.session.next()).toBe(Infinity);
  });

  test("waits for what was sent, and delivers meanwhile", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.session.close(0, 1000, "");
    expect(driver.written()).toEqual(["one", "\0flush"]);
    expect(driver.session.closed()).toBe(true);
    driver.hear("hi");
    driver.hear("\0ack 1");
    expect(driver.did()).toEqual([["message", "hi"], ["close", 1000, ""], ["close", { code: 1000, reason: "", wasClean: true }]]);
  });

  test("but not for long", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.session.close(0, 1000, "");
    driver.did();
    driver.now = 2_000;
    driver.session.timer(driver.now);
    expect(driver.did().map(([what]) => what)).toEqual(["close", "unsettled", "close"]);
  });

  test("is over when the connection is lost", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.session.close(0, 1000, "");
    driver.lose();
    expect(driver.session.status()).toBe("closed");
    expect(driver.session.next()).toBe(Infinity);
  });

  test.each(["connecting", "away"])("is at once while %s", (status) => {
    const driver = status === "away" ? Driver.live() : new Driver();
    if (status === "away") driver.lose();
    driver.say("one");
    expect(driver.session.status()).toBe(status);
    driver.session.close(0, 1000, "");
    expect(driver.did().filter(([what]) => what === "unsettled")).toEqual([["unsettled", { messages: ["one"], heard: 0 }]]);
    expect(driver.session.status()).toBe("closed");
  });

  test("is what the server does with some codes, and no others", () => {
    const final = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 4202, 4300, 4301, 4999];
    const others = [1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4099, 4100, 4199, 4200, 4201];
    for (const code of [...final, ...others]) {
      const driver = Driver.live();
      driver.lose(code, "because");
      expect(driver.session.status(), `${code}`).toBe(final.includes(code) ? "closed" : "away");
      if (final.includes(code)) expect(driver.did()).toContainEqual(["close", { code, reason: "because", wasClean: true }]);
    }
  });
});

describe("what is settled", () => {
  test("is what was sent before, and no more", async () => {
    const driver = Driver.live();
    await driver.session.settled();
    driver.say("one");
    const settled: string[] = [];
    void driver.session.settled().then(() => settled.push("one"));
    driver.say("two");
    void driver.session.settled().then(() => settled.push("two"));
    expect(driver.written()).toEqual(["one", "\0flush", "two", "\0flush"]);
    driver.hear("\0ack 1");
    await soon();
    expect(settled).toEqual(["one"]);
    driver.lose();
    driver.dial();
    driver.welcome(LIFE, 2, 0);
    await soon();
    expect(settled).toEqual(["one", "two"]);
  });

  test("never is what a session had that is over", async () => {
    const driver = Driver.live();
    driver.say("one");
    driver.say("two");
    const settled = driver.session.settled();
    driver.lose(4200, "heard=1");
    await expect(settled).rejects.toMatchObject({ name: "RoomError", code: "unsettled", messages: ["two"] });
    await driver.session.settled(); // Of the session that begins, nothing waits.
  });

  test("never is what was sent to a room that was closed", async () => {
    const driver = Driver.live();
    driver.lose();
    driver.say("one");
    const settled = driver.session.settled();
    driver.session.close(0, 1000, "");
    await expect(settled).rejects.toMatchObject({ code: "unsettled" });
    await expect(driver.session.settled()).rejects.toMatchObject({ code: "unsettled" });
  });
});

describe("a server without sessions", () => {
  test("is a plain one, to which is sent what waits", async () => {
    const driver = new Driver();
    driver.say("one");
    const settled = driver.session.settled();
    driver.dial();
    driver.session.open(0);
    expect(driver.did()).toEqual([["open"], ["write", "one"]]);
    await expect(settled).rejects.toMatchObject({ code: "no-session" });
    await expect(driver.session.settled()).rejects.toMatchObject({ code: "no-session" });
    driver.say("\0x");
    driver.hear("\0ack 1");
    expect(driver.did()).toEqual([["write", "\0x"], ["message", "\0ack 1"]]);
    expect(driver.session.next()).toBe(Infinity);
    driver.lose();
    driver.say("two");
    expect(driver.session.queue.bytes).toBe(3);
    expect(driver.dial()).toBe("2.0.0.0.0.0");
    driver.session.open(driver.now);
    expect(driver.did()).toEqual([["resume", { recovered: false, newSession: true }], ["write", "two"]]);
  });

  test("may get sessions", async () => {
    const driver = new Driver();
    driver.dial();
    driver.session.open(0);
    driver.say("one");
    driver.lose();
    driver.say("two");
    driver.did();
    expect(driver.dial()).toBe("2.0.0.0.0.0");
    driver.welcome();
    expect(driver.did()).toEqual([["resume", { recovered: false, newSession: true }], ["write", "two"], ["write", "\0flush"]]);
    driver.hear("\0ack 1");
    await driver.session.settled();
  });

  test("may come after one with them", () => {
    const driver = Driver.live();
    driver.say("one");
    driver.lose();
    driver.say("two");
    driver.did();
    driver.dial();
    driver.session.open(driver.now);
    expect(driver.did()).toEqual([["unsettled", { messages: ["one", "two"], heard: 0 }], ["resume", { recovered: false, newSession: true }]]);
    driver.say("x".repeat(2_000)); // It has not said how large a message may be.
  });

  test("is closed with what the application says", () => {
    const driver = new Driver();
    driver.dial();
    driver.session.open(0);
    driver.did();
    driver.session.close(0, 4001, "bye");
    expect(driver.did()).toEqual([
      ["close", 4001, "bye"],
      ["close", { code: 4001, reason: "bye", wasClean: true }],
    ]);
  });
});

test("keys are 128 random bits in base64url", () => {
  const keys = Array.from({ length: 200 }, () => {
    const driver = new Driver();
    driver.dial();
    return driver.key();
  });
  for (const key of keys) expect(Buffer.from(key, "base64url").toString("base64url")).toBe(key);
  for (const key of keys) expect(Buffer.from(key, "base64url").length).toBe(16);
  expect(new Set(keys).size).toBe(200);
});

test("it has the conversation that the page of the protocol shows", () => {
  const page = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");
  const shown = page.split("## A whole conversation")[1]!.split("```")[1]!;
  const driver = new Driver();
  let counted = 0;
  for (const line of shown.split("\n").slice(1)) {
    const [said = "", note = ""] = line.slice(2).replaceAll("\\0", "\0").split(/ {3,}/);
    if (line.startsWith("<")) {
      driver.hear(said);
      if (!said.startsWith("\0")) {
        expect(driver.did()).toContainEqual(["message", said]);
        expect(note).toBe(`counted: ${++counted}`);
      }
    } else if (line.startsWith(">")) {
      if (!driver.done.some(([what, data]) => what === "write" && data === said)) driver.say(said);
      expect(driver.written().filter((text) => text !== "\0flush")).toEqual([said]);
    } else if (said.startsWith("handshake")) {
      expect(driver.dial()).toBe(note.split(".").slice(2).join("."));
    } else if (said) {
      driver.lose();
      driver.say("three");
    }
  }
  expect([driver.session.queue.settled, counted]).toEqual([3, 3]);
});
