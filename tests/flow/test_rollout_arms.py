"""Clients of a rollout: who has the candidate gets it with each call and keeps it; nobody else does, and nobody can say that it has."""
import threading
import time

import grpc
import pytest
from backends import Backend, client, v1, v3
from gateway import Gateway
from operators import command, own_user
from processes import eventually, free_port
from test_retries import Shop, well

CONFIG = """
listen:
  - {address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}
  - {address: '127.0.0.1:$outside', trusted_proxies: [none]}
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
log: "-"
identity_header: x-client
$cohort
rollouts_file: $folder/rollouts.db
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: $instances
rollouts:
  - {service: orders, candidate: $candidate, pilot: [ada, "test-*"], tiers: [1, "50 %", all], judge: {least: 100s, every: 100ms}}
"""


class Streaming(Shop):
    """Its streams last until the test ends."""

    def __init__(self, *scripts):
        super().__init__(*scripts)
        self.over = threading.Event()

    def Watch(self, request, context):
        self.asked.append(dict(context.invocation_metadata()))
        yield v3.Order()
        self.over.wait(20)

    def __exit__(self, *_):
        self.over.set()
        super().__exit__()


class Builds:
    """A gateway before two builds of orders: `old` and `new`."""

    def __init__(self, folder, cohort="", field="x-client", candidate="{build: new}"):
        self.field = field  # that names clients
        self.old, self.new = Streaming(well), Streaming(well)
        self.outside = free_port()
        self.gateway = Gateway(folder, CONFIG, instances=self.instances(self.old, self.new), outside=self.outside, cohort=cohort,
                               candidate=candidate)

    @staticmethod
    def instances(*shops):
        return "[" + ", ".join(f"{{address: '127.0.0.1:{shop.port}', versions: [v3], build: {build}}}"
                               for shop, build in zip(shops, ("old", "new"))) + "]"

    def __enter__(self):
        self.old.__enter__()
        self.new.__enter__()
        self.gateway.__enter__()
        eventually(lambda: self.is_candidates("ada", order="ada"))
        return self

    def __exit__(self, *error):
        self.gateway.__exit__(*error)
        self.old.__exit__()
        self.new.__exit__()

    def is_candidates(self, name=None, outside=False, order="1", **fields):
        """Whether the client's call comes to the new build."""
        before = len(self.new.asked)
        metadata = [*({self.field: name} if name else {}).items(), *((key.replace("_", "-"), value) for key, value in fields.items())]
        stub = client(self.gateway, "v3", address=f"127.0.0.1:{self.outside}" if outside else None)
        stub.Get(v3.GetRequest(id=order), metadata=metadata, timeout=20)
        return len(self.new.asked) > before

    def status(self):
        return own_user(self.gateway)("GET", "/rollouts").json["rollouts"][0]

    def order(self, word, *more):
        done = command(self.gateway, "rollout", word, "orders", *more)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    with Builds(tmp_path_factory.mktemp("builds")) as running:
        yield running


NAMES = [f"c{i}" for i in range(30)]


def member(builds):
    """The one client of the first tier, which comes in with one of its calls."""
    return eventually(lambda: next((name for name in NAMES if builds.is_candidates(name)), None))


def test_one_client_of_the_first_tier_has_the_candidate_and_keeps_it(builds):
    first = member(builds)
    for _ in range(2):
        assert [name for name in NAMES if builds.is_candidates(name)] == [first]
    assert builds.gateway.logged(client=first, arm="candidate", build="new")
    assert builds.gateway.logged(client="c1" if first == "c0" else "c0", arm="baseline", build="old")


def test_pilots_have_it_by_their_names(builds):
    assert builds.is_candidates("ada") and builds.is_candidates("test-7")
    assert not builds.is_candidates("adam") and not builds.is_candidates("test")


def test_whoever_is_not_trusted_is_nobody(builds):
    assert not builds.is_candidates("ada", outside=True)
    assert not builds.is_candidates()


