"""A name server on 127.0.0.1 that says what a test tells it to say, and shows what it was asked."""
import socket
import struct
import threading

from processes import free_port

A, AAAA = 1, 28
FAMILY = {A: socket.AF_INET, AAAA: socket.AF_INET6}
SILENT = object()


class DnsServer:
    """names: {"a.test": ["127.0.0.1", "::1"], "dead.test": SILENT}; others do not exist. May be changed at any time."""

    def __init__(self, names, ttl=1):
        self.names, self.ttl = names, ttl
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", free_port()))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(2048)
            except OSError:
                return
            answer = self._answer(query)
            if answer:
                self.socket.sendto(answer, client)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        name, question = ".".join(labels), query[12:at + 5]
        self.asked.append((name, kind))
        found = self.names.get(name)
        if found is SILENT:
            return None
        records = [socket.inet_pton(FAMILY[kind], one) for one in found or () if (":" in one) == (kind == AAAA)]
        head = query[:2] + struct.pack("!HHHHH", 0x8400 | (0 if found is not None else 3), 1, len(records), 0, 0)
        return head + question + b"".join(
            struct.pack("!HHHIH", 0xc00c, kind, 1, self.ttl, len(record)) + record for record in records)
