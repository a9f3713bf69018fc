"""
Every dialect of clients to every dialect of instances, with and without a change of version: real clients, real
servers, the same calls, and what each of them must see.

A test is one of CASES (what is called, and what must come of it), one of CLIENTS, one of UPSTREAMS, and the
version that the client speaks, v3 or v1; all instances speak v3. One gateway stands before each row of UPSTREAMS.
Some of them: pytest tests/flow/test_matrix.py -k "a_conversation and to-connect/2"

Begin with CASES, then test_matrix at the end. Clients and backends are in talkers.py and talk/.
"""
import collections
import concurrent.futures
import contextlib
import itertools
import threading

import pytest
import talkers
from gateway import Gateway
from processes import eventually

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
services:
  - name: talk
    versions:
      - {name: v1, package: talk.v1, schema: $schema}
      - {name: v2, package: talk.v2, schema: $schema}
      - {name: v3, package: talk.v3, schema: $schema}
    changes: [$talk/talk-v1-v2.yaml, $talk/talk-v2-v3.yaml]
    instances: [$instance]
routes: [{match: talk, timeout: 50s}]
"""

# Name: which of talkers.backends, which version of HTTP, and how the config says it.
UPSTREAMS = {
    "grpc": ("grpcio", 2, "protocol: grpc"),
    "grpc+json": ("connect-node", 2, "protocol: grpc, codec: json"),
    "grpc-web": ("connect-node", 1, "protocol: grpc_web"),
    "grpc-web/2": ("connect-node", 2, "protocol: grpc_web, http2: true, codec: json"),
    "connect": ("connect-node", 1, "protocol: connect, codec: json"),
    "connect/2": ("connect-node", 2, "protocol: connect, http2: true"),
    "rest": ("http.server", 1, "protocol: rest"),
}
CLIENTS = ["grpc", "grpc+json"] + [f"{name}/{http}" for name in (
    "grpc-web", "grpc-web-text", "connect+proto", "connect+json", "connect-get", "rest") for http in (1, 2)]



def methods_of_client(client):
    """What its dialect can say: HTTP/1.1 has no conversations, gRPC-Web and REST no streams of requests."""
    if client in ("grpc", "grpc+json", "connect+proto/2", "connect+json/2"):
        return {"say", "count", "gather", "chat"}
    if client.startswith("connect-get"):
        return {"say"}
    return {"say", "count", "gather"} if client.startswith("connect") else {"say", "count"}


def in_version(version, ask):
    """An ask or answer in v3's shape as that of `version`."""
    if version == "v3":
        return ask
    ask = dict(ask)
    trouble = ask.pop("trouble", {})
    names = {"text": "say", "mood": "tone", "code": "failWith"}
    tones = {"CALM": "SOFT", "LOUD": "HARD"}
    return {names.get(name, name): tones.get(value, value) if name == "mood" else value
            for name, value in {**ask, **trouble}.items()}


# ---- What is called, and what must come of it -----------------------------------------------------------

class Case:
    """
    One call in v3's shape: what is asked, what is answered before the end, and with which code it ends (None:
    well). Fields go with it and come back. `late`: its deadline ends it. `cancelled`: its client leaves as soon as
    the backend has it.
    """

    def __init__(self, method, asks, answers=(), code=None, fields=None, late=False, cancelled=False):
        self.method, self.asks, self.answers, self.code = method, asks, answers, code
        self.fields, self.late, self.cancelled = fields or {}, late, cancelled
        self.slow = late or cancelled


FULL = {"text": "où/%? ", "number": "9007199254740993", "mood": "LOUD", "raw": "+/8="}
UNSAID = {"text": "x"}


def trouble(ask=UNSAID, **what):
    """An ask for an error, or for waiting, after so many answers."""
    return {**ask, "trouble": what}


def counted(n, of=FULL):
    return [{**of, **({"index": i} if i else {})} for i in range(n)]


