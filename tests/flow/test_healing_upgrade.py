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
from test_manual_acts import CONFIG, address, is_only, page, versions
from test_retries import Shop, well

pytestmark = pytest.mark.skipif("options" not in inspect.signature(Gateway.__init__).parameters,
                                reason="there is no supervisor yet")


def upgrade(gateway):
    assert command(gateway, "upgrade").returncode == 0


def crash(gateway):
    """Kills the child of the supervisor, when that has what is kept."""
    supervisor = gateway.process.child.pid
    child = int(pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()[0])
    time.sleep(1)  # nothing tells when it has
    os.kill(child, signal.SIGSEGV)
    eventually(gateway.ready)


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
