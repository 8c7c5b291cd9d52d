// Has each page the client as `clients/typescript` builds it: `npm run client`, after a change of it.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { root } from "./support.js";

const client = `${root}clients/typescript/`;

/** Where copies of it are. */
export const copies = [
  ...["chat", "counter", "native", "stopwatch", "whiteboard"].map((example) => `examples/${example}/static/`),
  "crates/stateroom-cli/templates/",
].map((folder) => `${folder}stateroom-client.js`);

/** What the copies are to be. */
export function build() {
  const npm = (...args) => execFileSync("npm", args, { cwd: client, stdio: ["ignore", "ignore", "inherit"] });
  if (!existsSync(`${client}node_modules`)) npm("ci", "--no-audit", "--no-fund");
  npm("run", "build");
  const { name, version, license } = JSON.parse(readFileSync(`${client}package.json`, "utf8"));
  const [code] = readFileSync(`${client}dist/index.js`, "utf8").split("\n//# sourceMappingURL");
  return `// ${name} ${version}: a WebSocket that comes back by itself and loses nothing. ${license}; built from clients/typescript.\n${code}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const code = build();
  for (const copy of copies) writeFileSync(root + copy, code);
}
