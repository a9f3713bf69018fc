"""How much clients may do: refused in every dialect, told when to come back, counted, shown, and kept over reloads."""
import http.client
import json
import subprocess
import threading
import time

import grpc
import pytest
from backends import client, v1
from gateway import BINARY, Gateway
from http1_backend import Http1Backend
from operators import command, on_socket
from processes import eventually
from refusals import DIALECTS, GET, refusal
from stores import store  # noqa: F401  (a fixture)

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: "-"
errors: full
loops: 2
identity_header: x-client
identity: {class_header: x-class, tenant_header: x-tenant}
trusted_proxies: [127.0.0.1]
rate_limiting: {clients: 1000, addresses: 1000}
rate_limits:
  - {name: client, per: [client], rate: 2/h, burst: 4, on: {client: [limited-*]}, tell: true}
  - {name: squeezed, per: [client, version], rate: 1/h, burst: 1, on: {version: [v1], client: [old-*]}}
  - {name: free, per: [class], rate: 3/d, on: {class: [free]}}
  - {name: tenant, per: [tenant], rate: 2/d, on: {client: [of-tenant-*]}}
  - {name: visitors, per: [client], rate: 2/h, on: {anonymous: true}}
  - {name: pages, per: [client], rate: 100/h, cost: limit, on: {client: [lists-*]}, tell: true}
  - {name: at-once, per: [client], concurrent: 2, on: {client: [busy-*]}}
  - {name: volume, per: [client], rate: 4KiB/h, count: bytes, on: {client: [large-*]}}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v1, v2]}]
    rate_limits: [{per: [client, method], rate: 1/d, on: {client: [each-*]}}]
routes:
  - {match: orders, impact: high}
  - {match: /large/, instances: ["127.0.0.1:$instance"], rate_limits: [{per: [client], rate: 4KiB/h, count: bytes}]}
  - {match: /files/, instances: ["127.0.0.1:$instance"], rate_limits: [{per: [client], rate: 2/d}]}
