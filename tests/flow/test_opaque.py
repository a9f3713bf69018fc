"""Routes without a schema: heads and bodies of any HTTP service go through unread, hop by hop."""
import contextlib
import re
import subprocess
import threading
import time

import pytest
from gateway import Gateway
from http1_backend import Http1Backend
from http2_client import http2_request
from processes import eventually
from raw import Raw

CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
routes:
  - {match: /old/, instances: [{address: '127.0.0.1:$backend', protocol: http}]}
"""


class Legacy:
    """A gateway before one scripted backend."""

    def __init__(self, folder, running):
        self.folder, self.running = folder, running
        self.backend = self.gateway = None

    def run(self, script, each=True, config=CONFIG):
        self.backend = self.running.enter_context(Http1Backend(script, each))
        self.gateway = self.running.enter_context(Gateway(self.folder, config=config, backend=self.backend.port))
        return self.backend

    def raw(self):
        return Raw(self.gateway.port)

    def ask(self, request, verb="GET"):
        """One request on a connection of its own: (status, fields, body, trailers)."""
        with self.raw() as connection:
            return connection.send(request).read_reply(verb)


@pytest.fixture
def legacy(tmp_path):
    with contextlib.ExitStack() as running:
        yield Legacy(tmp_path, running)


def ok(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def get(path="/old/", *fields, version="1.1"):
    return f"GET {path} HTTP/{version}\r\nHost: shop.example\r\n" + "".join(f"{f}\r\n" for f in fields) + "\r\n"


# ---- What reaches the service ----------------------------------------------------------------------

@pytest.mark.parametrize("target", ["/old/", "/old/c//d?x=%20&y=/../?", "/old/~;p=1,2?", "/old/?%2e%2e/%zz\\;..",
                                    "/old/group%2Fproject/@scope%2Fname", "/old/caf%C3%A9%20%25", "/old/...;a/.b/c..",
                                    "/old/" + "x" * 4000])
def test_the_target_passes_unread(legacy, target):
    backend = legacy.run(ok)
    assert legacy.ask(get(target))[0] == 200
    assert backend.told[0].target == target


@pytest.mark.parametrize("target,normal", [
    ("/old/a%2Fb/../c//d?x=%20&y=/../?", "/old/c//d?x=%20&y=/../?"), ("/old/%7euser/%41%2fb", "/old/~user/A%2Fb"),
    ("/old/./a/%2e/b/.", "/old/a/b/"), ("/old/a/b/..", "/old/a/"), ("/new/../old/a", "/old/a"),
    ("/%6fld/a", "/old/a"), ("/../old/a?..", "/old/a?.."), ("http://shop.example/x/../old/a?b", "/old/a?b"),
])
def test_the_path_is_matched_and_sent_on_in_its_normal_form(legacy, target, normal):
    backend = legacy.run(ok)
    assert legacy.ask(get(target))[0] == 200
    if target.startswith("/"):
        assert http2_request(legacy.gateway.port, "GET", target)[0] == 200
    assert {told.target for told in backend.told} == {normal}


@pytest.mark.parametrize("target", [
    "/old/../secret", "/old/%2e%2e/secret", "/old/.%2E/secret", "/old/a/../../secret", "/old/..", "/old", "/oldest/",
    "/old%2Fa", "/old//../../secret", "http://shop.example/old/../secret", "/%2e%2e/secret",
])
def test_a_path_that_leaves_the_prefix_is_not_its_services(legacy, target):
    backend = legacy.run(ok)
    assert legacy.ask(get(target))[0] == 404
    assert not backend.told


@pytest.mark.parametrize("target", [
    "/old/..%2fsecret", "/old/..%5csecret", "/old/a%2f..%2f..%2fsecret", "/old/..\\secret", "/old/a\\b",
    "/old/%252e%252e/secret", "/old/%25%32%65%25%32%65/secret", "/old/..;/secret", "/old/..;a=b/secret", "/old/..%00/x",
    "/old/%00", "/old/a%0d%0aX:%20y", "/old/%c0%ae%c0%ae/secret", "/old/..%c0%afsecret", "/old/%", "/old/%zz",
    "/old/..%20/secret", "http://shop.example/old/..%2fsecret",
])
def test_a_path_that_servers_read_in_several_ways_is_refused(legacy, target):
    backend = legacy.run(ok)
    status, fields, body, _ = legacy.ask(get(target))
    assert (status, fields["content-type"]) == (400, ["application/problem+json"])
    if target.startswith("/"):
        assert http2_request(legacy.gateway.port, "GET", target)[0] == 400
    assert not backend.told


MANY = CONFIG + """
  - {match: /, instances: [{address: '127.0.0.1:$backend', protocol: http, authority: all.example}]}
  - {match: /admin, instances: [{address: '127.0.0.1:$backend', protocol: http, authority: admin.example}]}
  - {match: /caf%C3%A9/, instances: [{address: '127.0.0.1:$backend', protocol: http, authority: cafe.example}]}
