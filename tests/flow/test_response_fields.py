"""Only the fields that a route lists leave the gateway: in all dialects and versions, and past no detour."""
import base64
import json
import re
import struct
import subprocess
from concurrent import futures

import grpc
import pytest
from backends import v1, v2, v3
from gateway import BINARY, ROOT, Gateway
from http2_client import http2_request
from processes import eventually, free_port

SERVICES = """
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
  - name: pages
    versions:
      - name: v1
        package: pages.v1
        schema: $pages
        compose:
          - {method: Pages/Get, legs: [{name: order, method: orders.Orders/Get, version: v3, request: {id: request.id}, response: {order: .}}]}
"""
JOBS = """
jobs:
  - method: orders.Orders/Create
    version: v3
    answer: {id: steps.make.id, buyer: request.order.buyer, gift_note: job.id, currency: job.state}
    steps: [{name: make, method: orders.Orders/Create, version: v3, request: {order: request.order}, idempotency: key}]
"""
FIELDS = """[id, {path: city, version: [v1]}, {path: items.sku, version: [v1]}, {path: shipping.city, version: [v2]},
        {path: items.sku, version: [v2]}, {path: delivery.address.city, version: [v3]}, {path: lines.sku, version: [v3]}]"""
CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
clients: {recorded: hashed, key: $folder/key}
store: {sqlite: $folder/store.db, jobs: {look: 50ms}}
""" + SERVICES + JOBS + """
routes:
  - {match: orders, response_fields: ["*"]}
  - {match: orders.Orders/Get, response_fields: $fields, on_failure: {graceful: {stale: {for: 10m, public: true}}}, attempts: 1}
  - {match: orders.Orders/Watch, response_fields: $fields}
  - {match: orders.Orders/SetStatus, response_fields: [id], response_details: [shop.orders.v3.Line]}
  - {match: orders.Orders/Create, response_fields: [id, {path: gift_note, version: [v3]}], timeout: 5s}
