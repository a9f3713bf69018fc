"""A call or two in each dialect, and what a client may get of it when something fails on the way.

Each function makes its calls and gives the outcome of each: "good", the whole response and nothing else; an Error, which
the dialect spells; or "cut": the connection or the stream broke off, as the client can tell. All else is an AssertionError.
"""
import http.client
import json
import socket
import ssl
import struct
import time

import h2.exceptions
from backends import v1
from http2_client import http2_request
from raw import Raw

PATIENCE = 10  # seconds, after which a call hangs


class Error(str):
    """The code of an error, and the request id that came with it."""

    def __new__(cls, code, request_id):
        error = super().__new__(cls, code)
        error.request_id = request_id
        return error


def outcome(call):
    """What came of call(), which gives "good" or an Error."""
    try:
        return call()
    except TimeoutError:
        raise AssertionError(f"a call hangs: neither response nor end in {PATIENCE} s") from None
    except (OSError, EOFError, http.client.HTTPException, h2.exceptions.ProtocolError):
        return "cut"


def check(condition, *told):
    if not condition:
        raise AssertionError(f"no answer of this dialect: {told}")


# ---- gRPC ------------------------------------------------------------------------------------------

def frame(message):
    data = message.SerializeToString()
    return b"\0" + struct.pack(">I", len(data)) + data


def frames(body):
    """[(flags, data)]"""
    found = []
    while body:
        check(len(body) >= 5, body)
        size = struct.unpack(">I", body[1:5])[0]
        check(len(body) >= 5 + size, body)
        found.append((body[0], body[5:5 + size]))
        body = body[5 + size:]
    return found


def grpc_end(fields, trailers, messages, expected):
    status = {**fields, **trailers}.get("grpc-status")
    check(status and len(status) == 1, fields, trailers)
    if status == ["0"]:
        check(messages == expected, messages)
        return "good"
    check(messages == expected[:len(messages)], messages)
    return Error(status[0], fields["x-request-id"][0])


def grpc_call(port, method, request, expected, tls=None):
    def call():
        status, fields, body, trailers = http2_request(
            port, "POST", f"/shop.orders.v1.Orders/{method}", [("content-type", "application/grpc"), ("te", "trailers")],
            frame(request), timeout=PATIENCE, tls=tls)
        check(status == 200, status, fields, body)
        messages = [v1.Order.FromString(data) for flags, data in frames(body)]
        return grpc_end(fields, trailers, messages, expected)
    return outcome(call)


def grpc(shop):
    return [grpc_call(shop.port, "Get", v1.GetRequest(id=shop.order.id), [shop.order]),
            grpc_call(shop.port, "Watch", v1.WatchRequest(id=shop.order.id), [shop.order])]


def tls(shop):
    """gRPC under TLS, on both sides of the gateway."""
    context = ssl.create_default_context(cafile=shop.folder / "server.pem")
    context.set_alpn_protocols(["h2"])
    return [grpc_call(shop.tls_port, "Get", v1.GetRequest(id=shop.order.id), [shop.order], context),
            grpc_call(shop.tls_port, "Watch", v1.WatchRequest(id=shop.order.id), [shop.order], context)]


# ---- HTTP/1.1 --------------------------------------------------------------------------------------

