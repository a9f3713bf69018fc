"""An HTTP/1.1 instance that says the bytes that a test tells it to say, and shows the bytes that it was told."""
import socket
import threading


class Told:
    """A request head as it came in."""

    def __init__(self, head):
        self.raw = head
        self.line, *lines = head.decode("latin-1").split("\r\n")
        self.verb, self.target, self.version = self.line.split(" ")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if line]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name]

    def one(self, name):
        """The field's only value; None when there is none."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Peer:
    """One connection from the gateway."""

    def __init__(self, peer, nth):
        self.socket, self.nth = peer, nth  # counted from 1
        self.file = peer.makefile("rb")
        self.requests = 0

    def head(self):
        """The next request's head, or None when the gateway has closed."""
        lines = []
        while (line := self.file.readline()) not in (b"\r\n", b""):
            lines.append(line)
        if not lines:
            return None
        self.requests += 1
        return Told(b"".join(lines))

    def chunk(self):
        """The next chunk of a chunked body; b"" is the last, whose trailers are read too."""
        size = int(self.file.readline().split(b";")[0], 16)
        data = self.file.read(size)
        while size == 0 and self.file.readline() != b"\r\n":
            pass
        if size:
            self.file.readline()
        return data

    def body(self, told):
        if told.one("transfer-encoding") == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self.file.read(int(told.one("content-length") or 0))

    def say(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Http1Backend:
    """
    with Http1Backend(script) as backend: ...

    script(peer) speaks with one connection and leaves when it is done; script(peer, told, body), if `each`, is
    called for each request that is there to its end. backend.told has all heads of the latter, in order.
    """

    def __init__(self, script, each=True, host="127.0.0.1", port=0):
        self.script, self.each = script, each
        self.peers, self.told, self.failures = [], [], []
        self.listener = socket.create_server((host, port), backlog=128)
        self.port = self.listener.getsockname()[1]

    def _serve(self, peer):
        try:
            if not self.each:
                self.script(peer)
            while self.each and (told := peer.head()):
                self.told.append(told)
                self.script(peer, told, peer.body(told))
        except (OSError, ValueError):
            pass  # the gateway has left, or the test has
        except AssertionError as error:
            self.failures.append(error)
        peer.file.close()
        peer.socket.close()

    def _accept(self):
        while True:
            try:
                peer = Peer(self.listener.accept()[0], len(self.peers) + 1)
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()
        assert not self.failures, self.failures
