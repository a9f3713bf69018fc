"""Bytes on a socket, for what no client library would send."""
import socket


class Raw:
    """One TCP connection; bytes out, bytes in."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
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
        data = self.ahead
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(data)
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                      if line.startswith(b"content-length:"))
        while len(body) < length:
            body += self.socket.recv(65536)
        self.ahead = body[length:]
        return int(head.split()[1]), head.decode(), body[:length]


def talk(port, data, timeout=10):
    """Sends, says that nothing more comes, and returns everything that came back."""
    with Raw(port, timeout) as connection:
        connection.send(data)
        connection.socket.shutdown(socket.SHUT_WR)
        return connection.read_all()


def status_of(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split()[1])