"""


class Instance:
    """Answers everything with an empty message; while `held`, not at all."""

    def __init__(self):
        self.free = threading.Event()
        self.free.set()
        self.asked = 0

    def __call__(self, peer, told, body):
        self.asked += 1
        self.free.wait(20)
        size = 2_000_000 if told.target.startswith("/large/") else 0
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: {size}\r\n\r\n" + "x" * size)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    instance = Instance()
    with Http1Backend(instance) as backend:
        with Gateway(tmp_path_factory.mktemp("limits"), CONFIG, instance=backend.port) as gateway:
            gateway.instance = instance
            yield gateway


def get(gateway, who, path="/v1/orders/x", **fields):
    return gateway.http("GET", path, headers={**({"X-Client": who} if who else {}), **fields})


def statuses(gateway, who, n, path="/v1/orders/x", **fields):
    return [get(gateway, who, path, **fields).status for _ in range(n)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_clients_of_each_dialect_hear_that_they_are_refused_and_for_how_long(shop, dialect):
    who = {"X-Client": f"limited-{dialect}"}
    assert [refusal(shop, dialect, who) for _ in range(4)] == [None] * 4
    told = refusal(shop, dialect, who)
    assert told.is_by("RATE_LIMITED", "resource_exhausted") and 1790 <= told.after <= 1800


def test_all_dialects_count_for_the_same_client(shop):
    who = {"X-Client": "limited-everywhere"}
    assert [refusal(shop, dialect, who) for dialect in DIALECTS] == [None] * 4
    assert all(refusal(shop, dialect, who).is_by("RATE_LIMITED", "resource_exhausted") for dialect in DIALECTS)


def test_a_refused_call_reaches_no_instance_and_is_in_the_log_and_the_metric(shop):
    assert statuses(shop, "limited-log", 4) == [200] * 4
    asked, before = shop.instance.asked, shop.metric("passerelle_rate_limited_total", limit="client")
    answer = get(shop, "limited-log")
    assert (answer.status, shop.instance.asked) == (429, asked)
    assert answer.json["reason"] == "RATE_LIMITED" and "client: 2 calls per hour, 4 at once" in answer.json["detail"]
    assert next(detail for detail in answer.json["details"] if "ErrorInfo" in detail["@type"])["metadata"]["limit"] == "client"
    assert shop.metric("passerelle_rate_limited_total", limit="client") == before + 1
    assert shop.metric("passerelle_errors_total", fault="RATE_LIMITED") > 0
    assert "limited-log" not in shop.admin("/metrics").body.decode()


def test_a_response_says_where_its_client_stands(shop):
    first, *_, last, refused = [get(shop, "limited-told") for _ in range(5)]
    assert first.headers["RateLimit-Policy"] == '"client";q=4;w=7200'
    assert first.headers["RateLimit"] == '"client";r=3;t=1800'
    assert last.headers["RateLimit"].startswith('"client";r=0;t=')
    assert refused.status == 429 and refused.headers["RateLimit"].startswith('"client";r=0;t=')
    assert int(refused.headers["Retry-After"]) >= int(refused.headers["RateLimit"].split("t=")[1])
    assert "RateLimit" not in get(shop, "somebody").headers


def test_an_old_version_can_be_squeezed(shop):
    assert statuses(shop, "old-ada", 2) == [200, 429]
    assert statuses(shop, "old-ada", 3, "/v2/orders/x") == [200] * 3


def test_a_class_has_one_bucket_and_a_tenant_has_one(shop):
    assert [get(shop, f"free-{n}", **{"X-Class": "free"}).status for n in range(4)] == [200] * 3 + [429]
    assert [get(shop, f"of-tenant-{n}", **{"X-Tenant": "acme"}).status for n in range(3)] == [200, 200, 429]
    assert statuses(shop, "of-tenant-0", 3) == [200, 200, 429]  # without one it counts for itself


def test_each_method_has_its_own_bucket(shop):
    assert statuses(shop, "each-ada", 2) == [200, 429]
    assert statuses(shop, "each-ada", 2, "/v1/orders") == [200, 429]
    assert statuses(shop, "each-ada", 2, "/v2/orders/x")[0] == 429  # in all versions


def test_clients_without_an_identity_are_told_apart_by_their_address(shop):
    def visits(address, n=3):
        return [get(shop, None, **{"X-Forwarded-For": address}).status for _ in range(n)]
    assert visits("192.0.2.7") == [200, 200, 429]
    assert visits("192.0.2.8") == [200, 200, 429]
    assert visits("2001:db8:1:2::3") == [200, 200, 429]
    assert visits("2001:db8:1:2:ffff::4", 1) == [429]
    assert visits("2001:db8:1:3::3", 1) == [200]


def test_a_path_prefix_has_limits_of_its_own(shop):
    assert statuses(shop, "files-ada", 3, "/files/a") == [200, 200, 429]
    assert statuses(shop, "files-ada", 1) == [200]


@pytest.mark.parametrize("listed", [
    lambda shop, n: get(shop, "lists-rest", f"/v1/orders?limit={n}").status == 200,
    lambda shop, n: shop.http("POST", GET.replace("Get", "List"), {"limit": n}, {"X-Client": "lists-connect"}).status == 200,
    lambda shop, n: _lists_by_grpc(shop, n),
], ids=["rest", "connect", "grpc"])
def test_a_call_costs_what_its_request_asks_for(shop, listed):
    """100 are there: what is asked for, at least 1, at most all of them."""
    assert listed(shop, 60)
    assert not listed(shop, 41)
    assert listed(shop, 39)
    assert listed(shop, -5)  # costs 1
    assert not listed(shop, 0)


def _lists_by_grpc(shop, n):
    try:
        client(shop, "v1").List(v1.ListRequest(limit=n), timeout=20, metadata=[("x-client", "lists-grpc")])
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        return False
    return True


def test_calls_in_progress_are_limited_and_make_room_when_they_end(shop):
    shop.instance.free.clear()
    try:
        asked = shop.instance.asked
        calls = [threading.Thread(target=get, args=(shop, "busy-ada")) for _ in range(2)]
        for call in calls:
            call.start()
        eventually(lambda: shop.instance.asked == asked + 2)
        refused = get(shop, "busy-ada")
        assert refused.status == 429 and refused.headers["Retry-After"] == "1"
    finally:
        shop.instance.free.set()
    for call in calls:
        call.join()
    assert eventually(lambda: get(shop, "busy-ada").status == 200)


def test_bytes_that_passed_are_owed(shop):
    body = json.dumps({"order": {"customer": "x" * 5000}})

    def create():
        return shop.http("POST", "/v1/orders", body, {"X-Client": "large-ada", "Content-Type": "application/json"}).status
    assert create() != 429
    assert create() == 429


def test_a_stream_that_owes_too_much_is_ended(shop):
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        get(shop, "ada", "/large/file")
    assert shop.logged(path="/large/file", client="ada")["causes"][0]["fault"] == "RATE_LIMITED"
    assert get(shop, "ada", "/large/file").status == 429


def test_operators_see_who_is_limited_most_and_since_when(shop):
    statuses(shop, "limited-most", 60)
    page = on_socket(shop.folder / "admin.sock", "GET", "/limits").json
    most = page["limited"][0]
    assert (most["client"], most["limit"], most["refused"]) == ("limited-most", "client", 56)
    assert most["since"] <= most["last"] and page["n_limited"] >= 1
    assert all(len(most[time].partition(".")[2]) in (0, len("123Z")) for time in ("since", "last")), most  # milliseconds
    printed = subprocess.run([BINARY, "limits", "--admin", f"unix:{shop.folder}/admin.sock"], capture_output=True, text=True, timeout=20)
    assert printed.returncode == 0 and "limited-most" in printed.stdout.splitlines()[2], printed


def test_few_refusals_are_in_the_log_and_tell_of_the_others(shop):
    before = shop.metric("passerelle_rate_limited_total", limit="client")
    statuses(shop, "limited-quiet", 104)
    assert shop.metric("passerelle_rate_limited_total", limit="client") == before + 100

    def lines():
        return [line for line in shop.log() if line.get("client") == "limited-quiet" and line["code"] == "RESOURCE_EXHAUSTED"]
    assert len(lines()) < 60
    told = []
    eventually(lambda: told.append(get(shop, "limited-quiet")) or any("others since" in str(line) for line in lines()))
    assert told and all(answer.status == 429 and b"others" not in answer.body for answer in told)  # with `errors: full`


def test_a_reload_gives_nobody_anything_back(shop):
    assert statuses(shop, "limited-reload", 4) == [200] * 4
    shop.write(CONFIG.replace("rate: 2/h, burst: 4", "rate: 2/h, burst: 5"))
    shop.reload()
    eventually(lambda: len(shop.events("config_loaded")) == 1)
    assert eventually(lambda: get(shop, "limited-reload").status == 200)
    assert statuses(shop, "limited-reload", 2) == [429] * 2


def test_an_upgrade_gives_nobody_anything_back(tmp_path):
    with Http1Backend(Instance()) as backend, Gateway(tmp_path, CONFIG, options=["--supervise"], instance=backend.port) as gateway:
        assert statuses(gateway, "limited-upgrade", 4) == [200] * 4
        assert statuses(gateway, "limited-other", 1) == [200]
        assert command(gateway, "upgrade").returncode == 0
        assert statuses(gateway, "limited-upgrade", 2) == [429] * 2
        assert statuses(gateway, "limited-other", 4) == [200] * 3 + [429]


def test_explain_says_which_limits_a_call_meets(shop):
    told = subprocess.run([BINARY, "explain", shop.file, "GET", "/v1/orders?limit=7"], capture_output=True, text=True, timeout=20).stdout
    assert "limit     squeezed: 1 calls per hour, 1 at once, of each client and version; only client old-*" in told
    assert "limit     pages: 100 calls per hour, 100 at once, of each client; a call costs its limit, 1 to 100" in told
    checked = subprocess.run([BINARY, "check", shop.file], capture_output=True, text=True, timeout=20).stdout
    assert "limit squeezed: 1 calls per hour, 1 at once, of each client and version; only version v1 client old-*" in checked
    assert "limit of orders orders.client-method: 1 calls per day, 1 at once, of each client and method; only client each-*" in checked
    listed = subprocess.run([BINARY, "check", "--json", shop.file], capture_output=True, text=True, timeout=20).stdout
    assert {limit["name"]: limit.get("service") for limit in json.loads(listed)["limits"]}["orders.client-method"] == "orders"
    told = subprocess.run([BINARY, "explain", "--json", shop.file, "GET", "/v2/orders/x"], capture_output=True, text=True, timeout=20)
    names = [limit["name"] for limit in json.loads(told.stdout)["rate_limits"]]
    assert "squeezed" not in names and names[-1] == "orders.client-method"


SHARED = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}
log: "-"
node: $node
loops: 2
store: $store
identity_header: x-client
trusted_proxies: [127.0.0.1]
rate_limiting: {clients: 1000, addresses: 1000, every: 100ms}
rate_limits: [{per: [client], rate: 20/s}]
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: [{address: "127.0.0.1:$instance", protocol: connect, versions: [v1]}]
"""
RATE = 20


def hammer(gateway, who, seconds):
    """Calls without a pause: how many were admitted in a second."""
    admitted, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        admitted += get(gateway, who).status == 200
    return admitted / passed


def test_gateways_divide_a_rate_by_what_the_client_needs_where(tmp_path, store):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    words = {"store": store.setting}
    with Http1Backend(Instance()) as backend, \
            Gateway(tmp_path / "a", SHARED, instance=backend.port, node="a", **words) as a, \
            Gateway(tmp_path / "b", SHARED, instance=backend.port, node="b", **words) as b:
        a.reload()  # it sees the other one at once
        eventually(lambda: all(it.metric("passerelle_rate_limit_share_parts") == 32768 for it in (a, b)))
        assert sum(get(a, "bob").status == 200 for _ in range(30)) in range(RATE // 2, RATE // 2 + 10)  # half of the burst, and what came
        hammer(a, "ada", 1)
        assert RATE * 0.75 < hammer(a, "ada", 1) < RATE * 1.1
        hammer(b, "ada", 0.4)  # it begins to call here, too
        both = [None, None]

        def call(number):
            both[number] = hammer((a, b)[number], "ada", 1)
        threads = [threading.Thread(target=call, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(both) < RATE * 1.3 and min(both) > RATE * 0.2
