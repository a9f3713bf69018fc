"""passerelle explain says what a running gateway does."""
import re
import subprocess

import pytest
from backends import Backend
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from http2_client import http2_request
from processes import eventually

OVERRIDE = "x-http-method-override"
CONFIG = "rest: {method_override: true}\n" + SHOP_CONFIG + "  - {match: /old/, instances: ['127.0.0.1:$old']}\n"
GRPC = {"content-type": "application/grpc", "te": "trailers"}
JSON = {"content-type": "application/json"}
CONNECT = {"connect-protocol-version": "1", **JSON}


def ok(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Backend("v3") as backend, Http1Backend(ok) as old:
        with Gateway(tmp_path_factory.mktemp("explain"), CONFIG, instances=instances(("v3", backend.port)), old=old.port) as gateway:
            yield gateway


def explained(gateway, verb, path, fields):
    given = [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
    done = subprocess.run([BINARY, "explain", *given, str(gateway.file), verb, path], capture_output=True, text=True, timeout=30)
    return done.stdout


def fault_of_call(gateway, verb, path, fields):
    body = None if verb in ("GET", "HEAD", "DELETE") else bytes(5) if fields.get("content-type") == "application/grpc" else b"{}"
    seen = len(gateway.log())
    http2_request(gateway.port, verb, path, list(fields.items()), body)
    eventually(lambda: len(gateway.log()) > seen)
    line = [line for line in gateway.log()[seen:] if "code" in line][-1]
    return line["causes"][0]["fault"] if "causes" in line else None


def service_answers(fault):
    return fault in (None, "UPSTREAM_STATUS")


@pytest.mark.parametrize("verb, path, fields", [
    ("GET", "/v1/orders", {}),
    ("GET", "/v3/orders?", {}),
    ("GET", "/v3/orders/none", {}),
    ("PATCH", "/v1/orders", JSON),
    ("OPTIONS", "/v1/orders", {}),
    ("OPTIONS", "/v9/orders", {}),
    ("POST", "/v3/orders/none", {}),
    ("POST", "/v3/orders/none", {**JSON, OVERRIDE: "GET"}),
    ("POST", "/v3/orders/none", {OVERRIDE: "PATCH"}),
    ("POST", "/v3/orders/none", {OVERRIDE: "HEAD"}),
    ("POST", "/old/x", {OVERRIDE: "HEAD"}),
    ("GET", "/v9/orders", {}),
    ("GET", "/nothing", {}),
    ("POST", "/nothing", JSON),
    ("GET", "/v1/orders", {"accept": "text/html"}),
    ("GET", "/v1/orders", {"accept": "application/json"}),
    ("GET", "/v1/orders", {"api-version": "v7"}),
    ("GET", "/v1/orders", {"api-version": "v3"}),
    ("POST", "/shop.orders.v3.Orders/List", GRPC),
    ("POST", "/shop.orders.v3.Orders/List", JSON),
    ("POST", "/shop.orders.v3.Orders/List", {"content-type": "text/html"}),
    ("DELETE", "/shop.orders.v3.Orders/List", {}),
    ("POST", "/shop.orders.v3.Orders/None", GRPC),
    ("POST", "/shop.orders.v3.Orders/None", JSON),
    ("POST", "/shop.orders.v3.Orders/None", CONNECT),
    ("GET", "/shop.orders.v3.Orders/None", GRPC),
    ("GET", "/shop.orders.v3.Orders/None", {}),
    ("POST", "/shop.none.v1.None/None", GRPC),
    ("POST", "/shop.none.v1.None/None", JSON),
    ("POST", "/none", GRPC),
    ("POST", "/shop.orders.v3.Orders/Watch", JSON),
    ("POST", "/shop.orders.v1.Orders/Purge", {**JSON, "api-version": "v3"}),
    ("POST", "/shop.orders.v1.Orders/Purge", JSON),
    ("POST", "/grpc.health.v1.Health/Check", GRPC),
    ("GET", "/old/x", {}),
    ("POST", "/old/x", {}),
    ("GET", "/old/..%2fx", {}),
])
def test_a_request_is_refused_by_both_for_the_same_reason_or_by_neither(gateway, verb, path, fields):
    told = explained(gateway, verb, path, fields)
    refused = re.search(r"^refused   ([A-Z_]+)", told, re.M)
    fault = fault_of_call(gateway, verb, path, fields)
    assert (refused and refused[1]) == (None if service_answers(fault) else fault), told


ONCE, TWICE = 1, 2


@pytest.mark.parametrize("verb, path, attempts, asked", [
    ("GET", "/v3/orders", 2, TWICE),
    ("GET", "/v3/orders", 1, ONCE),
    ("POST", "/v3/orders", 2, ONCE),
    ("GET", "/old/x", 2, TWICE),
    ("GET", "/old/x", 1, ONCE),
    ("POST", "/old/x", 2, ONCE),
    ("PUT", "/old/x", 2, ONCE),
])
def test_what_breaks_off_is_tried_again_as_explained(tmp_path, verb, path, attempts, asked):
    def break_off(peer, told, body):
        peer.close()

    config = SHOP_CONFIG.replace("{match: orders,", "{match: orders, attempts: $attempts,") + \
        "  - {match: /old/, attempts: $attempts, instances: ['127.0.0.1:$one', '127.0.0.1:$other']}\n"
    with Http1Backend(break_off) as one, Http1Backend(break_off) as other:
        listed = "[" + ", ".join(f"{{address: '127.0.0.1:{each.port}', protocol: connect, versions: [v3]}}" for each in (one, other)) + "]"
        with Gateway(tmp_path, config, instances=listed, one=one.port, other=other.port, attempts=attempts) as gateway:
            body = None if verb == "GET" else "{}"
            assert gateway.http(verb, path, body, JSON if body else {}).status == 503
            assert len(one.told) + len(other.told) == asked
            line = re.search("an instance breaks off: (.*)", explained(gateway, verb, path, {}))[1]
            assert line.startswith("retry") == (asked == TWICE), line


def test_without_a_verb_it_is_get_or_the_only_one_that_the_path_takes(gateway):
    for path, verb in (("/v1/orders/1", "GET /"), ("/v3/orders", "GET /"), ("/v1/orders/1/status", "POST /"), ("/v3/orders/1/state", "PATCH /")):
        done = subprocess.run([BINARY, "explain", str(gateway.file), path], capture_output=True, text=True, timeout=30)
        assert f"({verb}" in done.stdout, (path, done.stdout)
    done = subprocess.run([BINARY, "help", "explain"], capture_output=True, text=True, timeout=30)
    assert "without VERB" in done.stdout.replace("\n", " ")


def test_a_path_may_be_a_url_and_begins_with_a_slash(gateway):
    def told(path):
        return subprocess.run([BINARY, "explain", str(gateway.file), "GET", path], capture_output=True, text=True, timeout=30)

    plain = told("/v1/orders/7?x=http://y/z")
    assert "orders" in plain.stdout and told("https://shop.example:8443/v1/orders/7?x=http://y/z").stdout == plain.stdout
    assert told("http://shop.example").stdout == told("/").stdout
    done = told("v1/orders/7")
    assert done.returncode == 1 and done.stdout == "" and "a path begins with /: write /v1/orders/7" in done.stderr
