"""GET /tail and `passerelle tail`: the log of a running gateway, followed."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.parse

import pytest
from gateway import BINARY, Gateway
from operators import CONFIG, HASHES, TOKENS, plain
from processes import eventually


class Reader:
    """Follows /tail with filters; `accept`: of server-sent events."""

    def __init__(self, gateway, accept="*/*", **filters):
        self.socket = socket.socket()
        self.socket.settimeout(20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", gateway.admin_port))
        query = urllib.parse.urlencode(filters)
        self.socket.sendall(f"GET /tail?{query} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n"
                            f"Authorization: Bearer {TOKENS['reader']}\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        self.head = b"".join(iter(self.stream.readline, b"\r\n")).decode()
        self.status = int(self.head.split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stream.close()
        self.socket.close()

    def line(self):
        """The next one; heartbeats are passed over."""
        while (line := self.stream.readline()) == b"\n":
            pass
        return json.loads(line) if line else None


def call(gateway, client="ada", path="/v3/orders/7"):
    return gateway.http("GET", path, headers={"x-client-id": client}).headers["X-Request-Id"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Its instance is down: each call is an error."""
    with Gateway(tmp_path_factory.mktemp("tail"), CONFIG, **HASHES) as one:
        yield one


def test_a_reader_gets_the_lines_that_the_log_gets(gateway):
    with Reader(gateway, log="call") as reader:
        assert reader.status == 200 and "application/x-ndjson" in reader.head
        wanted = [call(gateway), call(gateway, path="/nowhere")]
        lines = sorted([reader.line(), reader.line()], key=lambda line: wanted.index(line["request_id"]))
        assert lines == [gateway.logged(request_id=one) for one in wanted]


def test_filters_are_of_the_query(gateway):
    with Reader(gateway, client="bob l", code="unavailable", path="/v3/", level="error", fault="UPSTREAM_DOWN", service="orders") as reader:
        call(gateway)
        call(gateway, "bob l", "/nowhere")
        wanted = call(gateway, "bob l")
        assert reader.line()["request_id"] == wanted
    with Reader(gateway, log="event", min_ms="0") as reader, Reader(gateway, client="bob l", min_ms="60000") as slow:
        call(gateway, "bob l")
        for one in (reader, slow):
            one.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                one.line()


def test_a_browser_gets_events(gateway):
    with Reader(gateway, accept="text/event-stream", log="call") as reader:
        assert "text/event-stream" in reader.head
        assert (reader.stream.readline(), reader.stream.readline()) == (b":\n", b"\n")
        wanted = call(gateway)
        assert json.loads(reader.stream.readline().removeprefix(b"data: "))["request_id"] == wanted
        assert reader.stream.readline() == b"\n"


@pytest.mark.parametrize("query, said", [("servic=a", "there is no filter servic"), ("level=all", "info, warning or error"), ("code=okay", "there is no code okay: there are OK, CANCELLED, "), ("code=", "no value")])
def test_what_is_no_filter_is_refused(gateway, query, said):
    answer = plain(gateway, TOKENS["reader"])("GET", f"/tail?{query}")
    assert answer.status == 400 and said in answer.json["detail"]


def test_readers_need_the_role_and_are_few(gateway):
    assert gateway.http("GET", "/tail", port=gateway.admin_port).status == 401
    eventually(lambda: gateway.metric("passerelle_tail_readers") == 0)
    with contextlib.ExitStack() as many:
        readers = [many.enter_context(Reader(gateway, log="call")) for _ in range(16)]
        assert {reader.status for reader in readers} == {200}
        with Reader(gateway) as late:
            assert late.status == 503
        with follow(gateway, "--lines", "1") as late:
            _, said = late.communicate(timeout=20)
            assert late.returncode == 1 and "the gateway refuses (503): " in said and "16" in said
        assert gateway.metric("passerelle_tail_readers") == 16
        wanted = call(gateway)
        assert {reader.line()["request_id"] for reader in readers} == {wanted}
    eventually(lambda: gateway.metric("passerelle_tail_readers") == 0)


