"""When the service breaks: loud routes tell the whole cause, graceful ones answer their default."""
import grpc
import pytest
from backends import order_v3, v1, v2, v3
from processes import eventually


def refused(call, *arguments, **more):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **more)
    return caught.value


def test_a_loud_route_tells_the_cause_and_an_id_that_is_in_the_log(run_shop):
    shop = run_shop("v3")
    shop.backend().kill()
    answer = shop.http("GET", "/v1/orders/some")
    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == 503 and problem["code"] == "UNAVAILABLE" and problem["retryable"] is True
    assert problem["reason"] == "UPSTREAM_DOWN" and len(problem["causes"]) >= 2
    line = shop.gateway.logged(request_id=problem["request_id"])
    assert line["path"] == "/v1/orders/some" and line["code"] == "UNAVAILABLE"
    assert shop.backend().address in str(line["causes"])


def test_grpc_and_connect_clients_hear_unavailable(run_shop):
    shop = run_shop("v3")
    shop.backend().kill()
    error = refused(shop.client("v3").Get, v3.GetRequest(id="x"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "grpc-status-details-bin" in dict(error.trailing_metadata())
    answer = shop.http("POST", "/shop.orders.v2.Orders/Get", {"id": "x"})
    assert answer.status == 503 and answer.json["code"] == "unavailable"


@pytest.mark.parametrize("version,path", [("v1", "/v1/recommendations"),
                                          ("v2", "/v2/customers/ada/recommendations"),
                                          ("v3", "/v3/recommendations")])
def test_a_graceful_route_answers_its_default_in_each_shape_and_says_so(run_shop, version, path):
    shop = run_shop("v3")
    shop.backend().kill()
    answer = shop.http("GET", path)
    name = "lines" if version == "v3" else "items"
    assert answer.status == 200 and answer.json == {name: [{"sku": "classic", "quantity": 1}]}
    assert "UPSTREAM_DOWN" in answer.headers["Passerelle-Degraded"]
    line = shop.gateway.logged(path=path)
    assert line["degraded"] == "UPSTREAM_DOWN" and line["causes"]


def test_the_default_is_given_over_grpc_too(run_shop):
    shop = run_shop("v3")
    shop.backend().kill()
    reply, call = shop.client("v2").ListRecommendations.with_call(v2.ListRecommendationsRequest())
    assert reply == v2.ListRecommendationsResponse(items=[v2.Item(sku="classic", quantity=1)])
    marks = dict([*call.initial_metadata(), *call.trailing_metadata()])
    assert "UPSTREAM_DOWN" in marks["passerelle-degraded"]


def test_both_routes_recover_without_a_restart(run_shop):
    shop = run_shop("v3")
    shop.backend().kill()
    assert shop.http("GET", "/v1/orders").status == 503
    assert "Passerelle-Degraded" in shop.http("GET", "/v1/recommendations").headers
    shop.backend().start()
    def well():
        """Each loop finds out by itself, and a new connection may come to any."""
        return all(shop.http("GET", "/v1/orders").status == 200
                   and "Passerelle-Degraded" not in shop.http("GET", "/v1/recommendations").headers
                   for _ in range(20))
    eventually(well)
    answer = shop.http("GET", "/v1/recommendations")
    assert [item["sku"] for item in answer.json["items"]] == ["umbrella", "wellingtons"]


def test_a_v3_client_is_served_by_the_v1_backend_when_v3_is_down_and_losses_are_marked(run_shop):
    shop = run_shop("v1", "v3")
    shop.backend("v1").stub().Create(v1.CreateRequest(order=v1.Order(
        id="same", customer="ada", total_cents=4250, status=v1.PAID, comment="ring twice")))
    shop.client("v3").Create(v3.CreateRequest(order=order_v3(id="same")))
    assert shop.client("v3").Get(v3.GetRequest(id="same")).total.units == 19
    shop.backend("v3").kill()
    order, call = shop.client("v3").Get.with_call(v3.GetRequest(id="same"))
    assert order == v3.Order(id="same", buyer=v3.Buyer(id="ada"), currency="EUR", state=v3.PAID,
                             total=v3.Money(units=42, nanos=500_000_000))
    assert "passerelle-lost" in dict([*call.initial_metadata(), *call.trailing_metadata()])
    line = shop.gateway.logged(served_version="v1")
    assert line["client_version"] == "v3" and line["losses"] >= 1


def test_a_native_instance_is_preferred(run_shop):
    shop = run_shop("v1", "v3")
    shop.client("v1").List(v1.ListRequest())
    eventually(lambda: shop.backend("v1").told("call", method="List"))
    shop.client("v3").List(v3.ListRequest())
    eventually(lambda: shop.backend("v3").told("call", method="List"))
    assert len(shop.backend("v1").told("call", method="List")) == 1


def test_an_error_of_the_service_keeps_its_code_and_details(run_shop):
    shop = run_shop("v3")
    error = refused(shop.client("v3").Get, v3.GetRequest(id="nowhere"))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "there is no order nowhere")
    straight = refused(shop.backend().stub().Get, v3.GetRequest(id="nowhere"))
    name = "grpc-status-details-bin"
    assert dict(error.trailing_metadata())[name] == dict(straight.trailing_metadata())[name]
    rest = shop.http("GET", "/v1/orders/nowhere")
    assert rest.status == 404 and rest.json["code"] == "NOT_FOUND"
    assert "ORDER_NOT_FOUND" in rest.body.decode()
    connect = shop.http("POST", "/shop.orders.v2.Orders/Get", {"id": "nowhere"})
    assert connect.status == 404 and connect.json["code"] == "not_found"
    assert connect.json["details"][0]["type"] == "google.rpc.ErrorInfo"


def test_a_service_that_answers_unavailable_is_quoted_when_nobody_else_is_left(run_shop):
    shop = run_shop("v3")
    error = refused(shop.client("v1").List, v1.ListRequest(), metadata=[("shop-fail", "UNAVAILABLE")])
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "as the caller wished")
    assert b"AS_YOU_WISH" in dict(error.trailing_metadata())["grpc-status-details-bin"]
    answer = shop.http("GET", "/v1/orders", headers={"shop-fail": "UNAVAILABLE", "x-trailer-word": "bye"})
    assert answer.status == 503 and answer.json["detail"] == "as the caller wished"
    assert answer.json["reason"] == "AS_YOU_WISH" and answer.headers["trailer-x-trailer-word"] == "bye"


@pytest.mark.parametrize("code,http_status", [
    ("CANCELLED", 499), ("UNKNOWN", 500), ("INVALID_ARGUMENT", 400), ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404), ("ALREADY_EXISTS", 409), ("PERMISSION_DENIED", 403), ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400), ("ABORTED", 409), ("OUT_OF_RANGE", 400), ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500), ("UNAVAILABLE", 503), ("DATA_LOSS", 500), ("UNAUTHENTICATED", 401)])
def test_every_code_of_the_service_arrives_as_itself(shop, code, http_status):
    error = refused(shop.client("v1").List, v1.ListRequest(), metadata=[("shop-fail", code)])
    assert error.code().name == code
    answer = shop.http("GET", "/v1/orders", headers={"shop-fail": code})
    assert (answer.status, answer.json["code"]) == (http_status, code)
