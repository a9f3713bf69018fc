#!/usr/bin/python3
"""Many clients of the shop, behind one trusted proxy that says who they are. For the demo.

    crowd.py --port 8080 --clients 5000

They ask for their orders, one after the other, again and again. At SIGTERM each of them asks once more. Then it is told which builds
they have seen, in this order, and how many of them have seen the same.
"""
import argparse
import asyncio
import collections
import json
import random
import re
import signal

CONNECTIONS = 12  # of the proxy


class Crowd:
    def __init__(self, port, clients):
        self.port, self.n_calls, self.n_failed, self.leaves = port, 0, 0, False
        self.seen = {f"c{number}": [] for number in range(clients)}
        self.turns = self.take_turns()

    def take_turns(self):
        order = random.sample(list(self.seen), len(self.seen))
        while not self.leaves:
            for client in order:
                if not self.leaves:
                    yield client
        yield from order

    async def proxy(self):
        """One of its connections."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for client in self.turns:
            build = None
            while not build:  # it was not even told which one: it tries again
                build = await self.ask(reader, writer, client)
            if self.seen[client][-1:] != [build]:
                self.seen[client].append(build)

    async def ask(self, reader, writer, client):
        """The build that has answered."""
        writer.write(f"GET /v3/customers/{client}/orders HTTP/1.1\r\nhost: shop\r\nx-account: {client}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))
        self.n_calls += 1
        self.n_failed += not head.startswith("http/1.1 200")
        build = re.search(r"shop-build: (\S+)", head)
        return build and build[1]

    def leave(self):
        self.leaves = True

    async def shop(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.leave)
        await asyncio.gather(*(self.proxy() for _ in range(CONNECTIONS)))
        builds = collections.Counter(" ".join(seen) for seen in self.seen.values())
        print(json.dumps({"event": "seen", "calls": self.n_calls, "failed": self.n_failed, "builds": builds}), flush=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=5000)
    options = parser.parse_args()
    await Crowd(options.port, options.clients).shop()


if __name__ == "__main__":
    asyncio.run(main())