"""
PAGES = """syntax = "proto3"; package pages.v1; import "shop/orders/v3/orders.proto"; import "google/api/annotations.proto";
message Ask { string id = 1; }
message Page { shop.orders.v3.Order order = 1; }
service Pages { rpc Get(Ask) returns (Page) { option idempotency_level = NO_SIDE_EFFECTS; option (google.api.http) = {get: "/pages/{id}"}; } }
"""

WHOLE = v3.Order(id="o1", buyer=v3.Buyer(id="ada"), currency="EUR", total=v3.Money(units=5), gift_note="secret", state=v3.PAID,
                 lines=[v3.Line(sku="teapot", quantity=2, gift=True), v3.Line(sku="cup", quantity=1)],
                 delivery=v3.Delivery(express=True, address=v3.Address(street="1 Kirkgate", city="Leeds", postal_code="LS1")))
UNKNOWN = b"\xfa\x3e\x06hidden"  # field 1007 of whatever it is in
LEFT = {
    "v1": v1.Order(id="o1", city="Leeds", items=[v1.Item(sku="teapot"), v1.Item(sku="cup")]),
    "v2": v2.Order(id="o1", shipping=v2.Address(city="Leeds"), items=[v2.Item(sku="teapot"), v2.Item(sku="cup")]),
    "v3": v3.Order(id="o1", delivery=v3.Delivery(address=v3.Address(city="Leeds")), lines=[v3.Line(sku="teapot"), v3.Line(sku="cup")]),
}
LEFT_JSON = {
    "v1": {"id": "o1", "city": "Leeds", "items": [{"sku": "teapot"}, {"sku": "cup"}]},
    "v2": {"id": "o1", "shipping": {"city": "Leeds"}, "items": [{"sku": "teapot"}, {"sku": "cup"}]},
    "v3": {"id": "o1", "delivery": {"address": {"city": "Leeds"}}, "lines": [{"sku": "teapot"}, {"sku": "cup"}]},
}
ASK = b"\x0a\x02o1"


def any_of(name, message):
    return b"\x1a" + field(b"\x0a" + field(b"type.googleapis.com/" + name.encode()) + b"\x12" + field(message))


def field(value):
    return bytes([len(value)]) + value


DETAILS = {"google.rpc.ErrorInfo": b"\n\x04GONE", "google.rpc.DebugInfo": b"\x12\x05stack", "shop.orders.v3.Line": b"\x0a\x03sku",
           "shop.orders.v3.Buyer": b"\x0a\x03ada"}


class OrdersServer:
    """Answers with all that an order has, and more than its schema knows; compressed, where the gateway takes that."""

    def __init__(self):
        self.port = free_port()
        methods = {name: grpc.unary_unary_rpc_method_handler(self.get) for name in ("Get", "Create")}
        methods["Watch"] = grpc.unary_stream_rpc_method_handler(self.watch)
        methods["SetStatus"] = methods["ListRecommendations"] = grpc.unary_unary_rpc_method_handler(self.refuse)
        self.server = grpc.server(futures.ThreadPoolExecutor(8), compression=grpc.Compression.Gzip)
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("shop.orders.v3.Orders", methods)])
        assert self.server.add_insecure_port(f"127.0.0.1:{self.port}") == self.port
        self.server.start()

    def get(self, request, context):
        line = b"\x22" + field(v3.Line(sku="cup", quantity=1).SerializeToString() + UNKNOWN)
        order = v3.Order()
        order.CopyFrom(WHOLE)
        del order.lines[1]
        return order.SerializeToString() + line + UNKNOWN

    def watch(self, request, context):
        yield from [self.get(request, context)] * 3

    def refuse(self, request, context):
        details = b"\x08\x05" + b"".join(any_of(name, message) for name, message in DETAILS.items())
        context.set_trailing_metadata([("grpc-status-details-bin", details)])
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    (folder / "pages.proto").write_text(PAGES)
    (folder / "key").write_text("00" * 32)
    (folder / "key").chmod(0o600)
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={folder}/pages.binpb", "pages.proto"], check=True)
    return folder


@pytest.fixture(scope="module")
def server():
    server = OrdersServer()
    yield server
    server.server.stop(None)


@pytest.fixture(scope="module")
def gateway(made, server):
    with Gateway(made, CONFIG, instance=server.port, fields=FIELDS, pages=made / "pages.binpb") as gateway:
        yield gateway


def framed(body):
    return struct.pack(">BI", 0, len(body)) + body


def frames(body):
    found = []
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        if not flags & 0x80:
            found.append(body[5:5 + size])
        body = body[5 + size:]
    return found


def by_grpc(gateway, version, method, media="application/grpc"):
    ask = ASK if media == "application/grpc" else b'{"id": "o1"}'
    told = http2_request(gateway.port, "POST", f"/shop.orders.{version}.Orders/{method}",
                         [("content-type", media), ("te", "trailers"), ("grpc-accept-encoding", "identity")], framed(ask))
    return frames(told[2])


def post(gateway, path, media, body):
    answer = gateway.http("POST", path, body, {"content-type": media})
    assert answer.status == 200, answer.body
    return answer.body


DIALECTS = {
    "grpc": lambda gateway, version: by_grpc(gateway, version, "Get"),
    "grpc of JSON": lambda gateway, version: by_grpc(gateway, version, "Get", "application/grpc+json"),
    "grpc-web": lambda gateway, version: frames(post(
        gateway, f"/shop.orders.{version}.Orders/Get", "application/grpc-web+proto", framed(ASK))),
    "connect": lambda gateway, version: [post(gateway, f"/shop.orders.{version}.Orders/Get", "application/proto", ASK)],
    "connect of JSON": lambda gateway, version: [post(gateway, f"/shop.orders.{version}.Orders/Get", "application/json", b'{"id": "o1"}')],
    "rest": lambda gateway, version: [gateway.http("GET", f"/{version}/orders/o1").body],
    "a stream of grpc": lambda gateway, version: by_grpc(gateway, version, "Watch"),
    "a stream of grpc-web": lambda gateway, version: frames(post(
        gateway, f"/shop.orders.{version}.Orders/Watch", "application/grpc-web+proto", framed(ASK))),
    "a stream of connect": lambda gateway, version: frames(post(
        gateway, f"/shop.orders.{version}.Orders/Watch", "application/connect+proto", framed(ASK)))[:3],
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_what_is_listed_leaves(gateway, dialect):
    for version, left in LEFT.items():
        messages = DIALECTS[dialect](gateway, version)
        assert len(messages) == (3 if "stream" in dialect else 1)
        for message in messages:
            if message[:1] == b"{":
                assert json.loads(message) == LEFT_JSON[version]
            else:
                assert type(left).FromString(message) == left
                assert len(message) == len(left.SerializeToString()), "there is more than the schema knows"


def test_what_a_message_shown_in_part_loses_is_not_told(gateway):
    """`gift_note` and `Line.gift`, which v1 does not have: that they are lost would tell that they are there."""
    for version in LEFT:
        assert gateway.http("GET", f"/{version}/orders/o1").headers["passerelle-lost"] is None
    told = [line for line in gateway.log() if line.get("path") == "/v1/orders/o1"]
    assert told and not any(line.get("losses") for line in told)


def test_a_star_drops_what_the_schema_does_not_have(gateway):
    assert gateway.http("GET", "/v3/recommendations").status == 404  # it is under the star, too: its error goes on below
    told = gateway.http("GET", "/v3/orders/o1").json
    assert "giftNote" not in told


def test_a_composed_response_has_of_a_leg_only_what_its_route_lists(gateway):
    assert gateway.http("GET", "/pages/o1").json == {"order": LEFT_JSON["v3"]}


def test_a_job_shows_what_its_route_lists_as_a_response_and_as_an_operation(gateway):
    begun = gateway.http("POST", "/v3/orders", {"buyer": {"id": "ada"}, "currency": "EUR"}, {"authorization": "Bearer ada"})
    assert begun.status in (200, 202) and set(begun.json) <= {"id", "giftNote"}, begun.body
    name = f"operations/{begun.json['giftNote']}"

    def operation():
        told = gateway.http("GET", f"/v1/{name}", headers={"authorization": "Bearer ada"})
        return told.json if told.json.get("done") else None
    told = eventually(operation)
    assert {key: value for key, value in told.get("response", told).items() if key != "@type"} == {"id": "o1"}  # in v1


def names_of(body):
    return {name for name in DETAILS if name.encode() in body}


def test_of_error_details_those_of_google_and_those_listed_leave(gateway):
    for method, left in (("SetStatus", {"google.rpc.ErrorInfo", "shop.orders.v3.Line"}), ("ListRecommendations", {"google.rpc.ErrorInfo"})):
        path = f"/shop.orders.v3.Orders/{method}"
        _, head, _, trailers = http2_request(gateway.port, "POST", path, [("content-type", "application/grpc"), ("te", "trailers")], framed(b""))
        details = {**head, **trailers}["grpc-status-details-bin"][0]
        assert names_of(base64.b64decode(details + "===")) == left
        assert names_of(gateway.http("POST", path, b"", {"content-type": "application/proto"}).body) == left
        told = gateway.http("POST", path, framed(b""), {"content-type": "application/grpc-web+proto"})
        web = re.search(rb"grpc-status-details-bin: *(\S+)", told.body)[1] if b"details" in told.body else told.headers["grpc-status-details-bin"].encode()
        assert names_of(base64.b64decode(web + b"===")) == left
    assert names_of(gateway.http("GET", "/v3/recommendations").body) == {"google.rpc.ErrorInfo"}


def test_what_was_kept_is_not_given_after_the_list_has_changed(made, server):
    folder = made / "kept"
    folder.mkdir()
    config = re.sub(r"clients:.*\n|store:.*\n|jobs:\n(.*\n)*?(?=routes)", "", CONFIG)
    with Gateway(folder, config, instance=server.port, fields=FIELDS, pages=made / "pages.binpb") as gateway:
        assert gateway.http("GET", "/v3/orders/o1").json == LEFT_JSON["v3"]
        gateway.write(instance=free_port())
        gateway.reload()
        eventually(lambda: gateway.events("config_loaded"))
        stale = gateway.http("GET", "/v3/orders/o1")
        assert (stale.status, stale.json) == (200, LEFT_JSON["v3"]) and "stale" in stale.headers["passerelle-degraded"]
        gateway.write(fields="[id]")
        gateway.reload()
        eventually(lambda: gateway.events("config_loaded")[1:])
        assert gateway.http("GET", "/v3/orders/o1").status == 503


# ---- What is wrong with a list ---------------------------------------------------------------------------------------

ROUTES = CONFIG[:CONFIG.index("routes:")] + "routes: [ROUTE]\n"


@pytest.mark.parametrize("route,told", [
    ("{match: orders.Orders/Get, response_fields: [nothing]}", 'shop.orders.v1.Order, of the response of /shop.orders.v1.Orders/Get in v1, has no field "nothing"'),
    ("{match: orders.Orders/Get, response_fields: [id, {path: idd, version: [v3]}]}", "did you mean id?"),
    ("{match: orders.Orders/Get, response_fields: [customer]}", "in v2, has no field \"customer\""),
    ("{match: orders.Orders/Get, response_fields: [id.x]}", "shop.orders.v1.Order.id, of the response of /shop.orders.v1.Orders/Get in v1, has no fields to choose from"),
    ("{match: orders.Orders/Get, response_fields: [{path: id, version: [v1, v2]}]}", "no entry applies to v3"),
    ("{match: orders.Orders/Get, response_fields: [id, {path: id, version: [v4]}]}", "orders has no version v4"),
    ("{match: orders.Orders/Get, response_fields: []}", "an empty list is as if it were not there: it hides nothing"),
    ("{match: orders, response_fields: [id]}", "shop.orders.v1.ListResponse"),
    ("{match: orders.Orders/Get, response_details: [shop.orders.v3.Line]}", "without response_fields all details of errors leave"),
    ("{match: orders.Orders/Get, response_fields: [id], response_details: [shop.Line]}", "no version of orders has a message shop.Line"),
    ("{match: /raw/, response_fields: [id], instances: ['127.0.0.1:1']}", "what passes through a path prefix is not read"),
    ("{match: orders.Orders/Create, response_fields: [{path: id, version: [v1]}, {path: currency, version: [v2, v3]}]}", "id of the response of /shop.orders.v3.Orders/Create is hidden by response_fields"),
])
def test_what_is_wrong_is_told(made, route, told):
    folder = made / "wrong"
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text("00" * 32)
    done = Gateway(folder, ROUTES.replace("ROUTE", route), instance=1, pages=made / "pages.binpb").check()
    assert done.returncode == 1 and told in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_word_that_no_response_has_is_one_mistake(made):
    folder = made / "wrong"
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text("00" * 32)
    for entry, said, hint in (("idd", 'has no field "idd"; nor does it fit ', "did you mean id?"),
                              ("{path: buyer.idd, version: [v3]}", 'shop.orders.v3.Buyer, of the response of /shop.orders.v3.Orders/', "did you mean id?")):
        route = "{match: orders, response_fields: [%s]}" % entry
        done = Gateway(folder, ROUTES.replace("ROUTE", route), instance=1, pages=made / "pages.binpb").check()
        told = [line for line in (done.stdout + done.stderr).splitlines() if "response_fields[0]" in line]
        assert done.returncode == 1 and len(told) == 1 and said in told[0] and hint in told[0], told


def test_explain_tells_what_is_hidden_of_a_call(gateway):
    def explained(*words):
        return subprocess.run([BINARY, "explain", gateway.file, *words], capture_output=True, text=True, timeout=60).stdout
    for version, hidden in (("v1", "customer"), ("v3", "buyer")):
        told = json.loads(explained("GET", f"/{version}/orders/1", "--json"))["hidden"].split(", ")
        assert hidden in told and "id" not in told
        assert f"hidden    {', '.join(told)}\n" in explained("GET", f"/{version}/orders/1")
    assert "hidden    what the schema does not have\n" in explained("GET", "/v3/orders")