FIELDS = {"x-echo-word": "hello", "x-echo-raw-bin": "AP/+", "x-trailer-word": "bye", "x-trailer-raw-bin": "/wA"}
LONG = 100_000  # milliseconds: more than any deadline
CASES = {
    "a_message_comes_back": Case("say", [FULL], [FULL]),
    "an_empty_message_is_one": Case("say", [{}], [{}]),
    "an_error_keeps_its_code_text_and_details": Case(
        "say", [trouble(code="NOT_FOUND")], code="NOT_FOUND", fields=FIELDS),
    "an_error_that_shares_its_http_status_stays_itself": Case(
        "say", [trouble(code="FAILED_PRECONDITION")], code="FAILED_PRECONDITION"),
    "metadata_goes_there_and_back": Case("say", [FULL], [FULL], fields=FIELDS),
    "a_stream_of_answers": Case("count", [{**FULL, "times": 3}], counted(3), fields=FIELDS),
    "a_stream_of_one_empty_answer": Case("count", [{}], [{}]),
    "a_stream_that_fails_at_once": Case("count", [trouble(code="ABORTED")], code="ABORTED", fields=FIELDS),
    "a_stream_that_fails_in_the_middle": Case(
        "count", [{**trouble(code="DATA_LOSS", after=2), "times": 5}], counted(2, UNSAID), "DATA_LOSS", FIELDS),
    "a_stream_of_requests": Case(
        "gather", [{"text": "a", "number": "1"}, {}, {"text": "b", "number": "2"}],
        [{"text": "ab", "number": "3", "index": 3}], fields=FIELDS),
    "a_stream_of_no_requests": Case("gather", [], [{}]),
    "a_stream_of_requests_that_fails": Case(
        "gather", [{}, trouble(code="ABORTED", after=1), {}], code="ABORTED", fields=FIELDS),
    "a_conversation": Case("chat", [FULL, {}, FULL], [FULL, {"index": 1}, {**FULL, "index": 2}], fields=FIELDS),
    "a_conversation_that_fails_in_the_middle": Case(
        "chat", [{}, UNSAID, trouble(code="DATA_LOSS", after=2), {}], [{}, {**UNSAID, "index": 1}], "DATA_LOSS"),
    "a_deadline_ends_a_call_and_the_backend_hears_it": Case(
        "say", [trouble(waitMs=LONG)], code="DEADLINE_EXCEEDED", late=True),
    "a_deadline_ends_a_stream_and_the_backend_hears_it": Case(
        "count", [{**trouble(waitMs=LONG, after=1), "times": 2}], counted(1, UNSAID), "DEADLINE_EXCEEDED",
        late=True),
    "a_caller_who_leaves_is_told_to_the_backend": Case(
        "say", [trouble(waitMs=LONG)], code="CANCELLED", cancelled=True),
    "a_caller_who_leaves_a_stream_is_told_to_the_backend": Case(
        "count", [{**trouble(waitMs=LONG, after=1), "times": 2}], code="CANCELLED", cancelled=True),
}
CHOICES = [pytest.param(name, client, upstream, version, id=f"{name}-{client}-to-{upstream}-{version}")
           for (name, case), client, upstream, version in itertools.product(
               CASES.items(), CLIENTS, UPSTREAMS, ("v3", "v1"))
           if case.method in methods_of_client(client)]


# ---- Who is there -----------------------------------------------------------------------------------------

Call = collections.namedtuple("Call", "method asks fields timeout")  # as the clients of talkers.py take it
Outcome = collections.namedtuple("Outcome", "told calls timeout")  # by the client, at the backend, in seconds
DEADLINES = (0.6, 5, 40)  # seconds; the next one where the call did not reach its backend in time


