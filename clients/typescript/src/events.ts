/** What a room tells, as events of the kind that a `WebSocket` has. */
import type { Status } from "./session.js";

/** How the room was closed. */
export interface RoomCloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** What of yours went wrong: the URL or token could not be got, or the codec failed. */
export interface RoomErrorEvent extends Event {
  readonly error?: unknown;
}

/** The status is another. */
export interface StatusChangeEvent extends Event {
  readonly status: Status;
}

/** The room is back. */
export interface ResumeEvent extends Event {
  /** Whether nothing was missed. Otherwise ask the room for what you need. */
  readonly recovered: boolean;
  /** Whether the room takes you for somebody who has just come, and greets you. Otherwise you are in it still. */
  readonly newSession: boolean;
}

/**
 * These messages will not be sent again: the session is over, and nobody can say whether they were heard; or the room
 * began anew while you were away, and has not heard them.
 */
export interface UnsettledEvent<Out> extends Event {
  readonly messages: readonly Out[];
  /** How many messages of the session were heard before them. */
  readonly heard: number;
}

/** The room failed at a message of yours, and has set it aside. */
export interface SkippedEvent<Out> extends Event {
  readonly reason: string;
  /** Which: the first of the session is 1. */
  readonly number: number;
  /** What it was, where that is still known. */
  readonly sent: Out | undefined;
}

/** The events of a room by their names. */
export interface RoomEventMap<In, Out> {
  open: Event;
  message: MessageEvent<In>;
  error: RoomErrorEvent;
  close: RoomCloseEvent;
  statuschange: StatusChangeEvent;
  resume: ResumeEvent;
  unsettled: UnsettledEvent<Out>;
  skipped: SkippedEvent<Out>;
}

/** Gives a room a property `on…` for each event, which holds one listener. */
export function addHandlers(room: EventTarget): void {
  const handlers = room as unknown as Record<string, ((event: Event) => void) | null>;
  for (const type of ["open", "message", "error", "close", "statuschange", "resume", "unsettled", "skipped"]) {
    handlers["on" + type] = null;
    room.addEventListener(type, (event) => handlers["on" + type]?.(event));
  }
}
