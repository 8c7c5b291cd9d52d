/** `stateroom serve`, as this checkout builds it, which can be killed and started again. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const command = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug/stateroom");
const module = fileURLToPath(new URL("broadcast.wat", import.meta.url));

/** Builds it, which may take minutes where it was not built before. */
export const build = () => execFileSync("cargo", ["build", "--quiet", "-p", "stateroom-cli"], { cwd: root, stdio: "inherit" });

export class RealServer {
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "stateroom-"));
  #process: ChildProcess | undefined;

  constructor(readonly options: string[] = []) {}

  async start(): Promise<this> {
    const settings = ["--host", "127.0.0.1", "--port", "0", "--data-dir", this.#folder, ...this.options];
    const server = spawn(command, ["serve", module, ...settings], { cwd: this.#folder, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = server;
    let said = "";
    this.port = await new Promise<number>((resolve, reject) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
          if (port) resolve(Number(port));
        });
      }
      server.on("close", () => reject(new Error(`the server has ended: ${said}`)));
    });
    return this;
  }

  /** Ends it with SIGKILL: it can do nothing about it. */
  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.kill("SIGKILL");
    await closed;
  }

  /** Has `stateroom rooms` do something with what is kept. */
  rooms(...args: string[]): void {
    execFileSync(command, ["rooms", ...args, "--data-dir", this.#folder], { cwd: this.#folder, stdio: "pipe" });
  }

  /** What `/metrics` tells. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
