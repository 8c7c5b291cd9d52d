/** A TCP proxy that cuts, half-closes, delays and silences what passes. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export type Fault = "cut" | "reset" | "half-close" | "delay" | "delay-up" | "delay-down" | "silence";

export class Proxy {
  port = 0;
  #server: Server;
  #pairs = new Set<[down: Socket, up: Socket]>();

  constructor(readonly target: () => number) {
    this.#server = createServer((down) => {
      const up = connect(this.target(), "127.0.0.1");
      const pair: [Socket, Socket] = [down, up];
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [up, down] as const]) {
        from.setNoDelay(true);
        from.on("data", (data) => to.write(data));
        from.on("end", () => to.end());
        from.on("error", () => to.destroy());
        from.on("close", () => {
          to.destroySoon();
          this.#pairs.delete(pair);
        });
      }
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws/lobby`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Has something happen to the connection of this number, or to all. */
  fault(fault: Fault, which?: number, milliseconds = 50): void {
    const pairs = [...this.#pairs];
    for (const [down, up] of which === undefined ? pairs : pairs.slice(which % pairs.length, (which % pairs.length) + 1)) {
      if (fault === "cut") [down, up].forEach((socket) => socket.destroy());
      else if (fault === "reset") [down, up].forEach((socket) => socket.resetAndDestroy());
      else if (fault === "half-close") (milliseconds % 2 ? up : down).end();
      else {
        const held = fault === "delay-up" ? [down] : fault === "delay-down" ? [up] : [down, up];
        held.forEach((socket) => socket.pause());
        if (fault !== "silence") setTimeout(() => held.forEach((socket) => socket.resume()), milliseconds);
        // What was silent for so long is lost, and the other side hears of it much later.
        else setTimeout(() => [down, up].forEach((socket) => socket.destroy()), 2_000).unref();
      }
    }
  }

  async stop(): Promise<void> {
    this.fault("cut");
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
