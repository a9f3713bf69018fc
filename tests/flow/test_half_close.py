"""A client that closes its side behind the request gets its response; one that is gone altogether is noticed."""
import contextlib
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import pytest
from backends import v3
from certificates import certificate
from gateway import SHOP_CONFIG, Gateway, instances
from http2_backend import Http2Backend
from processes import eventually
from raw import Raw

ORDER = v3.Order(id="1")
GET = "GET /v3/orders/1 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
WATCH = "GET /v3/orders/1/events HTTP/1.1\r\nHost: shop.example\r\nAccept: text/event-stream\r\n\r\n"


class Shop:
    """A gateway, and an instance that answers when the test says so."""

    def __init__(self, folder, config=SHOP_CONFIG):
        self.backend = Http2Backend(lambda request: None)
        self.gateway = Gateway(folder, config, instances=instances(("v3", self.backend.port)))

    def __enter__(self):
        self.backend.__enter__()
        self.gateway.start()
        return self

    def __exit__(self, *error):
        self.gateway.__exit__(*error)
        self.backend.__exit__(*error)

    def request(self, n=1):
        """The nth one that the instance has got."""
        eventually(lambda: len(self.backend.requests) >= n)
        return self.backend.requests[n - 1]

    def hears_of_the_end(self):
        eventually(lambda: any(connection.saw(h2.events.StreamReset) for connection in self.backend.connections))
        assert self.gateway.logged(log="call")["code"] == "CANCELLED"


@pytest.fixture
def shop(tmp_path):
    with Shop(tmp_path) as running:
        yield running


def half_close(client):
    client.socket.shutdown(socket.SHUT_WR)


# ---- HTTP/1.1 ------------------------------------------------------------------------------------

@pytest.mark.parametrize("first", ["request", "end"])
def test_a_response_comes_after_the_client_has_closed_its_side(shop, first):
    with Raw(shop.gateway.port) as client:
        client.send(GET)
        if first == "request":
            shop.request()
        half_close(client)
        shop.request().answer(ORDER)
        probe, _, response = client.read_all().partition(b"\r\n\r\n")
        assert probe == b"HTTP/1.1 100 Continue"
        assert response.startswith(b"HTTP/1.1 200 OK\r\n") and b'"id":"1"' in response.replace(b" ", b"")
    assert shop.gateway.logged(log="call")["code"] == "OK"


def test_an_old_client_gets_its_response_alone(shop):
    with Raw(shop.gateway.port) as client:
        client.send(GET.replace("1.1", "1.0"))
        half_close(client)
        shop.request().answer(ORDER)
        assert client.read_all().startswith(b"HTTP/1.1 200 OK\r\n")


def test_all_pipelined_requests_are_answered(shop):
    with Raw(shop.gateway.port) as client:
        client.send(GET + GET + GET)
        half_close(client)
        for n in range(3):
            shop.request(n + 1).answer(ORDER)
        assert client.read_all().count(b"HTTP/1.1 200 OK\r\n") == 3


@pytest.mark.parametrize("text", [GET, WATCH], ids=["unary", "stream"])
def test_a_client_that_is_gone_ends_its_call(shop, text):
    with Raw(shop.gateway.port) as client:
        client.send(text)
        shop.request()
    shop.hears_of_the_end()


def test_a_client_that_is_gone_within_an_idle_stream_ends_it(shop):
    with Raw(shop.gateway.port) as client:
        client.send(WATCH)
        shop.request().begin(ORDER)
        while b"data:" not in client.ahead:
            client._more()
    shop.hears_of_the_end()


def test_one_that_resets_its_connection_later_ends_its_call(shop):
    with Raw(shop.gateway.port) as client:
        client.send(GET)
        shop.request()
        half_close(client)
        assert client.socket.recv(100).startswith(b"HTTP/1.1 100")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    shop.hears_of_the_end()


@pytest.mark.parametrize("first", ["end", "message"])
def test_a_stream_goes_on_after_the_client_has_closed_its_side(shop, first):
    with Raw(shop.gateway.port) as client:
        client.send(WATCH)
        request = shop.request()
        if first == "message":
            request.begin(ORDER)
            while b"data:" not in client.ahead:
                client._more()
        half_close(client)
        if first == "end":
            request.begin(ORDER)
        request.say(ORDER, ORDER)
        request.end()
        stream = client.ahead + client.read_all()
        assert stream.count(b'"id":"1"') == 3 and stream.endswith(b"0\r\n\r\n")
    assert shop.gateway.logged(log="call")["code"] == "OK"


def test_a_request_that_is_not_complete_is_cancelled(shop):
    with Raw(shop.gateway.port) as client:
        client.send("POST /v3/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
                    "Content-Length: 100\r\n\r\n{")
        half_close(client)
        assert client.read_all() == b""
    assert shop.gateway.logged(log="call")["code"] == "CANCELLED"


# ---- TLS -----------------------------------------------------------------------------------------

class Tls:
    """A connection under TLS whose side can be closed alone: close_notify."""

    def __init__(self, port, alpn="http/1.1"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.until(self.tls.do_handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.outgoing.read())

    def until(self, act):
        """What act() gives, when there is input enough."""
        while True:
            try:
                return act()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(65536)
                if not data:
                    raise EOFError from None
                self.incoming.write(data)
            finally:
                self.flush()

    def send(self, text):
        self.tls.write(text.encode())
        self.flush()

    def close_side(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    def read_all(self):
        """Until the peer's close_notify."""
        data = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while piece := self.until(lambda: self.tls.read(65536)):
                data += piece
        return data


@pytest.fixture
def secure_shop(tmp_path):
    certificate(tmp_path)
    config = SHOP_CONFIG.replace("- address: 127.0.0.1:$port",
                                 "- {address: '127.0.0.1:$port', tls: {certificate: server.pem, key: server.key}}")
    with Shop(tmp_path, config) as running:
        yield running


def test_a_response_comes_after_close_notify_and_is_followed_by_one(secure_shop):
    with Tls(secure_shop.gateway.port) as client:
        client.send(GET)
        client.close_side()
        secure_shop.request().answer(ORDER)
        assert b"HTTP/1.1 200 OK\r\n" in client.read_all()
    assert secure_shop.gateway.logged(log="call")["code"] == "OK"


def test_a_client_under_tls_that_is_gone_ends_its_call(secure_shop):
    with Tls(secure_shop.gateway.port) as client:
        client.send(GET)
        secure_shop.request()
        client.close_side()
    secure_shop.hears_of_the_end()


# ---- HTTP/2 --------------------------------------------------------------------------------------

def http2_get(client, streams=1):
    http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    http2.initiate_connection()
    for n in range(streams):
        http2.send_headers(2 * n + 1, [(":method", "GET"), (":scheme", "http"), (":authority", "shop.example"),
                                       (":path", "/v3/orders/1")], end_stream=True)
    client.send(http2.data_to_send())
    return http2


def test_the_calls_of_an_http2_client_that_has_closed_its_side_are_answered(shop):
    with Raw(shop.gateway.port) as client:
        http2 = http2_get(client, 3)
        for n in range(3):
            shop.request(n + 1)
        half_close(client)
        for n in range(3):
            shop.request(n + 1).answer(ORDER)
        events = http2.receive_data(client.read_all())
        assert len([event for event in events if isinstance(event, h2.events.StreamEnded)]) == 3


def test_an_http2_client_that_is_gone_ends_its_calls(shop):
    with Raw(shop.gateway.port) as client:
        http2_get(client)
        shop.request()
    shop.hears_of_the_end()
