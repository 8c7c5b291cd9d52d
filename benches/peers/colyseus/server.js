// Rooms as Colyseus' documentation makes them. A client asks over HTTP to join the room named `id`,
// then opens a WebSocket to it: the load generator has a dialect for that.
import { Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";

const echo = process.env.MODE === "echo";

class BenchRoom extends Room {
  // Left to itself, the room would send patches of its (empty) state.
  patchRate = null;

  onCreate() {
    this.onMessage("text", (client, message) => {
      if (echo) client.send("text", message);
      else this.broadcast("text", message);
    });
  }
}

const server = new Server({ greet: false, transport: new WebSocketTransport() });
server.define("bench", BenchRoom).filterBy(["id"]);
await server.listen(Number(process.env.PORT), "127.0.0.1");
