"""Baggage passes through the gateway, up to a limit, to those who may have it; what the config names is recorded."""
import http.client

import pytest
from collector import CLIENT, SERVER, GrpcCollector
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
log: "-"
loops: 1
trusted_proxies: [$trusted]
baggage: {record: [tenant, plan]$baggage}
tracing: {$collector, share: 100 %, every: 20ms}
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect}]
  - name: partner
    baggage: false
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect}]
routes:
  - {match: orders, attempts: 2, retry: {initial_backoff: 1ms}}
  - {match: /own/, instances: [{address: "127.0.0.1:$instance"}]}
  - {match: /foreign/, baggage: false, instances: [{address: "127.0.0.1:$instance"}]}
"""
GOOD = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n"
DOWN = "HTTP/1.1 503 Unavailable\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{\"code\":\"unavailable\"}"


class Backend(Http1Backend):
    """`baggage`: that of each request."""

    def __init__(self):
        self.baggage, self.says = [], []
        super().__init__(self.order)

    def order(self, peer, told, body):
        self.baggage.append(told.all("baggage"))
        peer.say(self.says.pop(0) if self.says else GOOD)


@pytest.fixture(scope="module")
def backend():
    with Backend() as made:
        yield made


@pytest.fixture(scope="module")
def collector():
    with GrpcCollector() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, backend, collector):
    with Gateway(tmp_path_factory.mktemp("gateway"), CONFIG, instance=backend.port, collector=collector.setting, baggage="", trusted="") as made:
        yield made


def told(gateway, backend, *baggage, path="/v1/orders/7"):
    """What the instance is told."""
    backend.baggage.clear()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.putrequest("GET", path)
    for each in baggage:
        connection.putheader("baggage", each)
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 200
    connection.close()
    gateway.last = response.getheader("x-request-id")
    return backend.baggage[-1]


def line_of_last(gateway):
    return gateway.logged(log="call", request_id=gateway.last)


@pytest.mark.parametrize("path", ["/v1/orders/7", "/own/x"])
def test_baggage_passes_as_it_is(gateway, backend, path):
    assert told(gateway, backend, "tenant=acme;p=1, plan=go%20ld", "x=1", path=path) == ["tenant=acme;p=1, plan=go%20ld", "x=1"]
    assert told(gateway, backend, path=path) == []


def test_malformed_members_pass_and_are_not_recorded(gateway, backend):
    assert told(gateway, backend, "tenant, =x,,plan=gold,\"quoted") == ["tenant, =x,,plan=gold,\"quoted"]
    assert line_of_last(gateway)["baggage"] == {"plan": "gold"}


def test_what_the_standard_wants_passed_on_passes_and_no_more(gateway, backend):
    cut = gateway.metric("passerelle_baggage_cut_total")
    whole = ",".join(f"k{i:02}={0:0123}" for i in range(64))
    assert len(whole) == 64 * 127 + 63 and told(gateway, backend, whole) == [whole]
    long = f"a={'x' * 8190}"
    assert len(long) == 8192 and told(gateway, backend, long) == [long]
    assert gateway.metric("passerelle_baggage_cut_total") == cut
    assert told(gateway, backend, whole + ",more=1") == [whole]
    assert told(gateway, backend, f"b=1,a={'x' * 8190}") == ["b=1"]
    assert told(gateway, backend, long, "b=1") == [long]
    assert gateway.metric("passerelle_baggage_cut_total") == cut + 3


def test_members_that_the_config_names_are_recorded_in_the_log_and_in_spans(gateway, backend, collector):
    told(gateway, backend, "secret=1,tenant=ac%20me;p=2", "plan=gold")
    line = line_of_last(gateway)
    assert line["baggage"] == {"tenant": "ac me", "plan": "gold"}
    server = eventually(lambda: next((span for span in collector.of(SERVER) if span.said["passerelle.request_id"] == line["request_id"]), None))
    (attempt,) = eventually(lambda: [span for span in collector.of(CLIENT) if span.parent == server.id])
    assert (server.said["tenant"], server.said["plan"]) == ("ac me", "gold") and "secret" not in server.said
    assert "tenant" not in attempt.said
    told(gateway, backend, "secret=1")
    assert "baggage" not in line_of_last(gateway)


def test_a_foreign_service_gets_none(gateway, backend):
    assert told(gateway, backend, "tenant=acme", path="/v3/orders/7") == []
    assert line_of_last(gateway)["baggage"] == {"tenant": "acme"}  # it is recorded all the same
    assert told(gateway, backend, "tenant=acme", path="/foreign/x") == []
    assert told(gateway, backend, "tenant=acme", path="/own/x") == ["tenant=acme"]


def test_a_retry_has_the_same_baggage(gateway, backend):
    backend.baggage.clear()
    backend.says = [DOWN]
    gateway.http("GET", "/v1/orders/7", headers={"baggage": "tenant=acme"})
    assert backend.baggage == [["tenant=acme"], ["tenant=acme"]]


def test_baggage_of_strangers_is_dropped_if_the_config_says_so(tmp_path, backend, collector):
    for trusted, expected in (("", []), ("127.0.0.0/8", ["tenant=acme"])):
        with Gateway(tmp_path, CONFIG, instance=backend.port, collector=collector.setting, baggage=", strangers: false", trusted=trusted) as strict:
            assert told(strict, backend, "tenant=acme") == expected
            assert ("baggage" in line_of_last(strict)) == bool(expected)


def test_limits_are_those_of_the_config(tmp_path, backend, collector):
    with Gateway(tmp_path, CONFIG, instance=backend.port, collector=collector.setting, baggage=", members: 2, bytes: 11", trusted="") as small:
        assert told(small, backend, "a=1,b=2,c=3") == ["a=1,b=2"]
        assert told(small, backend, "a=1", "b=2", "c=3") == ["a=1", "b=2"]
        assert told(small, backend, "a=1,b=2345") == ["a=1,b=2345"]
        assert told(small, backend, "a=12,b=2345") == ["a=12,b=2345"]
        assert told(small, backend, "a=12,b=23456") == ["a=12"]


@pytest.mark.parametrize("baggage, words", [(", members: 0", "baggage.members"), (", bytes: 65537", "baggage.bytes")])
def test_a_mistake_in_the_config_is_told(tmp_path, baggage, words):
    found = Gateway(tmp_path, CONFIG, instance=1, collector="collector: '127.0.0.1:4317'", baggage=baggage, trusted="").check()
    assert found.returncode == 1 and words in found.stderr + found.stdout


def test_names_and_places_that_cannot_be_are_told(tmp_path):
    def check(config):
        found = Gateway(tmp_path, config, instance=1, collector="collector: '127.0.0.1:4317'", baggage="", trusted="").check()
        assert found.returncode == 1
        return found.stderr + found.stdout
    assert "cannot be the name of a member" in check(CONFIG.replace("[tenant, plan]", "['a b']"))
    assert "baggage in the service" in check(CONFIG.replace("{match: orders, attempts: 2", "{match: orders, baggage: false, attempts: 2"))
