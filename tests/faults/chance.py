"""A pytest plugin for the flow tests: one operation in ONE_IN of each gateway fails, chosen by SEED.

Tests may fail by that. What must not happen is written to the file FAULTS_REPORT, one JSON object a line, and flow.py
reads it: a gateway that crashes, hangs, leaks, or has another number of failures in its log than in its ledger.
"""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import zlib

import gateway
import pytest
from control import KINDS, Control, failures_in_ledger, failures_in_log
from processes import eventually

ONE_IN, SEED = int(os.environ["FAULTS_ONE_IN"]), int(os.environ["FAULTS_SEED"])
HANG = 20  # seconds, longer than a drain
CRASHES = (-4, -6, -7, -8, -11)  # signals
now = {"test": "", "gateways": 0}
started = []  # gateways that are not ended here yet


def report(**what):
    with open(os.environ["FAULTS_REPORT"], "a") as file:
        file.write(json.dumps({"test": now["test"], **what}) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    now.update(test=item.nodeid, gateways=0)
    report(begins=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown():
    """Gateways that the test has ended itself, or left to themselves."""
    yield
    for one in [one for one in started if one.process and not one.process.running()]:
        end(one)


def replaced(name):
    """For a function that takes the place of a method of Gateway, and gets it as its second argument."""
    real = getattr(gateway.Gateway, name)

    def decorate(function):
        @functools.wraps(real)
        def method(self, *arguments, **words):
            return function(self, real, *arguments, **words)
        setattr(gateway.Gateway, name, method)
        return method
    return decorate


def is_faulty(self):
    """valgrind brings its own functions for memory: those of faults.c are not called then."""
    return not self.under or "prlimit" in self.under[0]


@replaced("write")
def write(self, real, *arguments, **words):
    """With a socket by which the ledger can be read."""
    real(self, *arguments, **words)
    if not hasattr(self, "faults_folder"):
        self.faults_folder = pathlib.Path(tempfile.mkdtemp(prefix="faults-"))
    text = self.file.read_text()
    more = f"socket: 'unix:{self.faults_folder}/admin.sock'}}"
    with_socket = re.sub(r"^admin: \{(address: [^,{}]*)\}$", rf"admin: {{\1, {more}", text, flags=re.M)
    with_socket = re.sub(r"^admin: ([^{\n]+)$", rf"admin: {{address: '\1', {more}", with_socket, flags=re.M)
    # A start, and what OpenSSL keeps, have tests of their own; h2o, which serves the admin port, takes no failure of TLS.
    admin_tls = re.search(r"^admin:.*(\n .*)*tls:", text, re.M)
    self.faults_kinds = [kind for kind in KINDS if kind != "tls_memory" and not (kind == "tls" and admin_tls)]
    self.faults_ledger = with_socket != text and 'log: "-"' in text and "\nstore:" not in text
    self.file.write_text(with_socket)


@replaced("start")
def start(self, real):
    if is_faulty(self):
        self.write()
        now["gateways"] += 1
        self.faults = Control(self.faults_folder / f"control{now['gateways']}")
        self.environment = {**(self.environment or {}), **self.faults.environment}
    real(self)
    if is_faulty(self):
        started.append(self)
        seed = zlib.crc32(f"{SEED} {now['test']} {now['gateways']}".encode())
        self.faults.arm_by_chance(ONE_IN, seed, self.faults_kinds)
    return self


def compare(self):
    """Log and ledger, as soon as all calls have ended."""
    told = {}

    def same():
        told.update(ledger=failures_in_ledger(self.faults_folder / "admin.sock"), log=failures_in_log(self.log()))
        return told["log"] == told["ledger"]
    try:
        eventually(same, timeout=15)
    except (AssertionError, OSError) as error:
        if told:
            report(wrong=f"the log has {told['log']} failures, the ledger {told['ledger']}")
        elif not ends(self.process):  # as the test has told it to
            report(wrong=f"the admin socket: {error}")
    return told.get("log", 0)


def ends(process):
    try:
        eventually(lambda: not process.running(), timeout=HANG)
    except AssertionError:
        return False
    return True


def where_it_hangs(process):
    """The stacks of a gateway that does not end, if gdb is there to tell them."""
    time.sleep(HANG)
    if not process.running() or not shutil.which("gdb"):
        return
    told = subprocess.run(["gdb", "-p", str(process.child.pid), "-batch", "-ex", "thread apply all bt 16"],
                          capture_output=True, text=True, timeout=60)
    report(wrong="it does not end:\n" + told.stdout[-12000:])


def end(self):
    """Before the gateway is stopped: what it has so far. What the test did to it by itself is no fault."""
    if self not in started or not self.process:
        return
    started.remove(self)
    self.faults.disarm()
    failures = 0
    if self.process.running() and self.faults_ledger:
        failures = compare(self)
    was_running = self.process.running()
    threading.Thread(target=where_it_hangs, args=[self.process], daemon=True).start()
    code = self.process.terminate(60)
    told = "\n".join(self.process.errors)
    if code in CRASHES or any(complaint in told for complaint in gateway.COMPLAINTS):
        report(wrong=f"exit code {code}\n{told[:20000]}")
    elif was_running and code != 0:
        report(wrong=f"it was stopped, and ended with {code}\n{told[-4000:]}")
    report(faults={kind: n for kind, n in self.faults.failed.items() if n}, failures=failures)


@replaced("stop")
def stop(self, real):
    for channel in self.clients:
        channel.close()
    end(self)
    real(self)


@replaced("__exit__")
def leave(self, real, kind, *error):
    if kind is not None:
        end(self)
    return real(self, kind, *error)
