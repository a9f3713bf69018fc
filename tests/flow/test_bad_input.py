"""Bad input: a clear error, nothing leaked, nothing hung, no other call disturbed."""
import base64
import json
import re
import struct
import time

import grpc
import pytest
from backends import order_v3, v1, v3
from http2_client import http2_request
from processes import eventually
from raw import Raw, status_of, talk


@pytest.fixture(autouse=True)
def nobody_else_is_disturbed(shop):
    """While a test does its worst, a stream of somebody else goes on, and calls are answered after."""
    stub = shop.client("v3")
    made = stub.Create(v3.CreateRequest(order=order_v3()))
    watching = stub.Watch(v3.WatchRequest(id=made.id))
    assert next(watching).state == v3.PLACED
    yield
    stub.SetStatus(v3.SetStatusRequest(id=made.id, state=v3.DELIVERED))
    assert [order.state for order in watching] == [v3.DELIVERED]
    assert shop.http("GET", f"/v1/orders/{made.id}").status == 200


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("body,reason,word", [
    ('{"customer": ', "BAD_JSON", "line 1"),
    ('{"customer": "ada",}', "BAD_JSON", "line 1"),
    ("", "", "must be given"),
    ("{}", "FIELD_REQUIRED", "customer"),
    ("[]", "BAD_VALUE", ""),
    ("hello", "BAD_JSON", ""),
    ('{"customer": "ada"} {}', "BAD_JSON", ""),
    ('{"customer": "\\ud800"}', "BAD_JSON", ""),
    ('{"customer": "a", "customer": "b"}', "", "customer"),
    ('{"customer": 7}', "BAD_VALUE", "customer"),
    ('{"totalCents": "many"}', "BAD_VALUE", "total"),
    ('{"totalCents": 1.5}', "BAD_VALUE", "total"),
    ('{"totalCents": 9223372036854775808}', "BAD_VALUE", "total"),
    ('{"items": {"sku": "x"}}', "BAD_VALUE", "items"),
    ('{"customer": "a", "items": [{"quantity": 3000000000}]}', "BAD_VALUE", "items[0].quantity"),
    ('{"status": "MISLAID"}', "BAD_VALUE", "status"),
    ('{"custommer": "ada"}', "UNKNOWN_FIELD", "customer"),
    ('{"customer": "a", "items": [{"skuu": "x"}]}', "UNKNOWN_FIELD", "items[0].skuu"),
    ('{"customer": "' + "a" * 10 + "\x01" + '"}', "BAD_JSON", ""),
])
def test_json_that_is_not_a_v1_order(shop, body, reason, word):
    answer = shop.http("POST", "/v1/orders", body, JSON)
    assert answer.status == 400, answer.body
    problem = answer.json
    assert problem["code"] == "INVALID_ARGUMENT" and problem["request_id"]
    assert not reason or problem["reason"] == reason or reason in json.dumps(problem["causes"])
    assert word in answer.body.decode()


def test_bytes_that_are_not_utf8(shop):
    answer = shop.http("POST", "/v1/orders", b'{"customer": "\xff\xfe"}', JSON)
    assert answer.status == 400


@pytest.mark.parametrize("before", ["", "x"])
def test_a_long_name_is_shown_up_to_a_whole_character(shop, before):
    name = before + "\u00e4" * 200
    answer = shop.http("POST", "/v1/orders", {name: 1})
    assert answer.status == 400
    shown = re.search('"([x\u00e4]+)', answer.json["detail"])[1]
    assert name.startswith(shown) and len(shown) > 30 and "\ufffd" not in answer.body.decode()


