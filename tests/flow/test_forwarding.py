"""Who asks, and by which way: trusted proxies and strangers, the PROXY protocol, request ids, and calls that come back."""
import contextlib
import re
import socket
import ssl
import struct

import grpc
import pytest
from backends import Backend, client, v3
from certificates import certificate
from gateway import SHOP_CONFIG, Gateway, instances
from http1_backend import Http1Backend
from processes import eventually, free_port
from raw import Raw

OLD = "\n  - {match: /old/, instances: [{address: '127.0.0.1:$old', protocol: http}]}\n"
LISTEN = """
listen:
  - {address: '127.0.0.1:$port', trusted_proxies: [none]}
  - {address: '127.0.0.1:$behind'}
  - {address: 'unix:$folder/passerelle.sock', trusted_proxies: [unix]}
  - {address: '127.0.0.1:$proxied', proxy_protocol: true}
  - {address: '127.0.0.1:$secure', proxy_protocol: true, tls: {certificate: $folder/server.pem, key: $folder/server.key}}
  - {address: '127.0.0.1:$strict', proxy_protocol: true, trusted_proxies: [192.0.2.0/24]}
trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]
identity_header: x-client
"""
CONFIG = (LISTEN + SHOP_CONFIG.replace("\nlisten:\n  - address: 127.0.0.1:$port\n", "") + OLD).replace(
    "    changes:", "    pins: {panel: v2}\n    changes:")
