"""
Idempotency keys: each rule of draft-ietf-httpapi-idempotency-key-header, in every dialect, across versions.

The instance makes an order per call that it executes, and numbers it: a response that comes again has the same number. The
field `x-do` says what else it does; fields are no part of what a request means.
"""
import base64
import collections
import contextlib
import http.server
import itertools
import json
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import threading

import h2.config
import h2.connection
import h2.exceptions
import pytest
from backends import v1, v2, v3
from gateway import BINARY, Gateway
from google.protobuf import json_format
from http2_backend import Http2Backend
from http2_client import http2_request
from operators import command, entries
from processes import eventually
from stores import PostgreSQL, SQLite, postgresql, server, store  # noqa: F401  (fixtures)
from test_error_fields import connect_error, details_of

CONFIG = """
node: $node
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
log: "-"
errors: full
store: $store
clients: {recorded: hashed, key: $folder/clients.key}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    retry_budget: {percent: 100, at_least: 1000}
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes:
  - {match: orders, timeout: $timeout, attempts: 3, retry: {initial_backoff: 1ms, max_backoff: 2ms}}
  - {match: orders.Orders/Create, idempotency: {key: required, response_bytes: 2KiB}}
  - {match: orders.Orders/SetStatus, idempotency: {key: optional, honoured: true}}
"""
MODULES = {"v1": v1, "v2": v2, "v3": v3}
MEDIA = {"grpc": "application/grpc", "grpc+json": "application/grpc+json", "grpc-web": "application/grpc-web+proto",
         "grpc-web-text": "application/grpc-web-text+proto", "connect": "application/json",
         "connect+proto": "application/proto", "rest": "application/json"}