def test_nesting_without_end(shop):
    answer = shop.http("POST", "/v1/orders", '{"items":' * 100_000, JSON)
    assert answer.status == 400 and answer.json["code"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("message", [
    b"\x0a", b"\x0a\x05ab", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x0b\x0c", b"\x00\x01",
    b"\x0a\x03\x12\x05a", b"\x0a\x04\x12\x02\xff\xfe"])
def test_protobuf_that_is_cut_or_broken(shop, message):
    with grpc.insecure_channel(shop.gateway.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/shop.orders.v1.Orders/Create")(message)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    answer = shop.http("POST", "/shop.orders.v1.Orders/Create", message, {"Content-Type": "application/proto"})
    assert answer.status == 400 and answer.json["code"] == "invalid_argument"


@pytest.mark.parametrize("path,content_type,expected", [
    ("/v1/orders", "text/plain", 415), ("/v1/orders", "application/xml", 415),
    ("/shop.orders.v1.Orders/Create", "text/html", 415),
    ("/shop.orders.v1.Orders/Create", "application/connect+xml", 415)])
def test_a_content_type_that_nobody_speaks(shop, path, content_type, expected):
    answer = shop.http("POST", path, "<order/>", {"Content-Type": content_type})
    assert answer.status == expected


@pytest.mark.parametrize("content_type", ["application/json", "application/proto"])
def test_a_stream_cannot_be_asked_for_as_one_message_of_connect(shop, content_type):
    answer = shop.http("POST", "/shop.orders.v3.Orders/Watch", b"", {"Content-Type": content_type})
    assert answer.status == 415 and answer.json["code"] == "unknown"
    assert "application/connect+json" in answer.json["message"]


GRPC, WEB, WEB_TEXT = "application/grpc", "application/grpc-web", "application/grpc-web-text"
STREAM = "application/connect+proto"


def end_of(content_type, fields, body, trailers):
    """The code and message of a response, in whichever dialect."""
    if content_type == GRPC:
        said = {**fields, **trailers}
        return int(said["grpc-status"][0]), said["grpc-message"][0]
    if content_type == STREAM:
        error = json.loads(body[5:])["error"]
        return error["code"], error["message"]
    if content_type == WEB_TEXT:
        body = base64.b64decode(body)
    lines = dict(line.split(": ", 1) for line in body[5:].decode().splitlines())
    return int(lines["grpc-status"]), lines["grpc-message"]


@pytest.mark.parametrize("content_type, body, code", [
    (GRPC, b"\0\0\0\0\5ab", 3),
    (GRPC, b"\0\0", 3),
    (GRPC, b"\4\0\0\0\0", 3),
    (GRPC, b"\1\0\0\0\2ab", 13),  # as gRPC wants it
    (WEB, b"\0\0\0\0\5ab", 3),
    (WEB_TEXT, b"no base64 at all", 3),
    (STREAM, b"\0\0\0\0\5ab", "invalid_argument"),
    (STREAM, b"\1\0\0\0\2ab", "internal"),
])
def test_a_body_that_breaks_the_rules_is_the_clients_mistake(shop, content_type, body, code):
    before = shop.gateway.metric("passerelle_errors_total", side="client")
    path = f"/shop.orders.v3.Orders/{'Watch' if content_type == STREAM else 'Get'}"
    _, *answer = http2_request(shop.gateway.port, "POST", path, [("content-type", content_type), ("te", "trailers")], body)
    told, message = end_of(content_type, *answer)
    assert told == code and "client" in message or "request" in message
    assert shop.gateway.log()[-1]["level"] == "info"
    assert shop.gateway.metric("passerelle_errors_total", side="client") == before + 1


def test_a_body_that_breaks_off_by_http2_is_the_clients_mistake(shop):
    """Fewer bytes than its Content-Length: the stream is reset, and the log has it."""
    before = shop.gateway.metric("passerelle_errors_total", side="client")
    with pytest.raises(EOFError):
        http2_request(shop.gateway.port, "POST", "/v1/orders", [("content-type", "application/json"),
                                                                ("content-length", "10")], b"{}")
    line = eventually(lambda: next((line for line in shop.gateway.log()
                                    if line.get("causes", [{}])[0].get("fault") == "PROTOCOL_VIOLATION"
                                    and line["dialect"] == "rest"), None))
    assert (line["level"], line["code"], line["http_status"]) == ("info", "INVALID_ARGUMENT", 400)
    assert shop.gateway.metric("passerelle_errors_total", side="client") == before + 1


KNOWN = "gzip,br,zstd,deflate"


@pytest.mark.parametrize("content_type, coding, status, code", [
    (GRPC, "grpc-encoding", 200, 12),
    (WEB, "grpc-encoding", 200, 12),
    (WEB_TEXT, "grpc-encoding", 200, 12),
    (STREAM, "connect-content-encoding", 200, "unimplemented"),
])
def test_a_compression_that_nobody_speaks_is_answered_with_those_that_are_spoken(shop, content_type, coding, status, code):
    path = f"/shop.orders.v3.Orders/{'Watch' if content_type == STREAM else 'Get'}"
    accepts = coding.replace("content-encoding", "accept-encoding").replace("grpc-encoding", "grpc-accept-encoding")
    told, fields, body, trailers = http2_request(
        shop.gateway.port, "POST", path, [("content-type", content_type), (coding, "lzma"), ("te", "trailers")],
        b"\0\0\0\0\0")
    assert (told, end_of(content_type, fields, body, trailers)[0]) == (status, code)
    assert fields[accepts] == [KNOWN]


@pytest.mark.parametrize("path, status", [("/v1/orders", 415), ("/shop.orders.v1.Orders/Create", 501)])
def test_a_content_coding_that_nobody_speaks_is_answered_with_those_that_are_spoken(shop, path, status):
    """Connect has its own status for it: unimplemented."""
    answer = shop.http("POST", path, b"x", {**JSON, "Content-Encoding": "lzma"})
    assert (answer.status, answer.headers["Accept-Encoding"]) == (status, KNOWN)


def test_a_body_that_claims_to_be_gzip(shop):
    answer = shop.http("POST", "/v1/orders", b"not gzip", {**JSON, "Content-Encoding": "gzip"})
    assert answer.status == 400


def test_unknown_paths_and_verbs(shop):
    assert shop.http("GET", "/nothing/here").status == 404
    assert shop.http("GET", "/v9/orders").status == 404
    answer = shop.http("DELETE", "/v1/orders")
    assert answer.status == 405 and set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_query_parameter_that_is_no_field(shop):
    answer = shop.http("GET", "/v1/orders?custommer=ada")
    assert answer.status == 400 and "custommer" in answer.body.decode()
    assert shop.http("GET", "/v1/orders?limit=many").status == 400


def test_a_body_larger_than_allowed(shop):
    answer = shop.http("POST", "/v1/orders", json.dumps({"customer": "x" * (17 << 20)}), JSON)
    assert answer.status == 413 and answer.json["reason"] == "MESSAGE_TOO_LARGE"


def test_a_body_that_says_it_is_larger_than_allowed_is_not_awaited(shop):
    with Raw(shop.gateway.port) as connection:
        connection.send("POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: 99999999999\r\n\r\n{")
        assert connection.read_answer()[0] == 413


def test_a_grpc_message_larger_than_allowed(shop):
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").Create(v1.CreateRequest(order=v1.Order(customer="x" * (17 << 20))))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_gzip_bomb_is_stopped_at_the_limit(shop):
    order = v1.CreateRequest(order=v1.Order(customer="x" * (64 << 20)))
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").Create(order, compression=grpc.Compression.Gzip)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("head,expected", [
    ("GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 40000 + "\r\n\r\n", 431),
    ("GET / HTTP/1.1\r\nHost: x\r\n" + "X-A: b\r\n" * 200 + "\r\n", 431),
])
def test_heads_larger_than_allowed(shop, head, expected):
    assert status_of(talk(shop.gateway.port, head)) == expected


@pytest.mark.parametrize("head", [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    "POST /v1/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 64,
])
def test_ambiguous_framing_is_refused_and_the_connection_closed(shop, head):
    answer = talk(shop.gateway.port, head)
    assert answer == b"" or status_of(answer) in (400, 501)  # 501: a transfer coding that nobody has
    assert answer.count(b"HTTP/1.1 ") <= 1


def test_http2_that_is_none(shop):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    answer = talk(shop.gateway.port, preface + b"\x00" * 3 + b"\xff" * 60)
    assert b"HTTP/1.1" not in answer
    settings = struct.pack(">IBBI", 0, 4, 0, 0)[1:]
    huge = struct.pack(">IBBI", 1 << 20, 0, 0, 1)[1:]
    talk(shop.gateway.port, preface + settings + huge)


def test_each_request_that_is_refused_before_it_is_a_call_has_a_line_with_the_reason(shop):
    answer = talk(shop.gateway.port, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    request_id = re.search(rb"x-request-id: (\w+)", answer)[1].decode()
    path = b"/#x"  # a literal field without indexing, with the index of :path
    block = b"\x82\x86\x04" + bytes([len(path)]) + path + b"\x41\x01a"
    frames = struct.pack(">IBBI", 0, 4, 0, 0)[1:] + struct.pack(">IBBI", len(block), 1, 5, 1)[1:] + block
    talk(shop.gateway.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames)

    def told():
        return [line["message"] for line in shop.gateway.log() if line.get("event") == "request_refused"]
    eventually(lambda: any(f"400, request {request_id}: " in line and "Host" in line for line in told()))
    eventually(lambda: any(line.endswith(": reset: the path is malformed") for line in told()))


def test_half_a_request_and_then_nothing_is_cleaned_up(shop):
    answer = talk(shop.gateway.port, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert answer == b"" or status_of(answer) == 400
    answer = talk(shop.gateway.port, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                     "Content-Length: 100\r\n\r\n{")
    assert answer == b"" or status_of(answer) in (400, 408, 499)


def test_a_sender_of_single_bytes_is_understood(shop):
    request = ("GET /v1/orders?customer=nobody HTTP/1.1\r\nHost: x\r\n\r\n").encode()
    with Raw(shop.gateway.port) as connection:
        for byte in request:
            connection.send(bytes([byte]))
            time.sleep(0.001)
        status, _, body = connection.read_answer()
    assert status == 200 and json.loads(body) == {}


def test_requests_sent_ahead_are_answered_in_order(shop):
    requests = "".join(f"GET /v1/orders/none-{i} HTTP/1.1\r\nHost: x\r\n\r\n" for i in range(10))
    with Raw(shop.gateway.port) as connection:
        connection.send(requests)
        answers = [connection.read_answer() for _ in range(10)]
    assert [status for status, _, _ in answers] == [404] * 10
    assert all(f"none-{i}".encode() in body for i, (_, _, body) in enumerate(answers))
