"""Instances that speak REST: what they are asked, and what becomes of their answers. A gRPC client, an http.server."""
import gzip
import http.server
import json
import subprocess
import threading
from concurrent import futures

import grpc
import pytest
from gateway import Gateway
from processes import ROOT
from talkers import Schema

CONFIG = """
listen: [{address: "127.0.0.1:$port"}]
admin: {address: "127.0.0.1:$admin"}
errors: full
services:
  - name: library
    versions: [{name: v1, package: library.v1, schema: $schema}]
    instances: [{address: "127.0.0.1:$backend", protocol: rest}]
routes: [{match: library, timeout: 10s, attempts: 1}]
"""


class Service:
    """Answers as the test says, and keeps what it was asked."""

    def __init__(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                service.asked = (self.command, self.path, body)
                service.headers = self.headers
                status, content_type, body = service.answer
                self.send_response(status)
                for name, value in service.fields.items():
                    self.send_header(name, value)
                if content_type:
                    self.send_header("Content-Type", content_type)
                pieces = body if isinstance(body, list) else None
                self.send_header(*(("Transfer-Encoding", "chunked") if pieces else ("Content-Length", len(body))))
                self.end_headers()
                for piece in pieces or ():
                    if piece is None:  # in the middle
                        self.close_connection = True
                        return self.connection.close()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n" if pieces else body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_REPORT = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class World:
    def __init__(self, schema, channel, service, gateway):
        self.schema, self.channel, self.service, self.gateway = schema, channel, service, gateway

    def http(self, verb, path, answer, body=None, headers=None, fields=None):
        """What a REST client gets."""
        self.service.answer, self.service.fields, self.service.asked = answer, fields or {}, None
        return self.gateway.http(verb, path, body, headers)

    def call(self, method, ask, answer=(200, "application/json", b"{}"), kind="library.v1.Book", gives=None, fields=None):
        """What comes of a call, as JSON; a list of a stream's."""
        self.service.answer, self.service.fields, self.service.asked = answer, fields or {}, None
        stream = method in ("Shelf", "Pieces")
        made = (self.channel.unary_stream if stream else self.channel.unary_unary)(
            f"/library.v1.Library/{method}", lambda message: message.SerializeToString(),
            self.schema(gives or kind).FromString)
        told = made(self.schema.read(kind, ask), timeout=10)
        return [self.schema.spell(one) for one in told] if stream else self.schema.spell(told)

    def asked(self, method, ask, **more):
        self.call(method, ask, **more)
        return self.service.asked

    def fails(self, answer, method="One", ask=None, **more):
        """The error's code and text."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(method, {"name": "n"} if ask is None else ask, answer, **more)
        self.error = caught.value
        return caught.value.code().name, caught.value.details()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rest")
    binary = folder / "library.binpb"
    subprocess.run(["protoc", f"-I{ROOT}/tests/flow/rest", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={binary}", "library.proto", "google/rpc/status.proto"], check=True)
    service = Service()
    with Gateway(folder, CONFIG, schema=binary, backend=service.port) as gateway:
        channel = grpc.insecure_channel(gateway.address)
        gateway.clients.append(channel)
        yield World(Schema(binary), channel, service, gateway)
    service.server.shutdown()


# ---- What it is asked --------------------------------------------------------------------------------------

BODY = "google.api.HttpBody"


@pytest.mark.parametrize("method,ask,verb,path,body", [
    ("One", {"name": "a b/ü?"}, "GET", "/v1/one/a%20b%2F%C3%BC%3F", b""),
    ("Deep", {"name": "shelves/a b/books/2"}, "GET", "/v1/shelves/a%20b/books/2", b""),
    ("Rest", {"name": "a/b c/"}, "GET", "/v1/files/a/b%20c/", b""),
    ("Tail", {"name": "a/b"}, "GET", "/v1/files/a/b:tail", b""),
    ("Lend", {"name": "n", "number": "5"}, "POST", "/v1/one/n:lend", b'{"number":"5"}'),
    ("Typed", {"raw": "+/8=", "at": "2026-01-02T03:04:05Z"}, "GET",
     "/v1/typed/0/FLAT/false/%2B%2F8%3D/2026-01-02T03%3A04%3A05Z", b""),
    ("One", {"name": "n", "number": "9007199254740993", "tags": ["a", "b&c"], "shape": "ROUND", "counts": [1, 2],
             "inner": {"name": "i", "inner": {"yes": True}}, "took": "1.5s", "mask": "name,inner.name", "most": "0",
             "maybe": 0, "words": ["x"], "alias": "y", "ratio": "NaN", "shapes": ["FLAT", "ROUND"]}, "GET",
     "/v1/one/n?number=9007199254740993&tags=a&tags=b%26c&counts=1&counts=2&shape=ROUND&shapes=FLAT&shapes=ROUND"
     "&inner.name=i&inner.inner.yes=true&ratio=NaN&took=1.500s&mask=name%2Cinner.name&most=0&maybe=0&words=x&alias=y",
     b""),
    ("Inner", {"inner": {"name": "inner/7", "number": "1"}, "tags": ["t"]}, "PATCH", "/v1/inner/7?tags=t",
     b'{"name":"inner/7","number":"1"}'),
    ("Tags", {"name": "n", "tags": ["a"]}, "PUT", "/v1/tags/n", b'["a"]'),
    ("Tags", {"name": "n"}, "PUT", "/v1/tags/n", b"[]"),
    ("NoBody", {"name": "n", "note": "x"}, "POST", "/v1/none/n?note=x", b""),
    ("Remove", {"name": "n"}, "DELETE", "/v1/none/n", b""),
    ("Report", {"name": "n"}, "REPORT", "/v1/custom/n", b""),
    ("More", {"name": "n"}, "GET", "/v1/more/n", b""),
    ("Upload", {"name": "n", "file": {"contentType": "image/png", "data": "AP8="}}, "POST", "/v1/upload/n", b"\0\xff"),
])
def test_a_message_is_taken_apart_by_its_rule(world, method, ask, verb, path, body):
    assert world.asked(method, ask) == (verb, path, body)
    if method == "Upload":
        assert world.service.headers["Content-Type"] == "image/png"
    elif body:
        assert world.service.headers["Content-Type"] == "application/json"
    else:
        assert world.service.headers["Content-Type"] is None


@pytest.mark.parametrize("ask,asked,answer,told", [
    ({"tags": ["a"]}, ("GET", "/v1/more?tags=a", b""), b'["b"]', {"tags": ["b"]}),
    ({"labels": {"a.b": "c"}}, ("POST", "/v1/more", b'{"labels":{"a.b":"c"}}'), b'{"number":7}', {"inner": {"number": "7"}}),
    ({"name": "n", "free": {"x": [1]}}, ("POST", "/v1/more", b'{"name":"n","free":{"x":[1]}}'), b"{}", {"inner": {}}),
])
def test_the_binding_that_can_say_it_is_used_and_the_answer_read_by_it(world, ask, asked, answer, told):
    assert world.call("More", ask, (200, "application/json", answer)) == told
    assert world.service.asked == asked


@pytest.mark.parametrize("method,ask,word", [
    ("One", {}, "name"), ("One", {"name": ".."}, "name"), ("Rest", {"name": "a/../../etc"}, "name"),
    ("Deep", {"name": "shelves/1"}, "name"), ("One", {"name": "n", "list": [{}]}, "list"),
    ("One", {"name": "n", "labels": {"a": "b"}}, "map"), ("Star", {"name": "n"}, "wildcard")])
def test_what_no_binding_can_say_is_an_error_of_the_callers(world, method, ask, word):
    code, text = world.fails((200, "application/json", b"{}"), method, ask)
    assert code == "INVALID_ARGUMENT" and word in text
    assert world.service.asked is None


# ---- What it answers ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("status,code", [
    (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (404, "NOT_FOUND"),
    (405, "UNIMPLEMENTED"), (408, "DEADLINE_EXCEEDED"), (409, "ABORTED"), (410, "NOT_FOUND"),
    (412, "FAILED_PRECONDITION"), (413, "RESOURCE_EXHAUSTED"), (416, "OUT_OF_RANGE"), (418, "INVALID_ARGUMENT"),
    (429, "RESOURCE_EXHAUSTED"), (499, "CANCELLED"), (500, "INTERNAL"), (501, "UNIMPLEMENTED"), (502, "UNAVAILABLE"),
    (503, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED"), (302, "UNKNOWN")])
def test_an_http_status_means_what_it_says(world, status, code):
    assert world.fails((status, "text/html", b"<h1>no</h1>"))[0] == code


@pytest.mark.parametrize("content_type,body,expected", [
    ("application/problem+json", {"title": "No", "detail": "no such book", "status": 500, "x": 1},
     ("ABORTED", "no such book")),
    ("application/problem+json", {"detail": "taken", "code": "ALREADY_EXISTS"}, ("ALREADY_EXISTS", "taken")),
    ("application/json", {"error": {"code": 409, "message": "taken", "status": "ALREADY_EXISTS"}},
     ("ALREADY_EXISTS", "taken")),
    ("application/json", {"code": 6, "message": "taken", "details": []}, ("ALREADY_EXISTS", "taken")),
    ("application/json", {"error": "plain"}, ("ABORTED", "plain")),
    ("application/json", ["odd"], ("ABORTED", "the service returned HTTP status 409 Conflict")),
    ("text/plain", "odd", ("ABORTED", "the service returned HTTP status 409 Conflict")),
])
def test_an_errors_body_says_more_than_its_status(world, content_type, body, expected):
    text = body if isinstance(body, str) else json.dumps(body)
    assert world.fails((409, content_type, text.encode())) == expected


def test_an_errors_details_are_kept(world):
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TWICE", "domain": "x", "metadata": {"id": "7"}}
    body = {"error": {"code": 409, "message": "m", "status": "ALREADY_EXISTS", "details": [info]}}
    world.fails((409, "application/json", json.dumps(body).encode()))
    trailers = dict(world.error.trailing_metadata())
    status = world.schema("google.rpc.Status").FromString(trailers["grpc-status-details-bin"])
    told = world.schema("google.rpc.ErrorInfo")()
    assert status.details[0].Unpack(told) and (told.reason, dict(told.metadata)) == ("TWICE", {"id": "7"})


@pytest.mark.parametrize("answer,told", [
    ((200, "application/json", b'{"name":"n","number":7}'), {"name": "n", "number": "7"}),
    ((201, "application/vnd.library+json; charset=utf-8", b'{"alias":"x"}'), {"alias": "x"}),
    ((200, None, b'{"name":"n"}'), {"name": "n"}),
    ((204, None, b""), {}), ((200, "application/json", b""), {}), ((200, "text/html", b""), {}),
    ((200, "application/json", [b'{"na', b'me":"n"}']), {"name": "n"}),
    ((200, "application/json", b'{"name":"n","nobody":"knows"}'), {"name": "n"}),
])
def test_an_answer_is_json_of_the_method_s_output(world, answer, told):
    assert world.call("One", {"name": "n"}, answer) == told


def test_a_compressed_answer_is_opened(world):
    answer = (200, "application/json", gzip.compress(b'{"name":"n"}'))
    assert world.call("One", {"name": "n"}, answer, fields={"Content-Encoding": "gzip"}) == {"name": "n"}


@pytest.mark.parametrize("answer,word", [
    ((200, "text/html", b"<h1>hello</h1>"), "text/html"), ((200, "application/json", b"<h1>"), "JSON"),
    ((200, "application/json", b'{"number":"many"}'), "number"), ((200, "application/json", b"[]"), ""),
    ((200, "application/x-ndjson", b"{}\n"), "ndjson"), ((200, "application/json", [b'{"name":', None]), "")])
def test_what_is_no_answer_is_told_as_the_services_mistake(world, answer, word):
    code, text = world.fails(answer)
    assert code in ("INTERNAL", "UNAVAILABLE") and word in text


def test_bytes_of_any_type_are_an_http_body(world):
    picture = (200, "image/png", b"\x89PNG\0")
    assert world.call("Download", {"name": "n"}, picture, gives=BODY) == {"contentType": "image/png", "data": "iVBORwA="}
    assert world.service.headers["Accept"] == "*/*"
    assert world.call("File", {"name": "n"}, picture) == {"file": {"contentType": "image/png", "data": "iVBORwA="}}
    raw = {"contentType": "a/b", "data": "AP8="}
    assert world.call("Raw", raw, (200, "c/d", b"x"), kind=BODY) == {"contentType": "c/d", "data": "eA=="}
    assert world.service.asked == ("POST", "/v1/raw", b"\0\xff") and world.service.headers["Content-Type"] == "a/b"


# ---- Streams -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/json", "application/jsonl"])
@pytest.mark.parametrize("pieces", [
    [b'{"name":"a"}\n{"name":"b"}\n'], [b'{"na', b'me":"a"}', b'\n{"name":"b"}'],
    [b'{"result":{"name":"a"}}\r\n\r\n', b'{"result":{"name":"b"}}\n']])
def test_lines_of_json_are_a_stream(world, content_type, pieces):
    assert world.call("Shelf", {"tags": ["x"]}, (200, content_type, pieces)) == [{"name": "a"}, {"name": "b"}]
    assert world.service.asked == ("GET", "/v1/shelf?tags=x", b"")
    assert world.service.headers["Accept"].startswith("application/x-ndjson")


def test_an_empty_stream_is_one(world):
    assert world.call("Shelf", {}, (200, "application/x-ndjson", b"")) == []


@pytest.mark.parametrize("pieces,code", [
    ([b'{"name":"a"}\n{"error":{"code":404,"status":"NOT_FOUND","message":"gone"}}\n'], "NOT_FOUND"),
    ([b'{"name":"a"}\n', b'{"error":{"code":5,"message":"gone"}}'], "NOT_FOUND"),
    ([b'{"name":"a"}\n', b'{"name":'], "INTERNAL"), ([b'{"name":"a"}\n', b"<html>\n"], "INTERNAL"),
    ([b'{"name":"a"}\n', None], "UNAVAILABLE")])
def test_a_stream_that_fails_in_the_middle_is_no_success(world, pieces, code):
    world.service.answer, world.service.fields = (200, "application/x-ndjson", pieces), {}
    told = world.channel.unary_stream("/library.v1.Library/Shelf", lambda _: b"", world.schema("library.v1.Book").FromString)(None)
    assert next(told).name == "a"
    with pytest.raises(grpc.RpcError) as caught:
        next(told)
    assert caught.value.code().name == code


def test_a_stream_that_does_not_begin_is_an_ordinary_error(world):
    assert world.fails((404, "application/json", b'{"message":"none"}'), "Shelf") == ("NOT_FOUND", "none")
    assert world.fails((200, "text/event-stream", [b"data: {}\n\n"]), "Shelf")[0] == "INTERNAL"


def test_pieces_of_bytes_are_a_stream_of_http_bodies(world):
    told = world.call("Pieces", {"name": "n"}, (200, "image/png", [b"\x89PNG", b"\0"]), gives=BODY)
    assert all(one["contentType"] == "image/png" for one in told)
    assert "".join(one["data"] for one in told) in ("iVBORw==AA==", "iVBORwA=")


# ---- What a REST client hears of it ------------------------------------------------------------------------

JSON = "application/json"


@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_a_success_is_what_the_instance_says_it_is(world, status):
    answer = world.http("GET", "/v1/one/n", (status, JSON, b'{"name":"n"}'), fields={"Location": "/v1/one/n", "ETag": '"7"'})
    assert (answer.status, answer.json) == (status, {"name": "n"})
    assert answer.headers["Location"] == "/v1/one/n" and answer.headers["ETag"] == '"7"'


def test_no_content_is_none(world):
    answer = world.http("DELETE", "/v1/none/n", (204, None, b""))
    assert (answer.status, answer.body) == (204, b"")
    assert world.http("GET", "/v1/one/n", (200, JSON, b'{"name":"n"}')).status == 200, "on the same connection"


@pytest.mark.parametrize("status,fields", [
    (301, {"Location": "/elsewhere"}), (302, {"Location": "/elsewhere"}), (307, {"Location": "/elsewhere"}),
    (308, {"Location": "/elsewhere"}), (304, {"ETag": '"7"'})])
def test_where_to_look_instead_goes_on_to_the_client(world, status, fields):
    answer = world.http("GET", "/v1/one/n", (status, None, b""), headers={"If-None-Match": '"7"'}, fields=fields)
    assert (answer.status, answer.body) == (status, b"") and answer.headers["Content-Type"] is None
    assert world.service.headers["If-None-Match"] == '"7"'
    assert all(answer.headers[name] == value for name, value in fields.items())
    assert answer.headers["Content-Length"] == (None if status == 304 else "0")  # RFC 9110 section 8.6


@pytest.mark.parametrize("status,fields", [(412, {"ETag": '"8"'}), (416, {"Content-Range": "bytes */10"}),
                                           (429, {"Retry-After": "7"}), (503, {"Retry-After": "7"})])
def test_an_error_has_the_instances_status_and_fields(world, status, fields):
    answer = world.http("GET", "/v1/one/n", (status, "text/plain", b"no"), fields=fields)
    assert answer.status == answer.json["status"] == status
    assert all(answer.headers[name] == value for name, value in fields.items())
    assert "HTTP_STATUS" not in answer.body.decode(), "the status line says it"


@pytest.mark.parametrize("status,code", [(404, "NOT_FOUND"), (304, "FAILED_PRECONDITION"), (302, "UNKNOWN"), (451, "PERMISSION_DENIED")])
def test_an_rpc_client_finds_the_status_in_the_details(world, status, code):
    assert world.fails((status, None, b""))[0] == code
    trailers = dict(world.error.trailing_metadata())
    told, info = world.schema("google.rpc.Status").FromString(trailers["grpc-status-details-bin"]), world.schema("google.rpc.ErrorInfo")()
    assert told.details[0].Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("HTTP_STATUS", {"http_status": str(status)})


def test_a_part_is_asked_for_by_who_hears_that_it_is_one(world):
    part, ranged = (206, "image/png", b"0123"), {"Content-Range": "bytes 0-3/10"}
    answer = world.http("GET", "/v1/download/n", part, headers={"Range": "bytes=0-3", "Accept-Encoding": "gzip"}, fields=ranged)
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (206, b"0123", "bytes 0-3/10")
    assert world.service.headers["Range"] == "bytes=0-3" and world.service.headers["Accept-Encoding"] is None
    assert answer.headers["Content-Encoding"] is None
    whole = world.http("GET", "/v1/one/n", (200, JSON, b"{}"), headers={"Range": "bytes=0-3", "If-Range": '"7"'})
    assert whole.status == 200 and world.service.headers["Range"] is None and world.service.headers["If-Range"] is None


def test_a_part_that_nobody_asked_for_is_no_answer(world):
    assert world.http("GET", "/v1/download/n", (206, "image/png", b"0123")).status == 502
    assert world.fails((206, JSON, b"{}"))[0] == "INTERNAL"


@pytest.mark.parametrize("body", [b"<h1>", b'{"name":', b'{"name":"n",}', b'{"name":tru}', b"{} {}", b"[]", b'"n"'])
def test_json_that_is_none_is_502_also_when_nothing_is_converted(world, body):
    answer = world.http("GET", "/v1/one/n", (200, JSON, body))
    assert answer.status == 502 and answer.json["reason"] == "UPSTREAM_MESSAGE"


@pytest.mark.parametrize("status", [600, 999])
def test_a_status_that_is_none_is_502(world, status):
    answer = world.http("GET", "/v1/one/n", (status, JSON, b"{}"))
    assert answer.status == 502 and answer.json["reason"] == "UPSTREAM_HTTP_STATUS"


# ---- Entity tags -------------------------------------------------------------------------------------------

TAG, WEAK = '"7"', 'W/"passerelle-7"'
BOOK = b'{"name":"n", "title": "' + b"t" * 3000 + b'"}'


def tagged(world, headers=None, answer=(200, JSON, BOOK), **fields):
    return world.http("GET", "/v1/one/n", answer, headers=headers, fields={"ETag": TAG, **fields})


def test_a_tag_stays_strong_where_the_bytes_are_the_instances(world):
    answer = tagged(world)
    assert (answer.headers["ETag"], answer.body) == (TAG, BOOK)


@pytest.mark.parametrize("tag", ['W/"7"', "7"])
def test_a_tag_that_is_not_strong_stays_as_it_is(world, tag):
    assert tagged(world, {"Accept-Encoding": "gzip"}, ETag=tag).headers["ETag"] == tag


def test_a_tag_is_weak_where_the_gateway_compresses_or_decompresses(world):
    compressed = tagged(world, {"Accept-Encoding": "gzip"})
    assert (compressed.headers["ETag"], compressed.headers["Content-Encoding"]) == (WEAK, "gzip")
    opened = tagged(world, {}, (200, JSON, gzip.compress(BOOK)), **{"Content-Encoding": "gzip"})
    assert (opened.headers["ETag"], opened.body) == (WEAK, BOOK)


def test_a_tag_is_weak_where_the_gateway_converts(world, tmp_path):
    """The instance speaks gRPC here: whatever it tags is not the JSON that the client gets."""
    class Grpc(grpc.GenericRpcHandler):
        def service(self, details):
            seen.append(dict(details.invocation_metadata))
            return grpc.unary_unary_rpc_method_handler(self.one)

        def one(self, request, context):
            context.send_initial_metadata([("etag", TAG)])
            return b""

    seen, server = [], grpc.server(futures.ThreadPoolExecutor(2), handlers=[Grpc()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Gateway(tmp_path, CONFIG.replace(", protocol: rest", ""), schema=world.gateway.words["schema"], backend=port) as gateway:
        assert gateway.http("GET", "/v1/one/n").headers["ETag"] == WEAK
        gateway.http("GET", "/v1/one/n", headers={"If-None-Match": WEAK, "If-Match": f'"5", {WEAK}'})
        assert (seen[-1]["if-none-match"], seen[-1]["if-match"]) == (TAG, f'"5", {TAG}')
    server.stop(0)


@pytest.mark.parametrize("said, heard", [
    (WEAK, TAG), (f'"1", {WEAK}, W/"3"', f'"1", {TAG}, W/"3"'), ("*", "*"), (TAG, TAG), ('W/"7"', 'W/"7"')])
@pytest.mark.parametrize("field", ["If-Match", "If-None-Match"])
def test_an_instance_is_asked_by_the_tags_that_it_gave(world, field, said, heard):
    tagged(world, {field: said})
    assert world.service.headers[field] == heard


@pytest.mark.parametrize("said, heard", [(WEAK, WEAK), (TAG, TAG), (f'"1", {WEAK}', WEAK), (None, TAG)])
def test_what_has_not_changed_has_the_tag_that_the_client_knows(world, said, heard):
    answer = tagged(world, {"If-None-Match": said} if said else {}, (304, None, b""))
    assert (answer.status, answer.headers["ETag"], answer.headers.get("Content-Type")) == (304, heard, None)


# ---- What the log has of an error ---------------------------------------------------------------------------


@pytest.mark.parametrize("body, shown", [
    (b"database away", "database away"),
    (b"<p>\tdatabase \"away\"\n", '<p>\tdatabase "away"\n'),
    (b"\xffaway\xc3", "\ufffdaway\ufffd"),
    ("\u00e4".encode() * 1000, "\u00e4" * 150),
    (b"x" + "\u00e4".encode() * 1000, "x" + "\u00e4" * 149),
    (b'{"unknown": "form"}', '{"unknown": "form"}'),
])
def test_an_error_that_is_in_no_known_form_is_in_the_log(world, body, shown):
    answer = world.http("GET", "/v1/one/n", (503, "text/plain", body))
    assert answer.status == 503
    line = world.gateway.logged(request_id=answer.headers["X-Request-Id"])
    assert line["causes"][0]["doing"].endswith("; its body is: " + shown)


def test_an_error_in_a_known_form_is_not_there_twice(world):
    answer = world.http("GET", "/v1/one/n", (503, JSON, b'{"message": "away"}'))
    line = world.gateway.logged(request_id=answer.headers["X-Request-Id"])
    assert line["causes"][0]["doing"].endswith(" returned UNAVAILABLE: away")
