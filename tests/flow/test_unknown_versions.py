"""Paths and names of versions that do not exist: each dialect, and reflection, lists those that there are."""
import grpc
import pytest
from gateway import SHOP_CONFIG, Gateway, instances
from grpc_services import Reflection

CLOSED = SHOP_CONFIG.replace("  - {match: orders,", "  - {match: orders, allow: [{client: [root]}],").replace(
    "log:", "identity_header: x-client\ntrusted_proxies: [127.0.0.1]\nlog:")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """No backend is needed to be asked what there is."""
    with Gateway(tmp_path_factory.mktemp("versions"), SHOP_CONFIG, instances=instances(("v3", 7003))) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """All is hidden from most."""
    with Gateway(tmp_path_factory.mktemp("closed"), CLOSED, instances=instances(("v3", 7003))) as running:
        yield running


LISTED = "orders has no version v9; there are v1, v2, v3"


@pytest.mark.parametrize("verb, path", [("GET", "/v9/orders/42"), ("POST", "/v9/orders"), ("GET", "/v9/customers/ada/orders"),
                                        ("POST", "/v9/orders:purge"), ("HEAD", "/v9/orders/42")])
def test_a_rest_path_of_an_unknown_version_lists_those_that_there_are(gateway, verb, path):
    answer = gateway.http(verb, path, {} if verb == "POST" else None)
    assert answer.status == 404
    assert verb == "HEAD" or (answer.json["reason"] == "UNKNOWN_PATH" and LISTED in answer.json["detail"])


@pytest.mark.parametrize("media", ["application/json", "application/proto", "application/connect+json"])
def test_a_connect_path_of_an_unknown_version_lists_those_that_there_are(gateway, media):
    answer = gateway.http("POST", "/shop.orders.v9.Orders/Get", b"{}", {"content-type": media, "connect-protocol-version": "1"})
    assert answer.status == 404 and LISTED.encode() in answer.body and b"unimplemented" in answer.body


def test_a_grpc_path_of_an_unknown_version_lists_those_that_there_are(gateway):
    channel = grpc.insecure_channel(gateway.address)
    gateway.clients.append(channel)
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/shop.orders.v9.Orders/Get")(b"", timeout=10)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED and LISTED in refused.value.details()


def test_a_grpc_web_path_of_an_unknown_version_lists_those_that_there_are(gateway):
    answer = gateway.http("POST", "/shop.orders.v9.Orders/Get", b"\0\0\0\0\0", {"content-type": "application/grpc-web+proto"})
    told = answer.headers.get("grpc-message") or answer.body.decode("latin-1")
    assert LISTED.replace(" ", "%20") in told or LISTED in told


def test_reflection_lists_the_versions_of_a_name_whose_version_is_unknown(gateway):
    for symbol in "shop.orders.v9.Orders", "shop.orders.v9.Orders.Get", "shop.orders.v9.Order":
        error = Reflection(gateway).ask(file_containing_symbol=symbol).error_response
        assert error.error_code == 5 and "orders has no version v9, there are v1, v2, v3" in error.error_message
    for symbol in "shop.orders.v9.Nothing", "shop.stock.v9.Orders", "v9", "":
        assert "there are" not in Reflection(gateway).ask(file_containing_symbol=symbol).error_response.error_message


@pytest.mark.parametrize("path", ["/v9/nothing", "/v9", "/x9/orders/42", "/v9orders", "/orders/v9/42", "/"])
def test_other_paths_say_nothing_of_versions(gateway, path):
    assert "there are" not in gateway.http("GET", path).json["detail"]


def test_where_something_is_hidden_from_the_client_no_path_tells_of_versions(closed):
    for path in "/v9/orders/42", "/v9/nothing":
        answer = closed.http("GET", path, headers={"x-client": "eve"})
        assert answer.status == 403 and "v1" not in answer.body.decode()
    error = Reflection(closed, metadata=[("x-client", "eve")]).ask(file_containing_symbol="shop.orders.v9.Orders").error_response
    assert error.error_code == 5 and "v1" not in error.error_message
