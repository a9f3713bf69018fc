"""What the demo needs to tell its story: processes, clients, and a page that reads well."""
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
STUBS = BUILD / "examples/shop/stubs"
os.environ["SHOP_STUBS"] = str(STUBS)  # for the backends
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
sys.path.insert(0, str(STUBS))

import google  # noqa: E402

google.__path__.append(str(STUBS / "google"))

import grpc  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from shop.hosting.v2 import hosting_pb2_grpc as hosting_grpc  # noqa: E402
from shop.orders.v1 import orders_pb2 as v1, orders_pb2_grpc as v1_grpc  # noqa: E402
from shop.orders.v2 import orders_pb2 as v2, orders_pb2_grpc as v2_grpc  # noqa: E402
from shop.orders.v3 import orders_pb2 as v3, orders_pb2_grpc as v3_grpc  # noqa: E402

STUB = {"v1": v1_grpc.OrdersStub, "v2": v2_grpc.OrdersStub, "v3": v3_grpc.OrdersStub}
SITES = hosting_grpc.SitesStub
PORTS = (8080, 9901, 7001, 7002, 7003, 7004, 7005, 7006, 8000)  # that shop.yaml names, of a new build, and of a load balancer
OLD_BUILD, NEW_BUILD = ("--build", "3.1.0", "--fail", "0.001"), ("--build", "3.2.0", "--breaks", "20")


class Page:
    """Prints, in colour only on a terminal, and counts what was not as told."""

    COLOURS = {"title": "1;36", "dim": "2", "good": "32", "bad": "1;31", "code": "33"}

    def __init__(self):
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.fancy = (sys.stdout.encoding or "").lower().startswith("utf")
        self.width = min(shutil.get_terminal_size((100, 24)).columns, 110)
        self.scenes = self.good = self.bad = 0

    def paint(self, name, text):
        return f"\033[{self.COLOURS[name]}m{text}\033[0m" if self.colour else text

    def put(self, text="", paint=None, indent=0, fold=True):
        for line in text.splitlines() or [""]:
            filled = fold and textwrap.wrap(line, self.width - indent, break_long_words=False,
                                            break_on_hyphens=False) or [line]
            for part in filled:
                print(" " * indent + (self.paint(paint, part) if paint else part), flush=True)

    def scene(self, title, why):
        self.scenes += 1
        rule = ("─" if self.fancy else "-") * 3
        print()
        self.put(f"{rule} {self.scenes}. {title} {rule}", "title")
        self.put(why, "dim", 4)

    def step(self, what, command):
        print()
        self.put(f"{'▸' if self.fancy else '>'} {what}", indent=2)
        self.put(command, "code", 6)

    def answer(self, text):
        self.put(text, indent=6)

    def check(self, told, true):
        """One thing that the story promised."""
        self.good, self.bad = self.good + bool(true), self.bad + (not true)
        mark = ("✓" if self.fancy else "ok") if true else ("✗ NOT AS TOLD:" if self.fancy else "NOT AS TOLD:")
        self.put(f"{mark} {told}", "good" if true else "bad", 6)


