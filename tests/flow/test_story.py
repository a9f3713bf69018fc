"""The main job: any client, any version, answered by a service that only speaks v3 in gRPC."""
import json
import subprocess

import grpc
import pytest
from backends import order_v3, v1, v2, v3

V1_ORDER = {"customer": "ada", "street": "1 Kirkgate", "city": "Leeds", "zip": "LS1",
            "items": [{"sku": "teapot", "quantity": 2}], "totalCents": "1999", "status": "PAID"}


@pytest.fixture(scope="module")
def order_id(shop):
    """One order on the v3 backend, made by a v1 REST client."""
    answer = shop.http("POST", "/v1/orders", V1_ORDER)
    assert answer.status == 200, answer.body
    return answer.json["id"]


def test_a_v1_rest_client_reads_what_it_wrote(shop, order_id):
    answer = shop.http("GET", f"/v1/orders/{order_id}")
    assert answer.status == 200
    assert answer.json == {**V1_ORDER, "id": order_id}
    assert answer.headers["Content-Type"] == "application/json"


def test_the_v3_backend_got_a_v3_order(shop, order_id):
    order = shop.backend().stub().Get(v3.GetRequest(id=order_id))
    assert order == v3.Order(
        id=order_id, buyer=v3.Buyer(id="ada"), currency="EUR", state=v3.PAID,
        delivery=v3.Delivery(address=v3.Address(street="1 Kirkgate", city="Leeds", postal_code="LS1")),
        lines=[v3.Line(sku="teapot", quantity=2)], total=v3.Money(units=19, nanos=990_000_000))


def test_a_v1_grpc_client_sees_its_own_shape(shop, order_id):
    order = shop.client("v1").Get(v1.GetRequest(id=order_id))
    assert order == v1.Order(id=order_id, customer="ada", street="1 Kirkgate", city="Leeds", zip="LS1",
                             items=[v1.Item(sku="teapot", quantity=2)], total_cents=1999, status=v1.PAID)


def test_a_v2_connect_client_sees_its_own_shape(shop, order_id):
    answer = shop.http("POST", "/shop.orders.v2.Orders/Get", {"id": order_id})
    assert answer.status == 200
    assert answer.json == {
        "id": order_id, "customerId": "ada", "currency": "EUR", "status": "PAID",
        "shipping": {"street": "1 Kirkgate", "city": "Leeds", "zip": "LS1"},
        "items": [{"sku": "teapot", "quantity": 2}], "total": {"units": "19", "nanos": 990000000}}


def test_a_v2_connect_client_may_speak_protobuf(shop, order_id):
    request = v2.GetRequest(id=order_id).SerializeToString()
    answer = shop.http("POST", "/shop.orders.v2.Orders/Get", request, {"Content-Type": "application/proto"})
    assert answer.headers["Content-Type"] == "application/proto"
    assert v2.Order.FromString(answer.body).customer_id == "ada"


def test_a_v3_grpc_client_sees_the_backends_own_bytes(shop, order_id):
    assert shop.client("v3").Get(v3.GetRequest(id=order_id)) == \
        shop.backend().stub().Get(v3.GetRequest(id=order_id))


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_each_version_has_its_own_rest_binding(shop, order_id, version):
    answer = shop.http("GET", f"/{version}/orders/{order_id}")
    assert answer.status == 200 and answer.json["id"] == order_id
    assert answer.headers["API-Version"] == version


def test_a_v2_grpc_client_creates_what_a_v1_rest_client_reads(shop):
    made = shop.client("v2").Create(v2.CreateRequest(order=v2.Order(
        customer_id="grace", total=v2.Money(units=3, nanos=500_000_000), currency="GBP")))
    assert made.status == v2.QUEUED and made.currency == "GBP"
    seen = shop.http("GET", f"/v1/orders/{made.id}").json
    assert (seen["customer"], seen["totalCents"], seen["status"]) == ("grace", "350", "PENDING")


def test_a_v3_rest_client_creates_what_a_v1_grpc_client_reads(shop):
    made = shop.http("POST", "/v3/orders", {"buyer": {"id": "joan"}, "currency": "EUR",
                                            "total": {"units": 7}, "state": "DISPATCHED"}).json
    seen = shop.client("v1").Get(v1.GetRequest(id=made["id"]))
    assert (seen.customer, seen.total_cents, seen.status) == ("joan", 700, v1.SHIPPED)