def test_a_slow_reader_loses_lines_and_is_told_how_many(gateway):
    with Reader(gateway, log="call", path="/slow") as reader:
        sent = 0
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            answers = connection.makefile("rb")
            while gateway.metric("passerelle_tail_lost_total") == 0:
                for _ in range(20):  # so many at once: each is refused, and its line is long
                    connection.sendall(30 * f"GET /slow/{'x' * 1000} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    for _ in range(30):
                        fields = b"".join(iter(answers.readline, b"\r\n")).lower()
                        answers.read(int(fields.split(b"content-length:")[1].split()[0]))
                sent += 600
        got, lost = 0, 0
        while got + lost < sent:
            line = reader.line()
            got, lost = (got, lost + line["lost"]) if line["log"] == "tail" else (got + 1, lost)
        assert lost > 0 and got + lost == sent


def test_a_reload_ends_readers_who_show_who_they_are_again(gateway):
    with Reader(gateway, log="call") as reader:
        gateway.reload()
        assert reader.line() is None


# ---- The command ---------------------------------------------------------------------------------

def follow(gateway, *words):
    return subprocess.Popen([BINARY, "tail", "--admin", f"unix:{gateway.folder / 'admin.sock'}", *words], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def test_the_command_prints_lines_for_people(gateway):
    eventually(lambda: gateway.metric("passerelle_tail_readers") == 0)
    with follow(gateway, "client=eve", "log=call", "--lines", "1") as tail:
        eventually(lambda: gateway.metric("passerelle_tail_readers") == 1)
        wanted = call(gateway, "eve")
        out, _ = tail.communicate(timeout=20)
        assert tail.returncode == 0
        assert " ERROR UNAVAILABLE " in out and "eve GET /v3/orders/7" in out and "UPSTREAM_DOWN: " in out
        assert wanted in out and out.count("\n") == 1 and "\x1b" not in out


def test_the_command_ends_after_its_lines_also_when_many_come_at_once(gateway):
    eventually(lambda: gateway.metric("passerelle_tail_readers") == 0)
    with follow(gateway, "client=sam", "--json", "--lines", "1") as tail:
        eventually(lambda: gateway.metric("passerelle_tail_readers") == 1)
        tail.send_signal(signal.SIGSTOP)
        wanted = [call(gateway, "sam") for _ in range(5)]
        eventually(lambda: {line.get("request_id") for line in gateway.log()} >= set(wanted))
        tail.send_signal(signal.SIGCONT)
        out, _ = tail.communicate(timeout=20)
        assert tail.returncode == 0 and json.loads(out)["request_id"] == wanted[0]


def test_the_command_goes_on_over_a_reload(gateway):
    eventually(lambda: gateway.metric("passerelle_tail_readers") == 0)
    with follow(gateway, "client=zoe", "--json", "--lines", "2") as tail:
        eventually(lambda: gateway.metric("passerelle_tail_readers") == 1)
        first = call(gateway, "zoe")
        assert json.loads(tail.stdout.readline())["request_id"] == first
        gateway.reload()
        assert "the connection has ended" in tail.stderr.readline()
        eventually(lambda: gateway.metric("passerelle_tail_readers") == 1)
        second = call(gateway, "zoe")
        out, _ = tail.communicate(timeout=20)
        assert json.loads(out)["request_id"] == second and tail.returncode == 0


def test_the_command_says_what_is_wrong(gateway):
    for words, said, code in ((("servic=a",), "there is no filter servic", 2), (("orders",), "write service=orders", 2), (("--lines", "0"), "no number of lines", 2)):
        done = subprocess.run([BINARY, "tail", "--admin", f"unix:{gateway.folder / 'admin.sock'}", *words], capture_output=True, text=True, timeout=20)
        assert said in done.stderr and done.returncode == code
    done = subprocess.run([BINARY, "tail", "--admin", f"unix:{gateway.folder / 'none.sock'}"], capture_output=True, text=True, timeout=20)
    assert "no gateway answers" in done.stderr and done.returncode == 3


def test_the_command_says_that_the_gateway_refuses(gateway):
    for token, status in (("", 401), ("nobody's", 401)):
        done = subprocess.run([BINARY, "tail", "--admin", f"127.0.0.1:{gateway.admin_port}"], capture_output=True, text=True, timeout=20,
                              env={**os.environ, "PASSERELLE_TOKEN": token})
        assert f"the gateway refuses ({status}): " in done.stderr and done.returncode == 1
