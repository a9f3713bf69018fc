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


# ---- Several words ---------------------------------------------------------------------------------------

FIRST = SHOP_CONFIG.replace("    changes:", "    on_conflict: first\n    changes:")
JSON_V1, JSON_V2 = "application/json;version=1", "application/json;version=2"


@pytest.mark.parametrize("headers,version", [
    ({"API-Version": "v2"}, "v2"), ({"API-Version": ""}, "v2"), ({"API-Version": ">=v1"}, "v2"),
    ({"API-Version": "v3, v2;q=0.1"}, "v2"), ({"API-Version": "v1"}, None),
    ({"API-Version": "<v2"}, None), ({"Accept": JSON_V2}, "v2"), ({"Accept": JSON_V1}, None),
    ({"Accept": f"{JSON_V1}, */*;q=0.1"}, "v2"), ({"Accept": "text/html;version=1, */*"}, "v2")])
def test_versions_that_contradict_each_other_are_refused(shop, headers, version):
    answer = shop.http("GET", "/v2/orders", headers=headers)
    if version:
        assert answer.status == 200 and answer.headers["API-Version"] == version
    else:
        assert answer.status == 400 and answer.json["reason"] == "VERSION_CONFLICT"
        assert answer.json["detail"].count(" says ") == 2, "both words"
        assert set(answer.headers["Vary"].lower().split(", ")) >= {"api-version"}


def test_a_version_that_there_is_not_is_told_so_also_beside_a_versioned_path(shop):
    answer = shop.http("GET", "/v2/orders", headers={"API-Version": "v9"})
    assert answer.status == 400 and answer.json["reason"] == "UNKNOWN_VERSION"
    assert "the versions of orders are v1, v2, v3" in answer.json["detail"]


def test_a_grpc_client_hears_of_a_contradiction(shop):
    with pytest.raises(grpc.RpcError) as caught:
        client(shop.gateway, "v1").List(v1.ListRequest(), metadata=[("api-version", "v2")])
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "v1" in caught.value.details() and "v2" in caught.value.details()


def test_content_type_and_accept_may_say_two_versions(shop):
    answer = shop.http("POST", "/v1/orders", {"customer": "ada"}, {"Content-Type": JSON_V1, "Accept": JSON_V2})
    assert answer.status == 200 and answer.headers["API-Version"] == "v2"
    assert answer.json["customerId"] == "ada"


def test_the_first_rule_decides_alone_where_the_service_says_so(run_shop):
    shop = run_shop("v3", config=FIRST)
    for headers in ({"API-Version": "v1"}, {"API-Version": "v9"}, {"Accept": JSON_V1}):
        answer = shop.http("GET", "/v2/orders", headers=headers)
        assert answer.status == 200 and answer.headers["API-Version"] == "v2"


def test_a_range_or_date_that_only_a_version_that_is_gone_meets_is_410(run_shop):
    shop = run_shop("v3", config=GONE.replace("sunset: 2020-03-01}", "sunset: 2020-03-01, released: 2018-01-01}")
                    .replace("    changes:", "    negotiate: [header, path, prefix, default]\n    changes:"))
    for said in ("v1", "<v2", "v1..v1", "2018-06-01"):
        answer = shop.http("GET", "/v1/orders", headers={"API-Version": said})
        assert (answer.status, answer.json["reason"]) == (410, "VERSION_SUNSET"), said
