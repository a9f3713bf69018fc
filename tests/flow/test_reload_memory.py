"""A gateway that is reloaded again and again needs no more memory than after its start."""
import pytest
from gateway import BINARY, Gateway
from large_schema import write_large_service
from processes import eventually

CONFIG = """
listen: [{address: 127.0.0.1:$port}]
admin: {address: 127.0.0.1:$admin}
loops: 1
services: $services
routes: [{match: large, timeout: ${seconds}s}]
"""
RELOADS = 5


def memory(gateway):
    with open(f"/proc/{gateway.process.child.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def reload(gateway):
    before = gateway.metric("passerelle_config_generation")
    gateway.reload()
    eventually(lambda: gateway.metric("passerelle_config_generation") == before + 1)


@pytest.mark.parametrize("changed", [False, True], ids=["as it was", "changed"])
def test_a_config_that_was_replaced_leaves_nothing_behind(tmp_path, changed):
    if "asan" in BINARY or "tsan" in BINARY:
        pytest.skip("a sanitizer keeps what was freed")
    services = write_large_service(tmp_path, 2000, 200)
    with Gateway(tmp_path, CONFIG, services=services, seconds=1) as gateway:
        first = memory(gateway)
        for i in range(RELOADS):
            gateway.write(seconds=2 + i if changed else 1)
            reload(gateway)
        # Nine tenths of the first figure are a generation: five left behind would make it five times as much. The
        # allocator keeps less than one.
        eventually(lambda: memory(gateway) < 2 * first)
