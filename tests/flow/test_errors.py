"""What errors carry: details in the client's version and codec, from instances of every protocol."""
import base64
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from backends import client, v1, v2, v3
from gateway import ORDERS, Gateway
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct
from google.rpc import status_pb2 as rpc
from processes import ROOT, Process, free_port

TYPES = "type.googleapis.com/"


def packed(message):
    detail = Any()
    detail.Pack(message)
    return detail


def violations(*fields):
    return rpc.BadRequest(field_violations=[
        rpc.BadRequest.FieldViolation(field=field, description="wrong") for field in fields])


def told_details(error):
    """The details of a grpcio error, by google.rpc.Status."""
    data = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = rpc.Status.FromString(data)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return list(status.details)


def wish(code, *details):
    """Metadata that makes a backend fail with these details, behind an ErrorInfo."""
    return [("shop-fail", code), *[("shop-detail-bin", detail.SerializeToString()) for detail in details]]


def wish_fields(code, *details):
    """The same as HTTP fields."""
    values = [base64.b64encode(detail.SerializeToString()).decode() for detail in details]
    return {"shop-fail": code, **({"shop-detail-bin": ",".join(values)} if values else {})}


def fail(stub, request, *details, code="FAILED_PRECONDITION"):
    with pytest.raises(grpc.RpcError) as caught:
        stub(request, metadata=wish(code, *details))
    return caught.value


V3_ORDER = v3.Order(id="7", buyer=v3.Buyer(id="ada"), currency="EUR", state=v3.PLACED,
                    total=v3.Money(units=1, nanos=990_000_000), lines=[v3.Line(sku="mug", quantity=2)])
V1_ORDER = v1.Order(id="7", customer="ada", status=v1.PENDING, total_cents=199,
                    items=[v1.Item(sku="mug", quantity=2)])


# ---- From a gRPC instance --------------------------------------------------------------------------


def test_a_detail_of_the_instances_version_becomes_one_of_the_clients(shop):
    error = fail(shop.client("v1").Get, v1.GetRequest(id="7"), packed(V3_ORDER))
    info, order = told_details(error)
    assert info.Is(rpc.ErrorInfo.DESCRIPTOR)
    assert order.type_url == TYPES + "shop.orders.v1.Order"
    assert v1.Order.FromString(order.value) == V1_ORDER


def test_and_an_older_instances_one_of_a_newer_clients(run_shop):
    shop = run_shop("v1")
    error = fail(shop.client("v3").Get, v3.GetRequest(id="7"), packed(v1.Order(customer="ada", comment="x")))
    order = told_details(error)[1]
    assert order.type_url == TYPES + "shop.orders.v3.Order"
    assert v3.Order.FromString(order.value) == v3.Order(buyer=v3.Buyer(id="ada"), currency="EUR")
    marks = dict([*error.initial_metadata(), *error.trailing_metadata()])
    assert "Order.comment" in marks["passerelle-lost"]


def test_details_that_need_no_other_version_go_on_byte_for_byte(shop):
    wished = [packed(V3_ORDER), Any(type_url="t.example/nobody.Knows", value=b"\xff\xfe\x00")]
    error = fail(shop.client("v3").Get, v3.GetRequest(id="7"), *wished)
    assert told_details(error)[1:] == wished


def test_a_detail_of_unknown_type_is_kept_as_its_bytes_in_every_dialect(shop):
    unknown = Any(type_url="t.example/nobody.Knows", value=b"\xff\xfe\x00")
    assert told_details(fail(shop.client("v1").Get, v1.GetRequest(id="7"), unknown))[1] == unknown
    fields = wish_fields("ABORTED", unknown)
    connect = shop.http("POST", "/shop.orders.v1.Orders/Get", {"id": "7"}, fields)
    assert connect.status == 409
    assert connect.json["details"][1] == {"type": "nobody.Knows", "value": "//4A"}
    rest = shop.http("GET", "/v1/orders/7", headers=fields)
    assert rest.status == 409
    assert rest.json["details"][1] == {"@type": "t.example/nobody.Knows", "value": "//4A"}


