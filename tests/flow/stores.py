"""Stores that gateways share: an SQLite file, or a PostgreSQL of the tests' own."""
import contextlib
import fcntl
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import postgresql  # noqa: E402
from processes import eventually  # noqa: E402


class SQLite:
    def __init__(self, folder):
        self.file = folder / "store.db"
        self.setting = f"{{sqlite: {self.file}}}"

    @contextlib.contextmanager
    def busy(self):
        """Somebody else uses it all the time."""
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


    @contextlib.contextmanager
    def hanging(self):
        """Somebody else has it for himself: nobody may read or write."""
        with open(f"{self.file}-shm", "r+b") as shared:
            def hold():
                try:  # all locks of a WAL, https://sqlite.org/walformat.html section 2.3.1
                    fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 8, 120)
                    return True
                except OSError:  # within a transaction of the gateway's
                    return False
            eventually(hold)
            yield


class PostgreSQL(postgresql.PostgreSQL):
    @property
    def setting(self):
        return f'{{postgresql: "{self.address}"}}'

    @contextlib.contextmanager
    def busy(self):
        lock = self.psql("BEGIN; LOCK TABLE gateways, audit; SELECT pg_sleep(60)", stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            lock.kill()
            lock.wait()
            self.run("psql", "-q", "-h", self.folder, "-U", "passerelle", "-d", "postgres", "-o", "/dev/null", "-c",
                     "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'"
                     " AND pid <> pg_backend_pid()")


    @contextlib.contextmanager
    def hanging(self):
        self.hold()
        try:
            yield
        finally:
            self.release()


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


@contextlib.contextmanager
def small_disk(size):
    """Not in a folder of pytest's, which only root may enter: its server is somebody else's."""
    with tempfile.TemporaryDirectory(prefix="disk-") as name:
        disk = pathlib.Path(name)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", disk], check=False).returncode:
            pytest.skip("mount is not allowed here")
        try:
            yield disk
        finally:
            subprocess.run(["umount", disk], check=True)


def fill(disk):
    """A file that takes all the room there is."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler
