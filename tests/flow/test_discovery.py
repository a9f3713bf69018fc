"""Instances that are listed in a file: they join and leave without a reload, and without a failed call."""
import json
import os
import random
import threading
import time

import grpc
import pytest
from backends import Backend, client, order_v3, v3
from gateway import SHOP_CONFIG, Gateway
from http2_backend import Http2Backend
from processes import eventually

ORDER = v3.Order(id="1")
DISCOVERED = "loops: $loops" + SHOP_CONFIG.replace("instances: $instances",
                                 "discovery: {file: list.yaml, every: $every, empty_after: $empty_after}")


class Listed(Gateway):
    """A gateway whose instances are those of a file that the test writes."""

    def __init__(self, folder, listed=None, every="20ms", empty_after="5m", loops=2):
        super().__init__(folder, DISCOVERED, every=every, empty_after=empty_after, loops=loops)
        self.list = folder / "list.yaml"
        if listed is not None:
            self.put(listed)

    def put(self, listed):
        """Replaces the list: backends, entries of a list, or a text."""
        text = listed if isinstance(listed, str) else json.dumps({"instances": [
            {"address": f"127.0.0.1:{item.port}", "versions": ["v3"]} if hasattr(item, "port") else item
            for item in listed]})
        new = self.folder / "list.new"
        new.write_text(text)
        os.replace(new, self.list)

    def listed(self):
        """The addresses of the instances of now."""
        service, = self.admin("/config").json["services"]
        return [instance["address"] for instance in service["instances"]]

    def events(self, event):
        return [line["message"] for line in self.log() if line.get("event") == event]

    def get(self):
        """How a call ends, and who answered: by the log."""
        try:
            client(self, "v3").Get(v3.GetRequest(id="1"), timeout=20)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name


def answering():
    return Http2Backend(lambda request: request.answer(ORDER))


def addresses(*backends):
    return [f"127.0.0.1:{backend.port}" for backend in backends]


def test_instances_join_and_leave_without_a_reload(tmp_path):
    with answering() as first, answering() as second, Listed(tmp_path, [first]) as gateway:
        assert gateway.get() == "OK" and len(first.requests) == 1
        gateway.put([first, second])
        eventually(lambda: gateway.listed() == addresses(first, second))
        eventually(lambda: gateway.get() == "OK" and second.requests)
        gateway.put([second])
        eventually(lambda: gateway.listed() == addresses(second))
        eventually(lambda: gateway.events("instances_changed")[1:])

        def first_is_not_asked():
            asked = len(first.requests)
            assert [gateway.get() for _ in range(10)] == ["OK"] * 10
            return len(first.requests) == asked
        eventually(first_is_not_asked)  # as soon as each loop has taken the set
        assert gateway.events("instances_changed") == ["orders: 1 joined, 0 left, 0 altered; there are 2 now",
                                                       "orders: 0 joined, 1 left, 0 altered; there are 1 now"]
        assert gateway.metric("passerelle_config_generation") == 1
        assert gateway.metric("passerelle_instances", service="orders") == 1
        assert gateway.metric("passerelle_instances_joined_total", service="orders") == 2
        assert gateway.metric("passerelle_instances_left_total", service="orders") == 1


def test_a_stream_goes_on_when_its_instance_has_left(tmp_path):
    watched = []

    def serve(request):
        watched.append(request)
        request.begin(ORDER)

    with Http2Backend(serve) as leaves, answering() as stays, Listed(tmp_path, [leaves]) as gateway:
        watching = client(gateway, "v3").Watch(v3.WatchRequest(id="1"), timeout=60)
        assert next(watching) == ORDER
        gateway.put([stays])
        eventually(lambda: gateway.listed() == addresses(stays))
        time.sleep(0.3)  # until each loop has taken the set
        assert [gateway.get() for _ in range(5)] == ["OK"] * 5 and len(leaves.requests) == 1
        watched[0].say(v3.Order(id="2"))
        assert next(watching).id == "2"
        watched[0].end()
        assert list(watching) == []
        assert gateway.logged(method="shop.orders.v3.Orders/Watch")["instance"] == addresses(leaves)[0]


