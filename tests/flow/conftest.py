"""Fixtures of the flow tests: real clients, the gateway, and the shop's real backends."""
import contextlib
import os
import pathlib
import sys

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
sys.path[:0] = map(str, pathlib.Path(__file__).resolve().parents[:2])

import pytest  # noqa: E402
from backends import Backend, client  # noqa: E402
from gateway import Gateway, instances  # noqa: E402
from patience import no_test_hangs  # noqa: E402, F401  (a fixture)


class Shop:
    """A gateway before one or more of the shop's backends."""

    def __init__(self, gateway, backends):
        self.gateway, self.backends = gateway, backends

    def client(self, version):
        return client(self.gateway, version)

    def backend(self, version="v3"):
        return next(backend for backend in self.backends if backend.version == version)

    def http(self, *arguments, **more):
        return self.gateway.http(*arguments, **more)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The gateway before the v3 backend alone, for a whole file of tests."""
    with Backend("v3") as backend:
        with Gateway(tmp_path_factory.mktemp("shop"), instances=instances(("v3", backend.port))) as gateway:
            yield Shop(gateway, [backend])


@pytest.fixture
def run_shop(tmp_path):
    """run_shop("v1", "v3"): backends of these versions and a gateway, for one test."""
    with contextlib.ExitStack() as running:
        def run(*versions, **words):
            backends = [running.enter_context(Backend(version)) for version in versions]
            listed = instances(*[(backend.version, backend.port) for backend in backends])
            gateway = running.enter_context(Gateway(tmp_path, instances=listed, **words))
            return Shop(gateway, backends)
        yield run
