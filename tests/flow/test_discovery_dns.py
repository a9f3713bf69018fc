"""Instances that are listed in DNS: addresses, and SRV records."""
import time

import pytest
from dns_server import FAILS, SILENT, SRV, DnsServer, srv
from gateway import SHOP_CONFIG, Gateway
from http2_backend import Http2Backend
from processes import eventually
from test_discovery import ORDER, Listed, addresses, answering

NAMED = "loops: 2\ndns: {servers: ['$dns'], timeout: 100ms, attempts: 1}" + SHOP_CONFIG.replace(
    "instances: $instances",
    "discovery: {dns: $names, every: $every, empty_after: $empty_after, timeout: 300ms}")
V3 = "{versions: [v3]}"


class Named(Listed):
    """A gateway whose instances are records of names."""

    def __init__(self, folder, server, names, every="50ms", empty_after="5m"):
        Gateway.__init__(self, folder, NAMED, dns=server.address, names=names, every=every, empty_after=empty_after)


def at(name, instance=V3):
    return "[{name: '%s', instance: %s}]" % (name, instance)


@pytest.fixture
def server():
    with DnsServer({}, ttl=0) as running:
        yield running


def test_each_address_of_a_name_is_an_instance(tmp_path, server):
    with answering() as backend:
        server.names["a.test"] = ["127.0.0.1", "::1"]
        with Named(tmp_path, server, at(f"a.test:{backend.port}")) as gateway:
            eventually(lambda: len(gateway.listed()) == 2)
            assert sorted(gateway.listed()) == [f"127.0.0.1:{backend.port}", f"[::1]:{backend.port}"]
            eventually(lambda: gateway.get() == "OK")
            server.names["a.test"] = ["127.0.0.2"]
            eventually(lambda: gateway.listed() == [f"127.0.0.2:{backend.port}"])
            assert gateway.metric("passerelle_config_generation") == 1


def test_srv_records_have_hosts_and_ports_and_the_lowest_priority_counts(tmp_path, server):
    with answering() as first, answering() as second:
        server.names["h.test"] = ["127.0.0.1"]
        server.names["_grpc._tcp.test"] = [srv(first.port, "h.test", 5), srv(second.port, "h.test", 5),
                                           srv(1, "h.test", 5, priority=9)]
        with Named(tmp_path, server, at("_grpc._tcp.test")) as gateway:
            eventually(lambda: sorted(gateway.listed()) == sorted([f"h.test:{first.port}", f"h.test:{second.port}"]))
            eventually(lambda: gateway.get() == "OK" and first.requests and second.requests)
            server.names["_grpc._tcp.test"] = [srv(second.port, "h.test", priority=9)]
            eventually(lambda: gateway.listed() == [f"h.test:{second.port}"])
            assert gateway.get() == "OK"


@pytest.mark.parametrize("broken", [FAILS, SILENT], ids=["fails", "silent"])
def test_the_last_known_instances_stay_while_name_servers_fail(tmp_path, server, broken):
    with answering() as backend:
        server.names["a.test"] = ["127.0.0.1"]
        name = f"a.test:{backend.port}"
        with Named(tmp_path, server, at(name), empty_after="0s") as gateway:
            labels = {"service": "orders", "source": f"DNS {name}"}
            eventually(lambda: gateway.listed() == addresses(backend))
            assert gateway.metric("passerelle_discovery_failing", **labels) == 0
            server.names["a.test"] = broken
            eventually(lambda: gateway.events("instances_unreadable"))
            time.sleep(0.5)
            assert gateway.listed() == addresses(backend) and gateway.get() == "OK"
            assert gateway.metric("passerelle_discovery_failing", **labels) == 1
            assert gateway.metric("passerelle_discovery_failures_total", **labels) > 1
            assert gateway.metric("passerelle_discovery_age_seconds", **labels) > 0.2
            assert len(gateway.events("instances_unreadable")) == 1
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
            assert gateway.listed() == addresses(backend) and gateway.get() == "OK"
            server.names["a.test"] = ["127.0.0.3"]
            began = time.monotonic()
            eventually(lambda: gateway.listed() == [f"127.0.0.3:{backend.port}"])
            assert time.monotonic() - began < 2
            eventually(lambda: gateway.events("instances_readable"))


@pytest.mark.parametrize("nothing", [None, []], ids=["no such name", "no records"])
def test_a_name_without_records_empties_the_service_after_a_while(tmp_path, server, nothing):
    with answering() as backend:
        server.names["a.test"] = ["127.0.0.1"]
        with Named(tmp_path, server, at(f"a.test:{backend.port}"), empty_after="1s") as gateway:
            eventually(lambda: gateway.get() == "OK")
            server.names["a.test"] = nothing
            began = time.monotonic()
            eventually(lambda: gateway.events("instances_empty"))
            assert gateway.get() == "OK"
            assert eventually(lambda: gateway.events("healing_begun")) == ["DNS has no records of it: its 1 instances stay for 1.0 s"]
            eventually(lambda: gateway.listed() == [])
            assert eventually(lambda: gateway.events("healing_ended"))[0] == "there are none still: its instances leave"
            assert time.monotonic() - began > 0.9
            assert gateway.events("instances_unreadable") == []
            server.names["a.test"] = ["127.0.0.1"]
            eventually(lambda: gateway.get() == "OK")


