"""How long a test may take: a fixture for all tests that wait for others."""
import signal

import pytest


@pytest.fixture(autouse=True)
def no_test_hangs():
    """A test has two minutes; then it fails instead of holding up all others."""
    def too_long(number, frame):
        raise TimeoutError("the test took more than two minutes")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(120)
    yield
    signal.alarm(0)