def test_a_loud_loss_in_a_detail_does_not_cost_the_error(run_shop):
    shop = run_shop("v3")
    cancelled = packed(v3.Order(id="7", state=v3.CANCELLED))  # v1 has no word for it, and says so loudly
    error = fail(shop.client("v1").Get, v1.GetRequest(id="7"), cancelled, packed(V3_ORDER))
    assert (error.code().name, error.details()) == ("FAILED_PRECONDITION", "as the caller wished")
    details = told_details(error)
    assert details[1] == cancelled and details[2].type_url == TYPES + "shop.orders.v1.Order"
    assert shop.gateway.metric("passerelle_error_details_unconverted_total") == 1
    line = shop.gateway.logged(code="FAILED_PRECONDITION")
    assert line["detail_causes"][0]["fault"] == "UPSTREAM_CONVERT"
    assert "shop.orders.v3.Order" in line["detail_causes"][0]["doing"]
    assert line["detail_causes"][-1]["fault"] == "CANNOT_CONVERT"
    marks = dict([*error.initial_metadata(), *error.trailing_metadata()])
    assert "shop.orders.v3.Order" in marks["passerelle-lost"]


def test_a_malformed_detail_does_not_cost_the_error(shop):
    bad = Any(type_url=TYPES + "shop.orders.v3.Order", value=b"\x0a\x7f")
    error = fail(shop.client("v1").Get, v1.GetRequest(id="7"), bad)
    assert error.code().name == "FAILED_PRECONDITION"
    answer = shop.http("GET", "/v1/orders/7", headers=wish_fields("NOT_FOUND", bad))
    assert answer.status == 404 and answer.json["code"] == "NOT_FOUND"


def test_the_fields_of_a_bad_request_are_the_clients(shop):
    wrong = packed(violations("order.buyer.id", "order.lines[3].sku", "order.delivery.address.postal_code",
                              "order.total", "order.giftNote", "no.such.field"))
    error = fail(shop.client("v1").Create, v1.CreateRequest(order=V1_ORDER), wrong, code="INVALID_ARGUMENT")
    told = rpc.BadRequest.FromString(told_details(error)[1].value)
    assert [violation.field for violation in told.field_violations] == [
        "order.customer", "order.items[3].sku", "order.zip", "order.total_cents", "order.giftNote",
        "no.such.field"]
    assert {violation.description for violation in told.field_violations} == {"wrong"}


def test_a_rest_client_reads_details_as_json(shop):
    wished = wish_fields("INVALID_ARGUMENT", packed(V3_ORDER), packed(violations("order.buyer.id")))
    answer = shop.http("POST", "/v1/orders", {"customer": "ada"}, wished)
    assert answer.status == 400 and answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert (problem["code"], problem["reason"], problem["detail"]) == (
        "INVALID_ARGUMENT", "AS_YOU_WISH", "as the caller wished")
    info, order, request = problem["details"]
    assert info == {"@type": TYPES + "google.rpc.ErrorInfo", "reason": "AS_YOU_WISH", "domain": "shop.example"}
    assert order == {"@type": TYPES + "shop.orders.v1.Order", "id": "7", "customer": "ada", "status": "PENDING",
                     "totalCents": "199", "items": [{"sku": "mug", "quantity": 2}]}
    assert request["fieldViolations"] == [{"field": "order.customer", "description": "wrong"}]


def test_a_failing_stream_has_its_details_in_its_last_item(shop):
    wished = {**wish_fields("DATA_LOSS", packed(V3_ORDER)), "Accept": "application/x-ndjson"}
    answer = shop.http("GET", "/v1/orders/7/watch", headers=wished)
    last = json.loads(answer.body.splitlines()[-1])
    problem = last["error"] if answer.status == 200 else last
    assert problem["details"][1]["@type"] == TYPES + "shop.orders.v1.Order"
    connect = shop.http("POST", "/shop.orders.v1.Orders/Watch", b"\0\0\0\0\2{}",
                        {**wish_fields("DATA_LOSS", packed(V3_ORDER)), "Content-Type": "application/connect+json"})
    end = json.loads(connect.body[5:])
    assert connect.body[0] == 2 and end["error"]["code"] == "data_loss"
    assert end["error"]["details"][1]["type"] == "shop.orders.v1.Order"


