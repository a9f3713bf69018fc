"""The chaos suite in short: each scenario for two seconds, and no times. The whole of it is `make chaos`."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))

from play import Length, play  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402
from world import Fleet  # noqa: E402


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("chaos"))
    yield fleet
    fleet.stop()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_no_call_hangs_is_wrong_or_lost(fleet, tmp_path, scenario):
    if reason := scenario.needs():
        pytest.skip(reason)
    verdict = play(scenario, fleet, tmp_path, Length(max(0.3, scenario.earned), 2, 0.2))
    assert verdict.complaints() == []
    assert verdict.count("answered") > 100
    assert (verdict.acts > 0) == scenario.relayed
