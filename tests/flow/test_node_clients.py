"""Clients written by others, in JavaScript: Connect, gRPC-Web and gRPC, with every kind of stream they have."""
import json
import subprocess

import pytest
from gateway import ORDERS
from processes import ROOT

NODE = ROOT / "tests/flow/node"


def run(kind, address):
    assert (NODE / "node_modules").exists(), "the JavaScript clients are not installed: npm ci in tests/flow/node"
    done = subprocess.run(["node", "client.mjs", kind, address, str(ORDERS)], cwd=NODE,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["connect-1", "connect-2", "grpc-web-node", "connect-web", "grpc-web"])
def test_a_connect_client_does_all_that_it_can(shop, kind):
    told = run(kind, shop.gateway.address)
    assert told["v1"]["customer"] == "ada" and told["v1"]["totalCents"] == "1999"
    assert told["v1"]["status"] == "PENDING"
    assert told["v3"]["buyer"] == {"id": "ada"} and told["v3"]["currency"] == "EUR"
    assert told["v3"]["state"] == "PLACED"
    assert told["watched"] == ["SHIPPED"]
    assert told["error"] == {"code": "NotFound", "message": "there is no order nowhere"}
    if kind in ("connect-1", "connect-2"):
        assert told["imported"] == 2
    if kind == "connect-2":
        assert told["found"] == [True, True]


def test_grpc_js_does_all_kinds_of_calls(shop):
    told = run("grpc-js", shop.gateway.address)
    assert told["v1"] == {"customer": "ada", "totalCents": "1999", "status": 1}
    assert told["v3"] == {"buyer": {"id": "ada"}, "currency": "EUR", "state": 1}
    assert told["watched"] == [3]
    assert told["error"] == {"code": "NOT_FOUND", "message": "there is no order nowhere"}
    assert told["imported"] == 2 and told["found"] == [True, True]
