"""What only the gateway may say comes once and in its own words, whatever a service says under the same names: in its
head, its trailers or an interim answer, in every protocol of instances and every dialect of clients."""
import json
import struct

import pytest
from gateway import SHOP_CONFIG, Gateway
from http1_backend import Http1Backend
from http2_backend import Http2Backend
from http2_client import http2_request
from raw import Raw

PAGE = "https://panel.example"
SUCCESSOR = '<https://shop.example/v2>; rel="successor-version"'
CONFIG = f"cors: {{origins: ['{PAGE}']}}" + SHOP_CONFIG.replace(
    "{name: v1, package: shop.orders.v1, schema: $orders}",
    "{name: v1, package: shop.orders.v1, schema: $orders, deprecated: 2026-03-01, sunset: 2090-03-01, "
    "successor: 'https://shop.example/v2'}").replace(
    "routes:", "    negotiate: [path, prefix, header]\nroutes:\n  - {match: /old/, instances: [{address: '127.0.0.1:$old', "
    "protocol: http}]}")

# name -> what the gateway says; None: it says nothing, or says it by itself each time.
OWN = {"x-request-id": None, "api-version": "v1", "passerelle-served-version": "v3", "passerelle-degraded": None,
       "passerelle-lost": None, "passerelle-anything": None, "deprecation": "@1772323200",
       "sunset": "Wed, 01 Mar 2090 00:00:00 GMT", "link": SUCCESSOR, "access-control-allow-origin": PAGE,
       "access-control-allow-credentials": None, "access-control-max-age": None}
SPOOFED = [(name, '</inner>; rel="successor-version"' if name == "link" else "inner") for name in OWN]
KEPT = [("x-kept", "1"), ("vary", "x-kept, Origin"), ("link", "</next>; rel=next")]
HEAD = [*SPOOFED, *KEPT]
TRAILERS = [*SPOOFED, ("x-kept-too", "2")]


def lines(fields):
    return "".join(f"{name}: {value}\r\n" for name, value in fields)


def frame(payload, flag=0):
    return bytes([flag]) + struct.pack(">I", len(payload)) + payload


# ---- Instances ---------------------------------------------------------------------------------------


def grpc(request):
    with request.connection.speaking() as http2:
        http2.send_headers(request.stream, [(":status", "200"), ("content-type", "application/grpc"), *HEAD])
        http2.send_data(request.stream, frame(b""))
        http2.send_headers(request.stream, [("grpc-status", "0"), *TRAILERS], end_stream=True)


