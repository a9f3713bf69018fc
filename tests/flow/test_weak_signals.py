"""Weak signals: failures that are new are told in the log, to a webhook and as a page: once, by one of the gateways of a store."""
import json

import pytest
from gateway import Gateway
from operators import command, on_socket
from processes import eventually
from test_webhooks import Receiver

CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client
node: $node
admin: {address: '127.0.0.1:$admin', socket: 'unix:admin.sock'}
$store
ledger:
  every: 100ms
  webhooks: [{name: pager, url: '$hook', signals: [first]}]
signals: {warm_up: 0s$more}
routes: [{match: /x/, instances: ['127.0.0.1:1']}, {match: /y/, instances: ['127.0.0.1:1']}]
"""


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


def gateway_of(folder, node, receiver, store="", more=""):
    (folder / node).mkdir(exist_ok=True)
    store = f"store: {folder / 'store.db'}" if store else ""
    return Gateway(folder / node, CONFIG, node=node, store=store, hook=receiver.url, more=more)


def fail(gateway, path, *clients):
    for client in clients:
        assert gateway.http("GET", path, headers={"x-client": client}).status == 503


def signals(gateway):
    return json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/signals").body)["signals"]


def looked(gateway):
    """The ledger has what failed, and some looks were made since."""
    before = len(json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/errors").body)["failures"])
    n = gateway.metric("passerelle_signals_looks_total")
    eventually(lambda: gateway.metric("passerelle_signals_looks_total") >= n + 3)
    return before


@pytest.mark.parametrize("store", ["", "sqlite"])
def test_a_new_kind_of_failures_is_told_once(tmp_path, receiver, store):
    with gateway_of(tmp_path, "gw1", receiver, store) as gateway:
        looked(gateway)
        fail(gateway, "/x/", "ada", "ada")           # too few
        fail(gateway, "/y/", "bob", "bob", "bob")    # of one client only
        looked(gateway)
        assert signals(gateway) == [] and gateway.events("signal") == []
        fail(gateway, "/x/", "eve")
        event = eventually(lambda: gateway.events("signal"))[0]
        assert event["level"] == "warning" and event["kind"] == "first" and event["evidence"]["failures"] == 3 and event["evidence"]["clients"] == 2
        row, = signals(gateway)
        assert row["id"] == event["id"] and row["subject"] == event["subject"] and row["times"] == 1 and row["node"] == "gw1"
        assert "UPSTREAM_DOWN (UNAVAILABLE) of /x/" in row["subject"]
        kinds = json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/errors").body)["failures"]
        assert row["evidence"]["fingerprint"] in {kind["fingerprint"] for kind in kinds if kind["route"] == "/x/"}
        post, = receiver.got()
        assert post["webhook"] == "pager" and post["node"] == "gw1" and post["signal"]["id"] == row["id"] and "failure" not in post
        fail(gateway, "/x/", "ada", "eve", "bob")    # it is known now
        looked(gateway)
        assert len(gateway.events("signal")) == 1 and len(receiver.posts) == 1
        assert gateway.metric("passerelle_signals_total", kind="first") == 1
        shown = command(gateway, "signals").stdout
        assert row["id"] in shown and row["subject"] in shown and "failures: 3" in shown


def test_operators_acknowledge_signals(tmp_path, receiver):
    with gateway_of(tmp_path, "gw1", receiver, "sqlite") as gateway:
        looked(gateway)
        fail(gateway, "/x/", "ada", "bob", "eve")
        row, = eventually(lambda: signals(gateway))
        assert "acknowledged" not in row
        assert command(gateway, "signals", "acknowledge", "0" * 16, "--why", "nothing").returncode == 1
        assert command(gateway, "signals", "acknowledge", "nonsense").returncode == 2
        assert command(gateway, "signals", "acknowledge", row["id"], "--why", "the disk is full").returncode == 0
        row, = signals(gateway)
        assert row["acknowledged"].startswith("20") and row["why"] == "the disk is full" and row["who"].startswith("uid ")
        audit = json.loads(on_socket(gateway.folder / "admin.sock", "GET", "/audit").body)["entries"]
        assert [entry["why"] for entry in audit if entry["action"] == "acknowledge"][0] == f"{row['id']}: the disk is full"


def test_one_gateway_of_a_store_tells_and_none_forgets_at_a_restart(tmp_path, receiver):
    with gateway_of(tmp_path, "gw1", receiver, "sqlite") as first:
        with gateway_of(tmp_path, "gw2", receiver, "sqlite") as second:
            looked(first)
            looked(second)
            fail(first, "/x/", "ada", "bob", "eve")
            eventually(lambda: first.events("signal"))
            fail(second, "/x/", "ada", "bob", "eve")
            looked(second)
            assert second.events("signal") == []
            assert [row["node"] for row in signals(second)] == ["gw1"] == [row["node"] for row in signals(first)]
    with gateway_of(tmp_path, "gw1", receiver, "sqlite") as again:
        looked(again)
        fail(again, "/x/", "ada", "bob", "eve")
        looked(again)
        assert len(again.events("signal")) == 0 and len(signals(again)) == 1
    assert len(receiver.posts) == 1


def test_more_than_may_be_told_are_listed_only(tmp_path, receiver):
    with gateway_of(tmp_path, "gw1", receiver, more=", per_hour: 1, clients: 1, failures: 1") as gateway:
        looked(gateway)
        fail(gateway, "/x/", "ada")
        eventually(lambda: gateway.events("signal"))
        fail(gateway, "/y/", "ada")
        eventually(lambda: gateway.metric("passerelle_signals_held_back_total", kind="first") == 1)
        assert len(signals(gateway)) == 2 and len(gateway.events("signal")) == 1 and len(receiver.got()) == 1


def test_a_gateway_that_has_just_begun_knows_all_kinds(tmp_path, receiver):
    (tmp_path / "gw1").mkdir()
    config = CONFIG.replace("warm_up: 0s", "warm_up: 1h")
    with Gateway(tmp_path / "gw1", config, node="gw1", store="", hook=receiver.url, more="") as gateway:
        looked(gateway)
        fail(gateway, "/x/", "ada", "bob", "eve")
        looked(gateway)
        assert signals(gateway) == [] and gateway.events("signal") == [] and receiver.posts == []
