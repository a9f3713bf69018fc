"""Stores that gateways share: an SQLite file, or a PostgreSQL of the tests' own."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgresql  # noqa: E402


class SQLite:
    def __init__(self, folder):
        self.setting = f"{{sqlite: {folder}/store.db}}"


class PostgreSQL(postgresql.PostgreSQL):
    @property
    def setting(self):
        return f'{{postgresql: "{self.address}"}}'


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path_factory):
    """Each of both in turn, empty; `setting` is what the config has."""
    if request.param == "sqlite":
        yield SQLite(tmp_path_factory.mktemp("store"))
    elif not postgresql.programs():
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    else:
        with PostgreSQL() as server:
            yield server


@pytest.fixture
def server():
    """A PostgreSQL that the test may stop."""
    if not postgresql.programs():
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    with PostgreSQL() as started:
        yield started
