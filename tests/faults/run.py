#!/usr/bin/python3
"""Every fault, one at a time: run.py BUILD [DIALECT...]. Ends with "N passed, N failed".

For each dialect and each kind of fault the first operation fails, then the second one, and so on until one round had no
fault any more, because there were fewer. After each round:

    the gateway lives, and nothing hangs;
    what the client got is the response, an error of its dialect, or visibly broken off;
    each error has the log line and the row in the ledger; what was broken off has them, too, or the counter of
    connections that says so, if there was no call yet;
    log, ledger and metrics have the same number of calls and of failures.

After the last round the next calls succeed, all descriptors and memory are given back, and the gateway ends in order,
without a word from the sanitizers.
"""
import collections
import contextlib
import itertools
import json
import os
import pathlib
import re
import sys
import tempfile
import time
from concurrent import futures

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
os.environ["PASSERELLE"] = str(BUILD / "tests/faults/passerelle-faults")
os.environ["SHOP_STUBS"] = str(BUILD / "examples/shop/stubs")
sys.path[:0] = [str(ROOT / "tests/flow"), str(ROOT / "tests/faults")]

from backends import Backend, order_v3, v1, v3  # noqa: E402
from certificates import certificate  # noqa: E402
from control import KINDS, Control, ask_admin, failures_in_ledger, failures_in_log  # noqa: E402
from dialects import DIALECTS  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from gateway import BINARY, COMPLAINTS, Gateway  # noqa: E402
from google.protobuf.json_format import MessageToDict, ParseDict  # noqa: E402
from http1_backend import Http1Backend  # noqa: E402
from processes import Process, eventually, free_port  # noqa: E402

STORE = "store: {sqlite: $folder/store.db}\nledger: {every: 100ms}\n"
STARTING = ["socket", "file"]  # kinds that a start has
NAMES = 300  # that can be resolved; each is asked for once
CONFIG = """
listen:
  - {address: '127.0.0.1:$port'}
  - {address: '127.0.0.1:$tls', tls: {certificate: $folder/server.pem, key: $folder/server.key}}
admin: {address: '127.0.0.1:$admin', socket: 'unix:$folder/admin.sock'}
loops: 1
log: "-"
errors: full
dns: {servers: ['$dns'], timeout: 200ms, attempts: 2}
limits: {instance_idle_time: 20ms, send_time: 2s}
services:
  - name: orders
    versions:
      - {name: v1, package: shop.orders.v1, schema: $orders}
      - {name: v2, package: shop.orders.v2, schema: $orders}
      - {name: v3, package: shop.orders.v3, schema: $orders}
    changes: [$shop/orders-v1-v2.yaml, $shop/orders-v2-v3.yaml]
    instances: [{address: 'localhost:$backend', protocol: grpc, versions: [v3]$instance_tls}]
routes:
  - {match: orders, impact: high, timeout: 5s, on_failure: loud}
  - {match: /old/, timeout: 5s, instances: [{address: '127.0.0.1:$old', protocol: http}]}
$named
$more
"""
NAMED = "".join(f"  - {{match: /name{i}/, timeout: 5s, instances: [{{address: 'i{i}.test:$old', protocol: http}}]}}\n"
                for i in range(NAMES))
# The first so many one by one, then each tenth: a handshake is some hundred allocations.
SPARSE = {} if os.environ.get("EVERY") else {"tls_memory": 60}
CONNECTIONS = ("passerelle_connections_refused_total", "passerelle_connections_broken_total",
               "passerelle_connections_lost_total", "passerelle_handshakes_failed_total",
               "passerelle_connection_timeouts_total")


def says_old(peer, told, body):
    """An instance of HTTP/1.1: short responses, and long ones that are what was sent."""
    if told.target.endswith("/short"):
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    elif told.target.endswith("/tunnel"):
        peer.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\n")
        while data := peer.file.read1():
            peer.say(data)
        peer.close()
    else:
        peer.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


