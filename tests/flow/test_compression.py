"""Compression on either side: what the client takes, what the instance gives, and what passes unopened."""
import gzip
import json
import struct
import subprocess
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from backends import Backend, client, order_v3, v1, v3
from gateway import ORDERS, SHOP_CONFIG, Gateway, instances
from processes import ROOT, Process, eventually

LEAST = 1024  # limits.compress_least, unless said


def varies(answer):
    """Whether a cache is told that the answer depends on Accept-Encoding."""
    return "accept-encoding" in (answer.headers["Vary"] or "").split(", ")


@pytest.fixture(scope="module")
def orders(shop):
    """The shop with enough orders that a list of them is worth compressing."""
    for number in range(30):
        shop.client("v3").Create(v3.CreateRequest(order=order_v3(id=f"order-{number}")))
    return shop


def curl(gateway, path, accept=None, *more):
    """(fields, body): the body as curl decodes it."""
    asked = ["-H", f"Accept-Encoding: {accept}"] if accept else []
    done = subprocess.run(["curl", "-sS", "-i", "--compressed", *asked, *more, f"http://{gateway.address}{path}"],
                          capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        fields[name.lower()] = f"{fields[name.lower()]}, {value}" if name.lower() in fields else value
    return {"status": int(lines[0].split()[1]), **fields}, body


# ---- REST and Connect: content codings ---------------------------------------------------------------


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_a_rest_answer_is_compressed_as_the_client_wishes(orders, coding):
    plain = orders.http("GET", "/v1/orders")
    assert plain.headers["Content-Encoding"] is None and len(plain.body) > LEAST
    fields, body = curl(orders.gateway, "/v1/orders", coding)
    assert fields["content-encoding"] == coding and int(fields["content-length"]) < len(plain.body) / 3
    assert json.loads(body) == plain.json


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_unary_connect_answer_is_compressed_too(orders, coding):
    fields, body = curl(orders.gateway, "/shop.orders.v1.Orders/List", coding, "--json", "{}")
    assert fields["content-encoding"] == coding
    assert len(json.loads(body)["orders"]) == 30


@pytest.mark.parametrize("accept,coding", [
    ("gzip;q=0.5, br", "br"), ("gzip;q=0.5, br;q=0.4", "gzip"), ("gzip, deflate, br, zstd", "gzip"),
    ("*", "gzip"), ("gzip;q=0, *;q=0.1", "br"), ("br;q=0.2, identity", None), ("lz4", None), ("", None),
    ("identity", None), ("x-gzip", "gzip")])
def test_weights_decide(orders, accept, coding):
    answer = orders.http("GET", "/v1/orders", headers={"Accept-Encoding": accept})
    assert answer.status == 200 and answer.headers["Content-Encoding"] == coding


def test_small_answers_are_not_compressed_but_all_say_that_they_vary(orders):
    for path in ("/v1/orders/order-1", "/v1/orders"):
        answer = orders.http("GET", path, headers={"Accept-Encoding": "gzip"})
        assert (answer.headers["Content-Encoding"] == "gzip") == (path == "/v1/orders")
        assert varies(answer)
        assert varies(orders.http("GET", path))


def test_a_client_that_refuses_identity_gets_none(orders):
    answer = orders.http("GET", "/v1/orders/order-1", headers={"Accept-Encoding": "gzip, identity;q=0"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.body))["id"] == "order-1"
    refused = orders.http("GET", "/v1/orders/order-1", headers={"Accept-Encoding": "lz4, *;q=0"})
    assert refused.status == 406 and refused.json["reason"] == "NOT_ACCEPTABLE"
    assert refused.headers["Content-Encoding"] is None


def test_errors_are_not_compressed(orders):
    answer = orders.http("GET", "/v1/orders/nowhere", headers={"Accept-Encoding": "gzip, identity;q=0"})
    assert answer.status == 404 and answer.headers["Content-Encoding"] is None
    assert answer.json["code"] == "NOT_FOUND"


# ---- REST streams ------------------------------------------------------------------------------------


def watch(gateway, version, order_id, coding, accept):
    path = f"/{version}/orders/{order_id}/" + ("events" if version == "v3" else "watch")
    return Process(["curl", "-sSN", "--compressed", "-H", f"Accept-Encoding: {coding}", "-H", f"Accept: {accept}",
                    "-D", "/dev/stderr", f"http://{gateway.address}{path}"])


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_each_message_of_a_compressed_stream_arrives_at_once(orders, coding, accept):
    name = f"watched-{coding}-{accept[0]}"
    orders.client("v3").Create(v3.CreateRequest(order=order_v3(id=name)))
    reader = watch(orders.gateway, "v3", name, coding, accept)
    states = []
    for state in (None, v3.PAID, v3.DISPATCHED, v3.DELIVERED):
        if state:
            orders.client("v3").SetStatus(v3.SetStatusRequest(id=name, state=state))
        states.append(state)
        eventually(lambda: len([line for line in reader.lines if "state" in line]) == len(states))
    assert reader.wait() == 0
    assert f"content-encoding: {coding}" in [line.lower() for line in reader.errors]
    items = [json.loads(line.removeprefix("data: ")) for line in reader.lines if "state" in line]
    assert [item["state"] for item in items] == ["PLACED", "PAID", "DISPATCHED", "DELIVERED"]


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_compressed_stream_that_fails_says_so_in_its_last_item(run_shop, coding):
    shop = run_shop("v1")
    made = shop.client("v1").Create(v1.CreateRequest(order=v1.Order(customer="ada")))
    reader = watch(shop.gateway, "v1", made.id, coding, "application/x-ndjson")
    eventually(lambda: reader.lines)
    shop.client("v1").Purge(v1.PurgeRequest(customer="ada"))
    assert reader.wait() == 0, reader.errors
    assert f"content-encoding: {coding}" in [line.lower() for line in reader.errors]
    assert json.loads(reader.lines[-1])["error"]["code"] == "NOT_FOUND"


def test_a_stream_whose_client_leaves_costs_nothing_afterwards(orders):
    name = "left"
    orders.client("v3").Create(v3.CreateRequest(order=order_v3(id=name)))
    reader = watch(orders.gateway, "v3", name, "br", "application/x-ndjson")
    eventually(lambda: reader.lines)
    reader.kill()
    eventually(lambda: orders.backend().told("cancelled", method="Watch"))


# ---- Requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding,compress", [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("path,body", [("/v1/orders", {"customer": "ada"}),
                                       ("/shop.orders.v1.Orders/Create", {"order": {"customer": "ada"}})])