@pytest.mark.parametrize("kind", ["connect-1", "connect-2", "grpc-web-node", "connect-web", "grpc-web", "grpc-js"])
def test_clients_in_javascript_read_the_details(shop, kind):
    detail = base64.b64encode(packed(V3_ORDER).SerializeToString()).decode().rstrip("=")
    done = subprocess.run(["node", "errors.mjs", kind, shop.gateway.address, ORDERS, detail],
                          cwd=ROOT / "tests/flow/node", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["code"] == 9 and told["message"] == "as the caller wished"
    assert told["order"] == {"id": "7", "customer": "ada", "status": "PENDING", "totalCents": "199",
                             "items": [{"sku": "mug", "quantity": 2}]}
    assert told["reason"] == "AS_YOU_WISH"


# ---- From instances of other protocols -------------------------------------------------------------


class RestBackend(ThreadingHTTPServer):
    """An HTTP/1.1 server that answers everything with one status and body."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.answer = (500, "text/plain", b"")
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            status, kind, body = self.server.answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass


@pytest.fixture(scope="module")
def rest(tmp_path_factory):
    """A gateway before a REST instance of v3; rest(status, body) is its answer from then on."""
    with RestBackend() as backend:
        listed = f"[{{address: '127.0.0.1:{backend.server_port}', protocol: rest, versions: [v3]}}]"
        with Gateway(tmp_path_factory.mktemp("rest"), instances=listed) as gateway:
            def answers(status, body, kind="application/json"):
                data = json.dumps(body).encode() if not isinstance(body, bytes) else body
                backend.answer = (status, kind, data)
                return gateway
            yield answers
        backend.shutdown()


def v1_error(gateway):
    with pytest.raises(grpc.RpcError) as caught:
        client(gateway, "v1").Get(v1.GetRequest(id="7"))
    return caught.value


def test_details_of_a_rest_instance_become_messages_of_the_clients_version(rest):
    order = {"@type": TYPES + "shop.orders.v3.Order", "id": "7", "buyer": {"id": "ada"}, "currency": "EUR",
             "state": "PLACED", "total": {"units": "1", "nanos": 990000000}, "lines": [{"sku": "mug", "quantity": 2}]}
    info = {"@type": TYPES + "google.rpc.ErrorInfo", "reason": "SOLD_OUT", "domain": "shop", "metadata": {"sku": "mug"}}
    delay = {"@type": TYPES + "google.rpc.RetryInfo", "retryDelay": "1.500s"}
    gateway = rest(409, {"error": {"code": 409, "status": "ALREADY_EXISTS", "message": "there already",
                                   "details": [order, info, delay]}})
    error = v1_error(gateway)
    assert (error.code().name, error.details()) == ("ALREADY_EXISTS", "there already")
    details = told_details(error)
    assert v1.Order.FromString(details[0].value) == V1_ORDER
    told = rpc.ErrorInfo.FromString(details[1].value)
    assert (told.reason, dict(told.metadata)) == ("SOLD_OUT", {"sku": "mug"})
    problem = gateway.http("GET", "/v1/orders/7").json
    assert problem["reason"] == "SOLD_OUT" and problem["details"][2] == delay
    assert problem["details"][0]["customer"] == "ada"


def test_a_detail_of_a_rest_instance_that_nobody_can_read_is_kept_whole(rest):
    strange = {"@type": "t.example/nobody.Knows", "left": 3, "why": ["a", None]}
    gateway = rest(400, {"code": "FAILED_PRECONDITION", "detail": "no", "details": [strange, 7]},
                   "application/problem+json")
    error = v1_error(gateway)
    assert error.code().name == "FAILED_PRECONDITION"
    kept, status = told_details(error)
    assert kept.Is(Struct.DESCRIPTOR)
    assert dict(rpc.ErrorInfo.FromString(status.value).metadata) == {"http_status": "400"}
    whole = Struct.FromString(kept.value)
    assert whole["@type"] == "t.example/nobody.Knows" and whole["left"] == 3 and list(whole["why"]) == ["a", None]


def test_a_connect_instances_details_are_converted_too(tmp_path):
    port = free_port()
    server = Process(["node", str(ROOT / "tests/flow/node/failing_server.mjs"), str(port),
                      ORDERS])
    try:
        server.wait_until(lambda: "ready" in server.lines)
        listed = f"[{{address: '127.0.0.1:{port}', protocol: connect, versions: [v3]}}]"
        with Gateway(tmp_path, instances=listed) as gateway:
            error = v1_error(gateway)
            assert (error.code().name, error.details()) == ("RESOURCE_EXHAUSTED", "sold out")
            order, unknown = told_details(error)
            assert v1.Order.FromString(order.value) == V1_ORDER
            assert unknown == Any(type_url=TYPES + "nobody.Knows", value=b"\xff\xfe")
            problem = gateway.http("GET", "/v1/orders/7")
            assert problem.status == 429 and problem.json["details"][0]["customer"] == "ada"
            connect = gateway.http("POST", "/shop.orders.v2.Orders/Get", {"id": "7"}).json
            told = v2.Order.FromString(base64.b64decode(connect["details"][0]["value"] + "=="))
            assert connect["details"][0]["type"] == "shop.orders.v2.Order" and told.customer_id == "ada"
    finally:
        server.terminate()
