"""Host names of instances: how they are resolved, whom a silent name server harms, and how changes are followed."""
import contextlib
import threading
import time

import pytest
from dns_server import SILENT, DnsServer
from gateway import Gateway
from http1_backend import Http1Backend
from processes import eventually

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
errors: full
dns: {servers: ['$dns']}
limits: {instance_max_age: $age}
routes:
  - {match: /good/, instances: [{address: 'good.test:$backend', protocol: http}]}
  - {match: /other/, instances: [{address: 'other.test:$backend', protocol: http}]}
$more
"""

DEAD = "".join(f"  - {{match: /dead{i}/, instances: [{{address: 'dead{i}.test:9', protocol: http}}]}}\n" for i in range(6))


def says(word):
    def script(peer, told, body):
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {len(word)}\r\n\r\n{word}")
    return script


@pytest.fixture
def running(tmp_path):
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(Http1Backend(says("ok")))

        def run(names, age="10m", **more):
            dns = stack.enter_context(DnsServer(names))
            gateway = stack.enter_context(Gateway(tmp_path, config=CONFIG, dns=dns.address, backend=backend.port,
                                                  age=age, **{"more": "", **more}))
            return gateway, dns
        yield run


def test_a_name_is_resolved_by_the_servers_of_the_config(running):
    gateway, dns = running({"good.test": ["127.0.0.1"]})
    assert gateway.http("GET", "/good/x").status == 200
    assert ("good.test", 1) in dns.asked
    eventually(lambda: ("good.test", 28) in dns.asked)


def test_a_name_that_does_not_resolve_is_told_with_its_cause(running):
    gateway, _ = running({})
    answer = gateway.http("GET", "/good/x")
    assert answer.status == 503
    assert b"resolving good.test: there is no such name (NXDOMAIN)" in answer.body


def test_a_silent_name_server_harms_only_the_names_that_it_is_asked_for(running):
    gateway, dns = running({"good.test": ["127.0.0.1"], **{f"dead{i}.test": SILENT for i in range(6)}}, more=DEAD)
    answers = []
    asking = [threading.Thread(target=lambda i=i: answers.append(gateway.http("GET", f"/dead{i}/x")))
              for i in range(6)]
    for thread in asking:
        thread.start()
    eventually(lambda: all((f"dead{i}.test", 1) in dns.asked for i in range(6)))
    began = time.monotonic()
    assert gateway.http("GET", "/good/x").status == 200
    assert time.monotonic() - began < 1
    for thread in asking:
        thread.join()
    assert [answer.status for answer in answers] == [503] * 6
    assert all(b"no name server responds" in answer.body for answer in answers)


def test_a_silent_name_server_does_not_delay_the_end(running):
    gateway, _ = running({"dead0.test": SILENT}, more=DEAD)
    asking = threading.Thread(target=gateway.http, args=("GET", "/dead0/x"))
    asking.start()
    asking.join()  # refused by then, and the name is still asked for
    began = time.monotonic()
    gateway.stop()
    assert time.monotonic() - began < 2


def test_one_family_without_a_listener_costs_no_call(running):
    gateway, _ = running({"good.test": ["::1", "127.0.0.1"]})
    assert [gateway.http("GET", "/good/x").status for _ in range(10)] == [200] * 10


def test_a_change_of_a_name_is_followed_without_losing_a_call(running):
    gateway, dns = running({"good.test": ["127.0.0.1"]}, age="1s")
    with Http1Backend(says("new"), host="127.0.0.2", port=gateway.words["backend"]):
        assert gateway.http("GET", "/good/x").body == b"ok"
        dns.names["good.test"] = ["127.0.0.2"]
        answers = []

        def is_followed():
            answers.append(gateway.http("GET", "/good/x"))
            return answers[-1].body == b"new"

        eventually(is_followed)
        assert {answer.status for answer in answers} == {200}


def test_new_name_servers_are_asked_after_a_reload(running):
    gateway, _ = running({})
    assert gateway.http("GET", "/other/x").status == 503
    with DnsServer({"other.test": ["127.0.0.1"]}) as another:
        gateway.write(dns=another.address)
        gateway.reload()
        eventually(lambda: gateway.http("GET", "/other/x").status == 200)