class World:
    """All gateways, backends and clients, until the stack `running` ends."""

    def __init__(self, folder, running):
        schema, binary = talkers.compile_schema(folder)
        self.backends = talkers.backends(binary, running)
        self.gateways = {}
        for name, (backend, http, how) in UPSTREAMS.items():
            place = folder / name.replace("/", "-")
            place.mkdir()
            instance = f"{{address: '127.0.0.1:{self.backends[backend].ports[http]}', versions: [v3], {how}}}"
            self.gateways[name] = running.enter_context(
                Gateway(place, CONFIG, schema=schema, talk=talkers.TALK, instance=instance))
        self.clients = talkers.clients(binary, talkers.Schema(binary), running)
        self.marks = itertools.count()

    def run(self, name, client, upstream, version):
        """The outcome of a case."""
        if not CASES[name].late:
            return self.attempt(name, client, upstream, version, None)
        for timeout in DEADLINES:
            outcome = self.attempt(name, client, upstream, version, timeout)
            if outcome.calls:
                break
        return outcome

    def attempt(self, name, client, upstream, version, timeout):
        """Calls once. A call that was ended by its deadline or its client is over when the backend has heard of it."""
        case, mark = CASES[name], f"{name}-{next(self.marks)}"
        backend = self.backends[UPSTREAMS[upstream][0]]

        def cancel(how):
            if case.cancelled:
                threading.Thread(target=lambda: (eventually(lambda: backend.told("call", mark)), how())).start()

        call = Call(case.method, [in_version(version, ask) for ask in case.asks],
                    {**case.fields, "x-mark": mark}, timeout)
        told = self.clients[client][version].run(self.gateways[upstream].address, call, cancel)
        if not refusal(upstream, case.method) and not case.late:
            eventually(lambda: backend.told("call", mark))
        if case.slow and backend.told("call", mark):
            eventually(lambda: backend.told("cancelled", mark))
        return Outcome(told, backend.told("call", mark), timeout)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with contextlib.ExitStack() as running:
        yield World(tmp_path_factory.mktemp("matrix"), running)


@pytest.fixture(scope="module")
def outcomes(request, world):
    """What waits for time to pass is run at once, for all tests that were asked for."""
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        chosen = [tuple(item.callspec.params[key] for key in ("name", "client", "upstream", "version"))
                  for item in request.session.items if item.fspath == request.fspath and hasattr(item, "callspec")]
        yield {choice: pool.submit(world.run, *choice) for choice in chosen if CASES[choice[0]].slow}


# ---- What must be seen -------------------------------------------------------------------------------------

def refusal(upstream, method):
    """(code, a word of the text) where the instance's dialect has no such stream; else None."""
    if upstream == "rest" and method in ("gather", "chat"):
        return "UNIMPLEMENTED", "REST"
    if UPSTREAMS[upstream][:2] == ("connect-node", 1) and method == "chat":
        return "UNKNOWN", "505 HTTP Version Not Supported"  # its own answer: conversations need HTTP/2
    return None


def check_error(told):
    assert told.message == "as you wish, 50 % ü"
    assert set(told.details) == {"google.rpc.ErrorInfo", "hidden.Secret"}
    secret = told.details["hidden.Secret"]
    assert secret == b"\x0a\x03\xfb\xff\x00"  # as bytes, whatever the dialect: the gateway does not know its type
    info = told.details["google.rpc.ErrorInfo"]
    assert b"AS_YOU_WISH" in info if isinstance(info, bytes) else info["reason"] == "AS_YOU_WISH"


def check_fields(case, told, upstream):
    """Whether leading or trailing: Connect's errors do not tell them apart."""
    wanted = {name for name in case.fields if upstream != "rest" or not name.startswith("x-trailer-")}
    if case.code is None:
        for name in wanted:
            where = told.trailers if name.startswith("x-trailer-") else told.headers
            assert where.get(name) == case.fields[name], name
    else:
        both = {**told.headers, **told.trailers}
        assert {name: both.get(name, both.get("trailer-" + name)) for name in wanted} == \
            {name: case.fields[name] for name in wanted}


@pytest.mark.parametrize("name,client,upstream,version", CHOICES)
def test_matrix(world, outcomes, name, client, upstream, version):
    case, choice = CASES[name], (name, client, upstream, version)
    told, calls, timeout = outcomes[choice].result() if case.slow else world.run(*choice)
    if refused := refusal(upstream, case.method):
        code, word = refused
        assert told.code == code and word in told.message and not calls
        return
    assert told.code == case.code, told.message
    answers = [in_version(version, answer) for answer in case.answers]
    if case.late:  # a busy machine may need all the time for the first
        assert told.messages == answers[:len(told.messages)]
    elif not case.cancelled:
        assert told.messages == answers
    if case.code and not case.slow:
        check_error(told)
    check_fields(case, told, upstream)
    assert len(calls) == 1, "the backend has it once"
    if case.late and upstream != "rest":
        assert calls[0]["left"] <= timeout * 1000 + 100, "grpcio rounds up"
