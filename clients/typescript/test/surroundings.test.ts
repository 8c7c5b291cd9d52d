/** What pages and the network tell, as far as they do. */
import { expect, test } from "vitest";
import { watch } from "../src/surroundings.js";

function page() {
  const window = new EventTarget();
  const heard: unknown[] = [];
  const stop = new AbortController();
  watch((...what) => heard.push(what), stop.signal, window);
  const fire = (type: string, facts: object = {}) => {
    const event = new Event(type);
    Object.defineProperty(event, "target", { value: facts });
    window.dispatchEvent(Object.assign(event, facts));
    return heard.splice(0);
  };
  return { fire, stop };
}

test.each(["online", "focus", "visibilitychange", "pageshow", "resume"])("%s wakes", (type) => {
  expect(page().fire(type)).toEqual([["wake", true]]);
});

test("a page that goes on in the background has its rooms there", () => {
  const { fire } = page();
  expect(fire("freeze", { hidden: true })).toEqual([["giveUp", true]]);
  expect(fire("resume", { hidden: true })).toEqual([["wake", true]]);
});

test("a page that is kept wakes when it is shown", () => {
  const { fire } = page();
  // On its way to be kept, a page is hidden after its pagehide.
  expect(fire("pagehide", { persisted: true })).toEqual([["giveUp", true]]);
  expect(fire("visibilitychange", { hidden: true })).toEqual([]);
  expect(fire("pageshow", { persisted: true, hidden: false })).toEqual([["wake", true]]);
});

test("without a network it is tried at once and again, and a frozen page waits", () => {
  const { fire } = page();
  expect(fire("offline")).toEqual([["giveUp", false]]);
  expect(fire("freeze", { hidden: true })).toEqual([["giveUp", true]]);
});

test("a page that goes for good leaves its rooms", () => {
  expect(page().fire("pagehide", { persisted: false })).toEqual([["leave", true]]);
});

test("nothing is heard after the end, nor where there are no pages", () => {
  const { fire, stop } = page();
  stop.abort();
  expect(fire("online")).toEqual([]);
  watch(() => {}, stop.signal, {});
});
