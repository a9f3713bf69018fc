"""The admin listener: whom it answers, and that nobody holds it up."""
import socket

import pytest
from gateway import Gateway
from operators import on_socket
from processes import eventually

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin', hosts: $hosts}
log: "-"
"""


@pytest.fixture
def gateway(tmp_path):
    with Gateway(tmp_path, CONFIG, hosts="[gw1.internal]") as running:
        yield running


def asked_as(gateway, host, path="/metrics"):
    return gateway.http("GET", path, headers={"Host": host}, port=gateway.admin_port)


@pytest.mark.parametrize("path", ["/metrics", "/config", "/healthz", "/nothing"])
def test_a_name_that_was_brought_here_is_refused_on_every_page(gateway, path):
    for host in ("rebound.example", f"rebound.example:{gateway.admin_port}", "localhost.rebound.example"):
        answer = asked_as(gateway, host, path)
        assert answer.status == 421
        assert answer.json["status"] == 421 and "admin.hosts" in answer.json["detail"]


def test_addresses_localhost_and_names_of_the_config_are_answered(gateway):
    for host in ("127.0.0.1", "[::1]", f"localhost:{gateway.admin_port}", "10.0.0.1:9901", "GW1.internal:9901"):
        assert asked_as(gateway, host).status == 200


def test_a_reload_brings_other_names(gateway):
    gateway.write(hosts="['*.monitoring.svc']")
    gateway.reload()
    eventually(lambda: asked_as(gateway, "a.monitoring.svc").status == 200)
    assert asked_as(gateway, "gw1.internal").status == 421


def test_a_name_that_cannot_be_one_is_a_mistake(tmp_path):
    done = Gateway(tmp_path, CONFIG, hosts="['gw1.internal:9901']").check()
    assert done.returncode == 1 and "admin.hosts[0]" in done.stdout


SERVED = """
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $schema}]
    instances: [{address: '127.0.0.1:1', protocol: grpc}]
"""


@pytest.mark.parametrize("wrong", ["text", "schema", "no_file"])
def test_a_reload_that_a_file_is_in_the_way_of_is_a_conflict(tmp_path, wrong):
    config = CONFIG.replace("hosts: $hosts", f"socket: 'unix:{tmp_path}/admin.sock'")
    with Gateway(tmp_path, config) as gateway:
        (tmp_path / "broken.binpb").write_bytes(b"\xff\xff")
        gateway.write("listen: 7" if wrong == "text" else config + SERVED,
                      schema=tmp_path / ("broken.binpb" if wrong == "schema" else "nowhere.binpb"))
        answer = on_socket(tmp_path / "admin.sock", "POST", "/reload")
        assert (answer.status, answer.json["title"], answer.json["status"]) == (409, "Conflict", 409), answer.body


def test_hundreds_of_clients_who_stay_hold_up_no_scrape(gateway):
    """Idle ones, ones in the middle of a request, ones who do not read their answers, and ones who have left."""
    address = ("127.0.0.1", gateway.admin_port)
    page = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    half = b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    staying = []
    for i in range(500):
        client = socket.create_connection(address, timeout=10)
        client.sendall([b"\r\n", page[:20], page * 5, half][i % 4])
        staying.append(client)
        if i % 50 == 49:
            assert gateway.http("GET", "/metrics", port=gateway.admin_port, timeout=5).status == 200
    for client in staying:
        client.close()
    assert gateway.admin("/metrics").status == 200
