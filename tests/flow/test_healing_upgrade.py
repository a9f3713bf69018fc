"""What is being healed, and what operators did by hand, goes on in the process that takes over."""
import inspect
import os
import pathlib
import signal
import time

import pytest
from gateway import Gateway
from operators import command
from processes import eventually, free_port
from test_ledger import rows
from test_manual_acts import CONFIG, address, is_only, page, versions
from test_retries import Shop, well

pytestmark = pytest.mark.skipif("options" not in inspect.signature(Gateway.__init__).parameters,
                                reason="there is no supervisor yet")


def upgrade(gateway):
    assert command(gateway, "upgrade").returncode == 0


def children(gateway):
    supervisor = gateway.process.child.pid
    return pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()


def kill(gateway, number):
    """Kills the child of the supervisor, until another one serves."""
    child = children(gateway)[0]
    os.kill(int(child), number)
    eventually(lambda: children(gateway) and child not in children(gateway) and gateway.ready())


def crash(gateway):
    """The same, when the supervisor has what is kept."""
    time.sleep(1)  # nothing tells when it has
    kill(gateway, signal.SIGSEGV)


@pytest.mark.parametrize("take_over", [upgrade, crash], ids=["upgrade", "crash"])
def test_acts_by_hand_go_on_with_their_time(tmp_path, take_over):
    with Shop(well) as one, Shop(well) as two:
        with Gateway(tmp_path, CONFIG, options=["--supervise"], instances=versions(one.port, two.port), more="") as gateway:
            assert command(gateway, "instance", "eject", address(one), "--for", "10m", "--why", "its disk").returncode == 0
            assert command(gateway, "service", "pin", "orders", "b", "--for", "20m").returncode == 0
            before = page(gateway)
            take_over(gateway)
            after = page(gateway)
            assert [act["until"] for act in after["manual"]] == [act["until"] for act in before["manual"]]
            assert is_only(gateway, two, one)
            if take_over is upgrade:
                assert [(act["subject"], act["since"]) for act in after["now"]] == [(act["subject"], act["since"]) for act in before["now"]]
            assert command(gateway, "instance", "return", address(one)).returncode == 0
            assert command(gateway, "service", "unpin").returncode == 0
            eventually(lambda: not is_only(gateway, two, one))


def test_the_history_goes_on(tmp_path):
    with Gateway(tmp_path, CONFIG, options=["--supervise"], instances=versions(free_port()), more="") as gateway:
        gateway.http("GET", "/v3/orders/x")
        now, = page(gateway)["now"]
        upgrade(gateway)
        after = page(gateway)
        assert [was["act"] for was in after["history"]] == ["reconnect"]
        assert after["history"][0]["since"] == now["since"]
        assert after["history"][0]["how"] == "another process has taken over"


def test_what_was_lifted_just_before_a_crash_has_ended(tmp_path):
    with Shop(well) as one, Shop(well) as two:
        with Gateway(tmp_path, CONFIG, options=["--supervise"], instances=versions(one.port, two.port), more="") as gateway:
            assert command(gateway, "instance", "drain", address(one), "--for", "10m").returncode == 0
            assert command(gateway, "instance", "eject", address(two), "--for", "10m").returncode == 0
            assert command(gateway, "instance", "return", address(one)).returncode == 0
            kill(gateway, signal.SIGKILL)
            after = page(gateway)
            assert [act["subject"] for act in after["now"]] == [f"eject {address(two)}"]
            assert [was["subject"] for was in after["history"] if was["act"] == "manual"] == [f"drain {address(one)}"]
            assert gateway.metric("passerelle_healing_now", act="manual", service="orders") == 1
            assert gateway.metric("passerelle_healing_total", act="manual", service="orders") == 2


def test_crashes_are_counted_until_they_are_too_many(tmp_path):
    without_store = CONFIG.replace("store: store.db\n", "")
    with Gateway(tmp_path, without_store, options=["--supervise"], instances=versions(free_port()), more="") as gateway:
        for n in range(1, 7):
            kill(gateway, signal.SIGSEGV)
            eventually(lambda: gateway.metric("passerelle_healing_total", act="restart", service="") == n)
            time.sleep(0.1)
        now = page(gateway)
        assert [act["act"] for act in now["now"] if act.get("excess")] == ["restart"]
        assert [was["act"] for was in now["history"]].count("restart") == 6
        assert [row["count"] for row in rows(gateway, fault="CRASHED")] == [6]