def test_no_call_fails_while_instances_come_and_go(tmp_path):
    """Eight instances, a random part of them listed, another one fifty times a second."""
    backends = [answering() for _ in range(8)]
    chance, failures, n_calls = random.Random(1), [], [0]
    ended = threading.Event()

    def call(gateway):
        stub = client(gateway, "v3")
        while not ended.is_set():
            try:
                stub.Create(v3.CreateRequest(order=order_v3()), timeout=20)
                n_calls[0] += 1
            except grpc.RpcError as error:
                failures.append(error)

    for backend in backends:
        backend.__enter__()
    with Listed(tmp_path, backends, every="10ms") as gateway:
        threads = [threading.Thread(target=call, args=[gateway]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(150):
            gateway.put(chance.sample(backends, chance.randint(1, 8)))
            time.sleep(0.02)
        ended.set()
        for thread in threads:
            thread.join()
        assert failures == [] and n_calls[0] > 100
        assert len(gateway.events("instances_changed")) > 20
        assert all(backend.requests for backend in backends)
    for backend in backends:
        backend.__exit__()


def test_an_instance_that_has_left_may_stop_when_its_calls_have_ended(tmp_path):
    """The shop's backends one after the other, each stopped a second after it has left."""
    failures, ended = [], threading.Event()

    def call(gateway):
        stub = client(gateway, "v3")
        while not ended.is_set():
            try:
                stub.Create(v3.CreateRequest(order=order_v3()), timeout=20)
            except grpc.RpcError as error:
                failures.append(error)

    running = Backend("v3").start()
    with Listed(tmp_path, [running]) as gateway:
        thread = threading.Thread(target=call, args=[gateway])
        thread.start()
        for _ in range(3):
            before, running = running, Backend("v3").start()
            gateway.put([before, running])
            eventually(lambda: len(gateway.listed()) == 2)
            gateway.put([running])
            eventually(lambda: gateway.listed() == addresses(running))
            time.sleep(1)
            before.kill()
        ended.set()
        thread.join()
        assert failures == []
    running.stop()


def test_what_is_wrong_in_a_list_is_reported_and_left_out(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend]) as gateway:
        gateway.put("instances:\n"
                    f"  - {{address: '127.0.0.1:{backend.port}', versions: [v3]}}\n"
                    "  - {address: '10.0.0.300:1', versions: [v3]}\n"
                    "  - {address: '10.0.0.1:1', versions: [v9]}\n"
                    "  - {address: '10.0.0.2:1', version: [v3]}\n"
                    f"  - {{address: '127.0.0.1:{backend.port}', versions: [v2, v3]}}\n"
                    "  - {address: '127.0.0.2:1', versions: [v3], build: good}\n")
        eventually(lambda: len(gateway.listed()) == 2)
        assert gateway.listed() == [*addresses(backend), "127.0.0.2:1"]
        eventually(lambda: len(gateway.events("instance_refused")) == 4)  # the log has a thread of its own
        told = gateway.events("instance_refused")
        for place, what in [("list.yaml:3:15: instances[1].address", "10.0.0.300 is neither"),
                            ("list.yaml:4:", "orders has no version v9"), ("list.yaml:5:", "version"),
                            ("list.yaml", "occurs twice")]:
            assert any(place in line and what in line for line in told), told
        assert gateway.get() == "OK"


def test_an_empty_list_empties_the_service_only_after_a_while(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend], empty_after="1500ms") as gateway:
        gateway.put([])
        eventually(lambda: gateway.events("instances_empty"))
        began = time.monotonic()
        assert gateway.get() == "OK" and gateway.listed() == addresses(backend)
        eventually(lambda: gateway.listed() == [])
        assert time.monotonic() - began > 1
        assert gateway.get() == "UNAVAILABLE"
        assert any("no instances any more" in told for told in gateway.events("instances_gone"))
        assert gateway.metric("passerelle_healing_now", act="discovery") == 1
        assert gateway.metric("passerelle_instances") == 0
        gateway.put([backend])
        eventually(lambda: gateway.get() == "OK")
        eventually(lambda: gateway.metric("passerelle_healing_now", act="discovery") == 0)


def test_a_list_that_is_empty_for_a_moment_changes_nothing(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend], empty_after="1s") as gateway:
        gateway.put([])
        eventually(lambda: gateway.events("instances_empty"))
        gateway.put([backend])
        time.sleep(1.5)
        assert gateway.listed() == addresses(backend) and gateway.events("instances_changed") == []


def test_a_wrong_list_after_an_empty_one_is_reported_once(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend]) as gateway:
        gateway.put([])
        eventually(lambda: gateway.events("instances_empty"))
        gateway.put("instances: [")
        eventually(lambda: gateway.events("instances_unreadable"))
        time.sleep(0.3)  # many looks later
        assert len(gateway.events("instance_refused")) == 1
        assert gateway.listed() == addresses(backend)