def test_query_parameters_become_fields_of_the_request(shop):
    for _ in range(3):
        shop.client("v3").Create(v3.CreateRequest(order=order_v3(buyer=v3.Buyer(id="query"))))
    answer = shop.http("GET", "/v1/orders?customer=query&limit=2")
    assert [order["customer"] for order in answer.json["orders"]] == ["query", "query"]
    answer = shop.http("GET", "/v2/customers/query/orders?limit=1")
    assert [order["customerId"] for order in answer.json["orders"]] == ["query"]
    answer = shop.http("GET", "/v3/orders?buyer.id=query")
    assert len(answer.json["orders"]) == 3


def test_an_enum_that_changed_is_translated_in_requests_too(shop, order_id):
    answer = shop.http("POST", f"/v1/orders/{order_id}/status", {"status": "SHIPPED"})
    assert answer.status == 200 and answer.json["status"] == "SHIPPED"
    assert shop.client("v3").Get(v3.GetRequest(id=order_id)).state == v3.DISPATCHED
    assert shop.http("POST", f"/v1/orders/{order_id}/status", {"status": "PAID"}).status == 200


def test_a_value_without_counterpart_is_refused_and_named(shop, order_id):
    answer = shop.http("POST", f"/v1/orders/{order_id}/status", {"status": "LOST"})
    assert answer.status == 400 and "status" in json.dumps(answer.json)
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").SetStatus(v1.SetStatusRequest(id=order_id, status=v1.LOST))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_newer_value_is_the_nearest_that_an_old_client_knows(shop):
    made = shop.client("v3").Create(v3.CreateRequest(order=order_v3(state=v3.DELIVERED)))
    assert shop.http("GET", f"/v2/orders/{made.id}").json["status"] == "DELIVERED"
    assert shop.http("GET", f"/v1/orders/{made.id}").json["status"] == "SHIPPED"


def test_a_newer_value_that_must_not_be_mistaken_is_an_error(shop):
    made = shop.client("v3").Create(v3.CreateRequest(order=order_v3(state=v3.CANCELLED)))
    answer = shop.http("GET", f"/v1/orders/{made.id}")
    assert answer.status == 502 and answer.json["reason"] == "UPSTREAM_CONVERT"
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v2").Get(v2.GetRequest(id=made.id))
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    shop.client("v3").SetStatus(v3.SetStatusRequest(id=made.id, state=v3.PAID))


def test_a_dropped_field_is_marked_and_counted(shop):
    answer = shop.http("POST", "/v1/orders", {**V1_ORDER, "comment": "ring twice"})
    assert answer.status == 200 and "comment" not in answer.json
    assert answer.headers["Passerelle-Lost"] == "Order.comment"
    log = shop.gateway.logged(path="/v1/orders", verb="POST", losses=1)
    assert log["client_version"] == "v1"


def test_nothing_is_marked_where_nothing_is_lost(shop, order_id):
    assert "Passerelle-Lost" not in shop.http("GET", f"/v1/orders/{order_id}").headers
    assert "Passerelle-Lost" not in shop.http("POST", "/v1/orders", V1_ORDER).headers


def test_a_server_stream_is_converted_message_by_message(shop):
    made = shop.client("v3").Create(v3.CreateRequest(order=order_v3()))
    watching = shop.client("v1").Watch(v1.WatchRequest(id=made.id))
    states = [next(watching).status]
    for state in (v3.PAID, v3.DISPATCHED, v3.DELIVERED):
        shop.client("v3").SetStatus(v3.SetStatusRequest(id=made.id, state=state))
        states.append(next(watching).status)
    assert states == [v1.PENDING, v1.PAID, v1.SHIPPED, v1.SHIPPED]
    assert list(watching) == []


def test_a_server_stream_over_rest_is_ndjson(shop):
    made = shop.client("v3").Create(v3.CreateRequest(order=order_v3(state=v3.DELIVERED)))
    answer = shop.http("GET", f"/v2/orders/{made.id}:watch")
    assert answer.status == 200
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert [line["status"] for line in lines] == ["DELIVERED"]


def test_curl_speaks_http2_too(shop, order_id):
    done = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-w", "\n%{http_code} %{http_version}",
                           f"http://{shop.gateway.address}/v1/orders/{order_id}"],
                          capture_output=True, text=True, timeout=20)
    body, told = done.stdout.rsplit("\n", 1)
    assert told == "200 2" and json.loads(body)["id"] == order_id
