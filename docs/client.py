"""A client with a session: whatever becomes of the connection and of the server, each message comes once, in order.

It speaks protocol.md, and needs `pip install websockets`. As a program it sends the lines of stdin and prints what
comes: `python3 docs/client.py ws://localhost:8080/ws/lobby`."""
import asyncio, os, random, secrets, sys, websockets

class Client:
    """`async for message in client` keeps it connected, and gives text, bytes, and tuples that tell of the session:
    after ("missed",) or ("anew", epoch), ask the service for what you need; ("unsettled", messages) gives them back."""
    STAY_AWAY = {1000, 1002, 1003, *range(1007, 1011), *range(4202, 5000)}  # Codes that end it for good.
    def __init__(self, url, token=lambda: []):  # Where one has to log in: a function that returns ["bearer.TOKEN"].
        self.url, self.token, self.attempt, self.ack_is_due = url, token, 0, asyncio.Event()
        self.waiting, self.written = asyncio.Queue(1000), []  # What was never written, and what is not durable yet.
        self.settled = self.waiting.join  # `await client.settled()`: all that was sent is durable now, or unsettled.

    async def send(self, message):
        """Sends text or bytes, as soon as there is a connection. Waits first if a thousand are waiting already."""
        await self.waiting.put("\0" + message if message[:1] == "\0" else message)

    def settle(self, heard):
        for self.acked in range(self.acked + 1, heard + 1):
            self.written.pop(0)
            self.waiting.task_done()

    async def __aiter__(self):
        code, pause = 4200, None
        while code not in self.STAY_AWAY:
            await asyncio.sleep((pause or 0.3 * (4100 <= code < 4200)) * random.uniform(0.5, 1))
            pause = 0 if pause is None else min(pause * 2 or 0.3, 10)
            if code == 4200:
                self.key, self.epoch, self.incarnation, self.have, self.acked = secrets.token_urlsafe(16), 0, 0, 0, 0
            self.attempt, known = self.attempt + 1, (self.epoch, self.incarnation, self.have)
            session = ("s", self.key, self.attempt, *known, self.acked, self.acked + len(self.written))
            protocols = ["stateroom.v1", ".".join(map(str, session)), *self.token()]
            try:
                async with websockets.connect(self.url, subprotocols=protocols, max_size=None) as socket:
                    numbers = map(int, (await socket.recv()).removeprefix("\0welcome ").split(" "))
                    self.epoch, self.incarnation, heard, self.have, self.enough, *_ = numbers
                    self.settle(heard)
                    if known[0] not in (0, self.epoch): yield self.give_back()  # It began anew without these.
                    pause, self.untold, speaking = min(pause, 0.3), 0, asyncio.create_task(self.speak(socket))
                    try:
                        yield ("welcome",) if known[::2] in ((self.epoch, self.have), (0, self.have)) else ("missed",)
                        while True:
                            for message in self.hear(await socket.recv()):
                                yield message
                    finally:
                        speaking.cancel()
                        await socket.close()  # With 1000, if it is the application that has left the loop.
            except (OSError, websockets.InvalidHandshake, websockets.ConnectionClosed) as error:
                code, reason = (close.code, close.reason) if (close := getattr(error, "rcvd", 0)) else (0, str(error))
                yield ("lost", code, reason)
            if code in self.STAY_AWAY or code == 4200 and self.epoch:
                self.settle(int(reason[6:]) if reason.startswith("heard=") else self.acked)
                yield self.give_back()

    def give_back(self):
        given, self.written = self.written + [self.waiting.get_nowait() for _ in range(self.waiting.qsize())], []
        for _ in given: self.waiting.task_done()
        return "unsettled", [text[1:] if text[:1] == "\0" else text for text in given]

    def hear(self, data):
        word, _, rest = data.partition(" ") if data[:1] == "\0" != data[1:2] else ("", "", "")
        if word == "\0ack":
            return self.settle(int(rest))
        if word == "\0anew": self.epoch = int(rest)
        size = 1 + len(data if isinstance(data, bytes) else data.encode())
        self.have, self.untold = self.have + 1, self.untold + size
        if self.untold == size or self.untold >= self.enough:  # The first since the last ack, or enough bytes.
            asyncio.get_running_loop().call_later(0 if self.untold >= self.enough else 1, self.ack_is_due.set)
        yield (word[1:], *rest.split(" ", 1)) if word else data[1:] if data[:1] == "\0" else data

    async def speak(self, socket):
        await asyncio.gather(self.write(socket), self.ack(socket), return_exceptions=True)

    async def write(self, socket):
        for message in list(self.written):
            await socket.send(message)
        while True:
            self.written.append(await self.waiting.get())
            await socket.send(self.written[-1])

    async def ack(self, socket):
        while await self.ack_is_due.wait():
            self.untold = self.ack_is_due.clear() or 0
            await socket.send(f"\0ack {self.have}")

async def listen(client):
    async for message in client:
        print(message, file=sys.stderr if isinstance(message, tuple) else sys.stdout, flush=True)
    os._exit(1)  # Nothing else ends the thread that waits for stdin.

async def main(client):
    listening = asyncio.create_task(listen(client))
    while line := await asyncio.to_thread(sys.stdin.readline):
        await client.send(line.removesuffix("\n"))
    await client.settled()

if __name__ == "__main__":
    asyncio.run(main(Client(sys.argv[1])))
