"""A name server on 127.0.0.1 that says what a test tells it to say, and shows what it was asked."""
import socket
import struct
import threading

from processes import free_port

A, AAAA, SRV = 1, 28, 33
FAMILY = {A: socket.AF_INET, AAAA: socket.AF_INET6}
SILENT, FAILS = object(), object()


def srv(port, host, weight=0, priority=0):
    """An SRV record."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
    return struct.pack("!HHH", priority, weight, port) + labels + b"\0"


class DnsServer:
    """names: {"a.test": ["127.0.0.1", "::1"], "_a._tcp.test": [srv(80, "a.test")], "dead.test": SILENT, "ill.test": FAILS};
    others do not exist. May be changed at any time."""

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
        fails, found = found is FAILS, [] if found is FAILS else found
        records = [record for record in (self._record(one, kind) for one in found or ()) if record]
        code = 2 if fails else 3 if found is None else 0
        head = query[:2] + struct.pack("!HHHHH", 0x8400 | code, 1, len(records), 0, 0)
        return head + question + b"".join(
            struct.pack("!HHHIH", 0xc00c, kind, 1, self.ttl, len(record)) + record for record in records)

    @staticmethod
    def _record(one, kind):
        """None: it is of another type."""
        if isinstance(one, bytes) or kind not in FAMILY:
            return one if kind == SRV and isinstance(one, bytes) else None
        return socket.inet_pton(FAMILY[kind], one) if (":" in one) == (kind == AAAA) else None
