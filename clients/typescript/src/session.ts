/** One client of one room, as a pure state machine: what happens and the time go in, what to do comes out. */
import { delay } from "./backoff.js";
import { after, ANEW, LATER, NEVER_AGAIN } from "./ending.js";
import type { RoomErrorCode } from "./errors.js";
import type { QueueOptions } from "./options.js";
import { createQueue, type Outgoing } from "./queue.js";
import { ACKNOWLEDGE, CLOSING, HANDSHAKE, STABLE, UNANSWERED, type Timing } from "./timing.js";
import { createWaiters } from "./waiters.js";
import { escape, newKey, read } from "./wire.js";

/** What a session has done. None of it may call the session back at once. */
export interface Output {
  /** Writes this to the socket. */
  write(data: Outgoing<unknown>["data"]): void;
  /** Hears the socket no more, and closes it. */
  close(code: number, reason: string): void;
  /** Gives this to the application. */
  message(data: string | ArrayBuffer): void;
  /** Tells the application of an event, with these facts. */
  tell(type: string, facts?: object): void;
  /** Makes an error that is about these messages. */
  error(code: RoomErrorCode, messages: unknown[]): Error;
  /** How many bytes of what was written are yet to leave. */
  buffered(): number;
  /** A number from 0 to below 1 that no other client has. */
  random(): number;
}

/** How it stands with a room: never open yet, open, open but not connected, or over. */
export type Status = "connecting" | "live" | "away" | "closed";

/** Which socket it has: none, one that is being opened, one with a session that was welcomed, or one without. */
const NONE = 0;
const OPENING = 1;
const SESSION = 2;
const PLAIN = 3;

const GIVE_UP = 4999;
const LOST = 1006;
const NEVER = Infinity;