def http1(port, requests):
    """The outcome of each request (verb, path, fields, body, read), one after the other on a connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    found = []
    for verb, path, fields, body, read in requests:
        def call():
            connection.request(verb, path, body, fields)
            response = connection.getresponse()
            return read(response, response.read())
        found.append(outcome(call))
        if found[-1] == "cut":
            connection.close()  # the next one has a new connection
    connection.close()
    return found


def problem(response, body):
    check(response.status >= 400 and response.headers["Content-Type"] == "application/problem+json", response.status, body)
    told = json.loads(body)
    check(told["status"] == response.status, told)
    return Error(told["reason"], response.headers["X-Request-Id"])


def grpc_web(shop):
    def read(response, body):
        check(response.status == 200, response.status, body)
        parts = frames(body)
        last = {}
        if "grpc-status" not in response.headers:
            check(parts and parts[-1][0] == 0x80, body)
            for line in parts.pop()[1].decode().split("\r\n"):
                name, _, value = line.partition(":")
                if name:
                    last[name] = [value.strip()]
        fields = {name.lower(): [value] for name, value in response.headers.items()}
        return grpc_end(fields, last, [v1.Order.FromString(data) for _, data in parts], [shop.order])
    fields = {"Content-Type": "application/grpc-web+proto"}
    return http1(shop.port, [
        ("POST", "/shop.orders.v1.Orders/Get", fields, frame(v1.GetRequest(id=shop.order.id)), read),
        ("POST", "/shop.orders.v1.Orders/Watch", fields, frame(v1.WatchRequest(id=shop.order.id)), read)])


def connect(shop):
    def read(response, body):
        told = json.loads(body)
        if response.status == 200:
            check(told == shop.json, told)
            return "good"
        check(told["code"], told)
        return Error(told["code"], response.headers["X-Request-Id"])

    def read_stream(response, body):
        check(response.status == 200, response.status, body)
        parts = frames(body)
        check(parts and parts[-1][0] == 2, body)
        end, messages = json.loads(parts[-1][1]), [json.loads(data) for _, data in parts[:-1]]
        if "error" in end:
            check(messages in ([], [shop.json]), messages)
            return Error(end["error"]["code"], response.headers["X-Request-Id"])
        check(messages == [shop.json], messages)
        return "good"
    request = json.dumps({"id": shop.order.id}).encode()
    return http1(shop.port, [
        ("POST", "/shop.orders.v1.Orders/Get", {"Content-Type": "application/json"}, request, read),
        ("POST", "/shop.orders.v1.Orders/Watch", {"Content-Type": "application/connect+json"},
         b"\0" + struct.pack(">I", len(request)) + request, read_stream)])


def rest(shop):
    def read(response, body):
        if response.status != 200:
            return problem(response, body)
        check(json.loads(body) == shop.json, body)
        return "good"

    def read_stream(response, body):
        if response.status != 200:
            return problem(response, body)
        items = [json.loads(line) for line in body.splitlines()]
        if items and "error" in items[-1]:
            check(items[:-1] in ([], [shop.json]), items)
            return Error(items[-1]["error"]["reason"], response.headers["X-Request-Id"])
        check(items == [shop.json], items)
        return "good"
    return http1(shop.port, [
        ("GET", f"/v1/orders/{shop.order.id}", {}, None, read),
        ("GET", f"/v1/orders/{shop.order.id}/watch", {"Accept": "application/x-ndjson"}, None, read_stream)])


# ---- Passed through --------------------------------------------------------------------------------

LONG = "".join(f"{number}," for number in range(20000)).encode()


def read_old(response, body):
    if response.status != 200:
        return problem(response, body)
    check(body in (b"ok", LONG), body)
    return "good"


def opaque(shop):
    return http1(shop.port, [("GET", "/old/short", {}, None, read_old), ("POST", "/old/long", {}, LONG, read_old)])


def names(shop):
    """An instance whose name nobody has asked for yet."""
    return http1(shop.port, [("GET", f"/name{next(shop.names)}/short", {}, None, read_old)])


def http2(shop):
    def call(verb, path, body, expected):
        status, fields, received, _ = http2_request(shop.port, verb, path, (), body, timeout=PATIENCE)
        if status == 200:
            check(received == expected, received)
            return "good"
        told = json.loads(received)
        check(status >= 400 and told["status"] == status, status, told)
        return Error(told["reason"], fields["x-request-id"][0])
    return [outcome(lambda: call("GET", "/old/short", None, b"ok")),
            outcome(lambda: call("POST", "/old/long", LONG, LONG))]


def tunnel(shop):
    """An upgraded connection, on which 64 KiB come back, and then its end."""
    def call():
        with Raw(shop.port, PATIENCE) as connection:
            connection.send("GET /old/tunnel HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n")
            status, fields = connection.read_head()
            if status != 101:
                return Error(str(status), fields["x-request-id"][0])
            connection.send(LONG[:65536])
            connection.socket.shutdown(socket.SHUT_WR)
            came = connection.ahead + connection.read_all()
            check(LONG.startswith(came), came)
            return "good"  # also if it is shorter: in a tunnel an end is like another
    return [outcome(call)]


def store(shop):
    """A failure that the ledger has to keep in the store, which takes it with the next collection."""
    def read(response, body):
        problem(response, body)
        check(response.status == 404, body)
        time.sleep(0.25)
        return "good"
    return http1(shop.port, [("GET", "/v1/orders/none", {}, None, read)])


DIALECTS = {"TLS": tls, "gRPC": grpc, "gRPC-Web": grpc_web, "Connect": connect, "REST": rest, "HTTP/1.1": opaque,
            "HTTP/2": http2, "tunnel": tunnel, "names": names, "store": store}  # the one that takes longest comes first
