/** What the page and the network tell: when to look after the connection, and when to let it go. */

/**
 * `wake`: somebody looks, or the network is back: connect at once, or find out whether the socket lives.
 * `giveUp`: the socket is lost, or is not to be had until the page wakes. `leave`: the page goes for good.
 */
const MEANING = {
  online: "wake",
  focus: "wake",
  visibilitychange: "wake",
  pageshow: "wake",
  resume: "wake",
  offline: "giveUp",
  // A page that is frozen, or kept to be shown again, must not have a socket.
  freeze: "giveUp",
  pagehide: "leave",
} as const;

type Hear = (what: "wake" | "giveUp" | "leave", untilWoken: boolean) => void;

/** Listens until `signal` is aborted. Where there are no pages and no such events, nothing is heard. */
export function watch(hear: Hear, signal: AbortSignal, scope: Partial<EventTarget> = globalThis): void {
  for (const [type, what] of Object.entries(MEANING)) {
    const listener = ({ target, persisted }: Event & { persisted?: boolean }) => {
      // A page on its way to be kept is hidden after all else: that must not wake it.
      if (type === "visibilitychange" && (target as Document).hidden) return;
      hear(what === "leave" && persisted ? "giveUp" : what, type !== "offline");
    };
    // Those of the document pass here too; but not each field that gets the focus.
    scope.addEventListener?.(type, listener, { signal, capture: type !== "focus" });
  }
}