LINE = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 443\r\n"
BINARY = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12 + 5) + socket.inet_aton("203.0.113.9") +
          socket.inet_aton("198.51.100.1") + struct.pack("!HH", 56324, 443) + b"\x04\0\x02ab")
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def ok(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class Front:
    """The gateway with one listener of each kind, before the v3 backend and an opaque one."""

    def __init__(self, gateway, backend, old):
        self.gateway, self.backend, self.old = gateway, backend, old

    def old_told(self, port, *fields, before=b""):
        """What the opaque instance is told of one request."""
        with Raw(port) as connection:
            connection.send(before + request("/old/x", *fields))
            assert connection.read_answer()[0] == 200
        return self.old.told[-1]

    def rpc_told(self, answer_id):
        """What the RPC instance is told of the call of this id."""
        return eventually(lambda: [line["metadata"] for line in self.backend.told("call", method="List")
                                   if line["metadata"].get("x-request-id") == answer_id])[0]


def request(path, *fields):
    lines = "".join(f"{field}\r\n" for field in fields)
    return f"GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n".encode()


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forwarding")
    certificate(folder)
    with Backend("v3") as backend, Http1Backend(ok) as old:
        with Gateway(folder, CONFIG, instances=instances(("v3", backend.port)), old=old.port, behind=free_port(),
                     proxied=free_port(), secure=free_port(), strict=free_port()) as gateway:
            yield Front(gateway, backend, old)


FORGED = ["Forwarded: for=6.6.6.6", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
          "X-Forwarded-Port: 443", "X-Real-IP: 6.6.6.6", "Proxy: http://evil", "X_Forwarded_For: 6.6.6.6",
          "X-Request-Id: evil", "X_Request_Id: evil", "X-Client: panel"]


# ---- Fields ------------------------------------------------------------------------------------------

def test_nothing_that_a_stranger_says_of_others_reaches_an_opaque_instance(front):
    told = front.old_told(front.gateway.port, *FORGED)
    assert "6.6.6.6" not in told.raw.decode() and "evil" not in told.raw.decode()
    assert told.one("x-forwarded-for") == "127.0.0.1" and told.one("x-forwarded-proto") == "http"
    assert told.one("x-client") is None


def test_nothing_that_a_stranger_says_of_others_reaches_an_rpc_instance(front):
    with Raw(front.gateway.port) as connection:
        connection.send(request("/v3/orders", *FORGED))
        status, fields, _, _ = connection.read_reply("GET")
    assert status == 200
    told = front.rpc_told(fields["x-request-id"][0])
    assert "6.6.6.6" not in str(told) and "evil" not in str(told) and "x-client" not in told
    assert told["x-forwarded-for"] == "127.0.0.1" and told["x-forwarded-host"] == "shop.example"
    assert re.fullmatch("passerelle-[0-9a-f]{16}", told["passerelle-hops"])


def test_what_a_trusted_proxy_says_is_kept_and_continued(front):
    told = front.old_told(front.gateway.words["behind"], "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https",
                          "X-Forwarded-Host: www.example", "X-Forwarded-Port: 443", "Forwarded: for=203.0.113.9")
    assert told.one("x-forwarded-for") == "203.0.113.9, 127.0.0.1" and told.one("x-forwarded-proto") == "https"
    assert told.one("x-forwarded-host") == "www.example" and told.one("x-forwarded-port") == "443"
    assert told.one("forwarded") == 'for=203.0.113.9, for=127.0.0.1;host="shop.example";proto=http'


def test_the_log_names_the_client_behind_trusted_proxies(front):
    front.old_told(front.gateway.words["behind"], "X-Request-Id: chain-1", "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7")
    line = front.gateway.logged(request_id="chain-1")
    assert line["forwarded_for"] == "203.0.113.9" and line["peer"].startswith("127.0.0.1:")


def test_whoever_comes_by_a_unix_socket_may_be_trusted(front):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(str(front.gateway.folder / "passerelle.sock"))
        connection.sendall(request("/old/x", "X-Forwarded-For: 203.0.113.9"))
        assert b"200 OK" in connection.recv(65536)
    assert front.old.told[-1].one("x-forwarded-for") == "203.0.113.9, unix"


def test_the_identity_header_is_believed_from_trusted_proxies_only(front):
    lines = {}
    for name, port in (("stranger", front.gateway.port), ("proxy", front.gateway.words["behind"])):
        with Raw(port) as connection:
            connection.send(request("/v3/orders", "X-Client: panel"))
            fields = connection.read_reply("GET")[1]
        lines[name] = front.gateway.logged(request_id=fields["x-request-id"][0])
    assert lines["proxy"]["client"] == "panel" and lines["proxy"]["client_by"] == "header"
    assert "client" not in lines["stranger"] and "client_by" not in lines["stranger"]


# ---- Request ids ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/old/x", "/v3/orders", "/v3/orders/none", "/nowhere"])
@pytest.mark.parametrize("given,taken", [("mine-7", True), ("a" * 128, True), ("a" * 129, False), ("bad id", False)])
def test_one_id_in_answer_and_log_and_towards_the_instance(front, path, given, taken):
    with Raw(front.gateway.words["behind"]) as connection:
        connection.send(request(path, f"X-Request-Id: {given}"))
        _, fields, body, _ = connection.read_reply("GET")
    (told,) = fields["x-request-id"]
    assert (told == given) == taken
    assert front.gateway.logged(request_id=told, path=path)
    if path == "/old/x":
        assert front.old.told[-1].one("x-request-id") == told
    elif path == "/v3/orders":
        assert front.rpc_told(told)
    elif path == "/nowhere":
        assert f'"request_id":"{told}"'.encode() in body.replace(b" ", b"")


# ---- The PROXY protocol -------------------------------------------------------------------------------

@pytest.mark.parametrize("header", [LINE, BINARY], ids=["line", "binary"])
def test_the_proxy_protocol_tells_the_clients_address(front, header):
    told = front.old_told(front.gateway.words["proxied"], "X-Forwarded-For: 6.6.6.6", before=header)
    assert told.one("x-forwarded-for") == "203.0.113.9"  # who is no trusted proxy
    assert front.gateway.logged(peer="203.0.113.9:56324")


def test_a_trusted_proxy_behind_another_may_speak_for_others(front):
    told = front.old_told(front.gateway.words["proxied"], "X-Forwarded-For: 203.0.113.9",
                          before=LINE.replace(b"203.0.113.9", b"10.9.9.9"))
    assert told.one("x-forwarded-for") == "203.0.113.9, 10.9.9.9"


def test_a_proxy_that_asks_for_itself_speaks_for_others_all_the_same(front):
    told = front.old_told(front.gateway.words["proxied"], "X-Forwarded-For: 203.0.113.9", before=LOCAL)
    assert told.one("x-forwarded-for") == "203.0.113.9, 127.0.0.1"


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", LOCAL.replace(b"\x20", b"\x21"),
                                    LOCAL.replace(b"\x20\0", b"\x21\x31")], ids=["unknown", "unspecified", "unix"])
def test_whoever_is_passed_on_without_an_address_is_not_trusted(front, header):
    told = front.old_told(front.gateway.words["proxied"], "X-Forwarded-For: 6.6.6.6", "X-Client: panel", before=header)
    assert told.one("x-forwarded-for") == "127.0.0.1" and told.one("x-client") is None


@pytest.mark.parametrize("header", [b"", b"PROXY TCP4 203.0.113.9\r\n", b"\r\n\r\n\0\r\nQUIT\n\x41\x11\0\x0c"],
                         ids=["none", "malformed_line", "malformed_binary"])
def test_a_trusted_peer_without_a_good_header_is_sent_away(front, header):
    with Raw(front.gateway.words["proxied"]) as connection:
        assert connection.send(header + request("/old/x")).read_all() == b""
    assert front.gateway.logged(event="proxy_header_refused")


