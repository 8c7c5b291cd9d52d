/** Rooms in React: `useRoom`, and what they say. */
"use client";
import { useCallback, useEffect, useReducer, useRef, useState, useSyncExternalStore } from "react";
import {
  RoomSocket,
  type Codec,
  type ResumeEvent,
  type RoomData,
  type RoomEventMap,
  type RoomSocketOptions,
  type RoomUrl,
  type SendData,
  type Status,
} from "./index.js";

type AnyOptions<In, Out> = RoomSocketOptions & { codec?: Codec<In, Out> | undefined };

/** A room that a component has. */
interface Held<In, Out> {
  /** By what it is another room. */
  key: string;
  room: RoomSocket<In, Out>;
  closing?: ReturnType<typeof setTimeout>;
}

/**
 * The room at `url`, for as long as the component is mounted. The component is rendered again when its status changes.
 *
 * It is another room when the address, the parameters or the protocols are others. Functions may be others each time:
 * the newest are called whenever the room connects. What is sent before the component is mounted waits.
 */
export function useRoom<In, Out>(url: RoomUrl, options: RoomSocketOptions & { codec: Codec<In, Out> }): RoomSocket<In, Out>;
export function useRoom<In extends RoomData = any, Out extends SendData = SendData>(url: RoomUrl, options?: RoomSocketOptions): RoomSocket<In, Out>;
export function useRoom<In, Out>(url: RoomUrl, options: AnyOptions<In, Out> = {}): RoomSocket<In, Out> {
  const latest = useRef({ url, options });
  useEffect(() => {
    latest.current = { url, options };
  });
  const { params, protocols, session } = options;
  const key = JSON.stringify([typeof url === "function" || String(url), typeof params === "function" || params, protocols, session]);

  const create = (): Held<In, Out> => {
    const newest = (name: "token" | "params") => () => {
      const given = latest.current.options[name];
      return typeof given === "function" ? given() : given;
    };
    const codec = options.codec && {
      decode: (data: string | ArrayBuffer) => latest.current.options.codec!.decode(data),
      encode: (message: Out) => latest.current.options.codec!.encode(message),
    };
    const where = typeof url === "function" ? () => (latest.current.url as typeof url)() : url;
    const mine = { ...options, connect: false, token: newest("token"), params: newest("params"), codec } as RoomSocketOptions & { codec: Codec<In, Out> };
    return { key, room: new RoomSocket(where, mine) };
  };
  const [held, setHeld] = useState(create);
  if (held.key !== key) setHeld(create());

  useEffect(() => {
    clearTimeout(held.closing);
    // It was hidden so long that it was closed.
    if (held.room.status === "closed" && held.closing) return setHeld(create());
    held.room.connect();
    return () => {
      // Not if it is back at once, as in strict mode and when its code is replaced.
      held.closing = setTimeout(() => held.room.close());
    };
  }, [held]);

  useRoomStatus(held.room);
  return held.room;
}

/** How it stands with a room. */
export function useRoomStatus(room: RoomSocket<any, any>): Status {
  const subscribe = useCallback(
    (listener: () => void) => {
      room.addEventListener("statuschange", listener);
      return () => room.removeEventListener("statuschange", listener);
    },
    [room],
  );
  return useSyncExternalStore(subscribe, () => room.status, () => "connecting");
}

/** Calls `handler`, the newest that was given, at each event of a room. */
export function useRoomEvent<In, Out, Type extends keyof RoomEventMap<In, Out>>(
  room: RoomSocket<In, Out>,
  type: Type,
  handler: (event: RoomEventMap<In, Out>[Type]) => void,
): void {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => {
    const listener = (event: Event) => latest.current(event as RoomEventMap<In, Out>[Type]);
    room.addEventListener(type as string, listener);
    return () => room.removeEventListener(type as string, listener);
  }, [room, type]);
}

/**
 * What follows from the messages of a room: `reducer` makes the next state of the last one and a message. The state is
 * `initial` again when messages were missed, and with another room.
 */
export function useRoomState<State, In>(room: RoomSocket<In, any>, reducer: (state: State, message: In) => State, initial: State): State {
  type Step = [from: RoomSocket<In, any>, message?: MessageEvent<In>];
  const [held, dispatch] = useReducer(
    (held: { room: RoomSocket<In, any>; state: State }, [from, message]: Step) => {
      const state = held.room === from ? held.state : initial;
      return { room: from, state: message ? reducer(state, message.data) : initial };
    },
    { room, state: initial },
  );
  useEffect(() => {
    const hear = (message: MessageEvent<In>) => dispatch([room, message]);
    const resume = ({ recovered }: ResumeEvent) => {
      if (!recovered) dispatch([room]);
    };
    room.addEventListener("message", hear);
    room.addEventListener("resume", resume);
    return () => {
      room.removeEventListener("message", hear);
      room.removeEventListener("resume", resume);
    };
  }, [room]);
  return held.room === room ? held.state : initial;
}
