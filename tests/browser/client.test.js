// The client that the pages have is the one of this repository.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { build, copies } from "./client.js";
import { root } from "./support.js";

test("every page has the client as it is built here", () => {
  const code = build();
  for (const copy of copies) assert.ok(readFileSync(root + copy, "utf8") === code, `${copy} is another: npm run client`);
});