services:
  - name: orders
    versions: [{name: v1, package: shop.orders.v1, schema: $orders}]
    instances: ['127.0.0.1:1']
"""


@pytest.mark.parametrize("target,host", [
    ("/x", "all.example"), ("//x", "all.example"), ("/old", "all.example"), ("/old/../x", "all.example"),
    ("/x/../admin", "admin.example"), ("/admin%2Fx", "admin.example"), ("/administrator", "admin.example"),
    ("/caf%c3%a9/a%2Fb", "cafe.example"), ("/old/../v1/nothing", "all.example"),
    # another prefix's by some readers, or a path of what has a schema
    ("//admin/x", None), ("/%2Fadmin", None), ("/x%2f..%2fadmin", None), ("/%2561dmin", None), ("/old%2Fx", None),
    ("/old;v=1/x", None), ("//old/x", None), ("/caf%25C3%25A9/x", None), ("/x/../v1/orders/1", None),
    ("/v1%2Forders/1", None), ("//v1/orders/1", None), ("/v1//orders/1", None), ("/v1/orders;a/1", None),
    ("/x/../shop.orders.v1.Orders/Get", None), ("/shop.orders.v1.Orders%2FGet", None),
    ("/shop.orders.v1.Orders/%47et", None), ("//shop.orders.v1.Orders/Get", None),
])
def test_no_spelling_leads_around_a_longer_prefix_or_a_schema(legacy, target, host):
    backend = legacy.run(ok, config=MANY)
    assert legacy.ask(get(target))[0] == (200 if host else 400)
    assert [told.one("host") for told in backend.told] == ([host] if host else [])


# request fields -> what the service sees of a name: its values; [] when it must not pass
HEAD_FIELDS = [
    ("accept", ["Accept: a", "Accept: b"], ["a", "b"]),
    ("host", [], ["shop.example"]),
    ("x-empty", ["X-Empty:"], [""]),
    ("x-bytes", ["X-Bytes: caf\xe9"], ["caf\xc3\xa9"]),
    ("cookie", ["Cookie: a=1; b=2"], ["a=1; b=2"]),
    ("authorization", ["Authorization: Basic Zm9v"], ["Basic Zm9v"]),
    ("range", ["Range: bytes=0-1"], ["bytes=0-1"]),
    ("origin", ["Origin: https://elsewhere.example"], ["https://elsewhere.example"]),  # services judge it themselves
    ("expect", [], []),
    # RFC 9110 section 7.6.1: of this connection only
    ("connection", ["Connection: x-private", "X-Private: 1"], []),
    ("x-private", ["Connection: x-private", "X-Private: 1"], []),
    ("x-private", ["Connection: keep-alive, X-PRIVATE ,", "x-private: 1"], []),
    ("keep-alive", ["Keep-Alive: timeout=5"], []),
    ("proxy-connection", ["Proxy-Connection: keep-alive"], []),
    ("te", ["Connection: TE", "TE: gzip;q=0.5, trailers"], []),
    ("upgrade", ["Upgrade: h2c"], []),
    ("http2-settings", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"], []),
    ("transfer-encoding", [], []),
    # who asks, and by which way
    ("x-forwarded-for", [], ["127.0.0.1"]),
    ("x-forwarded-host", [], ["shop.example"]),
    ("x-forwarded-proto", [], ["http"]),
    ("via", [], ["1.1 passerelle-*"]),
    ("via", ["Via: 1.0 fred"], ["1.0 fred, 1.1 passerelle-*"]),
]


@pytest.mark.parametrize("name,fields,expected", HEAD_FIELDS)
def test_fields_of_a_request(legacy, name, fields, expected):
    backend = legacy.run(ok)
    assert legacy.ask(get("/old/", *fields))[0] == 200
    assert [re.sub("passerelle-[0-9a-f]{16}", "passerelle-*", value) for value in backend.told[0].all(name)] == expected


def test_the_host_is_the_clients_unless_the_config_says_another(legacy):
    backend = legacy.run(ok)
    legacy.ask(get())
    legacy.ask("GET /old/ HTTP/1.0\r\n\r\n")  # which has none
    assert [told.one("host") for told in backend.told] == ["shop.example", f"127.0.0.1:{backend.port}"]


def test_the_host_that_the_config_says(legacy):
    backend = legacy.run(ok, config=CONFIG.replace("protocol: http}", "protocol: http, authority: old.internal}"))
    legacy.ask(get())
    told = backend.told[0]
    assert (told.one("host"), told.one("x-forwarded-host")) == ("old.internal", "shop.example")


def test_a_request_is_named_once(legacy):
    backend = legacy.run(ok)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    legacy.ask(get("/old/", f"traceparent: {parent}", "x-request-id: mine"))
    told = backend.told[0]
    assert told.one("traceparent").split("-")[1] == parent.split("-")[1]
    assert told.one("x-request-id")


BODIES = [
    ("Content-Length: 5\r\n\r\nhello", "content-length", "5", b"hello"),
    ("Content-Length: 0\r\n\r\n", "content-length", "0", b""),
    ("Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n", "transfer-encoding",
     "chunked", b"hello"),
]


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE", "GET", "PROPFIND"])
@pytest.mark.parametrize("sent,framing,said,body", BODIES)
def test_bodies_of_requests(legacy, verb, sent, framing, said, body):
    received = []
    backend = legacy.run(lambda peer, told, body: (received.append(body), ok(peer, told, body)))
    assert legacy.ask(f"{verb} /old/ HTTP/1.1\r\nHost: x\r\n{sent}")[0] == 200
    told = backend.told[0]
    assert (told.verb, received[0], told.one(framing)) == (verb, body, said)
    assert len(told.all("content-length") + told.all("transfer-encoding")) == 1


def test_a_client_that_awaits_100_is_told_to_go_on_once(legacy):
    legacy.run(lambda peer, told, body: (peer.say("HTTP/1.1 100 Continue\r\n\r\n"), ok(peer, told, body)))
    with legacy.raw() as connection:
        connection.send("POST /old/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert connection.read_head()[0] == 100
        assert connection.send("hello").read_reply("POST")[0] == 200


# ---- What reaches the client -----------------------------------------------------------------------

def answers(head, body=b"", close=False):
    def script(peer, told, received):
        peer.say(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body)
        if close:
            peer.close()
    return script


# name, verb, the service's head and body, whether it closes; status, fields that pass, body
ANSWERS = [
    ("length", "GET", "HTTP/1.1 200 OK\nContent-Length: 5\nX: 1\n", b"hello", False, 200, {"x": ["1"]}, b"hello"),
    ("chunked", "GET", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"2;a\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False,
     200, {"content-length": []}, b"hello"),
    ("until the end", "GET", "HTTP/1.1 200 OK\nConnection: close\n", b"hello", True, 200, {}, b"hello"),
    ("HTTP/1.0", "GET", "HTTP/1.0 200 OK\n", b"hello", True, 200, {}, b"hello"),
    ("HTTP/1.0 with a length", "GET", "HTTP/1.0 200 OK\nContent-Length: 5\n", b"hello", True, 200, {}, b"hello"),
    ("HEAD", "HEAD", "HTTP/1.1 200 OK\nContent-Length: 5\nETag: \"a\"\n", b"", False, 200,
     {"content-length": ["5"], "etag": ['"a"']}, b""),
    ("HEAD, chunked", "HEAD", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"", False, 200,
     {"content-length": []}, b""),
    ("204", "DELETE", "HTTP/1.1 204 No Content\n", b"", False, 204, {"content-length": [], "transfer-encoding": []},
     b""),
    ("304", "GET", "HTTP/1.1 304 Not Modified\nETag: \"a\"\nContent-Length: 5\n", b"", False, 304,
     {"etag": ['"a"']}, b""),
    ("205", "GET", "HTTP/1.1 205 Reset Content\nContent-Length: 0\n", b"", False, 205, {}, b""),
    ("206", "GET", "HTTP/1.1 206 Partial Content\nContent-Range: bytes 0-1/5\nContent-Length: 2\n", b"he", False, 206,
     {"content-range": ["bytes 0-1/5"]}, b"he"),
    ("multipart ranges", "GET", "HTTP/1.1 206 Partial Content\nContent-Type: multipart/byteranges; boundary=X\n"
     "Content-Length: 9\n", b"--X\r\n\r\n--", False, 206, {"content-type": ["multipart/byteranges; boundary=X"]},
     b"--X\r\n\r\n--"),
    ("416", "GET", "HTTP/1.1 416 Range Not Satisfiable\nContent-Range: bytes */5\nContent-Length: 0\n", b"", False, 416,
     {"content-range": ["bytes */5"]}, b""),
    ("a redirect", "GET", "HTTP/1.1 302 Found\nLocation: http://x/?a=b#c\nContent-Length: 0\n", b"", False, 302,
     {"location": ["http://x/?a=b#c"]}, b""),
    ("cookies", "GET", "HTTP/1.1 200 OK\nSet-Cookie: a=1; Path=/\nSet-Cookie: b=2, c\nContent-Length: 0\n", b"", False,
     200, {"set-cookie": ["a=1; Path=/", "b=2, c"]}, b""),
    ("a status nobody knows", "GET", "HTTP/1.1 299 Odd\nContent-Length: 0\n", b"", False, 299, {}, b""),
    ("no phrase", "GET", "HTTP/1.1 200 \nContent-Length: 2\n", b"ok", False, 200, {}, b"ok"),
    ("hop by hop", "GET", "HTTP/1.1 200 OK\nConnection: X-Mine, keep-alive\nX-Mine: 1\nKeep-Alive: timeout=9\n"
     "Proxy-Authenticate: Basic\nUpgrade: h2c\nContent-Length: 0\n", b"", False, 200,
     {"x-mine": [], "keep-alive": [], "upgrade": []}, b""),
    ("large heads", "GET", "HTTP/1.1 200 OK\n" + "".join(f"X-{i}: {'v' * 1000}\n" for i in range(25))
     + "Content-Length: 0\n", b"", False, 200, {"x-24": ["v" * 1000]}, b""),
    ("encoded", "GET", "HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 3\n", b"\x1f\x8b\0", False, 200,
     {"content-encoding": ["gzip"]}, b"\x1f\x8b\0"),
    ("interim", "GET", "HTTP/1.1 102 Processing\n\nHTTP/1.1 200 OK\nContent-Length: 2\n", b"ok", False, 200, {}, b"ok"),
]


@pytest.mark.parametrize("how", ["HTTP/1.1", "HTTP/1.0", "HTTP/2"])
@pytest.mark.parametrize("name,verb,head,body,closes,status,fields,expected", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_answers(legacy, how, name, verb, head, body, closes, status, fields, expected):
    legacy.run(answers(head, body, closes))
    if how == "HTTP/2":
        got, seen, received, _ = http2_request(legacy.gateway.port, verb, "/old/")
    else:
        request = f"{verb} /old/ {how}\r\nHost: x\r\n\r\n"
        with legacy.raw() as connection:
            got, seen, received, _ = connection.send(request).read_reply(verb)
            if got < 200:
                got, seen, received, _ = connection.read_reply(verb)
        assert not (how == "HTTP/1.0" and seen.get("transfer-encoding"))
    assert (got, received) == (status, expected)
    assert {key: seen.get(key, []) for key in fields} == fields
    assert len(seen["x-request-id"]) == 1


BROKEN = [
    ("nothing", b"", 502),
    ("no HTTP", b"220 smtp.example ESMTP\r\n", 502),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502),
    ("length and chunked", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 502),
    ("a folded field", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", 502),
    ("a head too large", b"HTTP/1.1 200 OK\r\nX: " + b"v" * 100_000 + b"\r\n\r\n", 502),
    ("a status that HTTP does not have", b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", 502),
    ("101 that nobody asked for", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     502),
]


@pytest.mark.parametrize("name,said,status", BROKEN, ids=[row[0] for row in BROKEN])
def test_answers_that_are_none_are_told_as_the_services_fault(legacy, name, said, status):
    def script(peer, told, body):
        peer.say(said)
        peer.close()
    legacy.run(script)
    got, fields, body, _ = legacy.ask("POST /old/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
    assert got in (status, 503) and fields["content-type"] == ["application/problem+json"]


CUT = {"length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
       "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
       "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"}


@pytest.mark.parametrize("said", CUT.values(), ids=CUT)
def test_an_answer_that_breaks_off_is_not_made_whole(legacy, said):
    legacy.run(lambda peer, told, body: (peer.say(said), peer.close()))
    with legacy.raw() as connection:
        with pytest.raises(EOFError):
            connection.send(get()).read_reply("GET")
    with pytest.raises(EOFError):
        http2_request(legacy.gateway.port, "GET", "/old/")
    assert legacy.gateway.logged(path="/old/")["code"] != "OK"


def test_early_hints_are_passed_on(legacy):
    legacy.run(answers("HTTP/1.1 103 Early Hints\nLink: </a.css>; rel=preload\n\nHTTP/1.1 200 OK\nContent-Length: 0\n"))
    with legacy.raw() as connection:
        status, fields = connection.send(get()).read_head()
        assert (status, fields["link"]) == (103, ["</a.css>; rel=preload"])
        assert connection.read_reply("GET")[0] == 200
    with legacy.raw() as connection:  # HTTP/1.0 has none
        assert connection.send(get(version="1.0")).read_reply("GET")[0] == 200


@pytest.mark.parametrize("te,expected", [(["Connection: TE", "TE: trailers"], {"x-sum": ["7"]}), ([], {})])
def test_trailers_go_to_who_takes_them(legacy, te, expected):
    legacy.run(answers("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n",
                       b"2\r\nok\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n"))
    assert legacy.ask(get("/old/", *te))[2:] == (b"ok", expected)


def test_trailers_over_http2(legacy):
    legacy.run(answers("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n"))
    assert http2_request(legacy.gateway.port, "GET", "/old/")[2:] == (b"ok", {"x-sum": ["7"]})


# ---- Streams -------------------------------------------------------------------------------------------

def test_an_upload_and_a_download_at_once(legacy):
    """Each piece comes back before the next is sent: nobody waits for an end."""
    def echo(peer):
        peer.head()
        peer.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while piece := peer.chunk():
            peer.say(b"%x\r\n%s\r\n" % (len(piece), piece))
        peer.say("0\r\n\r\n")

    legacy.run(echo, each=False)
    with legacy.raw() as connection:
        connection.send("POST /old/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(20):
            piece = f"piece {i}".encode()
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            if i == 0:
                assert connection.read_head()[0] == 200
            assert connection.read_chunk() == piece
        connection.send("0\r\n\r\n")
        assert connection.read_chunk() == b""


def test_requests_without_their_bodies_keep_no_connection_from_others(legacy):
    legacy.run(ok, config=CONFIG + "limits: {http1_connections: 2, connect_time: 1s}\nloops: 1\n")
    with contextlib.ExitStack() as open_now:
        waiting = [open_now.enter_context(legacy.raw()) for _ in range(8)]
        for connection in waiting:
            connection.send("POST /old/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        assert [legacy.ask(get())[0] for _ in range(5)] == [200] * 5
        waiting[0].send("ab")
        eventually(lambda: any(told.verb == "POST" for told in legacy.backend.told))
        for connection in waiting[1:4]:  # half of the connections may have a body that is still arriving
            connection.send("ab")
        assert [legacy.ask(get())[0] for _ in range(5)] == [200] * 5
        waiting[0].send("cd")
        assert waiting[0].read_reply("POST")[0] == 200


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_much_goes_both_ways_unchanged(legacy, tmp_path, version):
    """curl sends 8 MB of noise and gets them back."""
    (tmp_path / "noise").write_bytes(bytes((i * i >> 7) & 255 for i in range(1 << 20)) * 8)

    def echo(peer, told, body):
        peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n")
        peer.say(body)

    legacy.run(echo)
    subprocess.run(["curl", "-sS", "--fail", version, "--data-binary", f"@{tmp_path}/noise", "-o", f"{tmp_path}/back",
                    f"http://{legacy.gateway.address}/old/"], check=True, timeout=60)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "noise").read_bytes()


def test_an_answer_before_the_requests_end(legacy):
    """413, say: the service has seen enough."""
    def refuse(peer):
        peer.head()
        peer.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        peer.socket.recv(1 << 20)

    legacy.run(refuse, each=False)
    with legacy.raw() as connection:
        connection.send("POST /old/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000)
        assert connection.read_head()[0] == 413


def test_a_client_that_leaves_is_noticed_by_the_service(legacy):
    """With the next bytes of a body of known length, in which the gateway can say nothing of its own (decision 36)."""
    gone = threading.Event()

    def script(peer):
        peer.head()
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello")
        try:
            for _ in range(200):
                peer.say("x")
                time.sleep(0.05)
        except OSError:
            gone.set()

    legacy.run(script, each=False)
    with legacy.raw() as connection:
        assert connection.send(get()).read_head()[0] == 200
    assert gone.wait(10)


# ---- Connections ---------------------------------------------------------------------------------------

def test_connections_to_the_service_are_used_again(legacy):
    backend = legacy.run(ok)
    with legacy.raw() as connection:
        assert [connection.send(get()).read_reply("GET")[0] for _ in range(10)] == [200] * 10
    assert [peer.requests for peer in backend.peers] == [10]


@pytest.mark.parametrize("head", ["HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"])
def test_a_service_that_closes_after_each_answer_does_not_close_the_clients_connection(legacy, head):
    def script(peer, told, body):
        peer.say(head + "Content-Length: 2\r\n\r\nok")
        peer.close()
    backend = legacy.run(script)
    with legacy.raw() as connection:
        assert [connection.send(get()).read_reply("GET")[0] for _ in range(10)] == [200] * 10
    assert [peer.requests for peer in backend.peers] == [1] * 10


def closes_on_second(peer, told, body):
    """As a server does whose patience with an idle connection ends just now."""
    if peer.requests == 2:
        peer.close()
    else:
        ok(peer, told, body)


def test_a_kept_connection_that_closes_as_it_is_used_costs_no_request_that_may_be_repeated(legacy):
    backend = legacy.run(closes_on_second)
    with legacy.raw() as connection:
        assert [connection.send(get()).read_reply("GET")[0] for _ in range(6)] == [200] * 6
    assert [peer.requests for peer in backend.peers][:-1] == [2] * (len(backend.peers) - 1)


def test_but_it_costs_one_that_may_not(legacy):
    backend = legacy.run(closes_on_second)
    post = "POST /old/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    with legacy.raw() as connection:
        assert connection.send(post).read_reply("POST")[0] == 200
        assert connection.send(post).read_reply("POST")[0] in (502, 503)
    assert len(backend.told) == 2


def test_http_1_0_clients_are_kept_only_where_they_ask(legacy):
    legacy.run(ok)
    with legacy.raw() as connection:
        for _ in range(3):
            connection.send(get("/old/", "Connection: keep-alive", version="1.0"))
            status, fields, body, _ = connection.read_reply("GET")
            assert (status, body, fields["connection"]) == (200, b"ok", ["keep-alive"])
        assert connection.send(get(version="1.0")).read_reply("GET")[0] == 200
        assert connection.read_all() == b""


def test_requests_in_a_row_are_answered_in_their_order(legacy):
    legacy.run(lambda peer, told, body: peer.say(f"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{told.target:<6}"))
    with legacy.raw() as connection:
        connection.send("".join(get(f"/old/{i}") for i in range(5)))
        assert [connection.read_reply("GET")[2] for _ in range(5)] == [b"/old/%d" % i for i in range(5)]


# ---- HTTP/2 ----------------------------------------------------------------------------------------------

def test_an_http2_request_arrives_as_one_of_http1(legacy):
    backend = legacy.run(ok)
    status, _, body, _ = http2_request(legacy.gateway.port, "GET", "/old/?a", [
        ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-a", "1"), ("x-a", "2")])
    told = backend.told[0]
    assert (status, body, told.line) == (200, b"ok", "GET /old/?a HTTP/1.1")
    assert told.one("cookie") == "a=1; b=2"  # RFC 9113 section 8.2.3
    assert (told.one("host"), told.all("te"), told.all("x-a")) == ("shop.example", [], ["1", "2"])
    assert told.one("via").startswith("2 passerelle-")


@pytest.mark.parametrize("length", [True, False])
def test_an_http2_body_without_a_length_is_chunked(legacy, length):
    received = []
    backend = legacy.run(lambda peer, told, body: (received.append(body), ok(peer, told, body)))
    fields = [("content-length", "5")] if length else []
    assert http2_request(legacy.gateway.port, "POST", "/old/", fields, b"hello")[0] == 200
    assert received == [b"hello"]
    assert backend.told[0].all("transfer-encoding") == ([] if length else ["chunked"])


def test_calls_that_are_no_streams_of_http_are_refused(legacy):
    legacy.run(ok)
    assert legacy.ask("CONNECT old:80 HTTP/1.1\r\nHost: old:80\r\n\r\n")[0] in (400, 404, 405, 501)
    eventually(lambda: legacy.gateway.ready())
