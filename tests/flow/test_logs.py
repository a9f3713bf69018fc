"""Where the log goes, in which form, and which calls are in it."""
import array
import contextlib
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading

import grpc
import pytest
import raw
from backends import Backend, client, v3
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from http2_client import http2_request
from operators import on_socket
from processes import ROOT, eventually
from test_each_fault import Call

# Apache's own description of it: https://httpd.apache.org/docs/2.4/logs.html#combined
COMBINED = re.compile(r'(?P<host>\S+) (?P<ident>\S+) (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" '
                      r'(?P<status>\d{3}) (?P<size>\d+|-) "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"')
RFC5424 = re.compile(r"<(\d+)>1 (\S+) (\S+) passerelle (\d+) (call|event) - (.*)", re.DOTALL)


class Journal:
    """What journald does with its socket, by https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""

    def __init__(self, path):
        self.entries = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            data, control, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            if not data and not control:
                return  # it was closed
            for _, kind, passed in control:
                if kind == socket.SCM_RIGHTS:
                    with os.fdopen(array.array("i", passed[:4])[0], "rb") as file:
                        data = file.read()
            self.entries.append(self.parse(data))

    @staticmethod
    def parse(data):
        entry = {}
        while data:
            line, _, data = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                size = int.from_bytes(data[:8], "little")
                value, data = data[8:8 + size], data[9 + size:]
            entry[name.decode()] = value.decode()
        return entry


class Syslog(socketserver.ThreadingTCPServer):
    """A receiver of RFC 5424 over TCP with octet counting (RFC 6587, 3.4.1)."""
    daemon_threads = allow_reuse_address = True

    def __init__(self):
        self.messages = []
        super().__init__(("127.0.0.1", 0), self.handle)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle(self, connection, address, server):
        stream = connection.makefile("rb")
        while digits := self.take_count(stream):
            self.messages.append(stream.read(int(digits)).decode())

    @staticmethod
    def take_count(stream):
        digits = b""
        while (byte := stream.read(1)) not in (b"", b" "):
            assert byte.isdigit(), byte
            digits += byte
        return digits


@pytest.fixture(scope="module")
def backend():
    with Backend("v3") as one:
        yield one


@contextlib.contextmanager
def gateway_with(folder, backend, log, more=""):
    config = SHOP_CONFIG.replace('log: "-"\n', "") + f"log: {log}\n{more}"
    with Gateway(folder, config, instances=instances(("v3", backend.port))) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def outputs(tmp_path_factory, backend):
    folder = tmp_path_factory.mktemp("outputs")
    with Syslog() as syslog:
        journal = Journal(folder / "journal")
        log = (f"{{also: [{{file: access.log, format: combined}}, {{to: 'journald:unix:journal'}}, "
               f"{{to: 'syslog:tcp:127.0.0.1:{syslog.server_address[1]}', facility: daemon}}]}}")
        with gateway_with(folder, backend, log) as gateway:
            gateway.syslog, gateway.journal, gateway.access = syslog, journal, folder / "access.log"
            yield gateway


def call(gateway, agent=b"curl/8.5", referer=b"https://shop.example/a?secret=1", path=b"/v1/orders"):
    response = raw.talk(gateway.port, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nUser-Agent: " + agent +
                            b"\r\nReferer: " + referer + b"\r\nConnection: close\r\n\r\n")
    return re.search(rb"(?i)x-request-id: (\S+)", response)[1].decode()


def test_combined_is_read_as_apache_describes_it(outputs):
    line = outputs.logged(request_id=call(outputs))
    text = eventually(lambda: outputs.access.read_text()).splitlines()[-1]
    found = COMBINED.fullmatch(text)
    assert found["request"] == "GET /v1/orders HTTP/1.1" and found["status"] == "200"
    assert (found["host"], found["user"], found["size"]) == ("127.0.0.1", "-", str(line["bytes_out"]))
    assert (found["agent"], found["referer"]) == ("curl/8.5", "https://shop.example/a")
    assert line["user_agent"] == "curl/8.5" and line["protocol"] == "HTTP/1.1"
    assert "event" not in outputs.access.read_text()


@pytest.mark.parametrize("agent", [b'" 200 1 "-" "x', b"\\", b'\\" 500', b"\x1b[2J", b"a\tb", b"\xe2\x80\xae", b"\xff\xfe", b"%{client}"])
def test_what_a_client_sends_stays_a_value(outputs, agent):
    before = len(outputs.access.read_text().splitlines())
    response = raw.talk(outputs.port, b"GET /v1/orders?x HTTP/1.1\r\nHost: x\r\nUser-Agent: " + agent + b"\r\nConnection: close\r\n\r\n")
    if b" 400 " in response.split(b"\r\n")[0]:
        return  # it was refused before it was a call
    lines = eventually(lambda: outputs.access.read_text().splitlines()[before:])
    assert len(lines) == 1
    found = COMBINED.fullmatch(lines[0])
    assert found["request"] == "GET /v1/orders HTTP/1.1" and lines[0].isprintable()


def test_a_path_stays_a_path(outputs):
    call(outputs, path=b"/v1/orders/%0a%22%20x%5c")
    last = eventually(lambda: [line for line in outputs.access.read_text().splitlines() if "%22" in line])[0]
    assert COMBINED.fullmatch(last)["request"].startswith("GET /v1/orders/%0")


def test_syslog_gets_whole_messages(outputs):
    request_id = call(outputs)
    message = eventually(lambda: [m for m in outputs.syslog.messages if request_id in m])[0]
    priority, _, host, process, kind, text = RFC5424.fullmatch(message).groups()
    assert (priority, kind) == (str(3 * 8 + 6), "call") and int(process) == outputs.process.child.pid
    assert json.loads(text) == outputs.logged(request_id=request_id) and host
    assert any(RFC5424.fullmatch(m)[5] == "event" for m in outputs.syslog.messages)


def test_the_journal_gets_fields(outputs):
    request_id = call(outputs)
    entry = eventually(lambda: [e for e in outputs.journal.entries if e.get("PASSERELLE_REQUEST_ID") == request_id])[0]
    assert entry["PRIORITY"] == "6" and entry["SYSLOG_IDENTIFIER"] == "passerelle"
    assert entry["PASSERELLE_CODE"] == "OK" and entry["PASSERELLE_USER_AGENT"] == "curl/8.5"
    assert " OK " in entry["MESSAGE"] and entry["MESSAGE"].endswith(request_id)
    assert [e["MESSAGE"] for e in outputs.journal.entries if e.get("PASSERELLE_EVENT") == "config_loaded" or "started" in e.get("PASSERELLE_EVENT", "")]


def test_what_an_output_loses_is_counted_for_it(tmp_path, backend):
    with gateway_with(tmp_path, backend, "{also: [{to: 'syslog:unix:nobody', lines: calls}]}") as gateway:
        gateway.http("GET", "/v1/orders")
        gateway.http("GET", "/v1/orders")
        eventually(lambda: gateway.metric("passerelle_log_output_lost_total", output="syslog:unix:nobody") == 2)
        assert gateway.metric("passerelle_log_failed_total") == 2
        assert len([line for line in gateway.log() if line["log"] == "call"]) == 2


def test_what_is_redacted_is_in_no_output(tmp_path, backend):
    with gateway_with(tmp_path, backend, "{also: [access.log]}", "redact: [path, peer]\n") as gateway:
        request_id = gateway.http("GET", "/v1/orders/nobody-7").headers["X-Request-Id"]
        line = gateway.logged(request_id=request_id)
        assert (line["path"], line["peer"], line["code"]) == ("redacted", "redacted", "NOT_FOUND")
        assert "nobody-7" not in "".join(gateway.process.lines) + (tmp_path / "access.log").read_text()


def test_what_clients_say_of_themselves_can_be_redacted(tmp_path, backend):
    with gateway_with(tmp_path, backend, "{head: true, file: '-'}", "redact: [user_agent, referer]\n") as gateway:
        fields = {"User-Agent": "secret/1", "Referer": "http://secret/"}
        line = gateway.logged(request_id=gateway.http("GET", "/v1/orders/nobody-7", headers=fields).headers["X-Request-Id"])
        assert (line["user_agent"], line["referer"]) == ("redacted", "redacted")


@pytest.mark.parametrize("name", ["level", "log", "time"])
def test_what_the_log_goes_by_cannot_be_redacted(tmp_path, backend, name):
    told = Gateway(tmp_path, SHOP_CONFIG + f"redact: [{name}]\n", instances=instances(("v3", backend.port))).check()
    assert told.returncode == 1 and "redact[0]" in told.stdout and "cannot be hidden" in told.stdout


# ---- Fields of requests --------------------------------------------------------------------------

FIELDS = "order.id, order.customer, order.buyer.id, order.total.units, order.state, order.status, id, limit"


@contextlib.contextmanager
def gateway_with_fields(folder, backend, more="", log="'-'"):
    config = SHOP_CONFIG.replace("match: orders,", f"match: orders, log: {{fields: [{FIELDS}]}},").replace(
        "$admin}", "$admin, socket: 'unix:admin.sock'}")
    with Gateway(folder, config.replace('log: "-"', f"log: {log}") + more, instances=instances(("v3", backend.port))) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def filled():
    """An instance that gets orders."""
    with Backend("v3") as one:
        yield one


@pytest.fixture(scope="module")
def fielded(tmp_path_factory, filled):
    folder = tmp_path_factory.mktemp("fielded")
    log = "{also: [{file: fields.log, format: '%{request_id} %{fields.id} %{fields.order.id}'}]}"
    with gateway_with_fields(folder, filled, log=log) as gateway:
        yield gateway


def send(gateway, call):
    """Whether it goes well or not."""
    if callable(call):
        with contextlib.suppress(grpc.RpcError):
            call()
        return
    fields = {"content-type": call.media} if call.body is not None else {}
    if call.dialect == "grpc":
        http2_request(gateway.port, call.verb, call.path, [*fields.items(), ("te", "trailers")], call.body)
    else:
        gateway.http(call.verb, call.path, call.body, fields)


def fields_of(gateway, call):
    """Of the line about this call."""
    n_lines = len([line for line in gateway.log() if line["log"] == "call"])
    send(gateway, call)
    return eventually(lambda: [line for line in gateway.log() if line["log"] == "call"][n_lines:])[0].get("fields")


OLD = {"order": {"id": "7", "customer": 'a "b"', "status": "PAID", "items": [{"sku": "x", "quantity": 2}]}}
NEW = {"order": {"id": "8", "buyer": {"id": "ann"}, "currency": "EUR", "total": {"units": "-12"}, "state": "DELIVERED"}}


@pytest.mark.parametrize("dialect, codec", [("grpc", "proto"), ("grpc", "json"), ("grpc-web", "proto"), ("grpc-web", "json"),
                                            ("grpc-web-text", "proto"), ("connect", "proto"), ("connect", "json"), ("rest", "json")])
def test_a_line_has_the_fields_of_the_request_in_the_clients_version(fielded, dialect, codec):
    def call(*arguments):
        made = Call(dialect, *arguments)
        if dialect == "connect":
            made.codec, made.media = codec, f"application/{codec}"
        return made.json() if codec == "json" else made
    assert fields_of(fielded, call("Create", "v1", OLD)) == {"order.id": "7", "order.customer": 'a "b"', "order.status": "PAID"}
    assert fields_of(fielded, call("Create", "v3", NEW)) == {"order.id": "8", "order.buyer.id": "ann", "order.total.units": "-12",
                                                            "order.state": "DELIVERED"}
    assert fields_of(fielded, call("Get", "v1", {"id": "1"})) == {"id": "1"}
    assert fields_of(fielded, call("List", "v3", {"limit": 3})) == {"limit": "3"}


def test_a_stream_has_those_of_its_first_message(fielded):
    stub = client(fielded, "v3")
    assert fields_of(fielded, lambda: list(stub.Lookup(iter([v3.GetRequest(id="1"), v3.GetRequest(id="2")]), timeout=20))) == {"id": "1"}
    assert fields_of(fielded, lambda: list(stub.Lookup(iter([v3.GetRequest(), v3.GetRequest(id="2")]), timeout=20))) is None
    orders = [v3.CreateRequest(order={"id": str(n)}) for n in range(3, 5)]
    assert fields_of(fielded, lambda: stub.Import(iter(orders), timeout=20, compression=grpc.Compression.Gzip)) == {"order.id": "3"}


@pytest.mark.parametrize("codec", ["proto", "json"])
def test_a_value_is_cut_at_128_bytes_and_a_request_that_cannot_be_read_has_none(fielded, codec):
    def call(text):
        made = Call("grpc", "Get", "v3", {"id": text})
        return made.json() if codec == "json" else made
    assert fields_of(fielded, call("x" * 128)) == {"id": "x" * 128}
    assert fields_of(fielded, call("x" * 129)) == {"id": "x" * 128}
    assert fields_of(fielded, call("x" + "é" * 64)) == {"id": "x" + "é" * 63}
    bad = call("x")
    bad.text = b"{" if codec == "json" else b"\x0a\x05x"
    assert fields_of(fielded, bad) is None


def test_fields_are_in_templates_and_with_the_request(fielded):
    request_id = fielded.http("GET", "/v1/orders/77").headers["X-Request-Id"]
    assert fielded.logged(request_id=request_id)["fields"] == {"id": "77"}
    assert eventually(lambda: [line for line in (fielded.folder / "fields.log").read_text().splitlines() if request_id in line]) == [
        f"{request_id} 77 -"]
    assert '"fields":{"id":"77"}' in on_socket(fielded.folder / "admin.sock", "GET", f"/requests/{request_id}").body.decode()


def test_what_is_redacted_is_not_among_the_fields(tmp_path, filled):
    with gateway_with_fields(tmp_path, filled, "redact: [order.buyer, id]\n") as gateway:
        assert fields_of(gateway, Call("grpc", "Create", "v3", NEW))["order.buyer.id"] == "redacted"
        assert fields_of(gateway, Call("rest", "Get", "v3")) == {"id": "redacted"}
        assert "ann" not in "".join(line for line in gateway.process.lines if "Create" in line)


def test_check_tells_which_field_no_request_has(tmp_path):
    config = SHOP_CONFIG.replace("match: orders,", "match: orders, log: {fields: [order.id, order.custmer, order.items, order]},")
    told = Gateway(tmp_path, config, instances=instances(("v3", 1))).check()
    said = told.stdout + told.stderr
    assert told.returncode == 1 and ":16:46: " in said
    assert "no request of orders has the field order.custmer (did you mean order.customer)" in said
    assert "items is a list, a map or a message" in said and "(for example order.id)" in said


# ---- Sampling ------------------------------------------------------------------------------------

def draw(text):
    """As gateway/log_output/log_sample.c."""
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        value = (value ^ value >> 33) * factor % 2**64
    return (value ^ value >> 33) >> 32


def test_of_calls_that_went_well_a_share_stays_and_of_others_all(tmp_path, backend):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(20)
    log = f"{{also: [{{to: 'syslog:udp:127.0.0.1:{receiver.getsockname()[1]}', lines: calls}}], sample: {{successes: 0.5, slow: 20s}}}}"
    with gateway_with(tmp_path, backend, log) as gateway:
        traces = [f"{number:032x}" for number in range(1, 31)]
        for trace in traces:
            gateway.http("GET", "/v1/orders", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        assert gateway.http("GET", "/v1/orders/nowhere").status == 404
        wrong = gateway.logged(http_status=404)
        kept = sorted([line for line in gateway.log() if line.get("code") == "OK"], key=lambda line: line["trace_id"])
        assert "sampled" not in wrong and all(line["sampled"] == 0.5 for line in kept)
        assert [line["trace_id"] for line in kept] == [trace for trace in traces if draw(trace) < 2**31]
        assert gateway.metric("passerelle_calls_total") == 31
        messages = [json.loads(RFC5424.fullmatch(receiver.recv(65536).decode())[6]) for _ in range(len(kept) + 1)]
        assert sorted(messages, key=lambda line: line.get("trace_id", "x")) == kept + [wrong]


def test_without_a_trace_the_request_draws_also_if_there_is_baggage(tmp_path, backend):
    with gateway_with(tmp_path, backend, "{file: '-', sample: {successes: 0.5, slow: 20s}}", "baggage: {record: [tenant]}\n") as gateway:
        ids = [gateway.http("GET", "/v1/orders", headers={"Baggage": "tenant=acme"}).headers["X-Request-Id"] for _ in range(30)]
        assert gateway.http("GET", "/v1/orders/nowhere").status == 404
        gateway.logged(http_status=404)
        kept = [line["request_id"] for line in gateway.log() if line.get("code") == "OK"]
        assert sorted(kept) == sorted(one for one in ids if draw(one) < 2**31)


# ---- A real journald -----------------------------------------------------------------------------

JOURNALD = "/lib/systemd/systemd-journald"


@contextlib.contextmanager
def journald(name):
    """A real one, with a namespace of its own: its sockets, and what reads its entries."""
    folder, process = f"/run/systemd/journal.{name}", subprocess.Popen([JOURNALD, name], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: os.path.exists(f"{folder}/socket") and os.path.exists(f"{folder}/dev-log"))
        yield folder
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        with open("/etc/machine-id", encoding="ascii") as file:
            machine = file.read().strip()
        for kept in (f"/var/log/journal/{machine}.{name}", f"/run/log/journal/{machine}.{name}"):
            shutil.rmtree(kept, ignore_errors=True)


def entries(name, *matches):
    said = subprocess.run(["journalctl", f"--namespace={name}", "--all", "-o", "json", *matches], capture_output=True, text=True, check=False)
    return [json.loads(line) for line in said.stdout.splitlines()]


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(JOURNALD) or not shutil.which("journalctl"),
                    reason="a journald of one's own needs root")
def test_a_real_journald_has_each_member_and_each_message_of_syslog(tmp_path, backend):
    name = f"passerelle{os.getpid()}"
    with journald(name) as folder:
        log = f"{{also: [{{to: 'journald:unix:{folder}/socket'}}, {{to: 'syslog:unix:{folder}/dev-log', lines: calls}}]}}"
        with gateway_with(tmp_path, backend, log) as gateway:
            request_id = gateway.http("GET", "/v1/orders/nowhere").headers["X-Request-Id"]
            line = gateway.logged(request_id=request_id)
            entry = eventually(lambda: entries(name, f"PASSERELLE_REQUEST_ID={request_id}"))[0]
            assert (entry["PASSERELLE_CODE"], entry["PRIORITY"]) == ("NOT_FOUND", "6")
            assert json.loads(entry["PASSERELLE_CAUSES"]) == line["causes"] and entry["_TRANSPORT"] == "journal"
            by_syslog = eventually(lambda: [e for e in entries(name, "_TRANSPORT=syslog") if request_id in e["MESSAGE"]])[0]
            assert json.loads(by_syslog["MESSAGE"]) == line
            assert by_syslog["SYSLOG_IDENTIFIER"] == "passerelle" and by_syslog["SYSLOG_FACILITY"] == "16"
            assert by_syslog["SYSLOG_PID"] == str(gateway.process.child.pid)


# ---- Members of templates ------------------------------------------------------------------------

def test_a_template_may_have_the_members_that_are_documented_and_no_others():
    source = (ROOT / "gateway/log_output/log_members.c").read_text()
    known = set(re.findall(r'"(\w+)"', source[source.index("member_names[]"):source.index("};")]))
    page = (ROOT / "docs/seeing.md").read_text()
    table = page[page.index("| member | meaning |"):page.index("| event | meaning |")]
    documented = {name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    written = set(re.findall(r'LOG_KEY\("(\w+)"\)', (ROOT / "gateway/telemetry/telemetry.c").read_text()))
    assert known == documented | {"log"}
    assert written - known == {"why", "ms", "event", "message"}  # of attempts and of events


@pytest.mark.parametrize("log, said", [
    ("{also: [{file: t.log}, {file: t.log, lines: events}]}", "log.also[1].file: another output of the log is the file t.log already"),
    ("{file: t.log, also: [{file: u.log}, {file: ./t.log}]}", "log.also[1].file: another output of the log is the file ./t.log already"),
    ("{also: [{file: '-', lines: events}]}", "log.also[0].file: another output of the log is the file - already"),
    ("{file: t.log, also: [{file: '-'}, {to: syslog}, {file: u.log}]}", None),
])
def test_two_outputs_are_not_the_same_file(tmp_path, log, said):
    (tmp_path / "c.yaml").write_text(f"listen: [127.0.0.1:0]\nadmin: 127.0.0.1:0\nlog: {log}\n")
    done = subprocess.run([BINARY, "check", "c.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.stdout.count("another output") == (said is not None)
    assert done.returncode == (said is not None)
    assert said is None or re.search(rf"^c\.yaml:3:\d+: {re.escape(said)}$", done.stdout, re.MULTILINE)
