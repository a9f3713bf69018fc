"""Bytes on a socket, for what no client library would send."""
import socket


class Raw:
    """One TCP connection; bytes out, bytes in. `tls`: an SSLContext."""

    def __init__(self, port, timeout=10, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.ahead = b""  # of what was read, what belongs to the next answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def read_all(self):
        """Everything until the other side closes."""
        data = b""
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def read_answer(self):
        """One HTTP/1.1 answer with Content-Length: (status, head, body)."""
        status, head = self._head()
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        return status, head.decode(), self._take(length)

    # ---- By piece: `ahead` has what is read and not taken yet

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise EOFError(self.ahead)
        self.ahead += piece

    def _until(self, mark):
        while mark not in self.ahead:
            self._more()
        taken, _, self.ahead = self.ahead.partition(mark)
        return taken

    def _take(self, size):
        while len(self.ahead) < size:
            self._more()
        taken, self.ahead = self.ahead[:size], self.ahead[size:]
        return taken

    def _head(self):
        head = self._until(b"\r\n\r\n")
        return int(head.split()[1]), head

    def read_head(self):
        """(status, fields): of an interim answer, too."""
        status, head = self._head()
        return status, fields_of(head.split(b"\r\n")[1:])

    def read_chunk(self):
        """One chunk; b"" is the last one, before the trailers."""
        size = int(self._until(b"\r\n").split(b";")[0], 16)
        return self._take(size + 2)[:-2] if size else b""

    def read_reply(self, verb="GET"):
        """One answer, however it is framed: (status, fields, body, trailers)."""
        status, fields = self.read_head()
        if verb == "HEAD" or status < 200 or status in (204, 304):
            return status, fields, b"", {}
        if "transfer-encoding" in fields:
            body = b"".join(iter(self.read_chunk, b""))
            trailers = []
            while line := self._until(b"\r\n"):
                trailers.append(line)
            return status, fields, body, fields_of(trailers)
        if "content-length" in fields:
            return status, fields, self._take(int(fields["content-length"][0])), {}
        body, self.ahead = self.ahead + self.read_all(), b""
        return status, fields, body, {}


def fields_of(lines):
    """{name: [value, ...]} of lines."""
    fields = {}
    for line in lines:
        name, _, value = line.decode("latin-1").partition(":")
        fields.setdefault(name.lower(), []).append(value.strip())
    return fields


def talk(port, data, timeout=10):
    """Sends, says that nothing more comes, and returns everything that came back."""
    with Raw(port, timeout) as connection:
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)
        return connection.read_all()


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split()[1])
