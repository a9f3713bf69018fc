"""Active checks: an instance that fails them gets no calls, until they are good again."""
import concurrent.futures
import socket
import threading
import time

import grpc
import pytest
from backends import v3
from certificates import certificate
from gateway import Gateway
from grpc_services import health
from http1_backend import Http1Backend
from processes import eventually, free_port

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
loops: 2
log: "-"
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: $instances
$health
routes: [{match: orders, timeout: 5s, attempts: 1}]
"""
OFTEN = "every: 500ms, timeout: 500ms, unhealthy_after: 2, healthy_after: 2"


class Instance:
    """A gRPC instance with a health service. `status` of a name, or of "", is what it says; None: it says nothing."""

    def __init__(self, credentials=None):
        self.status, self.asked, self.n_calls = {"": "SERVING"}, [], 0
        self.over = threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_secure_port("localhost:0", credentials) if credentials else \
            self.server.add_insecure_port("127.0.0.1:0")
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.stop(0).wait()

    def service(self, details):
        handle = self.check if details.method == "/grpc.health.v1.Health/Check" else self.call
        return grpc.unary_unary_rpc_method_handler(handle)

    def check(self, request, context):
        name = health.HealthCheckRequest.FromString(request).service
        self.asked.append(name)
        status = self.status.get(name)
        if status is None:
            self.over.wait(5)
        if status == "UNIMPLEMENTED":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no health here")
        return health.HealthCheckResponse(status=status).SerializeToString()

    def call(self, request, context):
        self.n_calls += 1
        return v3.Order(id="1").SerializeToString()


@pytest.fixture
def two():
    with Instance() as first, Instance() as second:
        yield first, second


def listed(*addresses, more=""):
    return "[" + ", ".join(f"{{address: '{address}'{more}, versions: [v3]}}" for address in addresses) + "]"


def checked(how):
    return f"    health: {{check: {{{how}, {OFTEN}}}}}"


def gateway_of(tmp_path, how, *instances, more=""):
    return Gateway(tmp_path, CONFIG, instances=listed(*(one.address for one in instances), more=more), health=checked(how))


def told(gateway, instance, n):
    """What is said of the healing of this instance, once it is `n` messages."""
    def messages():
        found = [line["message"] for line in gateway.log() if line.get("subject") == instance.address]
        return found if len(found) >= n else None
    return eventually(messages)


def call(gateway, n):
    for _ in range(n):
        assert gateway.http("GET", "/v3/orders/1").status == 200


def test_an_instance_that_is_not_serving_gets_no_calls_until_it_is(tmp_path, two):
    first, second = two
    with gateway_of(tmp_path, "grpc: {}", first, second) as gateway:
        eventually(lambda: first.asked and second.asked)
        assert gateway.barred() == {}
        first.status[""] = "NOT_SERVING"
        eventually(lambda: gateway.barred() == {first.address: "unhealthy"})
        before = first.n_calls
        call(gateway, 20)
        assert first.n_calls == before
        first.status[""] = "SERVING"
        eventually(lambda: gateway.barred() == {})
        before = first.n_calls
        call(gateway, 20)
        assert first.n_calls > before
        begun, ended = told(gateway, first, 2)
        assert begun == "2 checks in a row have failed: it responded that it is not healthy"
        assert ended == "its checks are good again"
        assert gateway.metric("passerelle_healing_total", act="check", service="orders") == 1
        assert gateway.metric("passerelle_checks_total") > gateway.metric("passerelle_checks_failed_total") >= 2


def test_the_health_service_is_asked_for_the_name_of_the_config(tmp_path, two):
    first, second = two
    first.status["shop.orders.v3.Orders"] = "SERVING"
    second.status["shop.orders.v3.Orders"] = "UNIMPLEMENTED"
    with gateway_of(tmp_path, "grpc: shop.orders.v3.Orders", first, second) as gateway:
        eventually(lambda: gateway.barred() == {second.address: "unhealthy"})
        assert set(first.asked) == {"shop.orders.v3.Orders"}


def test_an_instance_that_does_not_respond_in_time_is_unhealthy(tmp_path, two):
    first, second = two
    first.status[""] = None
    with gateway_of(tmp_path, "grpc: {}", first, second) as gateway:
        eventually(lambda: gateway.barred() == {first.address: "unhealthy"})
        assert told(gateway, first, 1) == ["2 checks in a row have failed: it has not responded in time"]


def test_checks_are_made_over_the_tls_of_calls(tmp_path):
    certificate(tmp_path)
    credentials = grpc.ssl_server_credentials([((tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes())])
    with Instance(credentials) as first, Instance(credentials) as second:
        tls = f", tls: {{ca: {tmp_path}/server.pem}}"
        with gateway_of(tmp_path, "grpc: {}", first, second, more=tls) as gateway:
            eventually(lambda: len(first.asked) > 3 and len(second.asked) > 3)
            assert gateway.barred() == {}
            second.status[""] = "NOT_SERVING"
            eventually(lambda: gateway.barred() == {second.address: "unhealthy"})


def test_if_all_are_unhealthy_all_are_used_and_it_is_reported(tmp_path, two):
    first, second = two
    first.status[""] = second.status[""] = "NOT_SERVING"
    with gateway_of(tmp_path, "grpc: {}", first, second) as gateway:
        line = gateway.logged(event="instances_all_used")
        assert "orders: 2 of 2 instances fail" in line["message"]
        eventually(lambda: gateway.barred() == {})
        call(gateway, 10)
        assert first.n_calls and second.n_calls


def test_the_checks_go_on_over_a_reload_and_end_with_their_config(tmp_path, two):
    first, second = two
    first.status[""] = "NOT_SERVING"
    with gateway_of(tmp_path, "grpc: {}", first, second) as gateway:
        eventually(lambda: gateway.barred())
        gateway.write(health=checked("grpc: {}") + "\n    retry_budget: {percent: 10}")
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_generation") == 2)
        assert gateway.barred() == {first.address: "unhealthy"}
        n = len(first.asked)
        eventually(lambda: len(first.asked) > n + 1)
        assert gateway.barred() == {first.address: "unhealthy"}
        gateway.write(health="")
        gateway.reload()
        eventually(lambda: gateway.barred() == {})
        time.sleep(0.2)  # one that was under way
        n = len(first.asked)
        time.sleep(1.5)
        assert len(first.asked) == n


class Page:
    """A REST instance with a page of its health."""

    def __init__(self):
        self.status = 200
        self.backend = Http1Backend(self.say)

    def say(self, peer, request, body):
        body = "x" * 5000
        peer.say(f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}")

    @property
    def address(self):
        return f"127.0.0.1:{self.backend.port}"

    def __enter__(self):
        self.backend.__enter__()
        return self

    def __exit__(self, *what):
        self.backend.__exit__(*what)


def test_an_http_check_wants_a_status_and_uses_its_connection_again(tmp_path):
    with Page() as first, Page() as second:
        with gateway_of(tmp_path, "http: '/healthz?deep=1'", first, second, more=", protocol: rest") as gateway:
            eventually(lambda: len(first.backend.told) > 4)
            assert {request.line for request in first.backend.told} == {"GET /healthz?deep=1 HTTP/1.1"}
            assert first.backend.told[0].one("host") == first.address
            assert len(first.backend.peers) == 1
            assert gateway.barred() == {}
            second.status = 503
            eventually(lambda: gateway.barred() == {second.address: "unhealthy"})
            gateway.write(health=checked("http: {path: /healthz, status: [200, 503]}"))
            gateway.reload()
            eventually(lambda: gateway.barred() == {})


def test_an_instance_of_a_list_that_speaks_no_grpc_is_not_checked_by_it(tmp_path):
    with Instance() as first, Page() as second:
        (tmp_path / "list.yaml").write_text(
            f"instances: [{{address: '{first.address}', versions: [v3]}}, "
            f"{{address: '{second.address}', protocol: rest, versions: [v3]}}]")
        config = CONFIG.replace("instances: $instances", f"discovery: {tmp_path}/list.yaml")
        with Gateway(tmp_path, config, health=checked("grpc: {}")) as gateway:
            eventually(lambda: len(first.asked) > 4)
            assert not second.backend.told
            assert gateway.barred() == {}


def test_an_instance_that_is_away_from_the_beginning_is_listed_as_reconnected(tmp_path):
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    with Gateway(tmp_path, CONFIG, instances=listed(*addresses), health=checked("grpc: {}")) as gateway:
        eventually(lambda: gateway.metric("passerelle_healing_now", act="reconnect") == 2)


def test_a_tcp_check_wants_a_connection(tmp_path):
    def listen(port=0):
        return socket.create_server(("127.0.0.1", port), backlog=64)

    first, second = listen(), listen()
    ports = [each.getsockname()[1] for each in (first, second)]
    addresses = [f"127.0.0.1:{ports[0]}", f"localhost:{ports[1]}"]
    with Gateway(tmp_path, CONFIG, instances=listed(*addresses), health=checked("tcp: {}")) as gateway:
        first.settimeout(30)
        for _ in range(3):
            peer = first.accept()[0]
            assert peer.recv(10) == b""  # it is closed at once
            peer.close()
        assert gateway.barred() == {}
        second.close()
        eventually(lambda: gateway.barred() == {addresses[1]: "unhealthy"})
        second = listen(ports[1])
        eventually(lambda: gateway.barred() == {})
        second.close()
    first.close()
