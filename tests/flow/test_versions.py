"""Which version a client speaks, how that is told back, and what becomes of old ones."""
import email.utils
import json

import grpc
import pytest
from backends import client, v1, v2, v3
from gateway import SHOP_CONFIG

AGED = SHOP_CONFIG.replace("schema: $orders}", "schema: $orders, deprecated: 2025-03-01, sunset: 2099-03-01}", 1)
GONE = SHOP_CONFIG.replace("schema: $orders}", "schema: $orders, deprecated: 2019-03-01, sunset: 2020-03-01}", 1)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_answer_says_its_version(shop, version):
    answer = shop.http("GET", f"/{version}/orders")
    assert answer.headers["API-Version"] == version
    request = {"v1": v1, "v2": v2, "v3": v3}[version].ListRequest()
    _, call = client(shop.gateway, version).List.with_call(request)
    assert ("api-version", version) in call.initial_metadata()


def test_an_ageing_version_says_so_on_answers_and_on_errors(run_shop):
    shop = run_shop("v3", config=AGED)
    for path, status in (("/v1/orders", 200), ("/v1/orders/none", 404)):
        answer = shop.http("GET", path)
        assert answer.status == status
        assert answer.headers["Deprecation"] == "@1740787200"
        sunset = answer.headers["Sunset"]
        assert sunset.endswith("GMT") and email.utils.parsedate_to_datetime(sunset).year == 2099
    newest = shop.http("GET", "/v3/orders").headers
    assert "Deprecation" not in newest and "Sunset" not in newest


def test_after_its_sunset_a_version_is_gone_and_the_others_are_named(run_shop):
    shop = run_shop("v3", config=GONE)
    answer = shop.http("GET", "/v1/orders")
    assert answer.status == 410 and answer.json["reason"] == "VERSION_SUNSET"
    assert "v2" in answer.body.decode() and "v3" in answer.body.decode()
    with pytest.raises(grpc.RpcError) as caught:
        shop.client("v1").List(v1.ListRequest())
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert shop.http("GET", "/v2/orders").status == 200


def test_a_method_that_went_away_says_so(shop):
    answer = shop.http("POST", "/v1/orders:purge", {"customer": "ada"})
    assert answer.status == 501 and answer.json["reason"] == "METHOD_REMOVED"
    assert "Purge" in answer.json["detail"]
    answer = shop.http("POST", "/shop.orders.v1.Orders/Purge", {"customer": "ada"})
    assert answer.status == 501 and answer.json["code"] == "unimplemented"


def test_a_method_that_went_away_is_served_where_it_lives(run_shop):
    shop = run_shop("v1", "v3")
    assert shop.client("v1").Purge(v1.PurgeRequest(customer="nobody")).purged == 0


SHARED_PATH = SHOP_CONFIG.replace(
    "    changes:", "    negotiate: [header, media_type, path, prefix, default]\n    changes:")


def test_a_header_may_come_first_where_the_service_says_so(run_shop):
    shop = run_shop("v3", config=SHARED_PATH)
    answer = shop.http("POST", "/v2/orders", {"customer_id": "ada"}, {"API-Version": "v9"})
    assert answer.status == 400 and answer.json["reason"] == "UNKNOWN_VERSION"
    assert all(version in answer.body.decode() for version in ("v1", "v2", "v3"))
    assert json.loads(answer.body)["request_id"]


def test_vary_names_what_was_asked_for_the_version(run_shop):
    shop = run_shop("v3", config=SHARED_PATH)
    vary = shop.http("GET", "/v2/orders").headers["Vary"].lower()
    assert "api-version" in vary and "accept" in vary