def test_a_compressed_request_is_read(orders, coding, compress, path, body):
    answer = orders.http("POST", path, compress(json.dumps(body).encode()),
                         {"Content-Type": "application/json", "Content-Encoding": coding})
    assert answer.status == 200 and answer.json["customer"] == "ada"


def test_an_unknown_coding_is_415_and_names_the_known(orders):
    headers = {"Content-Type": "application/json", "Content-Encoding": "lz4"}
    answer = orders.http("POST", "/v1/orders", b"?", headers)
    assert answer.status == 415 and answer.json["reason"] == "UNSUPPORTED_ENCODING"
    assert answer.headers["Accept-Encoding"] == "gzip,br,zstd,deflate"
    connect = orders.http("POST", "/shop.orders.v1.Orders/List", b"?", headers)
    assert connect.json["code"] == "unimplemented" and "gzip" in connect.json["message"]
    assert connect.headers["Accept-Encoding"] == "gzip,br,zstd,deflate"


def test_what_is_not_the_coding_it_says_is_the_clients_mistake(orders):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for body in (b"{}", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more"):
        assert orders.http("POST", "/v1/orders", body, headers).status == 400


def test_a_bomb_is_refused_where_it_passes_the_limit(orders):
    bomb = gzip.compress(bytes(64 << 20))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert orders.http("POST", "/v1/orders", bomb, headers).status == 413
    assert orders.http("POST", "/v1/orders", gzip.compress(bomb), headers).status == 400  # is opened once
    assert call_web(orders.gateway, "/shop.orders.v3.Orders/Get", bomb, flag=1)[1]["grpc-status"] == "8"


def brotli(text):
    return subprocess.run(["brotli", "-q", "5", "-c"], input=text, capture_output=True, check=True).stdout


def test_a_few_bytes_do_not_become_megabytes(orders):
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
    body = b'{"customer":"ann","street":"%s"}'
    few = brotli(body % (b"k" * (15 << 20)))
    assert len(few) < 100
    refused = orders.http("POST", "/v1/orders", few, headers)
    assert refused.status == 413 and b"more than 100 times larger" in refused.body
    free = brotli(body % (b"k" * ((1 << 20) - 100)))
    assert orders.http("POST", "/v1/orders", free, headers).status == 200


# ---- Frames: gRPC, gRPC-Web --------------------------------------------------------------------------


def frame(payload, flag=0):
    return bytes([flag]) + struct.pack(">I", len(payload)) + payload


def frames(body):
    found = []
    while body:
        size, = struct.unpack(">I", body[1:5])
        found.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
    return found


def call_web(gateway, path, payload, flag=0, encoding="gzip", accept="gzip"):
    """A unary gRPC-Web call: (messages with their flags, trailers and fields)."""
    answer = gateway.http("POST", path, frame(payload, flag), {
        "Content-Type": "application/grpc-web+proto", "Grpc-Encoding": encoding, "Grpc-Accept-Encoding": accept})
    told = {name.lower(): value for name, value in answer.headers.items()}
    messages = []
    for flags, content in frames(answer.body):
        if flags & 0x80:
            told.update(line.split(": ", 1) for line in content.decode().split("\r\n") if line)
        else:
            messages.append((flags, content))
    return messages, told


class WebBackend(ThreadingHTTPServer):
    """A gRPC-Web server that keeps what it was sent and answers with bytes that a test chose."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.seen, self.fields, self.answer, self.encoding = None, None, frame(b""), "gzip"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            chunks = []
            if self.headers["Content-Length"]:
                chunks.append(self.rfile.read(int(self.headers["Content-Length"])))
            else:
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
            self.server.seen, self.server.fields = frames(b"".join(chunks)), self.headers
            body = self.server.answer + frame(b"grpc-status: 0\r\n", 0x80)
            self.send_response(200)
            self.send_header("Content-Type", "application/grpc-web+proto")
            self.send_header("Grpc-Encoding", self.server.encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """(gateway, backend): v3 over gRPC-Web; gzip is what the instance takes."""
    with WebBackend() as backend:
        listed = (f"[{{address: '127.0.0.1:{backend.server_port}', protocol: grpc_web, versions: [v3], "
                  f"compression: gzip}}]")
        with Gateway(tmp_path_factory.mktemp("web"), instances=listed) as gateway:
            yield gateway, backend
        backend.shutdown()


def oddly_zipped(message):
    """gzip as no other compressor would write it, so that it is known again."""
    return gzip.compress(message.SerializeToString(), compresslevel=0, mtime=12345)


def test_messages_that_nobody_needs_to_read_pass_as_they_were_compressed(web):
    gateway, backend = web
    request, answer = oddly_zipped(v3.GetRequest(id="x" * 2000)), oddly_zipped(order_v3(id="y" * 2000))
    backend.answer = frame(answer, 1)
    messages, told = call_web(gateway, "/shop.orders.v3.Orders/Get", request, flag=1)
    assert told["grpc-status"] == "0" and told["grpc-encoding"] == "gzip"
    assert backend.seen == [(1, request)]
    assert messages == [(1, answer)]


def test_messages_of_another_version_are_opened_and_compressed_anew(web):
    gateway, backend = web
    request, answer = oddly_zipped(v1.GetRequest(id="x" * 2000)), oddly_zipped(order_v3(id="y" * 2000))
    backend.answer = frame(answer, 1)
    messages, told = call_web(gateway, "/shop.orders.v1.Orders/Get", request, flag=1)
    (flag, sent), = backend.seen
    (back_flag, got), = messages
    assert flag == 1 and v3.GetRequest.FromString(gzip.decompress(sent)).id == "x" * 2000
    assert back_flag == 1 and v1.Order.FromString(gzip.decompress(got)).customer == "ada"


def test_a_client_without_a_common_compression_gets_identity(web):
    gateway, backend = web
    backend.answer = frame(oddly_zipped(order_v3(id="y" * 2000)), 1)
    for accept in ("identity", "lz4"):
        messages, told = call_web(gateway, "/shop.orders.v3.Orders/Get", b"", encoding="identity", accept=accept)
        assert "grpc-encoding" not in told and messages[0][0] == 0
        assert v3.Order.FromString(messages[0][1]).id == "y" * 2000


def test_the_instance_is_offered_what_the_client_takes_where_that_can_pass(web):
    gateway, backend = web
    call_web(gateway, "/shop.orders.v3.Orders/Get", b"", encoding="identity", accept="br, lz4")
    assert backend.fields["Grpc-Accept-Encoding"] == "br"
    call_web(gateway, "/shop.orders.v1.Orders/Get", b"", encoding="identity", accept="br, lz4")
    assert set(backend.fields["Grpc-Accept-Encoding"].split(",")) == {"gzip", "br", "zstd"}


def test_small_requests_are_not_compressed_and_empty_ones_never_opened(web):
    gateway, backend = web
    backend.answer = frame(b"", 1)
    messages, told = call_web(gateway, "/shop.orders.v3.Orders/Get", b"", flag=1)
    assert backend.seen == [(0, b"")] and messages == [(0, b"")] and told["grpc-status"] == "0"
    call_web(gateway, "/shop.orders.v3.Orders/Get", v3.GetRequest(id="x").SerializeToString())
    assert backend.seen == [(0, v3.GetRequest(id="x").SerializeToString())]


def test_an_unsupported_compression_is_unimplemented_with_the_list(web):
    gateway, backend = web
    _, told = call_web(gateway, "/shop.orders.v3.Orders/Get", b"?", flag=1, encoding="lz4")
    assert told["grpc-status"] == "12" and told["grpc-accept-encoding"] == "gzip,br,zstd,deflate"
    _, told = call_web(gateway, "/shop.orders.v3.Orders/Get", b"?", flag=1, encoding="identity")
    assert told["grpc-status"] == "13"
    backend.encoding = "lz4"
    try:
        _, told = call_web(gateway, "/shop.orders.v3.Orders/Get", b"")
        assert told["grpc-status"] == "13"
    finally:
        backend.encoding = "gzip"


def test_a_bomb_from_an_instance_is_the_instances_fault(web):
    gateway, backend = web
    backend.answer = frame(gzip.compress(bytes(64 << 20)), 1)
    answer = gateway.http("GET", "/v1/orders/x")
    assert answer.status == 502 and answer.json["reason"] == "UPSTREAM_TOO_LARGE"


# ---- Real clients, both ends -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zipping(tmp_path_factory):
    """A v3 backend that compresses its answers, and takes compressed requests."""
    with Backend("v3", arguments=["--gzip"]) as backend:
        listed = instances(("v3", backend.port)).replace("protocol: grpc", "protocol: grpc, compression: gzip")
        with Gateway(tmp_path_factory.mktemp("zipping"), instances=listed) as gateway:
            for number in range(30):
                client(gateway, "v3").Create(v3.CreateRequest(order=order_v3(id=f"order-{number}")))
            yield gateway


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate,
                                         grpc.Compression.NoCompression])
def test_grpcio_at_both_ends(zipping, version, compression):
    stub = client(zipping, version, options=[("grpc.default_compression_algorithm", int(compression))])
    of_ada = v1.ListRequest(customer="ada") if version == "v1" else v3.ListRequest(buyer=v3.Buyer(id="ada"))
    long_id = v1.GetRequest(id="x" * 2000) if version == "v1" else v3.GetRequest(id="x" * 2000)
    assert len(stub.List(of_ada, compression=compression).orders) == 30
    with pytest.raises(grpc.RpcError) as caught:
        stub.Get(long_id, compression=compression)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_grpcio_streams_at_both_ends(zipping):
    stub = client(zipping, "v3")
    orders = [v3.CreateRequest(order=order_v3(id=f"sent-{n}-" + "x" * 3000, buyer=v3.Buyer(id="other")))
              for n in range(5)]
    assert len(stub.Import(iter(orders), compression=grpc.Compression.Gzip).ids) == 5
    asked = [v3.GetRequest(id=order.order.id) for order in orders]
    found = stub.Lookup(iter(asked), compression=grpc.Compression.Gzip)
    assert [order.id for order in found] == [request.id for request in asked]


@pytest.mark.parametrize("kind", ["connect-1", "connect-2", "grpc-web-node", "grpc-node", "grpc-js"])
def test_clients_in_javascript(zipping, kind):
    done = subprocess.run(["node", "compression.mjs", kind, zipping.address, ORDERS],
                          cwd=ROOT / "tests/flow/node", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"v1": 30, "v3": 30, "made": "x" * 3000}


# ---- Settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting,rest,web_call", [("never", None, False), ("instance", None, False),
                                                   ("web", "gzip", False), ("always", "gzip", True)])
def test_a_route_says_which_answers_are_compressed(run_shop, setting, rest, web_call):
    config = SHOP_CONFIG.replace("timeout: 5s,", f"timeout: 5s, compress_answers: {setting},")
    shop = run_shop("v3", config=config)
    for number in range(30):
        shop.client("v3").Create(v3.CreateRequest(order=order_v3(id=f"order-{number}")))
    answer = shop.http("GET", "/v1/orders", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == rest
    assert varies(answer) == (setting != "never")
    messages, told = call_web(shop.gateway, "/shop.orders.v3.Orders/List", b"", encoding="identity")
    assert (messages[0][0] == 1) == web_call == ("grpc-encoding" in told)


def test_the_least_size_is_a_setting(run_shop):
    shop = run_shop("v3", config=SHOP_CONFIG + "limits: {compress_least: 10}\n")
    shop.client("v3").Create(v3.CreateRequest(order=order_v3(id="small")))
    answer = shop.http("GET", "/v1/orders/small", headers={"Accept-Encoding": "gzip"})
    assert len(gzip.decompress(answer.body)) < LEAST
