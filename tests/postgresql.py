#!/usr/bin/python3
"""A PostgreSQL of the tests' own: Debian's programs, a folder in /tmp, a unix socket, no TCP.

  postgresql.py COMMAND...   runs the command with POSTGRESQL set to a connection string of a fresh server; without it
                             where the programs are missing, with a note

As root, the server runs as `nobody`, for it refuses root.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from nobody import as_nobody

SECONDS = 30


def programs():
    """The folder of Debian's newest server, or None."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class PostgreSQL:
    """Use it in a `with` block."""

    def __init__(self, parent=None):
        """`parent`: the folder in which it makes its own; by default /tmp."""
        self.bin = programs()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
        self.folder.chmod(0o711)  # also for a gateway that has given up the privileges of root
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
        self.process = None
        self.run("initdb", "-D", self.folder / "data", "-U", "passerelle", "-A", "trust", "-E", "UTF8",
                 "--no-locale", "--no-sync", "--no-instructions")
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGINT)
        shutil.rmtree(self.folder)

    @property
    def address(self):
        """For libpq."""
        return f"host={self.folder} user=passerelle dbname=postgres"

    def run(self, program, *arguments):
        done = subprocess.run(as_nobody(str(self.bin / program), *map(str, arguments)), cwd=self.folder, capture_output=True,
                              text=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode:
            raise SystemExit(f"{program} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def psql(self, text, **more):
        """Runs SQL beside its clients; the process."""
        return subprocess.Popen([self.bin / "psql", "-q", "-h", self.folder, "-U", "passerelle", "-d", "postgres", "-c", text],
                                **more)

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(
                as_nobody(self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses=",
                          "-c", "max_connections=50"), stdout=log, stderr=log, cwd=self.folder)
        end = time.monotonic() + SECONDS
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self, how):
        """SIGINT: in order; SIGKILL: as a crash."""
        children = []
        if how == signal.SIGKILL:
            # Its children go too: each notices that the server is gone, but not at once, and a server that starts
            # refuses the memory that they share. Stopped, it makes no more of them.
            self.process.send_signal(signal.SIGSTOP)
            children = self.children()
            for child in children:
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(child, how)
        self.process.send_signal(how)
        self.process.wait(SECONDS)
        end = time.monotonic() + SECONDS
        while any(pathlib.Path(f"/proc/{child}").exists() for child in children):
            if time.monotonic() > end:
                raise SystemExit(f"{children} do not end")
            time.sleep(0.005)

    def hold(self):
        """It answers nothing any more, as if its machine hung."""
        for pid in self.all_pids():
            os.kill(pid, signal.SIGSTOP)

    def release(self):
        for pid in self.all_pids():
            os.kill(pid, signal.SIGCONT)

    def all_pids(self):
        return [self.process.pid, *self.children()]

    def children(self):
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return list(map(int, listed.stdout.split()))


def main():
    if not programs():
        print("PostgreSQL is not installed (apt install postgresql): only SQLite is tested", flush=True)
        os.execvp(sys.argv[1], sys.argv[1:])
    with PostgreSQL() as server:
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "POSTGRESQL": server.address}, check=False).returncode)


if __name__ == "__main__":
    main()