DIALECTS = list(MEDIA)
CODES = {0: None, 1: "CANCELLED", 2: "UNKNOWN", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND", 6: "ALREADY_EXISTS",
         7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED", 11: "OUT_OF_RANGE",
         12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS", 16: "UNAUTHENTICATED"}
# The same order in each version.
ORDERS = {"v1": {"customer": "ada", "items": [{"sku": "a", "quantity": 2}]},
          "v2": {"customerId": "ada", "items": [{"sku": "a", "quantity": 2}], "currency": "EUR"},
          "v3": {"buyer": {"id": "ada"}, "lines": [{"sku": "a", "quantity": 2}], "currency": "EUR"}}
keys = (f"key-{n}" for n in itertools.count())


# ---- Who is there ------------------------------------------------------------------------------------------------------

class Instance:
    """Executes calls, and counts them by key."""

    def __init__(self):
        self.made, self.seen, self.held, self.order = collections.Counter(), [], [], None
        self.lock = threading.Lock()
        self.backend = Http2Backend(self.serve)

    def __enter__(self):
        self.backend.__enter__()
        return self

    def __exit__(self, *_):
        self.backend.__exit__()

    def serve(self, request):
        does, key = request.headers.get("x-do", "well"), request.headers.get("idempotency-key")
        with self.lock:
            self.seen.append(key)
            n = len(self.seen)
            first = self.seen.count(key) == 1
        if does == "refuse" or (does == "reset once" and first) or does == "reset":
            request.reset({"refuse": 7}.get(does, 2))
            return
        with self.lock:
            self.made[key] += 1
        order = self.order or v3.Order(id=f"order-{n}", buyer=v3.Buyer(id="ada"), currency="EUR")
        if does == "large":
            order.gift_note = "x" * 4096
        if does == "hold":
            self.held.append((request, order))
        elif does.isdigit():
            request.begin()
            request.end(int(does), f"error {n}")
        else:
            request.answer(order)

    def let_go(self):
        eventually(lambda: self.held)
        request, order = self.held.pop()
        with contextlib.suppress(h2.exceptions.ProtocolError):
            request.answer(order)


def gateway_of(folder, setting, instance, node="one", config=CONFIG, timeout="5s"):
    folder.mkdir(exist_ok=True)
    (folder / "clients.key").write_text("0123456789abcdef0123456789abcdef")
    return Gateway(folder, config, store=setting, node=node, instance=instance.backend.port, timeout=timeout)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """(gateway, instance), for what changes neither."""
    folder = tmp_path_factory.mktemp("keys")
    with Instance() as instance, gateway_of(folder, SQLite(folder).setting, instance) as gateway:
        yield gateway, instance


class Told:
    """A response as a client of its dialect reads it: `code` (None: it is good), `reason`, `order`, `fields`, `status`."""

    def __init__(self, dialect, version, status, fields, body):
        self.status, self.fields, self.code, self.reason, self.order = status, fields, None, None, None
        if dialect == "rest":
            self.order = json.loads(body)
            if status >= 400:
                self.code, self.reason, self.retryable = (self.order.get(n) for n in ("code", "reason", "retryable"))
            return
        if dialect.startswith("connect"):
            if status == 200:
                self.order = self.read(version, body, dialect == "connect")
            else:
                told = json.loads(body)
                self.code, found = told["code"].upper(), connect_error(told)
                self.take(found)
            return
        if dialect == "grpc-web-text":
            body = b"".join(base64.b64decode(part + b"=" * (-len(part) % 4)) for part in body.replace(b"=", b" ").split())
        while body:
            size = struct.unpack(">I", body[1:5])[0]
            if body[0] & 0x80:
                fields.update(dict(line.split(": ", 1) for line in body[5:5 + size].decode().split("\r\n") if line))
            else:
                self.order = self.read(version, body[5:5 + size], dialect.endswith("json"))
            body = body[5 + size:]
        self.code = CODES[int(fields["grpc-status"])]
        if self.code:
            self.take(details_of(base64.b64decode(fields.get("grpc-status-details-bin", "") + "===")))

    @staticmethod
    def read(version, body, is_json):
        order = MODULES[version].Order()
        return json.loads(body) if is_json else json_format.MessageToDict(order.FromString(body))

    def take(self, details):
        for detail in details:
            if detail["@type"].endswith("google.rpc.ErrorInfo"):
                self.reason, self.retryable = detail["reason"], detail["metadata"].get("retryable") == "true"

    @property
    def id(self):
        return self.order["id"]

    @property
    def replayed(self):
        return self.fields.get("idempotent-replayed") == "true"


def call(gateway, key, dialect="rest", version="v3", order=None, method="Create", client="Bearer ada", raw=None, **fields):
    """`key` None: without one; else the field's value, in quotes if it has none."""
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    if key is not None:
        fields["idempotency-key"] = key if key.startswith('"') or raw else f'"{key}"'
    if client:
        fields["authorization"] = client
    module = MODULES[version]
    if method == "Create":
        path, verb = f"/{version}/orders", "POST"
        message = {"order": ORDERS[version] if order is None else order}
    else:
        path, verb = {"v1": ("/v1/orders/1/status", "POST"), "v3": ("/v3/orders/1/state", "PATCH")}[version]
        message = {"id": "1", **({"status": "SHIPPED"} if version == "v1" else {"state": "DISPATCHED"})}
    if dialect == "rest":
        text = json.dumps(message["order"] if method == "Create" else {n: v for n, v in message.items() if n != "id"}).encode()
    else:
        verb, path = "POST", f"/shop.orders.{version}.Orders/{method}"
        text = json.dumps(message).encode() if MEDIA[dialect].endswith("json") else \
            json_format.ParseDict(message, getattr(module, f"{method}Request")()).SerializeToString()
    if dialect.startswith("grpc"):
        text = struct.pack(">BI", 0, len(text)) + text
    if dialect == "grpc-web-text":
        text = base64.b64encode(text)
    fields["content-type"] = MEDIA[dialect]
    if dialect in ("grpc", "grpc+json"):
        status, head, body, trailers = http2_request(gateway.port, verb, path, [*fields.items(), ("te", "trailers")], text)
        return Told(dialect, version, status, {name: value[0] for name, value in {**head, **trailers}.items()}, body)
    answer = gateway.http(verb, path, text, fields)
    return Told(dialect, version, answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


def http_of(dialect, rest, connect):
    """The HTTP status of an error in that dialect."""
    return rest if dialect == "rest" else connect if dialect.startswith("connect") else 200


# ---- The rules, in every dialect, across versions -----------------------------------------------------------------------

@pytest.mark.parametrize("version", MODULES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_response_comes_again_in_every_dialect_and_version(running, dialect, version):
    gateway, instance = running
    key = next(keys)
    first = call(gateway, key, dialect, version)
    assert first.code is None and not first.replayed and first.fields["passerelle-key-expires"].endswith("GMT")
    for other, later in itertools.product(DIALECTS, MODULES):
        again = call(gateway, key, other, later)
        assert (again.code, again.id, again.replayed) == (None, first.id, True), (other, later)
        assert again.fields["passerelle-key-expires"] == first.fields["passerelle-key-expires"]
        assert again.fields["passerelle-served-version"] == "v3"
        if (other, later) == (dialect, version):
            assert again.order == first.order and again.status == first.status
    assert instance.made[f'"{key}"'] == 1


def test_a_large_request_is_compared_on_the_work_pool(running):
    gateway, instance = running
    key, order = next(keys), {**ORDERS["v1"], "comment": "x" * 100_000}
    ran = gateway.metric("passerelle_work_jobs_total")
    first = call(gateway, key, "rest", "v1", order)
    assert first.code is None
    assert gateway.metric("passerelle_work_jobs_total") > ran
    again = call(gateway, key, "connect", "v1", order)
    assert (again.id, again.replayed) == (first.id, True)
    assert call(gateway, key, "grpc", "v1", {**order, "comment": "x" * 99_999 + "y"}).reason == "IDEMPOTENCY_KEY_REUSED"
    assert instance.made[f'"{key}"'] == 1


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_of_the_instance_comes_again_as_it_was(running, dialect, version):
    gateway, instance = running
    key = next(keys)
    first = call(gateway, key, dialect, version, x_do="9")
    assert first.code == "FAILED_PRECONDITION" and not first.replayed
    for other, later in itertools.product(DIALECTS, ("v1", "v3")):
        again = call(gateway, key, other, later)
        assert (again.code, again.replayed) == ("FAILED_PRECONDITION", True)
        if (other, later) == (dialect, version):
            assert again.status == first.status and again.fields.get("grpc-message") == first.fields.get("grpc-message")
    assert instance.made[f'"{key}"'] == 1


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_without_a_key_is_refused_where_it_is_required(running, dialect, version):
    gateway, instance = running
    n = len(instance.seen)
    told = call(gateway, None, dialect, version)
    assert (told.code, told.reason) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_MISSING")
    assert told.status == http_of(dialect, 400, 400) and len(instance.seen) == n


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_of_another_request_is_refused(running, dialect, version):
    gateway, instance = running
    key = next(keys)
    other = {"v1": {"customer": "bob"}, "v3": {"buyer": {"id": "bob"}, "currency": "EUR"}}
    first = call(gateway, key, dialect, version)
    for later in ("v1", "v3"):
        told = call(gateway, key, dialect, later, order=other[later])
        assert (told.code, told.reason) == ("FAILED_PRECONDITION", "IDEMPOTENCY_KEY_REUSED")
        assert told.status == http_of(dialect, 422, 400)
    assert instance.made[f'"{key}"'] == 1 and call(gateway, key, dialect, version).id == first.id


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_whose_call_is_under_way_is_told_so(running, dialect, version):
    gateway, instance = running
    key, ended = next(keys), []
    first = threading.Thread(target=lambda: ended.append(call(gateway, key, x_do="hold")))
    first.start()
    eventually(lambda: instance.held)
    told = call(gateway, key, dialect, version)
    assert (told.code, told.reason) == ("ABORTED", "IDEMPOTENCY_KEY_IN_USE")
    assert told.status == http_of(dialect, 409, 409) and told.fields["retry-after"] == "1" and told.retryable
    instance.let_go()
    first.join()
    assert call(gateway, key, dialect, version).id == ended[0].id and instance.made[f'"{key}"'] == 1


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_outcome_that_nobody_knows_is_told_so(running, dialect, version):
    gateway, instance = running
    key = next(keys)
    assert call(gateway, key, dialect, version, x_do="reset").reason == "UPSTREAM_RESET"
    told = call(gateway, key, dialect, version)
    assert (told.code, told.reason) == ("ABORTED", "IDEMPOTENCY_OUTCOME_UNKNOWN")
    assert told.status == http_of(dialect, 409, 409) and not told.retryable
    assert instance.seen.count(f'"{key}"') == 1


# ---- What is kept, and what is not ---------------------------------------------------------------------------------------

def test_neither_spelling_nor_order_of_fields_matters(running):
    gateway, _ = running
    key = next(keys)
    first = call(gateway, key, order={"customer": "ada", "street": "x", "items": [{"sku": "a", "quantity": 2}]}, version="v1")
    same = [{"items": [{"quantity": "2", "sku": "a"}], "street": "x", "customer": "ada", "city": "", "totalCents": "0"},
            {"street": "x", "total_cents": 0, "customer": "ada", "items": [{"sku": "a", "quantity": 2.0}], "status": 0}]
    assert [call(gateway, key, order=order, version="v1").id for order in same] == [first.id] * 2
    backwards = v1.Order(customer="ada", street="x", items=[v1.Item(sku="a", quantity=2)])
    parts = [v1.Order(**{name: getattr(backwards, name)}).SerializeToString() for name in ("items", "street", "customer")]
    body = b"".join(parts)
    text = b"\x0a" + bytes([len(body)]) + body
    answer = gateway.http("POST", "/shop.orders.v1.Orders/Create", text, {
        "content-type": "application/proto", "idempotency-key": f'"{key}"', "authorization": "Bearer ada"})
    assert v1.Order.FromString(answer.body).id == first.id
    other = call(gateway, key, order={"customer": "ada", "street": "y", "items": [{"sku": "a", "quantity": 2}]}, version="v1")
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"


def test_what_one_version_cannot_say_still_tells_its_requests_apart(running):
    """`comment` is dropped on the way to v3."""
    gateway, _ = running
    key = next(keys)
    first = call(gateway, key, version="v1", order={**ORDERS["v1"], "comment": "a"})
    assert call(gateway, key, version="v1", order={**ORDERS["v1"], "comment": "b"}).reason == "IDEMPOTENCY_KEY_REUSED"
    assert call(gateway, key, version="v3").id == first.id


def test_a_key_is_a_string_or_one_word(running):
    gateway, instance = running
    key = next(keys)
    first = call(gateway, f'"{key}"')
    assert call(gateway, key, raw=True).id == call(gateway, f'"{key}";a=1').id == first.id
    for dialect, bad in itertools.product(DIALECTS, ('""', '"a', 'a b', '"a"b', '"\\a"', "a,b", '"' + "x" * 256 + '"')):
        told = call(gateway, bad, dialect, raw=True)
        assert (told.code, told.reason) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_MALFORMED"), (dialect, bad)
        assert told.status == http_of(dialect, 400, 400)
    assert call(gateway, "é".encode().decode("latin-1"), raw=True).reason == "IDEMPOTENCY_KEY_MALFORMED"
    assert call(gateway, '"' + "x" * 255 + '"').code is None


def test_each_client_has_its_own_keys_and_nobody_else_has_any(running):
    gateway, instance = running
    key = next(keys)
    ids = {call(gateway, key, client=f"Bearer {name}").id for name in ("ada", "bob")}
    assert len(ids) == 2 and instance.made[f'"{key}"'] == 2
    for dialect in DIALECTS:
        told = call(gateway, key, dialect, client=None)
        assert (told.status, told.reason, told.code) == (http_of(dialect, 401, 401), "IDEMPOTENCY_CLIENT_UNKNOWN", "UNAUTHENTICATED")


def test_clients_are_told_apart_by_what_proves_who_they_are(tmp_path):
    """Without identities in records, header or certificate: API keys do it."""
    made = {name: subprocess.run([BINARY, "key", "make", str(tmp_path / "keys.yaml"), name], capture_output=True, text=True, check=True).stdout.split()[-1]
            for name in ("ada", "bob")}
    config = CONFIG.replace("clients: {recorded: hashed, key: $folder/clients.key}\n",
                            "authentication: [{name: k, api_keys: $folder/keys.yaml}]\nauthorization: {default: allow}\n")
    with Instance() as instance, gateway_of(tmp_path, SQLite(tmp_path).setting, instance, config=config) as gateway:
        told = {(name, n): call(gateway, "mine", client=None, x_api_key=secret) for n in range(2) for name, secret in made.items()}
        assert {name: one.code for name, one in told.items()} == dict.fromkeys(told), {name: one.order for name, one in told.items()}
        assert told["ada", 0].id == told["ada", 1].id != told["bob", 0].id == told["bob", 1].id
        assert [told[name, n].replayed for name in made for n in range(2)] == [False, True] * 2
        assert instance.made['"mine"'] == 2


@pytest.mark.parametrize("does,reason", [("refuse", "UPSTREAM_REFUSED"), ("8", None), ("10", None), ("16", None)])
def test_what_was_not_executed_is_not_kept(running, does, reason):
    gateway, _ = running
    key = next(keys)
    told = call(gateway, key, x_do=does)
    assert told.code and told.reason == reason and "passerelle-key-expires" not in told.fields
    assert call(gateway, key).code is None


def test_a_mistake_in_the_request_leaves_the_key_free(running):
    gateway, instance = running
    key, n = next(keys), len(instance.seen)
    for order in ({"customer": 7}, {"nobody": 1}, {}):
        assert call(gateway, key, version="v1", order=order).status == 400
    assert call(gateway, key, "grpc", version="v1", order={}).code == "INVALID_ARGUMENT"
    assert len(instance.seen) == n and call(gateway, key).code is None


@pytest.mark.parametrize("does", ["1", "4", "14"])
def test_an_error_that_does_not_say_how_far_it_came_leaves_the_outcome_unknown(running, does):
    gateway, instance = running
    key = next(keys)
    assert call(gateway, key, x_do=does).code == CODES[int(does)]
    assert call(gateway, key).reason == "IDEMPOTENCY_OUTCOME_UNKNOWN" and instance.made[f'"{key}"'] == 1


def test_a_large_response_is_given_once_and_told_of_afterwards(running):
    gateway, instance = running
    key = next(keys)
    first = call(gateway, key, "grpc", x_do="large")
    assert first.code is None and len(first.order["giftNote"]) == 4096 and "passerelle-key-expires" not in first.fields
    for dialect in DIALECTS:
        told = call(gateway, key, dialect)
        assert (told.code, told.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_RESPONSE_GONE")
        assert told.status == http_of(dialect, 409, 409)
    assert instance.made[f'"{key}"'] == 1


# ---- Instances that honour keys --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_call_is_made_again_where_its_instances_honour_keys(running, dialect, version):
    gateway, instance = running
    key = next(keys)
    told = call(gateway, key, dialect, version, method="SetStatus", x_do="reset once")
    assert told.code is None and instance.seen.count(f'"{key}"') == 2
    assert call(gateway, key, dialect, version, method="SetStatus").id == told.id
    assert instance.seen.count(f'"{key}"') == 2


def test_an_unknown_outcome_is_asked_for_again_where_instances_honour_keys(running):
    gateway, instance = running
    key = next(keys)
    assert call(gateway, key, method="SetStatus", x_do="reset").reason == "UPSTREAM_RESET"
    told = call(gateway, key, method="SetStatus")
    assert told.code is None and not told.replayed
    assert call(gateway, key, method="SetStatus").id == told.id


def test_without_a_key_a_call_of_an_optional_route_is_an_ordinary_one(running):
    gateway, instance = running
    n = len(instance.seen)
    assert [call(gateway, None, method="SetStatus", client=None).code for _ in range(2)] == [None, None]
    assert len(instance.seen) == n + 2
    assert call(gateway, None, method="SetStatus", x_do="reset").reason == "UPSTREAM_RESET"
    assert len(instance.seen) == n + 3  # and nothing allows to send it again


# ---- What is seen --------------------------------------------------------------------------------------------------------------

def test_log_and_metrics_tell_what_became_of_keys(running):
    gateway, _ = running
    key = next(keys)

    def count(outcome):
        return gateway.metric("passerelle_idempotency_total", outcome=outcome)
    before = {outcome: count(outcome) for outcome in ("first", "replayed", "reused", "missing")}
    first = call(gateway, key)
    again = call(gateway, key)
    call(gateway, key, order={"buyer": {"id": "bob"}, "currency": "EUR"})
    call(gateway, None)
    assert gateway.logged(request_id=first.fields["x-request-id"])["idempotency"] == "first"
    line = gateway.logged(request_id=again.fields["x-request-id"])
    assert line["idempotency"] == "replayed" and not line.get("attempts") and line["served_version"] == "v3"
    assert {outcome: count(outcome) - before[outcome] for outcome in before} == dict.fromkeys(before, 1)
    assert gateway.metric("passerelle_idempotency_ended_total", end="kept") > 0


# ---- Whoever leaves, dies, or comes second ---------------------------------------------------------------------------------

@pytest.mark.parametrize("http", [1, 2])
def test_a_call_goes_on_when_its_client_has_left_and_its_response_is_there_when_it_comes_back(running, http):
    gateway, instance = running
    key = next(keys)
    body = json.dumps(ORDERS["v3"]).encode()
    fields = [("content-type", "application/json"), ("idempotency-key", key), ("authorization", "Bearer ada"), ("x-do", "hold"),
              ("content-length", str(len(body)))]
    n = len([line for line in gateway.log() if line.get("code") == "CANCELLED" and line.get("idempotency") == "first"])
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        if http == 1:
            head = "".join(f"{name}: {value}\r\n" for name, value in fields)
            client.sendall(f"POST /v3/orders HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body)
        else:
            http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
            http2.initiate_connection()
            http2.send_headers(1, [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/v3/orders"), *fields])
            http2.send_data(1, body, end_stream=True)
            client.sendall(http2.data_to_send())
        eventually(lambda: instance.held)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it leaves by a reset
    eventually(lambda: gateway.metric("passerelle_connections") == 0)
    assert call(gateway, key).reason == "IDEMPOTENCY_KEY_IN_USE"
    instance.let_go()
    told = eventually(lambda: (lambda told: told.code is None and told)(call(gateway, key)))
    assert told.replayed
    assert eventually(lambda: [line["http_status"] for line in gateway.log() if line.get("code") == "CANCELLED"
                               and line.get("idempotency") == "first"][n:]) == [499]


def test_of_calls_at_the_same_time_one_is_made(tmp_path, store):  # noqa: F811
    with Instance() as instance, contextlib.ExitStack() as stack:
        shared = isinstance(store, PostgreSQL)
        gateways = [stack.enter_context(gateway_of(tmp_path / node, store.setting, instance, node))
                    for node in (("one", "two") if shared else ("one",))]
        eventually(lambda: all(gateway.metric("passerelle_store_up") for gateway in gateways))
        for _ in range(5):
            key, told = next(keys), []
            threads = [threading.Thread(target=lambda gateway=gateway: told.append(call(gateway, key)))
                       for gateway in gateways * 4]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert instance.made[f'"{key}"'] == 1
            assert {one.reason for one in told} <= {None, "IDEMPOTENCY_KEY_IN_USE"}
            assert len({one.id for one in told if one.code is None}) == 1
            assert {call(gateway, key).id for gateway in gateways} == {one.id for one in told if one.code is None}


def test_a_call_that_runs_is_nobody_elses_whatever_a_second_gateway_of_the_same_name_does(tmp_path, store):  # noqa: F811
    key, told = next(keys), []
    with Instance() as instance, gateway_of(tmp_path / "a", store.setting, instance, timeout="60s") as gateway:
        thread = threading.Thread(target=lambda: told.append(call(gateway, key, x_do="hold")))
        thread.start()
        eventually(lambda: instance.held)
        second = gateway_of(tmp_path / "b", store.setting, instance)
        second.write()
        ended = subprocess.run([BINARY, "run", second.file], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1 and "the name one is taken" in ended.stderr, ended.stderr
        assert {record["state"] for record in asked(gateway, "show", key)["records"]} == {"running"}
        instance.let_go()
        thread.join()
        assert told[0].code is None and instance.made[f'"{key}"'] == 1
        assert call(gateway, key).id == told[0].id


def test_what_a_killed_gateway_has_begun_is_unknown_and_what_it_has_kept_stays(tmp_path, store):  # noqa: F811
    with Instance() as instance:
        gateway = gateway_of(tmp_path, store.setting, instance).start()
        eventually(lambda: gateway.metric("passerelle_store_up"))
        kept, begun, honoured = next(keys), next(keys), next(keys)
        first = call(gateway, kept)
        threads = [threading.Thread(target=lambda key=key, method=method: suppressed(gateway, key, method))
                   for key, method in ((begun, "Create"), (honoured, "SetStatus"))]
        for thread in threads:
            thread.start()
        eventually(lambda: len(instance.held) == 2)
        gateway.process.child.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join()
        gateway.process.kill()
        with gateway_of(tmp_path, store.setting, instance) as later:
            eventually(lambda: later.metric("passerelle_store_up"))
            assert call(later, kept).id == first.id
            told = eventually(lambda: (lambda told: told.reason != "IDEMPOTENCY_KEY_IN_USE" and told)(call(later, begun)), 5)
            assert told.reason == "IDEMPOTENCY_OUTCOME_UNKNOWN" and instance.made[f'"{begun}"'] == 1
            assert call(later, honoured, method="SetStatus").code is None and instance.seen.count(f'"{honoured}"') == 2


def suppressed(gateway, key, method):
    with contextlib.suppress(Exception):
        call(gateway, key, method=method, x_do="hold")


# ---- The store -----------------------------------------------------------------------------------------------------------------

def test_a_store_that_is_locked_for_longer_than_the_call_may_take_is_told_as_that(tmp_path):
    setting = "{sqlite: " + str(tmp_path / "keys.db") + ", time: 5s}"
    with Instance() as instance, gateway_of(tmp_path, setting, instance, timeout="300ms") as gateway:
        assert call(gateway, next(keys)).code is None
        n = len(instance.seen)
        with contextlib.closing(sqlite3.connect(tmp_path / "keys.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            told = call(gateway, next(keys))
            assert (told.code, told.reason, told.retryable) == ("UNAVAILABLE", "IDEMPOTENCY_STORE_DOWN", True)
            other.execute("ROLLBACK")
        assert len(instance.seen) == n


def test_without_the_store_calls_with_keys_are_refused_or_made_as_the_route_says(tmp_path, server):  # noqa: F811
    config = CONFIG.replace("honoured: true", "store_down: proceed")
    with Instance() as instance, gateway_of(
            tmp_path, server.setting.replace("{", "{time: 500ms, "), instance, config=config, timeout="3s") as gateway:
        eventually(lambda: gateway.metric("passerelle_store_up"))
        key, ended = next(keys), []
        first = threading.Thread(target=lambda: ended.append(call(gateway, key, x_do="hold")))
        first.start()
        eventually(lambda: instance.held)
        server.stop(signal.SIGKILL)
        instance.let_go()
        first.join()
        assert (ended[0].status, ended[0].reason) == (503, "IDEMPOTENCY_NOT_KEPT")
        n = len(instance.seen)
        for dialect in DIALECTS:
            told = call(gateway, next(keys), dialect)
            assert (told.code, told.reason, told.retryable) == ("UNAVAILABLE", "IDEMPOTENCY_STORE_DOWN", True)
            assert told.status == http_of(dialect, 503, 503)
        assert len(instance.seen) == n
        told = call(gateway, next(keys), method="SetStatus")
        assert told.code is None and "passerelle-key-expires" not in told.fields
        assert gateway.logged(request_id=told.fields["x-request-id"])["idempotency"] == "unprotected"
        server.start()
        eventually(lambda: gateway.metric("passerelle_store_up"))
        told = eventually(lambda: (lambda told: told.reason != "IDEMPOTENCY_KEY_IN_USE" and told)(call(gateway, key)), timeout=30)
        assert told.reason in (None, "IDEMPOTENCY_OUTCOME_UNKNOWN") and instance.made[f'"{key}"'] == 1


def test_what_is_kept_is_sealed_and_goes_with_its_client(tmp_path):
    (tmp_path / "store.key").write_text("1" * 64)
    (tmp_path / "store.key").chmod(0o600)
    config = CONFIG.replace("clients: {", "identity_header: x-client\nidentity: {tenant_header: x-tenant}\nclients: {").replace(
        "'127.0.0.1:$port'", "'127.0.0.1:$port', trusted_proxies: [127.0.0.1]")
    setting = f"{{sqlite: {tmp_path}/store.db, keys: [{{id: one, file: {tmp_path}/store.key}}]}}"
    with Instance() as instance, gateway_of(tmp_path, setting, instance, config=config) as gateway:
        key = next(keys)
        first = call(gateway, key, client="Bearer one", x_client="zebra", x_tenant="a")
        assert call(gateway, key, client="Bearer two", x_client="zebra", x_tenant="a").id == first.id  # the name is what counts,
        other = call(gateway, key, x_client="zebra", x_tenant="b")  # and whose it is
        third = call(gateway, key, x_client="yucca", x_tenant="a")
        assert len({first.id, other.id, third.id}) == 3
        text = (tmp_path / "store.db").read_bytes() + (tmp_path / "store.db-wal").read_bytes()
        for secret in (first.id, key, "zebra", "EUR", "Bearer"):
            assert secret.encode() not in text
        done = subprocess.run([BINARY, "client", "forget", "zebra", "--json"], capture_output=True, text=True, timeout=60,
                              check=True, env={**os.environ, "PASSERELLE_ADMIN": f"unix:{tmp_path}/admin.sock"})
        assert json.loads(done.stdout)["records"] == 2
        assert call(gateway, key, x_client="yucca", x_tenant="a").id == third.id
        assert call(gateway, key, x_client="zebra", x_tenant="a").id not in {first.id, other.id, third.id}


def asked(gateway, *words, code=0):
    done = command(gateway, "idempotency", *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def test_operators_see_what_is_kept_of_a_key_and_forget_what_nobody_knows(tmp_path):
    config = CONFIG.replace("clients: {", "identity_header: x-client\nledger: {redact: [buyer]}\nclients: {").replace(
        "'127.0.0.1:$port'", "'127.0.0.1:$port', trusted_proxies: [127.0.0.1]")
    with Instance() as instance, gateway_of(tmp_path, SQLite(tmp_path).setting, instance, config=config) as gateway:
        key = next(keys)
        first = call(gateway, key, "connect", "v1", x_client="zebra")
        kept, = asked(gateway, "show", key)["records"]
        assert (kept["state"], kept["node"], kept["method"], kept["version"]) == ("done", "one", "/shop.orders.v1.Orders/Create", "v1")
        assert "zebra" not in json.dumps(kept) and kept["since"] < kept["expires"] and "until" not in kept
        assert set(kept["fingerprints"]) == {"v1", "v3"} and all(len(head) == 16 for head in kept["fingerprints"].values())
        assert (kept["served_version"], kept["code"], kept["response"]["id"]) == ("v3", "OK", first.id)
        assert kept["response"]["buyer"] == "redacted"
        assert asked(gateway, "show", key, "--client", "zebra")["records"] == [kept]
        assert "there is no record of this key" in asked(gateway, "show", key, "--client", "yucca", code=1)
        assert "IDEMPOTENCY_UNFIT: its call was done" in asked(gateway, "forget", key, code=1)
        assert first.id in command(gateway, "idempotency", "show", key).stdout
        error = next(keys)
        call(gateway, error, x_client="zebra", x_do="3")
        told, = asked(gateway, "show", error)["records"]
        assert told["code"] == "INVALID_ARGUMENT" and told["message"].startswith("error ") and "response" not in told

        running = next(keys)
        thread = threading.Thread(target=lambda: call(gateway, running, x_client="zebra", x_do="hold"))
        thread.start()
        eventually(lambda: instance.held)
        told, = asked(gateway, "show", running)["records"]
        assert told["state"] == "running" and told["since"] < told["until"] < told["expires"]
        assert "its call is under way" in asked(gateway, "forget", running, code=1)
        instance.let_go()
        thread.join()

        lost = next(keys)
        for client in ("zebra", "yucca"):
            assert call(gateway, lost, x_client=client, x_do="reset").code
        assert {told["state"] for told in asked(gateway, "show", lost)["records"]} == {"unknown"}
        assert "several clients have used this key" in asked(gateway, "forget", lost, code=1)
        assert asked(gateway, "forget", lost, "--client", "zebra", "--why", "there is no such order") == {
            "action": "idempotency_forget", "key": lost, "records": 1}
        assert call(gateway, lost, x_client="zebra").code is None
        assert call(gateway, lost, x_client="yucca").reason == "IDEMPOTENCY_OUTCOME_UNKNOWN"
        audited = [entry for entry in entries(gateway) if entry["action"] == "idempotency_forget"]
        assert [(entry["why"], entry["result"]) for entry in audited] == [
            (f"{lost}: there is no such order", "done"), (lost, "IDEMPOTENCY_UNFIT"),
            (running, "IDEMPOTENCY_UNFIT"), (key, "IDEMPOTENCY_UNFIT")]
        for words in (["show"], ["paint", key], ["show", key, "more"], ["show", ""]):
            assert command(gateway, "idempotency", *words).returncode == 2


def test_what_is_kept_survives_a_new_version_and_says_so_when_its_own_is_gone(tmp_path):
    versions = "      - {name: v3, package: shop.orders.v3, schema: $orders}\n"
    old = CONFIG.replace(versions, "").replace(", $shop/orders-v2-v3.yaml", "").replace("versions: [v3]", "versions: [v1]")
    third = CONFIG.replace("      - {name: v1, package: shop.orders.v1, schema: $orders}\n"
                           "      - {name: v2, package: shop.orders.v2, schema: $orders}\n", "").replace(
        "    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]\n", "")

    def reload(config):
        n = gateway.metric("passerelle_config_generation")
        gateway.write(config)
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") != n)
    with Instance() as instance:
        instance.order = v1.Order(id="order-of-v1", customer="ada")
        with gateway_of(tmp_path, SQLite(tmp_path).setting, instance, config=old) as gateway:
            key = next(keys)
            assert call(gateway, key, version="v1").id == "order-of-v1"
            reload(CONFIG)
            for version in MODULES:
                told = call(gateway, key, version=version)
                assert (told.code, told.replayed, told.order.get("id")) == (None, True, "order-of-v1"), (version, told.order)
            assert call(gateway, key, version="v3", order={"buyer": {"id": "bob"}, "currency": "EUR"}).reason == \
                "IDEMPOTENCY_KEY_REUSED"
            reload(third)
            assert call(gateway, key, version="v3").reason == "IDEMPOTENCY_OUTCOME_UNKNOWN"
            assert len(instance.seen) == 1


class Library(http.server.BaseHTTPRequestHandler):
    """An instance that speaks REST: each order is a 201."""
    protocol_version = "HTTP/1.1"
    made = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.made.append(self.headers["idempotency-key"])
        body = json.dumps({"id": f"order-{len(self.made)}", "buyer": {"id": "ada"}, "currency": "EUR"}).encode()
        self.send_response(201)
        for name, value in (("content-type", "application/json"), ("content-length", len(body)), ("location", "/v3/orders/1")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_the_response_of_a_rest_instance_comes_again_with_its_status_and_fields(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Library) as server_, contextlib.ExitStack() as stack:
        threading.Thread(target=server_.serve_forever, daemon=True).start()
        stack.callback(server_.shutdown)
        config = CONFIG.replace("protocol: grpc", "protocol: rest").replace("$instance", str(server_.server_port))
        with Instance() as unused, gateway_of(tmp_path, SQLite(tmp_path).setting, unused, config=config) as gateway:
            key = next(keys)
            first = call(gateway, key)
            again = call(gateway, key)
            assert first.status == again.status == 201 and first.order == again.order
            assert again.fields["location"] == "/v3/orders/1" and again.replayed
            for dialect, version in itertools.product(DIALECTS, MODULES):
                assert call(gateway, key, dialect, version).id == first.id
            assert Library.made == [f'"{key}"']


# ---- What cannot be promised is a mistake of the config ----------------------------------------------------------------------

def test_what_explain_tells_of_keys(running):
    gateway, _ = running

    def explained(method, *more):
        return subprocess.run([BINARY, "explain", gateway.file, "POST", f"/shop.orders.v3.Orders/{method}", *more],
                              capture_output=True, text=True, timeout=60).stdout
    assert "key       required; the response is kept for 24h\n" in explained("Create")
    assert json.loads(explained("SetStatus", "--json"))["idempotency"] == {
        "required": False, "keep_ms": 86400000, "honoured": True, "response_bytes": 1048576, "store_down": "refuse"}
    assert "idempotency" not in json.loads(explained("Get", "--json"))


@pytest.mark.parametrize("old,new,reason,hint", [
    ("store: $store\n", "", "there is none", "store: {sqlite: /var/lib/passerelle/store.db}"),
    ("clients: {recorded: hashed, key: $folder/clients.key}\n", "", "nothing tells clients apart", "identity_header"),
    ("key: required, ", "key: required, keep: 60d, ", "no longer than clients.retention says", "a longer clients.retention"),
    ("key: required, ", "", "the key key is missing", None),
    ("Orders/Create, idem", "Orders/Get, idem", "matches no method with side effects", "leave it out"),
    ("Orders/Create, idem", "Orders/Watch, idem", "matches no method with side effects", "leave it out"),
    ("orders.Orders/Create, idem", "/legacy/, instances: [{address: '127.0.0.1:9'}], idem", "no two requests can be compared", None),
    ("orders.Orders/Create, idem", "orders.Orders/Create, on_failure: {graceful: {skip: true, writes: true}}, idem",
     "taken for that of the key", "leave out writes: true"),
    ("timeout: $timeout, ", "", "nobody knows when the call", "timeout: 30s"),
])
def test_a_promise_that_cannot_be_kept_is_a_mistake_of_the_config(tmp_path, old, new, reason, hint):
    assert old in CONFIG
    more = "limits: {call_time: 0s}\n" if "timeout" in old else ""
    with Instance() as instance:
        checked = gateway_of(tmp_path, SQLite(tmp_path).setting, instance, config=CONFIG.replace(old, new) + more).check()
    assert checked.returncode == 1
    told = checked.stdout + checked.stderr
    assert reason in told and (hint or "") in told, told
