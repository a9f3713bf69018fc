"""What a client may not call is not there for it: routes that want to know who calls, beside open ones, and whole services."""
import hashlib

import grpc
import pytest
from gateway import Gateway
from grpc_services import Reflection, parsed
from http2_client import http2_request

CONFIG = """
listen: [{address: '127.0.0.1:$port', authenticate: optional}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
authentication: [{api_keys: $folder/api-keys.yaml}]
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml]
    instances: [{address: '127.0.0.1:1', protocol: grpc, versions: [v2]}]
  - name: later
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: [{address: '127.0.0.1:1', protocol: grpc}]
routes:
  - {match: orders.Orders/Get, authenticate: required}
  - {match: later, allow: [{client: [nobody]}]}
"""
ORDERS = "shop.orders.v1.Orders"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hidden")
    (folder / "api-keys.yaml").write_text(f"keys: [{{sha256: {hashlib.sha256(b'ada').hexdigest()}, client: ada}}]")
    with Gateway(folder, CONFIG) as gateway:
        yield gateway


def test_a_route_for_known_clients_looks_to_others_like_what_is_not_there(gateway):
    hidden, nothing = gateway.http("GET", "/v1/orders/1"), gateway.http("GET", "/v1/nothing")
    assert hidden.status == nothing.status == 401
    assert hidden.json["reason"] == nothing.json["reason"] == "CREDENTIALS_MISSING"
    assert sorted(hidden.headers) == sorted(nothing.headers)
    codes = []
    for method in ("Get", "Nothing"):
        _, head, _, trailers = http2_request(gateway.port, "POST", f"/{ORDERS}/{method}", [("content-type", "application/grpc"), ("te", "trailers")], b"\0\0\0\0\0")
        codes.append([{**head, **trailers}[name] for name in ("grpc-status", "grpc-message")])
    assert codes[0] == codes[1] and codes[0][0][0] == "16"
    for media in ("application/json", "application/grpc-web+proto"):
        told = [gateway.http("POST", f"/{ORDERS}/{method}", b"", {"content-type": media}) for method in ("Get", "Nothing")]
        assert told[0].status == told[1].status and sorted(told[0].headers) == sorted(told[1].headers)


def test_who_is_known_learns_what_is_not_there_unless_rules_hide_something_else(gateway):
    told = gateway.http("GET", "/v1/nothing", headers={"x-api-key": "ada"})
    assert (told.status, told.json["reason"]) == (403, "NOT_ALLOWED")  # as of the service that is for nobody
    assert gateway.http("GET", "/v3/orders/1", headers={"x-api-key": "ada"}).json["reason"] == "NOT_ALLOWED"


def methods(gateway, **metadata):
    [file, *_] = parsed(Reflection(gateway, metadata=list(metadata.items())).ask(file_containing_symbol=ORDERS))
    return {method.name for method in file.service[0].method}


def test_reflection_shows_methods_for_known_clients_to_those_only(gateway):
    ada = {"x-api-key": "ada"}
    assert "Get" in methods(gateway, **ada) and "List" in methods(gateway, **ada)
    assert "Get" not in methods(gateway) and "List" in methods(gateway)
    assert Reflection(gateway).files(file_containing_symbol=f"{ORDERS}.Get") == 5
    assert Reflection(gateway, metadata=list(ada.items())).files(file_containing_symbol="shop.orders.v3.Orders") == 5


def test_versions_of_a_service_that_a_client_may_not_call_are_not_listed(gateway):
    with pytest.raises(grpc.RpcError) as refused:
        Reflection(gateway, metadata=[("api-version", "v9"), ("x-api-key", "ada")]).services()
    assert "orders are v1, v2" in refused.value.details()
    assert "v3" not in refused.value.details() and "later" not in refused.value.details()