@pytest.mark.parametrize("text", ["instances: [", "nothing: []", "[]", "instances: {}", "instances: [{address: x}]"])
def test_a_list_that_cannot_be_read_changes_nothing(tmp_path, text):
    with answering() as backend, Listed(tmp_path, [backend], empty_after="0s") as gateway:
        gateway.put(text)
        eventually(lambda: gateway.events("instance_refused"))
        time.sleep(0.1)
        assert gateway.listed() == addresses(backend) and gateway.get() == "OK"


def test_a_file_that_is_gone_changes_nothing_and_one_that_comes_back_is_taken(tmp_path):
    with answering() as first, answering() as second, Listed(tmp_path, [first], empty_after="0s") as gateway:
        gateway.list.unlink()
        eventually(lambda: gateway.events("instances_unreadable"))
        time.sleep(0.1)
        assert gateway.listed() == addresses(first) and len(gateway.events("instances_unreadable")) == 1
        gateway.put([second])
        eventually(lambda: gateway.listed() == addresses(second))


def test_a_gateway_starts_before_there_is_a_list(tmp_path):
    with answering() as backend, Listed(tmp_path) as gateway:
        eventually(lambda: any("list.yaml" in line for line in gateway.events("config_doubtful")))
        assert gateway.get() != "OK"
        gateway.put([backend])
        eventually(lambda: gateway.get() == "OK")


def test_a_list_that_is_written_in_place_is_taken_when_it_has_stayed_the_same(tmp_path):
    with answering() as first, answering() as second, Listed(tmp_path, [first], every="300ms") as gateway:
        with gateway.list.open("w") as file:
            file.write(f"instances:\n  - {{address: '127.0.0.1:{second.port}', versions: [v3]}}\n")
            file.flush()
            for _ in range(8):
                file.write("# not yet\n")
                file.flush()
                time.sleep(0.1)
            file.write(f"  - {{address: '127.0.0.1:{first.port}', versions: [v3]}}\n")
        eventually(lambda: len(gateway.listed()) == 2)
        eventually(lambda: gateway.events("instances_changed"))
        assert gateway.events("instances_changed") == ["orders: 1 joined, 0 left, 0 altered; there are 2 now"]


def test_a_reload_keeps_the_instances_of_a_list_that_is_empty_now(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend], empty_after="5s") as gateway:
        gateway.put([])
        eventually(lambda: gateway.events("instances_empty"))
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
        assert gateway.listed() == addresses(backend) and gateway.get() == "OK"
        eventually(lambda: gateway.listed() == [])  # the time goes on


@pytest.mark.parametrize("unreadable", ["gone", "instances: [", "instances: []"])
def test_a_reload_while_the_list_cannot_be_read_counts_nobody_as_joined_or_left(tmp_path, unreadable):
    def count(what):
        return gateway.metric(f"passerelle_instances_{what}_total", service="orders")

    with answering() as backend, Listed(tmp_path, [backend]) as gateway:
        if unreadable == "gone":
            gateway.list.unlink()
        else:
            gateway.put(unreadable)
        eventually(lambda: gateway.events("instances_unreadable") or gateway.events("instances_empty"))
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
        assert gateway.listed() == addresses(backend) and gateway.get() == "OK"
        assert (count("joined"), count("left")) == (1, 0)
        gateway.put([backend])
        time.sleep(0.3)  # many looks later
        assert (count("joined"), count("left")) == (1, 0) and gateway.events("instances_changed") == []


def test_an_instance_that_is_asked_otherwise_from_now_on_keeps_its_connection(tmp_path):
    with answering() as backend, Listed(tmp_path, [backend], loops=1) as gateway:
        assert gateway.get() == "OK"
        gateway.put([{"address": addresses(backend)[0], "versions": ["v2", "v3"], "build": "3.2.0"}])
        eventually(lambda: gateway.events("instances_changed"))
        assert gateway.events("instances_changed") == ["orders: 0 joined, 0 left, 1 altered; there are 1 now"]
        eventually(lambda: gateway.get() == "OK" and any(line.get("build") == "3.2.0" for line in gateway.log()))
        assert len({request.connection for request in backend.requests}) == 1


def test_check_reads_the_list(tmp_path):
    gateway = Listed(tmp_path, [{"address": "10.0.0.7:7001", "versions": ["v3"]}, {"address": "10.0.0.8"}])
    told = gateway.check()
    assert told.returncode == 1 and "10.0.0.8 is not an address" in told.stdout + told.stderr
    gateway.put([{"address": "10.0.0.7:7001", "versions": ["v3"]}])
    told = gateway.check()
    assert told.returncode == 0 and "orders: 1 instance, listed in" in told.stdout
