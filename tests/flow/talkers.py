"""Clients of the talk service, each in one dialect, and its backends: what test_matrix.py puts together."""
import base64
import itertools
import json
import pathlib
import struct
import subprocess
import sys
import threading
import urllib.parse

import grpc
from processes import ROOT, Process, free_port

TALK = pathlib.Path(__file__).resolve().parent / "talk"
NODE = ROOT / "tests/flow/node"
sys.path.insert(0, str(TALK))

from schema import Schema  # noqa: E402

FAR = 60  # seconds that nothing needs


def compile_schema(folder):
    """The descriptor sets of the gateway and of backends, which know more of errors' details."""
    def run(name, *files):
        binary = folder / f"{name}.binpb"
        subprocess.run(["protoc", f"-I{TALK}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                        f"--descriptor_set_out={binary}", *files], check=True)
        return binary
    protos = [f"talk_v{n}.proto" for n in (1, 2, 3)]
    return run("talk", *protos), run("backend", *protos, "hidden.proto", "google/rpc/status.proto")


class Backend:
    """A server of the talk service that tells what happens to it."""

    def __init__(self, *command):
        self.process = Process([str(part) for part in command])
        self.events, self.n_read, self.lock = {}, 0, threading.Lock()
        self.process.wait_until(lambda: self.told("ready"))

    def told(self, event, mark=None):
        """What it said of this kind about the call with this mark; each line is read once."""
        with self.lock:
            for line in self.process.lines[self.n_read:]:
                self.n_read += 1
                said = json.loads(line)
                self.events.setdefault((said["event"], said.get("mark")), []).append(said)
        return self.events.get((event, mark), [])


def backends(binary, running):
    """By name, until the stack `running` ends; the one in JavaScript has a port for each version of HTTP."""
    ports = {"grpcio": free_port(), "http.server": free_port()}
    commands = {"grpcio": ("/usr/bin/python3", TALK / "talk_grpc.py", binary, ports["grpcio"]),
                "http.server": ("/usr/bin/python3", TALK / "talk_rest.py", binary, ports["http.server"]),
                "connect-node": ("node", NODE / "talk_server.mjs", binary)}
    found = {}
    for name, command in commands.items():
        backend = found[name] = Backend(*command)
        running.callback(backend.process.kill)
        told = backend.told("ready")[0].get("ports", {})
        backend.ports = {int(http): port for http, port in told.items()} or {1: ports[name], 2: ports[name]}
    return found


class Told:
    """How a call ended, as its client saw it: messages as JSON; fields by name, base64 without padding."""

    def __init__(self):
        self.messages, self.headers, self.trailers = [], {}, {}
        self.code = None  # the name of a code, or None where the call went well
        self.message, self.details = None, {}

    def fail(self, code, message):
        self.code, self.message = code, message
        return self

    def take_details(self, status):
        """Of a google.rpc.Status."""
        for detail in status.details:
            self.add_detail(detail.type_url.rsplit("/", 1)[1], detail.value)

    def add_detail(self, type_name, value):
        self.details[type_name] = value


def unpadded(value):
    """Bytes, or their base64 as one has it."""
    return base64.b64encode(value).decode().rstrip("=") if isinstance(value, bytes) else value.rstrip("=")


def tidy(fields):
    """Fields as a list of pairs, or a dictionary."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    return {name.lower(): unpadded(value) if name.lower().endswith("-bin") else value for name, value in pairs}


# ---- grpcio -----------------------------------------------------------------------------------------

class GrpcClient:
    def __init__(self, schema, version):
        self.schema, self.version, self.channels = schema, version, {}

    def run(self, address, call, cancel):
        ask = self.schema(f"talk.{self.version}.Ask")
        answer = self.schema(f"talk.{self.version}.Answer")
        if address not in self.channels:
            self.channels[address] = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
        kind = {"say": "unary_unary", "count": "unary_stream", "gather": "stream_unary",
                "chat": "stream_stream"}[call.method]
        method = getattr(self.channels[address], kind)(
            f"/talk.{self.version}.Talk/{call.method.title()}", ask.SerializeToString, answer.FromString)
        asks = [self.schema.read(ask.DESCRIPTOR.full_name, one) for one in call.asks]
        metadata = [(name, base64.b64decode(value + "==") if name.endswith("-bin") else value)
                    for name, value in call.fields.items()]
        told = Told()
        given = iter(asks) if call.method in ("gather", "chat") else asks[0]
        one_answer = call.method in ("say", "gather")
        running = (method.future if one_answer else method)(given, metadata=metadata, timeout=call.timeout)
        cancel(running.cancel)
        try:
            for one in [running.result()] if one_answer else running:
                told.messages.append(self.schema.spell(one))
        except grpc.RpcError as error:
            told.fail(error.code().name, error.details())
        except grpc.FutureCancelledError:
            return told.fail("CANCELLED", None)
        told.headers, told.trailers = tidy(running.initial_metadata() or ()), tidy(running.trailing_metadata() or ())
        for name, value in running.trailing_metadata() or ():
            if name == "grpc-status-details-bin":
                told.take_details(self.schema("google.rpc.Status").FromString(value))
        return told

    def close(self):
        for channel in self.channels.values():
            channel.close()


# ---- @connectrpc/connect-node ------------------------------------------------------------------------

class NodeClients:
    """One process for all the dialects that connect-node speaks."""

    def __init__(self, binary):
        self.child = subprocess.Popen(["node", NODE / "talk_client.mjs", binary], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        assert json.loads(self.child.stdout.readline()) == {"ready": True}
        self.numbers, self.waiting, self.lock = itertools.count(), {}, threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            ended = json.loads(line)
            self.waiting.pop(ended["id"])(ended)

    def _write(self, value):
        with self.lock:
            self.child.stdin.write(json.dumps(value) + "\n")
            self.child.stdin.flush()

    def run(self, kind, version, address, call, cancel):
        number, ended, done = next(self.numbers), [], threading.Event()
        self.waiting[number] = lambda answer: (ended.append(answer), done.set())
        self._write({**kind, "id": number, "address": address, "version": version, "method": call.method,
                     "asks": call.asks, "fields": call.fields,
                     "timeout": call.timeout and call.timeout * 1000})
        cancel(lambda: self._write({"cancel": number}))
        assert done.wait(FAR), "connect-node does not come to an end"
        told, answer = Told(), ended[0]
        told.messages = answer["messages"]
        told.headers, told.trailers = tidy(answer["headers"]), tidy(answer["trailers"])
        if error := answer.get("error"):
            told.fail(error["code"], error["message"])
            told.headers.update(tidy(error["metadata"]))
            for detail in error["details"]:
                told.add_detail(detail["type"], base64.b64decode(detail["value"]))
        return told

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)


class NodeClient:
    def __init__(self, clients, version, **kind):
        self.clients, self.version, self.kind = clients, version, kind

    def run(self, address, call, cancel):
        return self.clients.run(self.kind, self.version, address, call, cancel)


# ---- curl ---------------------------------------------------------------------------------------------

def curl(http, address, path, fields, body, timeout, cancel):
    """(status, fields, body) of one request, trailers among the fields; without an answer, status 0."""
    command = ["curl", "-s", "-N", "-D", "/dev/stderr", "--max-time", str(FAR),
               "--http1.1" if http == 1 else "--http2-prior-knowledge", f"http://{address}{path}"]
    if timeout:
        fields = {**fields, "grpc-timeout": f"{int(timeout * 1000)}m"}
    if http == 1:
        fields = {**fields, "te": "trailers", "connection": "te"}
    for name, value in fields.items():
        command += ["-H", f"{name}: {value}"]
    if body is not None:
        command += ["--data-binary", "@-"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    cancel(child.kill)
    out, head = child.communicate(body)
    lines = [line for line in head.decode().split("\r\n") if line]
    status = int(lines[0].split()[1]) if child.returncode == 0 else 0
    return status, [tuple(line.split(": ", 1)) for line in lines[1:]], out


class GrpcWebTextClient:
    def __init__(self, schema, version, http):
        self.schema, self.version, self.http = schema, version, http

    def run(self, address, call, cancel):
        ask = self.schema.read(f"talk.{self.version}.Ask", call.asks[0]).SerializeToString()
        status, fields, body = curl(
            self.http, address, f"/talk.{self.version}.Talk/{call.method.title()}",
            {"content-type": "application/grpc-web-text+proto", "x-grpc-web": "1", **call.fields},
            base64.b64encode(b"\0" + struct.pack(">I", len(ask)) + ask), call.timeout, cancel)
        told = Told()
        told.headers = tidy(fields)
        if status != 200:
            return told.fail(f"HTTP {status}" if status else "CANCELLED", body)
        data = b"".join(base64.b64decode(body[i:i + 4]) for i in range(0, len(body), 4))
        while data:
            flags, size = data[0], struct.unpack(">I", data[1:5])[0]
            frame, data = data[5:5 + size], data[5 + size:]
            if flags == 0:
                told.messages.append(self.schema.spell(self.schema(f"talk.{self.version}.Answer").FromString(frame)))
                continue
            assert flags == 0x80 and not data, "the trailers are the last frame"
            told.trailers = tidy([tuple(line.split(": ", 1)) for line in frame.decode().split("\r\n")[:-1]])
        code = [code for code in grpc.StatusCode if str(code.value[0]) == told.trailers["grpc-status"]][0]
        if code is not grpc.StatusCode.OK:
            told.fail(code.name, urllib.parse.unquote(told.trailers.get("grpc-message", "")))
        if details := told.trailers.get("grpc-status-details-bin"):
            told.take_details(self.schema("google.rpc.Status").FromString(base64.b64decode(details + "==")))
        return told


class RestClient:
    """Over HTTP/1.1 with GET and streams of lines, over HTTP/2 with POST and events."""

    def __init__(self, schema, version, http):
        self.schema, self.version, self.http = schema, version, http

    def request(self, call):
        ask = dict(call.asks[0])
        text_field = "say" if self.version == "v1" else "text"
        path = f"/{self.version}/{call.method}"
        if self.http == 2 or not ask.get(text_field):
            return path, {"content-type": "application/json"}, json.dumps(ask).encode()
        path += "/" + urllib.parse.quote(ask.pop(text_field), safe="")
        trouble = ask.pop("trouble", {})
        query = {**ask, **{f"trouble.{name}": value for name, value in trouble.items()}}
        return path + ("?" + urllib.parse.urlencode(query) if query else ""), {}, None

    def run(self, address, call, cancel):
        path, fields, body = self.request(call)
        accept = "text/event-stream" if call.method == "count" and self.http == 2 else "*/*"
        status, fields, body = curl(self.http, address, path, {"accept": accept, **fields, **call.fields}, body,
                                    call.timeout, cancel)
        told = Told()
        told.headers = tidy(fields)
        told.trailers = {name.removeprefix("trailer-"): value for name, value in told.headers.items()
                         if "trailer-" in name}
        text = body.decode()
        if status != 200:
            return self.failed(told, json.loads(text)) if status else told.fail("CANCELLED", None)
        if call.method == "say":
            told.messages = [json.loads(text)]
        elif accept == "*/*":
            told.messages = [json.loads(line) for line in text.splitlines()]
        else:
            events = [dict(line.split(": ", 1) for line in event.split("\n")) for event in text.split("\n\n")[:-1]]
            assert [event["id"] for event in events[:-1]] == [str(n + 1) for n in range(len(events) - 1)]
            assert [event["event"] for event in events if "event" in event] in (["end"], ["error"]), "and it is the last"
            told.messages = [json.loads(event["data"]) for event in events if event.get("event") != "end"]
        if told.messages and "error" in told.messages[-1]:
            self.failed(told, told.messages.pop()["error"])
        return told

    @staticmethod
    def failed(told, problem):
        told.fail(problem["code"], problem["detail"])
        for detail in problem.get("details", ()):
            told.add_detail(detail["@type"].rsplit("/", 1)[1],
                            base64.b64decode(detail["value"]) if "value" in detail else detail)
        return told


def clients(binary, schema, running):
    """{name: {version: client}} for every row of what clients may speak, until the stack `running` ends."""
    node = NodeClients(binary)
    running.callback(node.close)
    made = {}
    for version in ("v1", "v3"):
        def add(name, client):
            made.setdefault(name, {})[version] = client
        add("grpc", GrpcClient(schema, version))
        running.callback(made["grpc"][version].close)
        add("grpc+json", NodeClient(node, version, dialect="grpc", http=2, codec="json"))
        for http in (1, 2):
            add(f"grpc-web/{http}", NodeClient(node, version, dialect="grpc-web", http=http, codec="proto"))
            add(f"grpc-web-text/{http}", GrpcWebTextClient(schema, version, http))
            for codec in ("proto", "json"):
                add(f"connect+{codec}/{http}", NodeClient(node, version, dialect="connect", http=http, codec=codec))
            add(f"connect-get/{http}", NodeClient(node, version, dialect="connect", http=http, codec="json", get=True))
            add(f"rest/{http}", RestClient(schema, version, http))
    return made
