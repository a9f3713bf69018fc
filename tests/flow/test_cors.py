"""What pages of other origins are told: every field that they get is theirs to read. (make browser: by a browser.)"""
import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend

PAGE = "https://panel.example"
OLD = """
  - {match: /old/, instances: [{address: '127.0.0.1:$old', protocol: http}]}
"""


def serve_old(peer, told, body):
    own = "Access-Control-Allow-Origin: https://its.own\r\n" if told.target.endswith("own") else ""
    peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Old: 1\r\n{own}\r\n")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    config = f"cors: {{origins: ['{PAGE}']}}" + SHOP_CONFIG + OLD
    with Backend("v3") as backend, Http1Backend(serve_old) as old:
        with Gateway(tmp_path_factory.mktemp("cors"), config, instances=instances(("v3", backend.port)),
                     old=old.port) as running:
            yield running


def exposed(answer):
    return [name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")]


def list_orders(gateway, **headers):
    return gateway.http("POST", "/shop.orders.v3.Orders/List", {}, {"Origin": PAGE, **headers})


def test_a_preflight_is_answered_for_every_path_and_logged(gateway):
    for path in ("/v3/orders", "/old/", "/nowhere"):
        answer = gateway.http("OPTIONS", path, headers={"Origin": PAGE, "Access-Control-Request-Method": "PATCH",
                                                        "Access-Control-Request-Headers": "x-a, x-b"})
        assert answer.status == 204 and answer.headers["Access-Control-Allow-Headers"] == "x-a, x-b"
        line = gateway.logged(path=path)
        assert (line["verb"], line["http_status"]) == ("OPTIONS", 204) and line["request_id"]


def test_trailers_that_connect_gives_as_fields_are_exposed(gateway):
    answer = list_orders(gateway, **{"x-trailer-word": "bye", "x-echo-word": "hello"})
    assert answer.headers["trailer-x-trailer-word"] == "bye"
    assert {"trailer-x-trailer-word", "x-echo-word", "x-request-id"} <= set(exposed(answer))


def test_and_those_of_errors(gateway):
    answer = list_orders(gateway, **{"shop-fail": "NOT_FOUND", "x-trailer-word": "bye"})
    assert answer.status == 404
    ours = [name.lower() for name in answer.headers if name.lower().startswith(("trailer-", "x-"))]
    assert set(ours) <= set(exposed(answer))


def test_routes_without_a_schema_are_open_to_the_same_pages(gateway):
    answer = gateway.http("GET", "/old/", headers={"Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE and "x-old" in exposed(answer)
    stranger = gateway.http("GET", "/old/", headers={"Origin": "https://evil.example"})
    assert stranger.status == 200 and "Access-Control-Allow-Origin" not in stranger.headers


def test_and_to_no_others_whatever_the_service_says_itself(gateway):
    answer = gateway.http("GET", "/old/own", headers={"Origin": PAGE})
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [PAGE]
    stranger = gateway.http("GET", "/old/own", headers={"Origin": "https://its.own"})
    assert stranger.status == 200 and not any(name.lower().startswith("access-control") for name in stranger.headers)
