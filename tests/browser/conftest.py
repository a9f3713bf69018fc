"""For tests with a browser, on the flow tests' harness: make browser."""
import os
import pathlib
import sys

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow"))

from patience import no_test_hangs  # noqa: E402, F401  (a fixture)
