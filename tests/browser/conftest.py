"""For tests with a browser, on the flow tests' harness: make browser."""
import os
import pathlib
import signal
import sys

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow"))

import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def no_test_hangs():
    """A test has two minutes; then it fails instead of holding up all others."""
    def too_long(number, frame):
        raise TimeoutError("the test took more than two minutes")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(120)
    yield
    signal.alarm(0)
