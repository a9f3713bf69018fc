"""Instances as they are met: how they are spoken to, and what becomes of answers that break a method's contract."""
import contextlib
import http.server
import json
import threading
from concurrent import futures
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from backends import client, v1, v3
from gateway import SHOP_CONFIG, Gateway, instances


class Odd(grpc.GenericRpcHandler):
    """Answers each call with the given messages, whatever its method is."""

    def __init__(self, *messages):
        self.messages = messages

    def service(self, _):
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: iter(self.messages))


@pytest.fixture
def answered_by(tmp_path):
    """answered_by(messages...): a gateway before a gRPC instance that answers with just these."""
    with contextlib.ExitStack() as running:
        def run(*messages):
            server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Odd(*messages)])
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            running.callback(lambda: server.stop(None).wait())
            return running.enter_context(Gateway(tmp_path, instances=instances(("v3", port))))
        yield run


@pytest.mark.parametrize("n", [0, 2])
def test_a_method_with_one_answer_that_gets_another_number_is_a_broken_contract(answered_by, n):
    gateway = answered_by(*[v3.Order(id="x").SerializeToString()] * n)
    for call in (lambda: client(gateway, "v3").Get(v3.GetRequest(id="x")),
                 lambda: client(gateway, "v3").Import(iter([v3.CreateRequest()]))):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        # gRPC's statuscodes.md: a "response cardinality violation" is UNIMPLEMENTED
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    rest = gateway.http("GET", "/v3/orders/x")
    assert rest.status == 502 and rest.json["reason"] == "UPSTREAM_CARDINALITY"
    connect = gateway.http("POST", "/shop.orders.v3.Orders/Get", {"id": "x"})
    assert connect.status == 501 and connect.json["code"] == "unimplemented"


class ConnectInstance(http.server.ThreadingHTTPServer):
    """Speaks Connect in JSON, keeps what it was asked: (verb, path, query, body)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = b""
            if self.headers["Transfer-Encoding"] == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            elif self.headers["Content-Length"]:
                body = self.rfile.read(int(self.headers["Content-Length"]))
            url = urlsplit(self.path)
            self.server.asked.append((self.command, url.path, {k: v[0] for k, v in parse_qs(url.query).items()}, body))
            answer = json.dumps({"id": "x"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.asked = []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


@pytest.fixture
def connect_shop(tmp_path):
    """A gateway before a v3 instance that speaks Connect in JSON over HTTP/1.1."""
    with ConnectInstance() as instance:
        listed = f"[{{address: '127.0.0.1:{instance.server_port}', protocol: connect, codec: json, versions: [v3]}}]"
        with Gateway(tmp_path, SHOP_CONFIG, instances=listed) as gateway:
            yield gateway, instance


def test_a_connect_get_is_a_get_at_the_instance_too(connect_shop):
    gateway, instance = connect_shop
    for version in ("v1", "v3"):
        answer = gateway.http("GET", f"/shop.orders.{version}.Orders/Get?connect=v1&encoding=json&message=%7B%22id%22%3A%22x%22%7D")
        assert answer.status == 200 and answer.json == {"id": "x"}
        verb, path, query, body = instance.asked.pop()
        assert (verb, path, body) == ("GET", "/shop.orders.v3.Orders/Get", b"")
        assert query == {"base64": "1", "connect": "v1", "encoding": "json", "message": "eyJpZCI6IngifQ"}


def test_what_did_not_come_as_a_get_or_is_too_long_for_a_url_is_a_post(connect_shop):
    gateway, instance = connect_shop
    assert gateway.http("POST", "/shop.orders.v3.Orders/Get", {"id": "x"}).status == 200
    assert instance.asked.pop() == ("POST", "/shop.orders.v3.Orders/Get", {}, b'{"id": "x"}')
    long = "x" * 6500
    answer = gateway.http("GET", "/shop.orders.v3.Orders/Get?connect=v1&encoding=json&message=%7B%22id%22%3A%22"
                                 + long + "%22%7D")
    assert answer.status == 200
    assert instance.asked.pop() == ("POST", "/shop.orders.v3.Orders/Get", {}, b'{"id":"' + long.encode() + b'"}')