def say(peer, content_type, fields, body, trailers=()):
    peer.say(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n{lines(fields)}\r\n")
    if body:
        peer.say(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    peer.say(f"0\r\n{lines(trailers)}\r\n")


def grpc_web(peer, told, body):
    trailers = frame(("grpc-status: 0\r\n" + lines(TRAILERS)).encode(), 0x80)
    say(peer, "application/grpc-web+proto", HEAD, frame(b"") + trailers)


def connect(peer, told, body):
    if told.one("content-type").startswith("application/connect+"):
        end = {"metadata": {name: [value] for name, value in TRAILERS}}
        say(peer, "application/connect+proto", HEAD, frame(b"") + frame(json.dumps(end).encode(), 2))
    else:
        say(peer, "application/proto", HEAD + [(f"trailer-{name}", value) for name, value in TRAILERS], b"")


def rest(peer, told, body):
    say(peer, "application/x-ndjson" if told.target.endswith("watch") else "application/json", HEAD, b"{}\n", TRAILERS)


INSTANCES = {"grpc": (Http2Backend, grpc), "grpc_web": (Http1Backend, grpc_web), "connect": (Http1Backend, connect),
             "rest": (Http1Backend, rest)}


def old(peer, told, body):
    peer.say(f"HTTP/1.1 103 Early Hints\r\n{lines(HEAD)}\r\n")
    say(peer, "text/plain", HEAD, b"ok", TRAILERS)


@pytest.fixture(scope="module", params=INSTANCES)
def gateway(request, tmp_path_factory):
    kind, script = INSTANCES[request.param]
    with kind(script) as backend, Http1Backend(old) as opaque:
        listed = f"[{{address: '127.0.0.1:{backend.port}', protocol: {request.param}, versions: [v3]}}]"
        with Gateway(tmp_path_factory.mktemp("own"), CONFIG, instances=listed, old=opaque.port) as running:
            running.protocol = request.param
            yield running


GET = b"\x0a\x01x"  # GetRequest(id="x")

# ---- Clients: each gives all that it was told as (name, value), trailers among it ----------------------


def flat(*heads):
    return [(name.removeprefix("trailer-"), value) for head in heads for name, values in head.items() for value in values]


def ask(gateway, verb, path, fields, body=b""):
    """Over HTTP/1.1 with all trailers: (fields, body)."""
    head = lines([("Host", "shop.example"), ("Origin", PAGE), ("TE", "trailers"), ("Connection", "TE"), *fields])
    if verb == "POST":
        head += f"Content-Length: {len(body)}\r\n"
    with Raw(gateway.port) as connection:
        status, fields, body, trailers = connection.send(
            f"{verb} {path} HTTP/1.1\r\n{head}\r\n".encode() + body).read_reply(verb)
    assert status == 200, body
    return flat(fields, trailers), body


def last_frame(body):
    while True:
        size, = struct.unpack(">I", body[1:5])
        if len(body) == 5 + size:
            return body[5:]
        body = body[5 + size:]


def ask_rest(gateway):
    return ask(gateway, "GET", "/v1/orders/x", [])[0]


def ask_rest_stream(gateway):
    return ask(gateway, "GET", "/v1/orders/x/watch", [])[0]


def ask_connect(gateway):
    return ask(gateway, "POST", "/shop.orders.v1.Orders/Get", [("Content-Type", "application/json")],
               b'{"id": "x"}')[0]


def ask_connect_stream(gateway):
    told, body = ask(gateway, "POST", "/shop.orders.v1.Orders/Watch", [("Content-Type", "application/connect+json")],
                     frame(b'{"id": "x"}'))
    return told + flat(json.loads(last_frame(body)).get("metadata", {}))


def ask_grpc_web(gateway):
    told, body = ask(gateway, "POST", "/shop.orders.v1.Orders/Get", [("Content-Type", "application/grpc-web+proto")],
                     frame(GET))
    return told + [tuple(line.split(": ", 1)) for line in last_frame(body).decode().split("\r\n") if line]


def ask_grpc(gateway):
    fields = [("content-type", "application/grpc"), ("te", "trailers"), ("origin", PAGE)]
    status, told, _, trailers = http2_request(gateway.port, "POST", "/shop.orders.v1.Orders/Get", fields, frame(GET))
    assert status == 200
    return flat(told, trailers)


CLIENTS = [ask_rest, ask_rest_stream, ask_connect, ask_connect_stream, ask_grpc_web, ask_grpc]


def values(told, name):
    return [value for key, value in told if key == name]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_has_the_gateways_own_fields_once(gateway, client):
    told = client(gateway)
    for name, said in OWN.items():
        if name not in ("link", "x-request-id", "passerelle-lost"):
            assert values(told, name) == ([said] if said else []), name
    assert not any("inner" in value for _, value in told), told
    assert values(told, "link") == ["</next>; rel=next", SUCCESSOR]
    request_id, = values(told, "x-request-id")
    assert gateway.logged(request_id=request_id)["served_version"] == "v3"
    vary, = values(told, "vary")
    names = [name.strip().lower() for name in vary.split(",")]
    assert {"x-kept", "origin"} <= set(names) and len(names) == len(set(names))
    assert values(told, "x-kept") == ["1"]
    assert values(told, "x-kept-too") == ([] if gateway.protocol == "rest" else ["2"])


@pytest.mark.parametrize("http2", [False, True])
def test_a_route_without_schema_has_them_once(gateway, http2):
    if http2:
        status, fields, body, trailers = http2_request(gateway.port, "GET", "/old/x", [("origin", PAGE)])
        told = flat(fields, trailers)
    else:
        with Raw(gateway.port) as connection:
            connection.send(f"GET /old/x HTTP/1.1\r\nHost: a\r\nOrigin: {PAGE}\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
            status, early = connection.read_head()
            assert status == 103
            assert {name for name, _ in flat(early)} == {"x-kept", "vary", "link", "api-version", "deprecation", "sunset"}
            status, fields, body, trailers = connection.read_reply()
            told = flat(fields, trailers)
    assert (status, body) == (200, b"ok")
    for name in OWN:
        found = values(told, name)
        if name in ("api-version", "deprecation", "sunset", "link"):
            continue  # of no version of ours: the service's own word
        assert "inner" not in found, name
        assert len(found) == (name in ("x-request-id", "access-control-allow-origin")), name
    assert trailers["x-kept-too"] == ["2"] and "x-request-id" not in trailers
    assert len(values(told, "vary")) == 1


# ---- Errors of the service -----------------------------------------------------------------------------


def failing(request):
    with request.connection.speaking() as http2:
        http2.send_headers(request.stream, [(":status", "200"), ("content-type", "application/grpc"),
                                            ("grpc-status", "5"), ("grpc-message", "none"), *HEAD,
                                            ("x-content-type-options", "inner")], end_stream=True)


def test_an_error_of_the_service_has_them_once_too(tmp_path):
    with Http2Backend(failing) as backend:
        listed = f"[{{address: '127.0.0.1:{backend.port}', protocol: grpc, versions: [v3]}}]"
        with Gateway(tmp_path, CONFIG, instances=listed, old=1) as gateway:
            answer = gateway.http("GET", "/v1/orders/x")
            assert answer.status == 404 and answer.json["detail"] == "none"
            for name in ("x-request-id", "api-version", "passerelle-served-version"):
                assert len(answer.headers.get_all(name)) == 1, name
            assert "passerelle-degraded" not in answer.headers
            assert answer.headers.get_all("x-content-type-options") == ["nosniff"]
            told = [name.lower() for name, value in answer.headers.items() if "inner" in value]
            assert told == ["trailer-x-content-type-options"]  # a head that ends the call at once has trailers only
