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


def http2_request(port, verb, path, fields=(), body=None):
    """(status, fields, body, trailers), as Raw.read_reply; EOFError when the stream is broken off."""
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    head = [(":method", verb), (":scheme", "http"), (":authority", "shop.example"), (":path", path), *fields]
    status, seen, received, trailers = None, {}, b"", {}
    with Raw(port) as connection:
        http2.initiate_connection()
        http2.send_headers(1, head, end_stream=body is None)
        if body is not None:
            http2.send_data(1, body, end_stream=True)
        while True:
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