class Shop:
    """A gateway that has the faults, and what is behind it."""

    def __init__(self, folder, words):
        self.folder, self.names = folder, itertools.count()
        self.control = Control(folder / "faults")
        self.gateway = Gateway(folder, CONFIG, environment=self.control.environment, tls=free_port(),
                               named=NAMED.replace("$old", str(words["old"])), **words)
        self.port, self.tls_port = self.gateway.port, self.gateway.words["tls"]
        self.order = self.json = None  # that is there to be asked for, in v1

    def __enter__(self):
        self.gateway.start()
        made = self.gateway.http("POST", "/v3/orders", MessageToDict(order_v3(state=v3.DELIVERED)))
        self.json = self.gateway.http("GET", f"/v1/orders/{made.json['id']}").json
        self.order = ParseDict(self.json, v1.Order())
        return self

    def __exit__(self, *error):
        self.control.disarm()
        self.gateway.__exit__(*error)

    @property
    def admin_socket(self):
        return self.folder / "admin.sock"

    def metrics(self):
        """{name with labels: value}"""
        lines = ask_admin(self.admin_socket, "/metrics").splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] not in ("#", "")}

    def descriptors(self):
        """What each open one is: those of a kind are counted."""
        found, folder = collections.Counter(), pathlib.Path(f"/proc/{self.gateway.process.child.pid}/fd")
        for one in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found[re.sub(r"\[\d+\]", "", os.readlink(one))] += 1
        return found

    def quiet(self):
        """Metrics and log lines when all calls and connections of clients have ended."""
        last = {}

        def is_quiet():
            assert self.gateway.process.running(), "the gateway has ended:\n" + "\n".join(self.gateway.process.errors)
            last["metrics"] = self.metrics()
            last["lines"] = self.gateway.log()
            return total(last["metrics"], "passerelle_connections") == 0 and \
                total(last["metrics"], "passerelle_calls_total") == calls_in(last["lines"])
        try:
            eventually(is_quiet, timeout=10)
        except AssertionError as error:
            told = {name: value for name, value in last.get("metrics", {}).items()
                    if name.startswith(("passerelle_connections", "passerelle_calls_total"))}
            raise AssertionError(f"{error}; {told}, {len(last.get('lines', ()))} lines") from None
        return last["metrics"], last["lines"]


def total(metrics, name):
    return sum(value for key, value in metrics.items() if key == name or key.startswith(name + "{"))


def told(after):
    """The last lines of the log, for people."""
    return "\n".join(json.dumps(line) for line in after[1][-3:])


def calls_in(lines):
    return sum(line["log"] == "call" for line in lines)


def look(shop, dialect, kind, outcomes, before, after):
    """Checks what is left of a round."""
    (metrics_before, lines_before), (metrics, lines) = before, after
    failures = failures_in_log(lines)
    ledger = failures_in_ledger(shop.admin_socket)
    assert failures == ledger, f"the log has {failures} failures, the ledger {ledger}"
    failed_ids = {line.get("request_id") for line in lines if "causes" in line}
    for one in outcomes:
        assert one in ("good", "cut") or one.request_id in failed_ids, f"no failure in the log: {one} {one.request_id}"
    known = failures - failures_in_log(lines_before) + sum(
        total(metrics, name) - total(metrics_before, name) for name in CONNECTIONS)
    bad = sum(one != "good" for one in outcomes)
    if kind == "read_end":
        # A client that has ended its side before its head has not failed for the gateway: no call may have come of it.
        known += max(0, len(outcomes) - (calls_in(lines) - calls_in(lines_before)))
        # And in a tunnel an end is like another.
        known += dialect == "tunnel"
    assert bad <= known, f"{bad} calls failed, and {known} failures are known: {outcomes}\n{told(after)}"


def rounds_of(shop, dialect, kind):
    """All rounds of one kind; gives how many had a fault, and the outcomes."""
    counted = {"good": 0, "error": 0, "cut": 0}
    DIALECTS[dialect](shop)  # what is opened once is open then
    time.sleep(0.05)
    before = shop.quiet()
    if dialect == "store":
        # After a start a chore looks at the file for warnings. SQLite keeps its descriptor as long as the store has
        # locks: closing it would end them, as POSIX has it. The next look takes the same one.
        eventually(lambda: shop.descriptors()[str(shop.folder / "store.db")] == 2, timeout=30)
    descriptors = shop.descriptors()
    nth = rounds = 0
    while True:
        nth += 1 if nth < SPARSE.get(kind, nth + 1) else nth // 10
        shop.control.arm(kind, nth)
        try:
            outcomes = DIALECTS[dialect](shop)
            time.sleep(0.03)  # connections to instances are idle, and end
            shop.control.disarm()
            after = shop.quiet()
            look(shop, dialect, kind, outcomes, before, after)
        except AssertionError as error:
            raise AssertionError(f"{kind} {nth}: {error}") from None
        before = after
        if not shop.control.failed[kind]:
            assert all(one == "good" for one in outcomes), f"{kind} {nth}, which nothing failed: {outcomes}\n" + told(after)
            break
        rounds += 1
        for one in outcomes:
            counted[one if one in counted else "error"] += 1
        if any(one != "good" for one in outcomes):
            eventually(lambda: all(one == "good" for one in DIALECTS[dialect](shop)), timeout=5)
            before = shop.quiet()
    try:
        eventually(lambda: shop.descriptors() <= descriptors, timeout=5)
    except AssertionError:
        more = shop.descriptors() - descriptors
        raise AssertionError(f"{kind}: {sum(descriptors.values())} descriptors have become more: {dict(more)}, of {dict(descriptors)}") from None
    return rounds, counted


