"""One HTTP/2 request by h2, for what curl does not send or show."""
import h2.config
import h2.connection
import h2.events
from raw import Raw


def by_name(headers):
    fields = {}
    for name, value in headers:
        fields.setdefault(name, []).append(value)
    return fields


def send_body(http2, body):
    """Sends what the windows allow; returns the rest, None when all of it was sent."""
    while body is not None:
        size = min(len(body), http2.local_flow_control_window(1), http2.max_outbound_frame_size)
        if body and not size:
            break
        http2.send_data(1, body[:size], end_stream=size == len(body))
        body = body[size:] if size < len(body) else None
    return body


def http2_request(port, verb, path, fields=(), body=None, timeout=10, tls=None):
    """(status, fields, body, trailers), as Raw.read_reply; EOFError when the stream is broken off."""
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    head = [(":method", verb), (":scheme", "https" if tls else "http"), (":authority", "shop.example"),
            (":path", path), *fields]
    status, seen, received, trailers = None, {}, b"", {}
    with Raw(port, timeout, tls) as connection:
        http2.initiate_connection()
        http2.send_headers(1, head, end_stream=body is None)
        while True:
            body = send_body(http2, body) if 1 in http2.streams else None
            connection.send(http2.data_to_send())
            data = connection.socket.recv(65536)
            if not data:
                raise EOFError("the connection was closed")
            for event in http2.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    seen = by_name(event.headers)
                    status = int(seen.pop(":status")[0])
                elif isinstance(event, h2.events.DataReceived):
                    received += event.data
                    http2.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, h2.events.TrailersReceived):
                    trailers = by_name(event.headers)
                elif isinstance(event, h2.events.StreamReset):
                    raise EOFError(f"the stream was reset: {event.error_code}")
                elif isinstance(event, h2.events.StreamEnded):
                    return status, seen, received, trailers