def test_the_header_of_somebody_who_is_not_trusted_is_no_request(front):
    port, before = front.gateway.words["strict"], len(front.old.told)
    with Raw(port) as connection:
        assert b" 200 " not in connection.send(LINE + request("/old/x")).read_all()
    assert len(front.old.told) == before
    assert front.old_told(port).one("x-forwarded-for") == "127.0.0.1"


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_tls_begins_behind_the_proxy_header(front, pieces):
    """The header alone, in pieces, or in one write with what follows."""
    context = ssl.create_default_context(cafile=front.gateway.folder / "server.pem")
    with Raw(front.gateway.words["secure"]) as connection:
        size = -(-len(BINARY) // pieces)
        for at in range(0, len(BINARY), size):
            connection.send(BINARY[at:at + size])
        with context.wrap_socket(connection.socket, server_hostname="localhost") as secure:
            secure.sendall(request("/old/x"))
            assert b"200 OK" in secure.recv(65536)
    told = front.old.told[-1]
    assert (told.one("x-forwarded-for"), told.one("x-forwarded-proto")) == ("203.0.113.9", "https")


# ---- Calls that come back --------------------------------------------------------------------------------



@pytest.fixture
def ring(tmp_path):
    """Two gateways, each of which is the other's instance: no check of one config can know."""
    first, second = free_port(), free_port()
    with contextlib.ExitStack() as running:
        gateways = []
        for name, own, other in (("a", first, second), ("b", second, first)):
            folder = tmp_path / name
            folder.mkdir()
            gateways.append(running.enter_context(
                Gateway(folder, SHOP_CONFIG + OLD, instances=instances(("v3", other)), old=other, port=own)))
        yield gateways


def calls(gateways, path):
    return sum(line.get("path") == path for gateway in gateways for line in gateway.log())


def test_an_opaque_call_that_comes_back_ends_as_a_loop(ring):
    answer = ring[0].http("GET", "/old/x")
    assert answer.status == 508 and answer.json["reason"] == "LOOP_DETECTED"
    assert eventually(lambda: calls(ring, "/old/x") == 3)  # through each, and the one that ends it


def test_an_rpc_that_comes_back_ends_as_a_loop(ring):
    with pytest.raises(grpc.RpcError) as failure:
        client(ring[0], "v3").Get(v3.GetRequest(id="7"), timeout=10)
    assert failure.value.code() == grpc.StatusCode.INTERNAL
    assert eventually(lambda: calls(ring, "/shop.orders.v3.Orders/Get") == 3)


CONNECT = {"Content-Type": "application/json"}
WEB = {"Content-Type": "application/grpc-web", "TE": "trailers"}


@pytest.mark.parametrize("verb, path, fields, body, status, told", [
    ("GET", "/v3/orders", {}, None, 508, b'"code":"INTERNAL"'),
    ("GET", "/old/x", {}, None, 508, b"LOOP_DETECTED"),
    ("POST", "/shop.orders.v3.Orders/List", CONNECT, b"{}", 500, b'"code":"internal"'),
    ("POST", "/shop.orders.v3.Orders/List", WEB, bytes(5), 200, b"grpc-status: 13"),
])
def test_a_loop_is_told_in_each_dialect_as_the_docs_say(tmp_path, verb, path, fields, body, status, told):
    other = "passerelle-0123456789abcdef"
    hops = {"Via": f"1.1 {other}", "Passerelle-Hops": other}
    with Gateway(tmp_path, SHOP_CONFIG + OLD + "limits: {max_hops: 1}\n", instances=instances(("v3", 1)), old=1) as gateway:
        answer = gateway.http(verb, path, body, {**fields, **hops})
        assert answer.status == status and told in answer.body
        line = gateway.logged(path=path)
        assert (line["code"], line["level"], line["causes"][0]["fault"]) == ("INTERNAL", "error", "LOOP_DETECTED")


@pytest.mark.parametrize("passed,status", [(3, 200), (4, 508)])
def test_as_many_gateways_as_max_hops_may_have_been_passed(tmp_path, passed, status):
    others = [f"passerelle-{n:016x}" for n in range(passed)]
    with Http1Backend(ok) as old, Backend("v3") as backend:
        with Gateway(tmp_path, SHOP_CONFIG + OLD + "limits: {max_hops: 4}\n", instances=instances(("v3", backend.port)),
                     old=old.port) as gateway:
            via = ", ".join(f"1.1 {other}" for other in others)
            assert gateway.http("GET", "/old/x", headers={"Via": via}).status == status
            assert gateway.http("GET", "/v3/orders", headers={"Passerelle-Hops": ", ".join(others)}).status == status


def test_a_gateway_that_is_its_own_instance_is_doubted_and_safe(tmp_path):
    port = free_port()
    gateway = Gateway(tmp_path, SHOP_CONFIG + OLD, instances=instances(("v3", port)), old=port, port=port)
    told = gateway.check()
    assert told.returncode == 1 and told.stdout.count("this gateway itself listens on") == 2
    with gateway:
        assert gateway.logged(event="config_doubtful", level="warning")
        assert gateway.http("GET", "/old/x").status == 508
        assert gateway.http("GET", "/v3/orders/7").json["code"] == "INTERNAL"
        assert eventually(lambda: calls([gateway], "/old/x") == 2)
