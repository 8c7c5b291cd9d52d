// The Rust client in a page: a project with a client in Rust, which `stateroom dev` builds and serves.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { atEnd, cargo, dev, freePort, launch, root, visit } from "./support.js";

const FILES = {
  "Cargo.toml": `[workspace]
members = ["page", "room"]
resolver = "3"
`,
  "stateroom.toml": `[service]
package = "room"

[client]
package = "page"
`,
  "room/Cargo.toml": `[package]
name = "room"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
stateroom-wasm = { path = "${root}crates/stateroom-wasm" }
`,
  "room/src/lib.rs": `use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Echo;

impl SimpleStateroomService for Echo {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Echo
    }

    fn message(&mut self, _: ClientId, message: &str, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, message);
    }
}
`,
  "page/Cargo.toml": `[package]
name = "page"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
js-sys = "0.3"
stateroom-client = { path = "${root}crates/stateroom-client" }
tokio = { version = "1", features = ["macros", "sync"] }
wasm-bindgen = "0.2"
wasm-bindgen-futures = "0.4"
`,
  "page/src/lib.rs": `use js_sys::Function;
use stateroom_client::{Options, RoomClient};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
pub struct Room(UnboundedSender<String>);

#[wasm_bindgen]
impl Room {
    #[wasm_bindgen(constructor)]
    pub fn new(address: &str, tell: Function) -> Room {
        let mut room = RoomClient::connect(address, Options::default()).unwrap();
        let (sender, mut said) = unbounded_channel::<String>();
        wasm_bindgen_futures::spawn_local(async move {
            loop {
                tokio::select! {
                    Some(text) = said.recv() => room.send(&*text).unwrap(),
                    Some(event) = room.next() => {
                        tell.call1(&JsValue::NULL, &format!("{event:?}").into()).unwrap();
                    }
                    else => break,
                }
            }
        });
        Room(sender)
    }

    pub fn say(&self, text: String) {
        self.0.send(text).unwrap();
    }
}
`,
  "static/index.html": `<!doctype html>
<title>The Rust client</title>
<script type="module">
  import init, { Room } from "./client/page.js";
  await init();
  window.events = [];
  window.room = new Room(\`ws://\${location.host}/ws/lobby\`, (event) => {
    events.push(event);
    if (event === "Opened") document.body.className = "live";
  });
</script>
<body></body>
`,
};

let browser;
before(async () => {
  cargo("build", "--quiet", "-p", "stateroom-cli");
  browser = await launch();
});
after(() => browser?.close());

test("the Rust client in a page loses nothing when the server is killed, and gets nothing twice", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "stateroom-"));
  atEnd(t, () => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  copyFileSync(`${root}Cargo.lock`, join(folder, "Cargo.lock"));
  const options = {
    port: await freePort(),
    dataDir: join(folder, "rooms"),
    // Built once for all runs.
    env: { CARGO_TARGET_DIR: `${root}target/browser-tests` },
  };
  const { server } = await dev(t, folder, options);
  const page = await visit(t, browser, `http://127.0.0.1:${options.port}/`);
  const happened = (event) => page.waitForFunction((event) => window.events.includes(event), event);
  await page.evaluate(() => window.room.say("one"));
  await happened('Message(Text("one"))');

  await server.end("SIGKILL");
  await happened("Status(Away)");
  await page.evaluate(() => window.room.say("two"));
  await dev(t, folder, options);
  await happened("Resumed { recovered: true, new_session: false }");
  await page.evaluate(() => window.room.say("three"));
  await happened('Message(Text("three"))');

  const events = await page.evaluate(() => window.events);
  const messages = events.filter((event) => event.startsWith("Message"));
  assert.deepEqual(messages, ["one", "two", "three"].map((text) => `Message(Text("${text}"))`));
});
