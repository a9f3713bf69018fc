"""What operators do to instances and services by hand: it has its effect until its time is over, and is seen everywhere."""
import json
import threading
import time

import pytest
from gateway import Gateway
from operators import command, entries, own_user, plain
from processes import eventually
from test_retries import Shop, well

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
store: store.db
log: "-"
loops: 2
services:
  - name: orders
    versions:
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v2-v3.yaml]
    instances: $instances
$more
"""


@pytest.fixture
def shops():
    with Shop(well) as one, Shop(well) as two:
        yield one, two


@pytest.fixture
def run(tmp_path):
    running = []

    def start(instances, more=""):
        running.append(Gateway(tmp_path, CONFIG, instances=instances, more=more).start())
        return running[0]
    yield start
    for gateway in running:
        gateway.stop()


def versions(*ports):
    """v3 at each port, with builds a, b, ..."""
    return "[" + ", ".join(f"{{address: '127.0.0.1:{port}', protocol: grpc, versions: [v3], build: {build}}}"
                           for port, build in zip(ports, "abc")) + "]"


def ask(gateway, n=12):
    for _ in range(n):
        answer = gateway.http("GET", "/v3/orders/x")
        assert answer.status == 200, answer.body


def shares(gateway, *shops):
    """How many of the next calls each gets."""
    before = [len(shop.asked) for shop in shops]
    ask(gateway)
    return [len(shop.asked) - was for shop, was in zip(shops, before)]


def is_only(gateway, shop, *others):
    return [n > 0 for n in shares(gateway, shop, *others)] == [True] + [False] * len(others)


def get_both(gateway, *shops):
    return all(shares(gateway, *shops))


def done(gateway, *words):
    result = command(gateway, *words, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def page(gateway):
    return done(gateway, "healing")


def address(shop):
    return f"127.0.0.1:{shop.port}"


@pytest.mark.parametrize("word, bar", [("eject", "removed"), ("drain", "drained")])
def test_an_instance_gets_no_calls_until_it_is_returned(run, shops, word, bar):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    ask(gateway)
    answer = done(gateway, "instance", word, address(one), "--for", "10m", "--why", "its disk")
    assert (answer["action"], answer["target"]) == (f"instance_{word}", address(one)) and answer["until"]
    assert answer["services"] == [{"service": "orders", "instances": 2, "left": 1}]
    assert is_only(gateway, two, one)
    act, = page(gateway)["manual"]
    assert (act["act"], act["target"], act["why"]) == (word, address(one), "its disk") and 590 < act["seconds_left"] <= 600
    now, = page(gateway)["now"]
    assert (now["act"], now["service"], now["subject"]) == ("manual", "orders", f"{word} {address(one)}")
    assert "for 10m: its disk" in now["why"]
    assert 590 < gateway.metric("passerelle_manual_seconds", act=word, target=address(one)) <= 600
    assert gateway.metric("passerelle_healing_now", act="manual", service="orders") == 1
    line, = eventually(lambda: gateway.events("healing_begun"))
    assert line["act"] == "manual" and line["subject"] == f"{word} {address(one)}"
    entry, = entries(gateway)
    assert entry["action"] == f"instance_{word}" and entry["why"] == f"{address(one)} for 10m: its disk"

    answer = done(gateway, "instance", "return", address(one), "--why", "a new disk")
    assert answer["lifted"] is True and answer["services"][0]["left"] == 2
    eventually(lambda: get_both(gateway, one, two))
    assert page(gateway)["manual"] == page(gateway)["now"] == []
    was, = page(gateway)["history"]
    assert was["how"].startswith("lifted by uid ")
    assert done(gateway, "instance", "return", address(one))["lifted"] is False


def test_a_drain_has_ended_when_the_last_call_has(run):
    go = threading.Event()
    with Shop(lambda context: go.wait(60) and None) as one, Shop(well) as two:
        gateway = run(versions(one.port, two.port))

        def running():
            service, = gateway.admin("/config").json["services"]
            return {instance["address"]: instance["running"] for instance in service["instances"]}[address(one)]

        def drained():
            return [line["message"] for line in gateway.events("instance_drained")]

        callers = []
        while not one.asked:
            callers.append(threading.Thread(target=ask, args=(gateway, 1)))
            callers[-1].start()
            callers[-1].join(0.5)
        assert eventually(running) == 1
        done(gateway, "instance", "drain", address(one))
        done(gateway, "instance", "drain", address(two))
        eventually(lambda: len(drained()) == 1)
        time.sleep(0.5)
        assert len(drained()) == 1 and drained()[0].startswith(address(two))
        assert done(gateway, "instance", "drain", address(two), "--wait")["running"] == 0
        late = command(gateway, "instance", "drain", address(one), "--wait", "--timeout", "500ms", "--json")
        assert late.returncode == 1 and json.loads(late.stdout)["running"] == 1
        assert f"1 call is still running on {address(one)}" in late.stderr
        threading.Timer(0.5, go.set).start()
        told = command(gateway, "instance", "drain", address(one), "--wait")
        assert told.returncode == 0 and go.is_set() and f"no call runs on {address(one)} any more\n" in told.stdout
        eventually(lambda: any(line.startswith(f"{address(one)}: no call runs there any more") for line in drained()))
        assert running() == 0
        for caller in callers:
            caller.join()


def test_it_ends_by_itself_when_its_time_is_over_and_not_before(run, shops):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    done(gateway, "instance", "eject", address(one), "--for", "3s")
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert is_only(gateway, two, one)
        assert page(gateway)["manual"]
    eventually(lambda: get_both(gateway, one, two), timeout=5)
    assert page(gateway)["manual"] == []
    was, = page(gateway)["history"]
    assert was["how"] == "its time is over" and 2.9 < was["seconds"] < 5
    line, = eventually(lambda: gateway.events("healing_ended"))
    assert 2900 < line["ms"] < 5000


def test_a_new_time_replaces_the_one_before(run, shops):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    done(gateway, "instance", "eject", address(one), "--for", "1s")
    done(gateway, "instance", "eject", address(one), "--for", "60s")
    act, = page(gateway)["manual"]
    assert act["seconds_left"] > 50
    time.sleep(1.2)
    assert is_only(gateway, two, one)


def test_it_is_kept_over_a_reload(run, shops):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    done(gateway, "instance", "eject", address(one))
    done(gateway, "service", "pin", "orders", "b")
    before = page(gateway)["manual"]
    gateway.write(more="drain: 9s")
    assert command(gateway, "reload").returncode == 0
    assert [act["until"] for act in page(gateway)["manual"]] == [act["until"] for act in before]
    assert is_only(gateway, two, one)
    done(gateway, "service", "unpin")
    assert is_only(gateway, two, one)
    gateway.write(instances=versions(two.port))
    assert command(gateway, "reload").returncode == 0
    gateway.write(instances=versions(two.port, one.port))
    assert command(gateway, "reload").returncode == 0
    assert is_only(gateway, two, one)  # it has left and come back


def test_the_last_instance_may_be_ejected_and_calls_fail_loudly(run, shops):
    one, _ = shops
    gateway = run(versions(one.port))
    text = command(gateway, "instance", "eject", address(one)).stdout
    assert "orders: 0 of 1 instances get calls" in text
    answer = gateway.http("GET", "/v3/orders/x")
    assert answer.status == 503 and answer.json["reason"] == "UPSTREAM_DOWN" and one.asked == []
    done(gateway, "instance", "return", address(one))
    ask(gateway)


def test_a_pin_to_a_build_lets_no_other_be_asked(run, shops):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    answer = done(gateway, "service", "pin", "orders", "b", "--for", "10m", "--why", "a loses orders")
    assert (answer["action"], answer["target"], answer["to"]) == ("service_pin", "orders", "b")
    assert answer["services"] == [{"service": "orders", "instances": 2, "left": 1}]
    assert is_only(gateway, two, one)
    now, = page(gateway)["now"]
    assert (now["act"], now["service"], now["subject"]) == ("manual", "orders", "pin b")
    entry, = entries(gateway)
    assert (entry["action"], entry["why"]) == ("service_pin", "orders to b for 10m: a loses orders")
    assert done(gateway, "service", "pin", "a")["target"] == "orders"  # the only service; it replaces the pin
    assert is_only(gateway, one, two)
    assert done(gateway, "service", "unpin", "orders")["lifted"] is True
    eventually(lambda: get_both(gateway, one, two))
    assert [was["subject"] for was in page(gateway)["history"]] == ["pin a", "pin b"]


def test_a_pin_to_a_version_converts_all_calls_to_it(run_shop):
    shop = run_shop("v2", "v3")
    gateway = shop.gateway
    gateway.write(config=gateway.config.replace("admin: {", "admin: {socket: 'unix:admin.sock', "))
    gateway.reload()
    eventually(lambda: (gateway.folder / "admin.sock").exists())

    def served():
        return gateway.http("GET", "/v3/orders/nothing").headers["Passerelle-Served-Version"]
    assert served() == "v3"
    done(gateway, "service", "pin", "v2")
    assert {served() for _ in range(5)} == {"v2"}
    done(gateway, "service", "unpin")
    assert served() == "v3"


def test_a_pin_whose_instances_are_gone_is_loud(run, shops):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    done(gateway, "service", "pin", "b", "--for", "5s")
    gateway.write(instances=versions(one.port))
    assert command(gateway, "reload").returncode == 0
    answer = gateway.http("GET", "/v3/orders/x")
    assert answer.status == 503 and one.asked == []
    line, = eventually(lambda: gateway.events("pin_without_instances"))
    assert line["level"] == "error" and "orders is pinned to b" in line["message"]
    eventually(lambda: gateway.http("GET", "/v3/orders/x").status == 200)  # its time is over


@pytest.mark.parametrize("words, told", [
    (("instance", "eject", "127.0.0.1:9"), "no service has an instance at 127.0.0.1:9"),
    (("instance", "return", "127.0.0.1:9"), "no service has an instance at 127.0.0.1:9"),
    (("service", "pin", "orders", "v2"), "no instance of orders has the version or build v2"),
    (("service", "pin", "carts", "v3"), "there is no service carts"),
    (("service", "unpin", "carts"), "there is no service carts"),
    (("instance", "eject", "127.0.0.1:9", "--for", "soon"), "for=soon is no time from 1s to 720h"),
    (("instance", "eject", "127.0.0.1:9", "--for", "999ms"), "is no time"),
    (("instance", "eject", "127.0.0.1:9", "--for", "721h"), "is no time"),
])
def test_what_cannot_be_done_is_refused_and_changes_nothing(run, shops, words, told):
    one, two = shops
    gateway = run(versions(one.port, two.port))
    result = command(gateway, *words)
    assert result.returncode == 1 and told in result.stderr, result.stderr
    assert page(gateway)["manual"] == []
    entry, = entries(gateway)
    assert entry["result"] in ("UNKNOWN_PATH", "BAD_VALUE")
    eventually(lambda: get_both(gateway, one, two))


@pytest.mark.parametrize("words", [
    ("instance",), ("instance", "eject"), ("instance", "kill", "a:1"), ("instance", "eject", "a:1", "b:1"),
    ("instance", "return", "a:1", "--for", "10m"), ("service",), ("service", "pin"), ("service", "pin", "a", "b", "c"),
    ("service", "unpin", "a", "b"), ("service", "unpin", "a", "--for", "10m"),
])
def test_what_is_written_wrongly_is_2(run, shops, words):
    assert command(run(versions(shops[0].port)), *words).returncode == 2


def test_queries_are_read_strictly(run, shops):
    gateway = run(versions(shops[0].port))
    target = address(shops[0])
    for path, told in [
            ("/instance/eject", "eject takes address=ADDRESS&for=TIME"),
            (f"/instance/eject?address={target}&address={target}", "there twice"),
            (f"/instance/eject?address={target}&colour=red", "colour: it is unknown"),
            (f"/instance/eject?address={target}&for=1h&for=2h", "there twice"),
            (f"/instance/eject?address={target}&to=v2", "eject takes"),
            (f"/instance/eject?address={target}%zz", "cannot be decoded"),
            ("/service/pin?to=v3&address=a", "pin takes service=SERVICE&to=VERSION or BUILD&for=TIME"),
            ("/service/pin?service=orders", "pin takes"),
            ("/service/unpin?service=orders&for=1h", "unpin takes service=SERVICE")]:
        answer = own_user(gateway)("POST", path)
        assert answer.status == 400 and told in answer.json["detail"], (path, answer.body)
    assert plain(gateway)("POST", f"/instance/eject?address={target}").status == 401
