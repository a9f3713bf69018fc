"""A field that v3 requires: named to a v1 caller who left it out, or given its default."""
import grpc
import pytest
from backends import v1, v2, v3
from google.rpc import status_pb2


def violations(error):
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    bad = status_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details if detail.Is(bad.DESCRIPTOR))
    return [violation.field for violation in bad.field_violations]


def test_rest_names_the_field_as_the_caller_knows_it(shop):
    answer = shop.http("POST", "/v1/orders", {"totalCents": "100"})
    assert answer.status == 400 and answer.json["code"] == "INVALID_ARGUMENT"
    assert answer.json["reason"] == "FIELD_REQUIRED"
    assert "order.customer" in answer.body.decode() and "buyer" not in answer.json["detail"]


def test_grpc_names_the_field_as_the_caller_knows_it(shop):
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").Create(v1.CreateRequest(order=v1.Order(total_cents=100)))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violations(caught.value) == ["order.customer"]


def test_connect_names_the_field_as_the_caller_knows_it(shop):
    answer = shop.http("POST", "/shop.orders.v2.Orders/Create", {"order": {"total": {"units": 1}}})
    assert answer.status == 400 and answer.json["code"] == "invalid_argument"
    assert "order.customer_id" in answer.body.decode()


def test_the_backend_never_hears_of_such_a_call(shop):
    before = len(shop.backend().told("call", method="Create"))
    assert shop.http("POST", "/v1/orders", {}).status == 400
    assert len(shop.backend().told("call", method="Create")) == before


def test_with_a_default_the_default_is_given(shop):
    made = shop.http("POST", "/v1/orders", {"customer": "ada"})
    assert made.status == 200
    assert shop.client("v3").Get(v3.GetRequest(id=made.json["id"])).currency == "EUR"
    made = shop.client("v2").Create(v2.CreateRequest(order=v2.Order(customer_id="ada")))
    assert made.currency == "EUR"


def test_a_v3_caller_hears_it_from_the_service_itself(shop):
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v3").Create(v3.CreateRequest(order=v3.Order(currency="EUR")))
    assert violations(caught.value) == ["order.buyer.id"]
