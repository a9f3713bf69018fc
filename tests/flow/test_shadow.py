"""Shadow calls: copies of calls to another version, whose responses are compared by what they mean. The differences that were planted
are found, in both directions, and no others."""
import json
import subprocess

import grpc
import pytest
from backends import Backend, client, v1, v3
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from operators import command
from processes import eventually

ROUTES = """
  - match: orders.Orders/Get
    shadow: {to: {version: v3}, share: 100 %, at_most: {per_second: 10000, in_flight: 1000, time: 300ms}}
  - match: orders.Orders/List
    shadow:
      to: {version: v1}
      share: 100 %
      at_most: {per_second: 10000, in_flight: 1000}
      ignore: [Delivery.express, Address.city]
      methods: [Orders/List]
  - match: orders.Orders/SetStatus
"""
CONFIG = SHOP_CONFIG.replace("admin: {", "loops: 1\nledger: {redact: [customer], every: 100ms}\nadmin: {socket: 'unix:admin.sock', ", 1) + ROUTES


def order_v1(key, **changes):
    order = v1.Order(id=key, customer="ada", street="1 Kirkgate", city="Leeds", zip="LS1", total_cents=1999, status=v1.SHIPPED,
                     comment="nobody reads it", items=[v1.Item(sku="teapot", quantity=1), v1.Item(sku="cup", quantity=2)])
    order.MergeFrom(v1.Order(**changes))
    return order


def order_v3(key):
    """What the same order is in v3, with more than v1 can say."""
    order = v3.Order(id=key, buyer=v3.Buyer(id="ada"), currency="EUR", total=v3.Money(units=19, nanos=990_000_000),
                     state=v3.DELIVERED, gift_note="for you",
                     delivery=v3.Delivery(express=True, address=v3.Address(street="1 Kirkgate", city="Leeds", postal_code="LS1")),
                     lines=[v3.Line(sku="teapot", quantity=1, gift=True), v3.Line(sku="cup", quantity=2)])
    return order


def dearer(order):
    order.total.CopyFrom(v3.Money(units=20))
    return order


def without_zip(order):
    order.delivery.address.postal_code = ""
    return order


def other_lines(order, *lines):
    del order.lines[:]
    order.lines.extend(v3.Line(sku=sku, quantity=quantity) for sku, quantity in lines)
    return order


ORDERS = [
    (order_v1("same"), order_v3("same")),
    (order_v1("total"), dearer(order_v3("total"))),
    (order_v1("zip"), without_zip(order_v3("zip"))),
    (order_v1("turned"), other_lines(order_v3("turned"), ("cup", 2), ("teapot", 1))),
    (order_v1("longer"), other_lines(order_v3("longer"), ("teapot", 1), ("spoon", 6), ("cup", 2))),
    (order_v1("buyer", customer="grace"), order_v3("buyer")),
    (order_v1("lost", status=v1.LOST), order_v3("lost")),
    (order_v1("gone"), None),
]


class Shadowed:
    def __init__(self, gateway, backends):
        self.gateway, self.backends = gateway, backends

    def rows(self):
        done = command(self.gateway, "shadow", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["shadows"]

    def row(self, method):
        return next((row for row in self.rows() if row["method"] == method), None)

    def ended(self, method, n):
        """The row, once so many copies have ended."""
        def there():
            row = self.row(method)
            return row if row and sum(row[key] for key in ("equal", "different", "unlike", "failed")) == n else None
        return eventually(there)


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory):
    with Backend("v1") as old, Backend("v3") as new:
        for first, second in ORDERS:
            old.stub().Create(v1.CreateRequest(order=first))
            if second:
                new.stub().Create(v3.CreateRequest(order=second))
        listed = instances(("v1", old.port), ("v3", new.port))
        with Gateway(tmp_path_factory.mktemp("shadow"), CONFIG, instances=listed) as gateway:
            yield Shadowed(gateway, {"v1": old, "v3": new})


def found(row):
    return {(difference["path"], difference["shape"]) for difference in row["differences"]}


def sample(row, path):
    return next(difference["sample"] for difference in row["differences"] if difference["path"] == path)


