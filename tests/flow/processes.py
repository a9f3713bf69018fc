"""Processes that tests start: found ports, waited for, stopped, and looked at when they are gone."""
import atexit
import fcntl
import itertools
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _own_ports(each=200):
    """A range of ports that no other test process of this machine draws from, for as long as this one runs.

    Each range has a lock file. All ranges are below Linux's range for outgoing connections, so that no client's
    port gets in the way.
    """
    locks = pathlib.Path(tempfile.gettempdir()) / f"passerelle-ports-{os.getuid()}"
    locks.mkdir(exist_ok=True)
    for first in range(20000, 32000, each):
        lock = open(locks / str(first), "w")  # held until the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock, itertools.cycle(range(first, first + each))
        except BlockingIOError:
            lock.close()
    raise RuntimeError("other test processes have all ports")


_lock, _ports = _own_ports()


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    while True:
        port = next(_ports)
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue


def eventually(what, timeout=60.0):
    """The first true answer of what(); fails when none came in time, which only a failing test waits for."""
    end = time.monotonic() + timeout
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {timeout} s in vain for {what}"
        time.sleep(0.01)


class Process:
    """A child whose output is kept, line by line as it comes."""

    def __init__(self, command, environment=None):
        self.lines, self.errors = [], []
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, errors="replace",
                                      env=dict(os.environ, **(environment or {})))
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.child.stdout, self.lines), (self.child.stderr, self.errors))]
        for reader in self.readers:
            reader.start()
        atexit.register(self.child.kill)  # for those whose test failed before it stopped them

    @staticmethod
    def _read(stream, lines):
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))

    def running(self):
        return self.child.poll() is None

    def wait_until(self, ready):
        """Until ready(); one that ends instead, or does not get there, is gone when this fails."""
        try:
            eventually(lambda: not self.running() or ready())
            if not self.running():
                self.wait()  # for all that it has said
                raise AssertionError("it did not start:\n" + "\n".join(self.errors))
        except BaseException:
            self.kill()
            raise
        return self

    def kill(self):
        """As a crash would: no goodbye."""
        self.child.kill()
        self.wait()

    def terminate(self, timeout=20):
        """SIGTERM, then its exit code."""
        if self.running():
            self.child.terminate()
        return self.wait(timeout)

    def wait(self, timeout=20):
        """Its exit code, when it ends by itself."""
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            code = "none: it had to be killed"
        for reader in self.readers:
            reader.join(5)
        return code