def test_of_several_names_one_that_is_empty_for_a_moment_keeps_its_instances(tmp_path, server):
    with answering() as v2, answering() as backend:
        server.names.update({"old.test": ["127.0.0.2"], "new.test": ["127.0.0.1"]})
        names = (f"[{{name: 'old.test:{v2.port}', instance: {{versions: [v2]}}}},"
                 f" {{name: 'new.test:{backend.port}', instance: {V3}}}]")
        both = [f"127.0.0.2:{v2.port}", f"127.0.0.1:{backend.port}"]
        with Named(tmp_path, server, names, empty_after="1s") as gateway:
            eventually(lambda: gateway.listed() == both)
            del server.names["old.test"]
            eventually(lambda: gateway.events("instances_empty"))
            server.names["new.test"] = ["127.0.0.1", "127.0.0.9"]
            eventually(lambda: len(gateway.listed()) == 3)
            eventually(lambda: gateway.listed() == [both[1], f"127.0.0.9:{backend.port}"])


def test_the_ttl_of_records_is_obeyed(tmp_path):
    with DnsServer({"_s._tcp.test": [srv(1, "h.test")], "h.test": ["127.0.0.1"]}, ttl=2) as server, \
            Named(tmp_path, server, at("_s._tcp.test"), every="20ms") as gateway:
        eventually(lambda: gateway.listed() == ["h.test:1"])
        time.sleep(1)
        assert server.asked.count(("_s._tcp.test", SRV)) == 1
        eventually(lambda: server.asked.count(("_s._tcp.test", SRV)) == 2)


def test_an_invalid_record_is_reported_and_left_out(tmp_path, server):
    server.names["_s._tcp.test"] = [srv(1, "good.test"), srv(0, "no-port.test"), srv(2, "b d.test")]
    with Named(tmp_path, server, at("_s._tcp.test")) as gateway:
        eventually(lambda: gateway.listed() == ["good.test:1"])
        eventually(lambda: len(gateway.events("instance_refused")) == 2)
        time.sleep(0.3)
        assert len(gateway.events("instance_refused")) == 2
        assert any("DNS _s._tcp.test" in line and "0 is not a port" in line for line in gateway.events("instance_refused"))


def slow():
    """Equally slow, so that the weights decide."""
    def serve(request):
        time.sleep(0.05)
        request.answer(ORDER)
    return Http2Backend(serve)


def test_srv_records_have_the_weights_of_their_instances(tmp_path, server):
    def shares(*backends):
        """Of forty calls, how many each gets."""
        before = [len(backend.requests) for backend in backends]
        assert all(gateway.get() == "OK" for _ in range(40))
        return [len(backend.requests) - n for backend, n in zip(backends, before)]

    with slow() as heavy, slow() as light:
        server.names["h.test"] = ["127.0.0.1"]
        server.names["_s._tcp.test"] = [srv(heavy.port, "h.test", 9), srv(light.port, "h.test", 1)]
        with Named(tmp_path, server, at("_s._tcp.test")) as gateway:
            eventually(lambda: len(gateway.listed()) == 2 and gateway.get() == "OK")
            eventually(lambda: shares(heavy, light)[0] >= 30)
            server.names["_s._tcp.test"] = [srv(heavy.port, "h.test", 1), srv(light.port, "h.test", 9)]
            eventually(lambda: shares(heavy, light)[1] >= 30)


def test_a_list_in_a_file_may_move_to_dns_by_a_reload(tmp_path, server):
    with answering() as first, answering() as second:
        (tmp_path / "list.yaml").write_text(
            f"instances: [{{address: '127.0.0.1:{first.port}', versions: [v3]}}]")
        with Named(tmp_path, server, at(f"a.test:{second.port}")) as gateway:
            gateway.write(NAMED.replace(NAMED[NAMED.index("discovery:"):NAMED.index("\n", NAMED.index("discovery:"))],
                                        "discovery: list.yaml"))
            gateway.reload()
            eventually(lambda: gateway.get() == "OK")
            server.names["a.test"] = SILENT
            gateway.write(NAMED)
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_generation") == 3)
            assert gateway.get() == "OK" and gateway.listed() == addresses(first)
            server.names["a.test"] = ["127.0.0.1"]
            eventually(lambda: gateway.listed() == addresses(second))
            assert gateway.get() == "OK"