@pytest.fixture(scope="module")
def got(shadowed):
    """The row of Get, after each order was asked for by v1 clients, in gRPC and REST."""
    stub = client(shadowed.gateway, "v1")
    for order, _ in ORDERS:
        assert stub.Get(v1.GetRequest(id=order.id)) == order
    with pytest.raises(grpc.RpcError):
        stub.Get(v1.GetRequest(id="nowhere"))
    assert shadowed.gateway.http("GET", "/v1/orders/same").json["comment"] == "nobody reads it"
    return shadowed.ended("Orders/Get", len(ORDERS) + 2)


def test_what_was_planted_is_found_and_nothing_else(got):
    assert found(got) == {("total_cents", "value"), ("zip", "missing"), ("items", "order"), ("items", "added"),
                          ("customer", "value"), ("", "status")}
    assert all(difference["calls"] == 1 for difference in got["differences"])
    assert (got["equal"], got["different"]) == (3, 6) and got["compared"] == 9


def test_what_the_change_lists_refuse_to_convert_is_not_compared(got):
    assert (got["unlike"], got["failed"], got["reason"]) == (1, 0, "CANNOT_CONVERT")


def test_a_sample_has_both_values_and_the_call(shadowed, got):
    total = sample(got, "total_cents")
    assert (total["real"], total["shadow"]) == ("1999", "2000")
    assert shadowed.gateway.logged(request_id=total["request_id"])["method"] == "shop.orders.v1.Orders/Get"
    assert (sample(got, "")["real"], sample(got, "")["shadow"]) == ("OK", "NOT_FOUND")
    assert sample(got, "items")["shadow"].startswith('{sku: "')


def test_what_the_ledger_redacts_is_in_no_sample(got):
    assert (sample(got, "customer")["real"], sample(got, "customer")["shadow"]) == ("redacted", "redacted")
    assert "grace" not in json.dumps(got)


def test_the_ledger_has_each_kind_of_difference(shadowed, got):
    def kinds():
        rows = json.loads(command(shadowed.gateway, "errors", "--json").stdout)["failures"]
        kinds = {row["cause"]: row["count"] for row in rows if row["fault"] == "SHADOW_DIFFERS"}
        return kinds if len(kinds) == 6 else None
    assert eventually(kinds).get("a copy to v3: value of total_cents") == 1


def test_clients_of_v3_are_compared_with_v1_the_same_way(shadowed, got):
    stub = client(shadowed.gateway, "v3")
    for buyer in ("ada", "nobody"):
        stub.List(v3.ListRequest(buyer=v3.Buyer(id=buyer), limit=2))
    row = shadowed.ended("Orders/List", 2)
    assert found(row) == {("orders.total.units", "value"), ("orders.total.nanos", "added")}
    assert (row["equal"], row["different"], row["version"], row["to"]) == (1, 1, "v3", "v1")


def test_copies_are_marked_and_calls_are_not(shadowed, got):
    stub = client(shadowed.gateway, "v1")
    stub.Get(v1.GetRequest(id="same"), metadata=[("passerelle-shadow", "1"), ("x-mark", "here")])
    def told(version):
        return [call["metadata"] for call in shadowed.backends[version].told("call") if call["metadata"].get("x-mark") == "here"]
    eventually(lambda: told("v3"))
    assert [call.get("passerelle-shadow") for call in told("v1")] == [None]
    assert [call.get("passerelle-shadow") for call in told("v3")] == ["1"]


def test_a_slow_copy_delays_nothing_and_is_given_up(shadowed, got):
    before = shadowed.row("Orders/Get")["failed"]
    new = shadowed.backends["v3"].process.child
    new.send_signal(19)  # SIGSTOP
    try:
        answer = shadowed.gateway.http("GET", "/v1/orders/same", timeout=0.25)
        assert answer.status == 200
        eventually(lambda: shadowed.row("Orders/Get")["failed"] == before + 1)
    finally:
        new.send_signal(18)  # SIGCONT
    assert shadowed.row("Orders/Get")["reason"] in ("DEADLINE_EXCEEDED", "CLIENT_DEADLINE")
    assert shadowed.gateway.barred() == {}


