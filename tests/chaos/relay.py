#!/usr/bin/python3
"""
A relay between the gateway and its instances, that does to their connections what networks do: relay.py SEED

It is told what to do by lines of JSON on its standard input, and answers each with a line when it is done:

    {"port": 7001, "to": ["127.0.0.1", 9001], "http2": true}   relay this port from now on
    {"port": 7001, "fault": {...}, "break": true}              from now on so; `break`: reset what is connected
    {"port": 7001, "to": [...]}                                new connections go there

A fault is one of these, {} is none; each answer counts the acts so far. Numbers of bytes are drawn anew for each
connection, from the seed, the port and the connection's number, so that a run can be repeated.

    {"delay": 0.2}        seconds that each piece waits, in both directions
    {"rate": 500}         bytes per second that come from the instance
    {"reset": [10, 900]}  RST after so many bytes from the instance, of which the last ones are relayed
    {"cut": [10, 900]}    FIN after so many
    {"swallow": "both"}   nothing passes any more; "down": requests do, responses do not. A connection that has lost
                          bytes stays silent for ever, also after the fault: it is half open
    {"garbage": true}     random bytes in place of what the instance says, from the beginning of a frame or response
    {"goaway": 5}         a GOAWAY after each fifth request, which is the last one that the instance gets
    {"refuse": true}      nobody listens
"""
import asyncio
import json
import logging
import random
import socket
import struct
import sys

HEADERS, GOAWAY = 1, 7
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Frames:
    """Whole frames of HTTP/2 out of pieces: the preface of a client is one, too."""

    def __init__(self, preface):
        self.rest, self.preface = b"", len(PREFACE) if preface else 0

    def take(self, data):
        self.rest += data
        while True:
            size = self.preface or 9 + int.from_bytes(self.rest[:3], "big")
            if len(self.rest) < max(size, 9):
                return
            frame, self.rest = self.rest[:size], self.rest[size:]
            yield frame if not self.preface else b""
            if self.preface:
                self.preface = 0


def stream_of(frame):
    return int.from_bytes(frame[5:9], "big") & 0x7fffffff


class Link:
    """One connection of the gateway, and the one to the instance that belongs to it."""

    def __init__(self, port, number, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer
        self.chance = random.Random(f"{port.relay.seed}/{port.number}/{number}")
        self.up = self.down = None      # frames, of HTTP/2
        self.n_down = 0                 # bytes relayed from the instance since the fault began
        self.fault, self.limit = None, None
        self.last_stream, self.n_streams, self.is_last = 0, 0, False
        self.silent = False
        self.target = None

    async def run(self):
        try:
            if self.now("swallow") == "both":
                return await self.swallow()
            reader, self.target = await asyncio.open_connection(*self.port.target)
            if self.port.http2:
                self.up, self.down = Frames(preface=True), Frames(preface=False)
                self.target.write(PREFACE)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self.pump(self.reader, self.target, self.upwards))
                pumps.create_task(self.pump(reader, self.writer, self.downwards))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass
        finally:
            self.reset()

    async def swallow(self):
        self.silent = True
        self.port.acts += 1
        while await self.reader.read(65536):
            pass

    def now(self, kind):
        return self.port.fault.get(kind)

    async def pump(self, reader, writer, relay):
        while data := await reader.read(65536):
            if delay := self.now("delay"):
                self.port.acts += 1
                await asyncio.sleep(delay)
            await relay(data, writer)
            await writer.drain()
        if not self.silent:
            writer.write_eof()

    # ---- To the instance ------------------------------------------------------------------------------

    async def upwards(self, data, writer):
        if self.now("swallow") == "both":
            self.silent = True
            self.port.acts += 1
        if self.silent and self.now("swallow") != "down":
            return
        if not self.up:
            writer.write(data)
            return
        for frame in self.up.take(data):
            if frame and self.passes(frame):
                writer.write(frame)

    def passes(self, frame):
        """Whether a frame goes on; counts requests, and says GOAWAY after the last one."""
        stream = stream_of(frame)
        if self.is_last and stream > self.last_stream:
            return False
        if frame[3] == HEADERS and stream > self.last_stream:
            self.last_stream = stream
            self.n_streams += 1
            wanted = self.now("goaway")
            if wanted and self.n_streams >= wanted:
                self.is_last = True
                self.port.acts += 1
                self.writer.write(b"\0\0\x08" + bytes([GOAWAY, 0]) + struct.pack(">III", 0, stream, 0))
        return True

    # ---- From the instance ----------------------------------------------------------------------------

    async def downwards(self, data, writer):
        if self.now("swallow"):
            self.silent = True
            self.port.acts += 1
        if self.silent:
            return
        if self.down:
            data = b"".join(self.down.take(data))
        if self.fault is not self.port.fault:
            self.fault, self.n_down = self.port.fault, 0
            bounds = self.now("reset") or self.now("cut")
            self.limit = self.chance.randint(*bounds) if bounds else None
        if self.now("garbage"):
            self.port.acts += 1
            data = self.chance.randbytes(max(len(data), 64))
        if rate := self.now("rate"):
            self.port.acts += 1
            return await self.trickle(data, writer, rate)
        if self.limit is not None and self.n_down + len(data) >= self.limit:
            self.port.acts += 1
            writer.write(data[:self.limit - self.n_down])
            await writer.drain()
            if self.now("cut"):
                writer.write_eof()
                self.silent = True
            raise ConnectionResetError
        self.n_down += len(data)
        writer.write(data)

    async def trickle(self, data, writer, rate):
        size = max(rate // 20, 1)
        for i in range(0, len(data), size):
            if writer.is_closing():
                return
            writer.write(data[i:i + size])
            if self.now("rate"):
                await asyncio.sleep(size / rate)

    def reset(self):
        """RST to both, unless what was written ends with a FIN."""
        for writer in (self.writer, self.target):
            if not writer:
                continue
            if not (self.silent and self.now("cut")):
                sock = writer.get_extra_info("socket")
                if sock and sock.fileno() >= 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()


class Port:
    def __init__(self, relay, number):
        self.relay, self.number = relay, number
        self.target, self.fault, self.http2 = None, {}, False
        self.server, self.n_links, self.links = None, 0, {}
        self.acts = 0

    async def set(self, order):
        self.target = tuple(order["to"]) if "to" in order else self.target
        self.http2 = order.get("http2", self.http2)
        self.fault = order.get("fault", self.fault)
        if self.fault.get("refuse") and self.server:
            self.server.close()
            self.server = None
            self.acts += 1
        elif not self.server and not self.fault.get("refuse"):
            self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.number, backlog=512,
                                                     reuse_address=True)
        if order.get("break"):
            for task in list(self.links):
                self.acts += 1
                task.cancel()

    async def accept(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.n_links += 1
        task = asyncio.current_task()
        self.links[task] = Link(self, self.n_links, reader, writer)
        try:
            await self.links[task].run()
        finally:
            del self.links[task]


class Relay:
    def __init__(self, seed):
        self.seed, self.ports = seed, {}

    async def serve(self):
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := await orders.readline():
            order = json.loads(line)
            number = order["port"]
            port = self.ports.setdefault(number, Port(self, number))
            await port.set(order)
            print(json.dumps({"acts": port.acts}), flush=True)


logging.getLogger("asyncio").setLevel(logging.ERROR)  # who writes to a connection that is gone is told each time
asyncio.run(Relay(sys.argv[1]).serve())
