// Makes the picture in the README: `npm run picture`, after `cargo build -p stateroom-cli`.
// Three people really draw on one whiteboard; the windows of two of them are put side by side.

import { fileURLToPath } from "node:url";
import test from "node:test";
import { dev, launch, visit } from "./support.js";

/** The drawing is this much less tall than the board, which is a square. */
const FLAT = 0.8;
const range = (from, to, steps = 24) => Array.from({ length: steps + 1 }, (_, n) => from + ((to - from) * n) / steps);
const arc = (x, y, radius, from, to) =>
  range(from, to).map((turn) => [x + radius * Math.cos(turn * 2 * Math.PI), y + (radius / FLAT) * Math.sin(turn * 2 * Math.PI)]);
const line = (from, to, bend = 0) =>
  range(0, 1, 10).map((t) => [
    from[0] + (to[0] - from[0]) * t + bend * Math.sin(t * Math.PI),
    from[1] + (to[1] - from[1]) * t + 0.004 * Math.sin(t * 9),
  ]);
const wave = (y, from, to) => range(from, to, 60).map((x) => [x, y + 0.022 * Math.sin(x * 42 + y * 20)]);

const sea = [wave(0.78, 0.06, 0.94), wave(0.86, 0.12, 0.88), wave(0.93, 0.2, 0.76)];
const ship = [
  [...line([0.3, 0.6], [0.36, 0.74], -0.008), ...line([0.36, 0.74], [0.6, 0.74]), ...line([0.6, 0.74], [0.68, 0.6], 0.012), ...line([0.68, 0.6], [0.3, 0.6])],
  line([0.48, 0.6], [0.48, 0.14]),
  [...line([0.5, 0.18], [0.65, 0.53], 0.035), ...line([0.65, 0.53], [0.5, 0.53])],
  [...line([0.46, 0.23], [0.35, 0.53], -0.03), ...line([0.35, 0.53], [0.46, 0.53])],
  ...[0.42, 0.49, 0.56].map((x) => arc(x, 0.665, 0.014, 0, 1.05)),
];
const sky = [
  arc(0.83, 0.24, 0.055, 0, 1.04),
  ...range(0, 7 / 8, 7).map((turn) => [arc(0.83, 0.24, 0.078, turn, turn)[0], arc(0.83, 0.24, 0.108, turn, turn)[0]]),
  [...arc(0.15, 0.26, 0.035, 0.55, 0.95), ...arc(0.215, 0.26, 0.035, 0.55, 0.95)],
  [...arc(0.27, 0.38, 0.024, 0.55, 0.95), ...arc(0.315, 0.38, 0.024, 0.55, 0.95)],
  [...line([0.48, 0.14], [0.555, 0.1], 0.01), ...line([0.555, 0.1], [0.48, 0.07])],
];

test("the picture in the README", async (t) => {
  const { url } = await dev(t, "examples/whiteboard");
  const browser = await launch();
  t.after(() => browser.close());
  const look = { viewport: { width: 620, height: 660 }, deviceScaleFactor: 1.25 };
  const people = [];
  for (const options of [look, { ...look, colorScheme: "dark" }, look]) people.push(await visit(t, browser, `${url}#ship`, options));

  for (const [n, drawing] of [ship, sea, sky].entries()) {
    await people[n].getByRole("radio", { name: ["Red", "Blue", "Orange"][n] }).check();
    const { x, y, width, height } = await people[n].locator("canvas").boundingBox();
    for (const stroke of drawing) {
      const [first, ...rest] = stroke.map(([shareX, shareY]) => [x + shareX * width, y + (0.5 + FLAT * (shareY - 0.5)) * height]);
      await people[n].mouse.move(...first);
      await people[n].mouse.down();
      for (const point of rest) await people[n].mouse.move(...point);
      await people[n].mouse.up();
    }
  }
  for (const [n, [shareX, shareY]] of [[0.69, 0.42], [0.3, 0.86], [0.57, 0.1]].entries()) {
    const { x, y, width, height } = await people[n].locator("canvas").boundingBox();
    await people[n].mouse.move(x + shareX * width, y + shareY * height, { steps: 5 });
  }
  for (const page of people) {
    await page.locator(".cursor").nth(1).waitFor();
    await page.waitForFunction(async () => {
      const places = () => [...document.querySelectorAll(".cursor")].map(({ style }) => style.translate).join();
      const before = places();
      await new Promise((later) => setTimeout(later, 200));
      return places() === before;
    });
  }

  const shots = await Promise.all(people.slice(0, 2).map((page) => page.screenshot({ animations: "disabled" })));
  const page = await (await browser.newContext({ viewport: { width: 1320, height: 770 }, deviceScaleFactor: 1.25 })).newPage();
  const bar = "<i></i><i></i><i></i>";
  await page.setContent(`<style>
    body { margin: 0; height: 770px; display: flex; gap: 28px; align-items: center; justify-content: center; background: #ece6f3; }
    div { border-radius: 12px; overflow: hidden; box-shadow: 0 18px 50px #3a1a0038, 0 0 0 1px #0002; background: #efe7de; }
    div + div { background: #2b2722; }
    header { display: flex; gap: 7px; padding: 10px 13px; }
    i { width: 11px; height: 11px; border-radius: 50%; background: #8885; }
    img { display: block; width: 620px; }
  </style>${shots.map((shot) => `<div><header>${bar}</header><img src="data:image/png;base64,${shot.toString("base64")}"></div>`).join("")}`);
  await page.screenshot({ path: `${fileURLToPath(new URL("../../docs/whiteboard.png", import.meta.url))}` });
});
