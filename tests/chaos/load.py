#!/usr/bin/python3
"""
Real clients of the mail service, at a steady rate each, until standard input ends:

    load.py BINPB ADDRESS SPEED TIMEOUT

Clients: grpcio, and REST and Connect over HTTP/1.1. Calls begin when their time has come, whether or not others wait
(as long as there are threads): a gateway that is slow does not get fewer of them. Every response is verified. Each
call is a line of JSON when it has ended: [began, ended, client, method, outcome, instance, text, detail]. Times are
of the monotonic clock; outcome is OK, WRONG, or the name of a code.
"""
import base64
import http.client
import itertools
import json
import pathlib
import random
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow/talk"))

import grpc  # noqa: E402
from schema import Schema  # noqa: E402

schema = Schema(sys.argv[1])
address, speed, timeout = sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
Ask, Answer = schema("mail.v1.Ask"), schema("mail.v1.Answer")
over = threading.Event()
telling = threading.Lock()

# Calls per second, and threads that make them: as many as may wait until their deadline.
LOAD = {("grpc", "Read"): (40, 40), ("grpc", "Write"): (20, 30), ("grpc", "Follow"): (10, 20),
        ("rest", "Read"): (20, 25), ("rest", "Write"): (10, 15), ("rest", "Follow"): (5, 10),
        ("connect", "Read"): (20, 25), ("connect", "Write"): (10, 15)}


# Streams have no deadline but that of their clients; REST has no field for it. This one leaves.
STREAM_PATIENCE = 3


class Failed(Exception):
    def __init__(self, code, detail):
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class Grpc:
    channels = [grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)])
                for _ in range(2)]
    numbers = itertools.count()

    def __init__(self):
        channel = self.channels[next(self.numbers) % len(self.channels)]
        self.methods = {name: (channel.unary_stream if name == "Follow" else channel.unary_unary)(
            f"/mail.v1.Mail/{name}", Ask.SerializeToString, Answer.FromString) for name in ("Read", "Write", "Follow")}

    def call(self, method, ask):
        try:
            answer = self.methods[method](ask, timeout=STREAM_PATIENCE if method == "Follow" else timeout)
            return list(answer) if method == "Follow" else [answer]
        except grpc.RpcError as error:
            raise Failed(error.code().name, error.details()) from None


class Http:
    """One connection of HTTP/1.1, opened again after a failure."""

    def __init__(self):
        self.connection = None

    def ask(self, verb, path, body=None, headers=(), patience=timeout):
        host, port = address.split(":")
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
                self.connection.connect()
                self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.sock.settimeout(patience)
            self.connection.request(verb, path, body, {"Content-Type": "application/json", **dict(headers)})
            response = self.connection.getresponse()
            return response.status, response.read()
        except TimeoutError:
            self.close()
            raise Failed("CLIENT_TIMEOUT" if patience == timeout else "GIVEN_UP", "") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed("BROKEN", repr(error)) from None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    @staticmethod
    def good(status, body):
        if status == 200:
            return body
        try:
            error = json.loads(body)
            code = str(error["code"]).upper()
        except (ValueError, KeyError):
            code = f"HTTP_{status}"
        raise Failed(code, body.decode(errors="replace")[:300])


class Rest(Http):
    def call(self, method, ask):
        raw = base64.urlsafe_b64encode(ask.raw).decode()
        query = f"?number={ask.number}&raw={raw}"
        if method == "Write":
            body = self.good(*self.ask("POST", "/v1/mail", json.dumps(schema.spell(ask))))
        elif method == "Read":
            body = self.good(*self.ask("GET", f"/v1/mail/{ask.text}{query}"))
        else:
            body = self.good(*self.ask("GET", f"/v1/mail/{ask.text}/follow{query}&times={ask.times}",
                                       headers={"Accept": "application/x-ndjson"}, patience=STREAM_PATIENCE))
        answers = []
        for line in body.splitlines() if method == "Follow" else [body]:
            value = json.loads(line)
            if "code" in value or "error" in value:
                raise Failed("STREAM_FAILED", line.decode()[:300])
            answers.append(schema.read("mail.v1.Answer", value))
        return answers


class Connect(Http):
    def call(self, method, ask):
        body = self.good(*self.ask("POST", f"/mail.v1.Mail/{method}", json.dumps(schema.spell(ask)),
                                   {"Connect-Protocol-Version": "1"}))
        return [schema.read("mail.v1.Answer", json.loads(body))]


CLIENTS = {"grpc": Grpc, "rest": Rest, "connect": Connect}


def is_right(ask, answers):
    wanted = max(ask.times, 1)
    return len(answers) == wanted and all(
        (answer.text, answer.number, answer.raw, answer.index) == (ask.text, ask.number, ask.raw, i)
        for i, answer in enumerate(answers))


def tell(line):
    with telling:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def caller(kind, method, number, n_threads, rate, start):
    """One thread: every so often a call, and never two at once."""
    client = CLIENTS[kind]()
    chance = random.Random(f"{kind}/{method}/{number}")
    every = n_threads / rate
    due = start + number / rate
    for n in itertools.count():
        now = time.monotonic()
        if due < now:  # it was late: what it missed others have not made either, but a burst helps nobody
            due += every * (int((now - due) / every) + 1)
        if over.wait(due - now):
            return
        due += every
        ask = Ask(text=f"{kind}-{method}-{number}-{n}", number=chance.randint(1, 1 << 40),
                  raw=chance.randbytes(chance.choice([10, 200, 2000])), times=5 if method == "Follow" else 0)
        began = time.monotonic()
        instance, detail = "", ""
        try:
            answers = client.call(method, ask)
            outcome = "OK" if is_right(ask, answers) else "WRONG"
            instance = answers[0].instance if answers else ""
            detail = "" if outcome == "OK" else str(answers)[:300]
        except Failed as failed:
            outcome, detail = failed.code, failed.detail
        tell([began, time.monotonic(), kind, method, outcome, instance, ask.text, detail])


def main():
    threads = []
    start = time.monotonic() + 0.1
    for (kind, method), (rate, n) in LOAD.items():
        threads += [threading.Thread(target=caller, args=(kind, method, i, n, rate * speed, start)) for i in range(n)]
    threading.stack_size(256 * 1024)
    for thread in threads:
        thread.start()
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join()


main()
