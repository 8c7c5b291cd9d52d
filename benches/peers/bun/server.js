// Rooms as Bun's documentation makes them: one topic per room, no compression, no isolation.
const echo = process.env.MODE === "echo";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    const room = new URL(request.url).pathname.slice("/ws/".length);
    if (server.upgrade(request, { data: room })) return;
    return new Response("a WebSocket is expected", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    // As many bytes as a window of messages to one client may need; the default closes early.
    backpressureLimit: 16 * 1024 * 1024,
    idleTimeout: 120,
    open(socket) {
      socket.subscribe(socket.data);
    },
    message(socket, message) {
      if (echo) socket.send(message);
      else server.publish(socket.data, message);
    },
  },
});
