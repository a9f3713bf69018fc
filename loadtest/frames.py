"""HTTP/2 frames, and the parts of gRPC requests, as bytes."""
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 4, 5
HEAD_SIZE = 9


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frame_head(data):
    """(payload size, kind, flags, stream) of the nine bytes that a frame begins with."""
    high, low, kind, flags, stream = struct.unpack(">BHBBI", data[:HEAD_SIZE])
    return high << 16 | low, kind, flags, stream & 0x7fffffff


def grpc_fields(path):
    return [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers")]


def grpc_message(message):
    """A message with the five bytes that gRPC has before it."""
    return b"\0" + struct.pack(">I", len(message)) + message