def test_calls_with_side_effects_are_never_copied(shadowed, got):
    old = client(shadowed.gateway, "v1")
    old.SetStatus(v1.SetStatusRequest(id="gone", status=v1.SHIPPED))
    assert shadowed.row("Orders/SetStatus") is None
    assert shadowed.backends["v3"].told("call", method="SetStatus") == []


def test_what_is_copied_is_counted_apart(shadowed, got):
    metric = shadowed.gateway.metric
    assert metric("passerelle_shadow_calls_total", method="Orders/Get", outcome="different") == 6
    assert metric("passerelle_shadow_differences_total", method="Orders/Get", shape="value") == 2
    assert metric("passerelle_shadow_running") == 0
    copies = [call for call in shadowed.backends["v3"].told("call", method="Get")]
    assert len(copies) >= len(ORDERS)
    assert metric("passerelle_calls_total", served="v3", method="shop.orders.v1.Orders/Get") == 0


def test_a_call_that_was_served_there_is_not_copied(shadowed, got):
    before = shadowed.gateway.metric("passerelle_shadow_not_copied_total", reason="same")
    client(shadowed.gateway, "v3").Get(v3.GetRequest(id="same"))
    assert shadowed.gateway.metric("passerelle_shadow_not_copied_total", reason="same") == before + 1


def test_operators_read_it(shadowed, got):
    told = command(shadowed.gateway, "shadow", "orders").stdout
    assert "orders Orders/Get of v1, copied to v3" in told
    assert "total_cents: value\n      real 1999, copy 2000; request " in told
    assert command(shadowed.gateway, "shadow", "stock").stdout.startswith("no copy of a call has ended yet")


# ---- The config ----------------------------------------------------------------------------------------------------

def explained(tmp_path, path):
    done = subprocess.run([BINARY, "explain", tmp_path / "gateway.yaml", "GET", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_check_and_explain_say_what_is_copied(tmp_path):
    gateway = Gateway(tmp_path, CONFIG, instances=instances(("v1", 1), ("v3", 2)))
    checked = gateway.check()
    assert checked.returncode == 0, checked.stderr
    assert "100 % of its calls are copied to v3" in checked.stdout
    assert "copied    100 % to v3" in explained(tmp_path, "/v1/orders/x")
    assert "copied " not in explained(tmp_path, "/v1/recommendations")


@pytest.mark.parametrize("shadow, reason", [
    ("{to: {version: v4}}", "orders has no version v4"),
    ("{to: {version: v2}}", "no instance of orders has the version v2"),
    ("{to: {build: 9.9.9}}", "no instance of orders has the build 9.9.9"),
    ("{to: {version: v3, build: 3.1.0}}", "copies go to one version, or to one build"),
    ("{to: {version: v3}, share: 0 %}", "0 % is no share"),
    ("{to: {version: v3}, share: 101 %}", "101 % is no share"),
    ("{to: {version: v3}, share: one}", "one is no share"),
    ("{to: {version: v3}, ignore: [Order.nothing]}", "no version of orders has the field Order.nothing"),
    ("{to: {version: v3}, methods: [Orders/Watch]}", "Orders/Watch is a stream, and streams are not copied"),
    ("{to: {version: v3}, methods: [Orders/SetStatus]}", "Orders/SetStatus may have side effects"),
    ("{to: {version: v3}, methods: [Orders/Gett]}", "orders has no method Orders/Gett"),
    ("{to: {version: v3}, methods: [Orders/ListRecommendations]}", "belongs to another route"),
])
def test_check_says_what_cannot_be_copied(tmp_path, shadow, reason):
    config = SHOP_CONFIG.replace("on_failure: loud}", f"on_failure: loud, shadow: {shadow}}}", 1)
    checked = Gateway(tmp_path, config, instances=instances(("v1", 1), ("v3", 2))).check()
    assert checked.returncode == 1 and reason in checked.stderr + checked.stdout


def test_a_route_without_anything_to_copy_is_refused(tmp_path):
    config = SHOP_CONFIG + "  - {match: orders.Orders/Create, shadow: {to: {version: v3}}}\n"
    checked = Gateway(tmp_path, config, instances=instances(("v1", 1), ("v3", 2))).check()
    assert checked.returncode == 1 and "matches no method that can be copied" in checked.stderr + checked.stdout