def test_baggage_is_obeyed_from_inside_and_dropped_from_outside(builds):
    assert builds.is_candidates("ada")
    told = builds.new.asked[-1]["baggage"]
    assert told.startswith("passerelle-candidates=") and len(told.split("=")[1]) == 16
    assert not builds.is_candidates("bob")
    assert builds.old.asked[-1]["baggage"] == "passerelle-candidates=-"
    assert builds.is_candidates("bob", baggage=told) and builds.new.asked[-1]["baggage"] == told
    assert not builds.is_candidates("ada", baggage="a=1, passerelle-candidates=-")
    assert not builds.is_candidates("bob", outside=True, baggage=told)
    assert builds.old.asked[-1]["baggage"] == "passerelle-candidates=-"


def test_without_an_instance_of_the_candidate_the_baseline_serves_and_says_so(builds):
    instances = builds.gateway.words["instances"]
    builds.gateway.write(instances=Builds.instances(builds.old))
    builds.gateway.reload()
    assert eventually(lambda: builds.gateway.events("config_loaded"))
    assert not builds.is_candidates("ada")
    assert builds.gateway.logged(client="ada", build="old")
    # The event is about calls from before it is known that the candidate has gone.
    eventually(lambda: builds.gateway.events("rollout_unserved") or builds.status()["gone"])
    assert all("1 calls of its clients" in event["message"] for event in builds.gateway.events("rollout_unserved"))
    eventually(lambda: builds.status()["gone"])
    builds.gateway.write(instances=instances)
    builds.gateway.reload()
    assert eventually(lambda: builds.is_candidates("ada"))


def test_a_rollback_moves_all_at_once_and_ends_streams(builds):
    stub = client(builds.gateway, "v3")
    events = stub.Watch(v3.WatchRequest(id="1"), metadata=[("x-client", "ada")], timeout=20)
    next(iter(events))
    builds.order("rollback", "--why", "a test")
    ordered = time.monotonic()
    with pytest.raises(grpc.RpcError) as ended:
        next(iter(events))
    assert time.monotonic() - ordered < 10  # the stream would have lasted for 20 s
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE and "was rolled back" in ended.value.details()
    line = builds.gateway.logged(client="ada", method="shop.orders.v3.Orders/Watch")
    assert any(cause["fault"] == "ROLLED_BACK" for cause in line["causes"]), line
    assert not any(builds.is_candidates(name) for name in ["ada", *NAMES])


def test_a_candidate_version_serves_while_the_client_keeps_its_own(tmp_path):
    with Backend("v1") as old, Backend("v3") as new:
        listed = ", ".join(f"{{address: '{shop.address}', versions: [{shop.version}]}}" for shop in (old, new))
        with Gateway(tmp_path, CONFIG, instances=f"[{listed}]", outside=free_port(), cohort="", candidate="{version: v3}") as gateway:
            def served(name):
                made = client(gateway, "v1").List(v1.ListRequest(), metadata=[("x-client", name)], timeout=20)
                assert made is not None
                return gateway.logged(client=name)["served_version"]

            assert eventually(lambda: served("ada") == "v3")
            assert served("bob") == "v1"
            line = gateway.logged(client="ada", served_version="v3")
            assert (line["client_version"], line["response_version"], line["arm"]) == ("v1", "v1", "candidate")


def test_a_header_of_trusted_proxies_tells_clients_apart(tmp_path):
    with Builds(tmp_path, "cohort: {header: x-account}", "x-account") as builds:
        assert not builds.is_candidates(x_client="ada")
        assert not builds.is_candidates("ada", outside=True) and not builds.is_candidates("bob")


def test_a_field_of_the_request_tells_clients_apart(tmp_path):
    with Builds(tmp_path, candidate="{build: new}, cohort: {field: id}") as builds:
        assert builds.is_candidates("bob", order="test-7") and not builds.is_candidates("ada", order="7")
        before = len(builds.new.asked)
        assert builds.gateway.http("GET", "/v3/orders/ada").status == 200
        assert builds.gateway.http("GET", "/v3/orders/bob").status == 200
        assert len(builds.new.asked) == before + 1


def test_two_rollouts_of_a_service_are_refused(tmp_path):
    text = CONFIG + "  - {service: orders, candidate: {version: v2}}\n"
    gateway = Gateway(tmp_path, text, instances="['127.0.0.1:1']", outside=free_port(), cohort="", candidate="{version: v3}")
    told = gateway.check()
    assert told.returncode == 1 and "orders has another rollout, of version v3: a service can have one at a time" in told.stdout + told.stderr
