"""A pytest plugin for the flow tests: one operation in ONE_IN of each gateway fails, chosen by SEED.

Tests may fail by that. What must not happen is written to the file FAULTS_REPORT, one JSON object a line, and flow.py
reads it: a gateway that crashes, hangs, leaks, or has another number of failures in its log than in its ledger.
"""
import functools
import json
import os
import pathlib
import re
import tempfile
import zlib

import gateway
import pytest
from control import KINDS, Control, failures_in_ledger, failures_in_log
from processes import eventually

ONE_IN, SEED = int(os.environ["FAULTS_ONE_IN"]), int(os.environ["FAULTS_SEED"])
CRASHES = (-4, -6, -7, -8, -11)  # signals
now = {"test": "", "gateways": 0}


def report(**what):
    with open(os.environ["FAULTS_REPORT"], "a") as file:
        file.write(json.dumps({"test": now["test"], **what}) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    now.update(test=item.nodeid, gateways=0)


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
    if not self.under:
        self.write()
        now["gateways"] += 1
        self.faults = Control(self.faults_folder / f"control{now['gateways']}")
        self.environment = {**(self.environment or {}), **self.faults.environment}
    real(self)
    if not self.under:
        seed = zlib.crc32(f"{SEED} {now['test']} {now['gateways']}".encode())
        self.faults.arm_by_chance(ONE_IN, seed, self.faults_kinds)
    return self


def compare(self):
    """Log and ledger, as soon as all calls have ended."""
    told = {}

    def same():
        told["log"], told["ledger"] = failures_in_log(self.log()), failures_in_ledger(self.faults_folder / "admin.sock")
        return told["log"] == told["ledger"]
    try:
        eventually(same, timeout=15)
    except AssertionError:
        report(wrong=f"the log has {told.get('log')} failures, the ledger {told.get('ledger')}")
    return told.get("log", 0)


def end(self):
    """Before the gateway is stopped: what it has so far. What the test did to it by itself is no fault."""
    if self.under or not hasattr(self, "faults") or not self.process:
        return
    self.faults.disarm()
    failures = 0
    if self.process.running() and self.faults_ledger:
        try:
            failures = compare(self)
        except OSError as error:
            report(wrong=f"the admin socket: {error}")
    was_running = self.process.running()
    code = self.process.terminate(30)
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