/** A client that connects at once. */
export function createSession<Value>(
  { write, close: hangUp, message: deliver, tell, error, buffered, random }: Output,
  { retry = 300, longestRetry = 10_000, idle = 10_000, probe: patience = 4_000 }: Partial<Timing> = {},
  { bytes: limit = 4 * 1024 * 1024, full }: Partial<QueueOptions> = {},
  startedAt: number,
) {
  const queue = createQueue<Value>();
  const waiters = createWaiters();
  let status: Status = "connecting";
  let socket = NONE;
  let key = "";
  let attempt = 0;
  /** How many tries to connect were in vain, one after the other. */
  let tries = 0;
  /** Epoch and incarnation, once it was told. */
  let life = "";
  let have = 0;
  let largest = NEVER;
  /** After how many bytes the server is to be told what has come, and how many it was not told of. */
  let ackBytes = 0;
  let untold = 0;
  /** Why nothing more will be known to be durable. */
  let never: Error | undefined;
  /** Since when the socket is live, when it was last heard, and since when it owes an answer. */
  let liveAt = NEVER;
  let heardAt = 0;
  let owesAt = NEVER;
  /** How many bytes had yet to leave before the last probe. */
  let unsent = 0;
  /** When to connect, to tell what has come, to give up the socket, and to close. */
  let dialAt = startedAt;
  let ackAt = NEVER;
  let giveUpAt = NEVER;
  let closeAt = NEVER;
  /** What the application has said when it closed. */
  let farewell: [code: number, reason: string] = [1000, ""];

  const control = (words: string) => socket === SESSION && write("\0" + words);

  function setStatus(to: Status): void {
    if (status !== to) tell("statuschange", { status: to });
    status = to;
  }

  function ack(): void {
    untold = 0;
    ackAt = NEVER;
    control("ack " + have);
  }

  function probe(now: number): void {
    giveUpAt = now + patience;
    unsent = buffered();
    control("probe");
  }

  const probeAt = () =>
    socket === SESSION && giveUpAt === NEVER ? Math.min(heardAt + idle, owesAt + UNANSWERED) : NEVER;

  function settle(heard: number): boolean {
    const isSound = queue.settle(heard);
    waiters.settle(queue.settled);
    return isSound;
  }

  function writeQueue(now: number): void {
    const isPlain = socket === PLAIN;
    if (!isPlain && socket !== SESSION) return;
    for (let item; (item = queue.next(isPlain)); ) {
      write(isPlain ? item.data : escape(item.data));
      owesAt = Math.min(owesAt, now);
    }
  }

  /** Gives back what waits. */
  function giveUpQueue(): void {
    const heard = queue.settled;
    const messages = queue.giveUp();
    if (!messages.length) return;
    const unsettled = error("unsettled", messages);
    if (status === "closed") never = unsettled;
    waiters.fail(unsettled);
    tell("unsettled", { messages, heard });
  }

  /** Has the next attempt begin another session. What was sent before a first welcome was never written, and waits. */
  function beginAnew(): void {
    key = "";
    if (life) giveUpQueue();
    life = "";
    have = queue.settled = queue.sent = 0;
  }

  function end(code: number, reason: string): void {
    // Only 1000 ends a session at once, whatever the application says.
    hangUp(socket === PLAIN ? code : 1000, reason);
    socket = NONE;
    setStatus("closed");
    dialAt = ackAt = giveUpAt = closeAt = NEVER;
    giveUpQueue();
    tell("close", { code, reason, wasClean: code !== LOST });
  }

  const leave = () => end(...farewell);
  const isClosing = () => status === "closed" || closeAt !== NEVER;

  function live(now: number, as: number, recovered: boolean): void {
    const isFirst = status === "connecting";
    socket = as;
    setStatus("live");
    giveUpAt = owesAt = NEVER;
    liveAt = heardAt = now;
    // However long it was away: but a server that closes whom it has let in is not asked at once again.
    tries = Math.min(tries, 2);
    if (isFirst) tell("open");
    if (!isFirst || !recovered) tell("resume", { recovered, newSession: !life });
    writeQueue(now);
    // Somebody may wait for it, or will: it is asked at once how far it has come.
    if (queue.items.length) control("flush");
  }

  /** `false` if it may not come now. */
  function hear(now: number, message: string | ArrayBuffer, bytes: number): boolean {
    const down = read(message);
    if (!down || (down[0] === "welcome") !== (socket === OPENING)) return false;
    const [word, [first, incarnation, heard, from, bytesToAck, most], rest] = down as [string, number[] & [number], string];
    heardAt = now;
    owesAt = giveUpAt = NEVER;
    if (word === "ack") return settle(first);
    if (word === "welcome") {
      if (!settle(heard!)) return false;
      // Another session than the one it had before is no recovery.
      const isSame = life ? parseInt(life) === first : status === "connecting";
      // What waits was meant for what the room was: the application knows what to say first to what it is.
      if (life && !isSame) giveUpQueue();
      const recovered = isSame && from === have;
      have = from!;
      ackBytes = bytesToAck!;
      largest = most!;
      untold = 0;
      never = undefined;
      live(now, SESSION, recovered);
      life = first + "." + incarnation;
      return true;
    }
    if (word === "anew") {
      life = first + life.slice(life.indexOf("."));
      tell("resume", { recovered: false, newSession: !life });
    } else if (word) {
      tell("skipped", { number: first, reason: rest, sent: queue.items[first - queue.settled - 1]?.value });
    } else {
      deliver(rest);
    }
    have++;
    untold += bytes;
    // With jitter, since many clients hear the same message at the same time.
    ackAt = Math.min(ackAt, now + ACKNOWLEDGE * (1 - random() / 4));
    if (untold >= ackBytes || ackAt <= now) ack();
    return true;
  }

  /** Notes that the socket has ended, or could not be opened. */
  function lost(now: number, code: number, reason: string): void {
    const next = after(code);
    if (now - liveAt >= STABLE) tries = 0;
    socket = NONE;
    ackAt = giveUpAt = liveAt = NEVER;
    unsent = 0;
    if (next === ANEW && life) settle(+reason.slice("heard=".length));
    if (closeAt !== NEVER || next === NEVER_AGAIN) return end(code, reason);
    if (next === ANEW) beginAnew();
    if (next === LATER) tries ||= 1;
    if (status === "live") setStatus("away");
    queue.resend();
    dialAt = now + delay(tries++, random(), retry, longestRetry);
  }

  /** Gives up the socket, if there is one, and connects again; or `waits` until it is woken. */
  function giveUp(now: number, waits = false): void {
    if (socket !== NONE) {
      hangUp(GIVE_UP, "");
      lost(now, LOST, "");
    }
    if (waits) dialAt = NEVER;
  }

  return {
    queue,
    status: () => status,
    /** Whether it is closed, or about to be: when what was sent is durable. */
    closed: isClosing,
    /** When there is next something to do, if nothing happens before. */
    next: () => Math.min(dialAt, ackAt, giveUpAt, closeAt, probeAt()),

    /** Whether to open a socket now: the number of the attempt, or 0. */
    dial(now: number): number {
      if (now < dialAt) return 0;
      dialAt = NEVER;
      socket = OPENING;
      return ++attempt;
    },

    /** What to ask for in the handshake of this attempt; nothing if it is not to be made any more. */
    protocol(now: number, which: number): string | undefined {
      if (socket !== OPENING || which !== attempt) return;
      giveUpAt = now + HANDSHAKE;
      key ||= newKey();
      return ["s", key, attempt, life || "0.0", have, queue.settled, queue.sent].join(".");
    },

    /** Notes that the socket is open, and the server speaks of no session on it. */
    open(now: number): void {
      beginAnew();
      largest = NEVER;
      never = error("no-session", []);
      waiters.fail(never);
      live(now, PLAIN, status === "connecting");
    },

    /** Hears a whole message, of so many bytes. */
    message(now: number, message: string | ArrayBuffer, bytes: number): void {
      if (socket === PLAIN) deliver(message);
      else if (!hear(now, message, bytes)) giveUp(now);
      else if (closeAt !== NEVER && !queue.items.length) leave();
    },

    lost,
    giveUp,

    /** Notes that the network is back, or that somebody looks: connects at once, or finds out whether the socket lives. */
    wake(now: number): void {
      if (socket === NONE && status !== "closed") {
        dialAt = now;
        tries = 0;
      }
      if (socket === SESSION && giveUpAt === NEVER) probe(now);
    },

    /** Does what is due by now. */
    timer(now: number): void {
      if (closeAt <= now) leave();
      // On a slow line the probe waits behind what was sent: as long as that leaves, it lives.
      if (giveUpAt <= now) buffered() < unsent ? probe(now) : giveUp(now);
      if (ackAt <= now) ack();
      if (probeAt() <= now) probe(now);
    },

    /** Sends a message: now, or when there is a socket again. Throws when it cannot be taken. */
    send(now: number, item: Outgoing<Value>): void {
      const { bytes, value } = item;
      if (bytes > largest) throw error("too-large", [value]);
      while (queue.full(bytes, limit)) {
        const number = full === "drop-oldest" && queue.drop();
        if (!number) throw error("queue-full", [value]);
        waiters.drop(number, queue.settled);
      }
      queue.push(item);
      writeQueue(now);
    },

    /** Resolves when all that was sent is durable. */
    async settled(): Promise<void> {
      if (never) throw never;
      if (!queue.items.length) return;
      control("flush");
      return waiters.settled(queue.total());
    },

    /** Leaves the room, when all that was sent is durable, or after a while. */
    close(now: number, code: number, reason: string): void {
      if (isClosing()) return;
      farewell = [code, reason];
      if (socket !== SESSION || !queue.items.length) return leave();
      closeAt = now + CLOSING;
      control("flush");
    },

    /** Leaves the room now: the page goes. */
    leave,
  };
}
