// Rooms as Cloudflare's documentation makes them: a Durable Object each, with the hibernation API.
// Where each message is stored, nothing waits for that here: the output gate holds back what is sent
// until what was stored before is on the disk.
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.echo = env.MODE === "echo";
    this.stores = env.STORES === "each message";
  }

  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, message) {
    if (this.stores) this.ctx.storage.put("last", message);
    if (this.echo) socket.send(message);
    else for (const member of this.ctx.getWebSockets()) member.send(message);
  }

  webSocketClose(socket, code) {
    socket.close(code === 1005 || code === 1006 ? 1000 : code);
  }
}

export default {
  fetch(request, env) {
    const room = new URL(request.url).pathname.slice("/ws/".length);
    return env.ROOM.get(env.ROOM.idFromName(room)).fetch(request);
  },
};