def say_why_not(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def ports_near(*wished):
    """The ports that shop.yaml names; for one that is taken, the next free one that nobody wished for."""
    given = []
    for wish in wished:
        given.append(wish if free(wish) else next(
            port for port in range(wish + 1, 32768)
            if port not in wished and port not in given and free(port)))
    return given


def any_ports(count):
    """Ports that the system gives, so that several shops can start at once."""
    with contextlib.ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def wait_for(what, timeout=15.0):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    return None


class Process:
    """A child; what it prints on stdout is kept."""

    def __init__(self, name, command):
        self.name, self.lines, self.errors = name, [], []
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, errors="replace",
                                      start_new_session=True)
        for stream, lines in ((self.child.stdout, self.lines), (self.child.stderr, self.errors)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait_ready(self, ready):
        if not wait_for(lambda: self.child.poll() is not None or ready(), 60) or self.child.poll() is not None:
            self.stop()
            time.sleep(0.1)
            say_why_not(f"{self.name} did not start:\n" + "\n".join(self.errors[-20:]))

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
            try:
                return self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()


class Backend:
    def __init__(self, version, port, *arguments):
        self.version, self.port, self.arguments, self.process = version, port, arguments, None

    def start(self):
        self.process = Process(f"the {self.version} backend",
                               ["/usr/bin/python3", str(HERE / f"backend_{self.version}.py"),
                                "--listen", f"127.0.0.1:{self.port}", *self.arguments])
        self.process.wait_ready(lambda: any('"ready"' in line for line in self.process.lines))

    def kill(self):
        self.process.stop(signal.SIGKILL)

    def become(self, *arguments):
        """Another one takes its place."""
        self.kill()
        self.arguments = arguments
        self.start()

    def told(self, event):
        """What it said happened, of one kind."""
        return [told for told in map(json.loads, self.process.lines) if told["event"] == event]

    def stub(self):
        return STUB[self.version](grpc.insecure_channel(f"127.0.0.1:{self.port}"))


class Stage:
    """The gateway with its config in a folder of its own, and three backends, none of them started."""

    def __init__(self, folder=None, ports=None):
        binary = BUILD / "passerelle"
        if not binary.exists():
            say_why_not(f"{binary} is not there: run `make build` first")
        self.binary = str(binary)
        self.folder = folder or pathlib.Path(tempfile.mkdtemp(prefix="passerelle-shop-"))
        self.ports = dict(zip(PORTS, ports or ports_near(*PORTS)))
        self.port, self.admin, *ports, extras, hosting, new, _ = self.ports.values()
        self.backends = {name: Backend(name, port) for name, port in zip(("v1", "v2", "v3"), ports)}
        self.config = (HERE / "shop.yaml").read_text()
        self.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        self.replace("127.0.0.1:9901", f"127.0.0.1:{self.admin}")
        for name, backend in self.backends.items():
            self.replace(f"127.0.0.1:700{name[1:]}", f"127.0.0.1:{backend.port}")
        self.extras = Backend("extras", extras)
        self.replace("127.0.0.1:7004", f"127.0.0.1:{extras}")
        self.hosting = Backend("hosting", hosting, "--slow", "0.4", "--fail", "0.2")  # seconds, and one in five
        self.config = self.config.replace("127.0.0.1:7005", f"127.0.0.1:{hosting}")  # of two services
        self.new_build = Backend("v3", new, *NEW_BUILD)
        for source in (HERE / "orders-v1-v2.yaml", HERE / "orders-v2-v3.yaml", HERE / "hosting-v1-v2.yaml",
                       BUILD / "examples/shop/orders.binpb"):
            shutil.copy(source, self.folder)
        self.gateway = None
        self.page = Page()

    def replace(self, old, new):
        """Changes the config's text; a text that is not there is a mistake of the demo."""
        if old not in self.config:
            say_why_not(f"shop.yaml does not have {old!r} any more")
        self.config = self.config.replace(old, new)

    def write_config(self):
        path = self.folder / "shop.yaml"
        path.write_text(self.config)
        return str(path)

    def start_gateway(self):
        self.gateway = Process("the gateway", [self.binary, "run", "--supervise", self.write_config()])
        self.gateway.wait_ready(self.is_ready)

    def serving(self):
        """The process that serves, whose parent only starts it again: its number, or None for a moment."""
        supervisor = self.gateway.child.pid
        children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return int(children[-1]) if children else None

    def is_ready(self):
        status = self.fetch(f"http://127.0.0.1:{self.admin}/readyz")[0]
        return status == 200

    def wait_until_tried_again(self, version):
        """An instance that was down is left alone for a while; this waits until no loop does so any more."""
        sample = f'instance="127.0.0.1:{self.backends[version].port}"}} 1'

        def found():
            metrics = self.fetch(f"http://127.0.0.1:{self.admin}/metrics")[2]
            return any(line.startswith("passerelle_upstream_up{") and line.endswith(sample)
                       for line in metrics.replace("\r", "").splitlines())
        return wait_for(found)

    def reload(self):
        """Writes the config and tells the gateway; what it said about it."""
        before = len(self.gateway.errors), len(self.gateway.lines)
        self.write_config()
        self.gateway.child.send_signal(signal.SIGHUP)
        wait_for(lambda: len(self.gateway.errors) > before[0] or len(self.gateway.lines) > before[1])
        time.sleep(0.3)
        return self.gateway.errors[before[0]:] + self.gateway.lines[before[1]:]

    def stop(self, keep=False):
        codes = [process.stop() for process in
                 [self.gateway] + [backend.process for backend in (*self.backends.values(), self.extras, self.hosting, self.new_build)]
                 if process]
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        return codes[0] if codes else 0

    def log_line(self, headers):
        """The access-log line of the call whose answer had these headers; waits for it."""
        wanted = headers.get("x-request-id", "none")

        def find():
            lines = [json.loads(line) for line in self.gateway.lines if wanted in line]
            # The calls that a composed method or a job makes have its id, too.
            return [line for line in lines if "leg" not in line and "job" not in line]
        return (wait_for(find, 3) or [{}])[-1]

    def fetch(self, url, *arguments):
        """curl: (status, {header: value}, body)."""
        done = subprocess.run(["curl", "-s", "-i", "--max-time", "10", url, *arguments],
                              capture_output=True, text=True)
        head, _, body = done.stdout.partition("\n\n") if "\r\n\r\n" not in done.stdout else \
            done.stdout.partition("\r\n\r\n")
        lines = head.replace("\r", "").split("\n")
        status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/") else 0
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, body

    # ---- one call of the story: shown, made, its answer shown ------------------------------------

    def curl(self, what, path, *arguments, shown=("api-version", "deprecation", "sunset", "link",
                                                  "passerelle-degraded", "passerelle-lost", "passerelle-legs",
                                                  "location", "retry-after", "passerelle-job")):
        """A call with curl; returns the answer with `status`, `headers`, `json` and `log`."""
        url = f"http://127.0.0.1:{self.port}{path}"
        self.page.step(what, shlex.join(["curl", *arguments, url]))
        answer = Answer()
        answer.status, answer.headers, body = self.fetch(url, *arguments)
        answer.json = json.loads(body) if body.strip() else {}
        answer.log = self.log_line(answer.headers)
        told = [f"{name}: {answer.headers[name]}" for name in shown if name in answer.headers]
        self.page.answer(" ".join([f"{answer.status}", *[f"[{line}]" for line in told]]))
        self.page.answer(spelled(answer.json))
        self.why(answer)
        return answer

    def grpc(self, what, version, method, request, metadata=(), stub=None):
        """A call with grpcio, of Orders or what `stub` is of; as curl(), with `code`, `message`, `trailers` and `reply` besides."""
        stub = stub or STUB[version]
        text = json_format.MessageToDict(request, preserving_proto_field_name=True)
        service = stub.__name__.removesuffix("Stub")
        self.page.step(what, f"grpc {version} {service}.{method}({json.dumps(text, ensure_ascii=False)})")
        answer = Answer()
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                answer.reply, call = getattr(stub(channel), method).with_call(
                    request, metadata=metadata, timeout=10)
                answer.code = "OK"
            except grpc.RpcError as error:
                call, answer.code, answer.message = error, error.code().name, error.details()
            answer.headers = dict([*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())])
        answer.log = self.log_line(answer.headers)
        marks = " ".join(f"[{key}: {value}]" for key, value in answer.headers.items()
                         if key in ("passerelle-degraded", "passerelle-lost"))
        self.page.answer(f"{answer.code} {answer.message} {marks}".strip())
        if answer.reply is not None:
            answer.json = json_format.MessageToDict(answer.reply)
            self.page.answer(json.dumps(answer.json, ensure_ascii=False))
        self.why(answer)
        return answer

    def explain(self, what, verb, path, version):
        """What the gateway would do with a request; shown as far as it is about instances of one version."""
        self.page.step(what, shlex.join(["passerelle", "explain", "shop.yaml", verb, path]))
        done = subprocess.run([self.binary, "explain", self.write_config(), verb, path], capture_output=True, text=True)
        lines = done.stdout.splitlines()
        parts = [i for i, line in enumerate(lines) if line.startswith("served ")] + [len(lines)]
        shown = lines[:parts[0]]
        for begin, end in zip(parts, parts[1:]):
            if lines[begin].split()[1].rstrip(",") == version:
                shown += lines[begin:end]
        for line in shown:
            self.page.put(line.replace(f"{self.folder}/", ""), indent=6, fold=False)
        return done.stdout

    def command(self, what, *arguments):
        """A command for the running gateway, shown with what it prints; the finished process."""
        self.page.step(what, shlex.join(["passerelle", *arguments]))
        done = self.run_command(*arguments)
        self.page.put(done.stdout or done.stderr, indent=6, fold=False)
        return done

    def run_command(self, *arguments):
        return subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=30, cwd=self.folder,
                              env={**os.environ, "PASSERELLE_ADMIN": f"unix:{self.folder}/shop.sock"})

    def why(self, answer):
        """The gateway's own account of the call, from its log."""
        log = answer.log
        parts = []
        if log.get("client_version"):
            parts.append(f"speaks {log['client_version']} (known by its {log.get('rule')})")
        if log.get("instance"):
            well = log.get("code") == "OK" and not log.get("degraded")
            how = "served by" if well else "asked" if log.get("attempts") else "meant for"
            parts.append(f"{how} {log['instance']}, {log.get('served_version')} ({log.get('served_why')})")
        if log.get("losses"):
            parts.append(f"losses: {log['losses']}")
        if log.get("degraded"):
            parts.append(f"degraded: {log['degraded']}")
        if log.get("causes"):
            parts.append(" because ".join(cause["fault"] for cause in log["causes"]))
        parts.append(f"{log.get('total_ms')} ms")
        self.page.put("log: " + "; ".join(parts), "dim", 6)


def spelled(message):
    """JSON on one line; of an error's details, which machines read, only how many there are."""
    shown = {key: value for key, value in message.items() if key != "details"}
    text = json.dumps(shown, ensure_ascii=False)
    details = len(message.get("details", ()))
    return f"{text[:-1]}, \"details\": [{details} more]}}" if details else text


class Answer:
    status, code, message, reply = 0, "", "", None

    def __init__(self):
        self.headers, self.json, self.log = {}, {}, {}