def begin(shop, kind, nth):
    """A gateway in whose start the nth operation fails: it serves, or ends with an error and says why. Whether it failed."""
    gateway = shop.gateway
    gateway.write()
    shop.control.arm(kind, nth)
    process = gateway.process = Process([BINARY, "run", str(gateway.file)], shop.control.environment)
    try:
        eventually(lambda: not process.running() or gateway.ready(), timeout=30)
        shop.control.disarm()
        served = process.running()
        code = process.terminate()
        told = "\n".join(process.errors)
        assert not any(complaint in told for complaint in COMPLAINTS), told
        assert code == 0 if served else code > 0 and told, f"exit code {code}: {told}"
    except AssertionError as error:
        raise AssertionError(f"{kind} {nth}: {error}") from None
    finally:
        process.kill()
    return shop.control.failed[kind] > 0


def run_starts(folder, words):
    """(passed, failed), as run_dialect, of operations that fail before the gateway serves."""
    failed = 0
    shop = Shop(folder, words)
    for kind in STARTING:
        nth = 1
        try:
            rounds = 0
            while begin(shop, kind, nth):
                rounds += 1
                nth += 1
            print(f"{'start':9} {kind:12} {rounds:4} faults", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED: start: {error}", flush=True)
    return len(STARTING) - failed, failed


def check_kept(folder, words, failures):
    """What one gateway has stored in spite of all, the next one has."""
    with Shop(folder, words) as shop:
        eventually(lambda: failures_in_ledger(shop.admin_socket) == failures, timeout=10)


def run_dialect(surrounding, dialect, words):
    """(passed, failed): each kind of fault is a test. After one that failed there is a new gateway."""
    failed, at = [], 0
    folder = surrounding / dialect.replace("/", "")
    folder.mkdir()
    for file in "server.pem", "server.key":
        (folder / file).symlink_to(surrounding / file)
    words = {**words, "more": STORE.replace("$folder", str(folder)) if dialect == "store" else ""}
    if dialect == "start":
        return run_starts(folder, words)
    kinds = ["file"] if dialect == "store" else KINDS
    while at < len(kinds) and len(failed) <= at:
        try:
            with Shop(folder, words) as shop:
                begin = total(shop.quiet()[0], "passerelle_memory_bytes")
                while at < len(kinds):
                    kind, at, began = kinds[at], at + 1, time.monotonic()
                    n, counted = rounds_of(shop, dialect, kind)
                    outcomes = ", ".join(f"{number} {name}" for name, number in counted.items() if number)
                    if n:
                        print(f"{dialect:9} {kind:12} {n:4} faults: {outcomes}  ({time.monotonic() - began:.1f} s)", flush=True)
                end = total(shop.quiet()[0], "passerelle_memory_bytes")
                assert end <= begin + (512 << 10), f"memory grew from {begin} to {end} bytes"
            if dialect == "store":
                check_kept(folder, words, failures_in_log(shop.gateway.log()))
        except (AssertionError, ValueError) as error:
            failed.append(f"{dialect}: {error}")
            print(f"FAILED: {failed[-1]}", flush=True)
    return len(kinds) - len(failed), len(failed)


@contextlib.contextmanager
def surroundings(folder):
    """What all gateways share: instances, and a name server. {dialect: words of the config}"""
    with contextlib.ExitStack() as stack:
        certificate(folder)
        pair = ("--certificate", str(folder / "server.pem"), "--key", str(folder / "server.key"))
        clear = stack.enter_context(Backend("v3"))
        secure = stack.enter_context(Backend("v3", arguments=pair, host="localhost"))
        old = stack.enter_context(Http1Backend(says_old))
        dns = stack.enter_context(DnsServer({f"i{i}.test": ["127.0.0.1"] for i in range(NAMES)}, ttl=600))
        words = {"old": old.port, "dns": dns.address}
        for_all = {**words, "backend": clear.port, "instance_tls": ""}
        for_tls = {**words, "backend": secure.port, "instance_tls": f", tls: {{ca: {folder}/server.pem}}"}
        yield {dialect: for_tls if dialect in ("TLS", "start") else for_all for dialect in [*DIALECTS, "start"]}


def main():
    dialects = sys.argv[2:] or ["start", *DIALECTS]
    with tempfile.TemporaryDirectory(prefix="faults-") as name, surroundings(pathlib.Path(name)) as words, \
            futures.ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(lambda dialect: run_dialect(pathlib.Path(name), dialect, words[dialect]), dialects))
    passed, failed = (sum(numbers) for numbers in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0 or not passed)


if __name__ == "__main__":
    main()
