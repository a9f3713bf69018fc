"""Listeners: cleartext and TLS, HTTP/1.1 and HTTP/2 on one port, IPv4, IPv6 and unix sockets."""
import json
import socket
import ssl
import subprocess

import grpc
import pytest
from backends import Backend, client, v1, v3
from certificates import certificate
from gateway import SHOP_CONFIG, Gateway, instances
from processes import free_port

LISTEN = """
listen:
  - address: 127.0.0.1:$port
  - {address: '127.0.0.1:$secure', tls: {certificate: $folder/server.pem, key: $folder/server.key}}
  - address: '[::1]:$six'
  - address: unix:$folder/passerelle.sock
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listeners")
    certificate(folder)
    config = SHOP_CONFIG.replace("\nlisten:\n  - address: 127.0.0.1:$port\n", LISTEN)
    with Backend("v3") as backend:
        with Gateway(folder, config, instances=instances(("v3", backend.port)), secure=free_port(),
                     six=free_port(socket.AF_INET6, "::1")) as running:
            yield running


def curl(*arguments):
    """(body, "HTTP version, status") of one curl call."""
    done = subprocess.run(["curl", "-s", "-w", "\n%{http_version} %{http_code}", *arguments],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done
    return tuple(done.stdout.rsplit("\n", 1))


def test_http1_and_http2_share_a_cleartext_port(gateway):
    url = f"http://127.0.0.1:{gateway.port}/v1/orders"
    assert curl("--http1.1", url)[1] == "1.1 200"
    assert curl("--http2-prior-knowledge", url)[1] == "2 200"


@pytest.mark.parametrize("option,told", [("--http1.1", "1.1 200"), ("--http2", "2 200")])
def test_alpn_chooses_under_tls(gateway, option, told):
    url = f"https://localhost:{gateway.words['secure']}/v1/orders"
    assert curl(option, "--cacert", str(gateway.folder / "server.pem"), "--ipv4", url)[1] == told


def test_grpc_over_tls(gateway):
    roots = (gateway.folder / "server.pem").read_bytes()
    stub = client(gateway, "v1", grpc.ssl_channel_credentials(roots), f"localhost:{gateway.words['secure']}")
    assert stub.List(v1.ListRequest()) == v1.ListResponse()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_before_1_2_is_refused(gateway):
    context = ssl.create_default_context(cafile=gateway.folder / "server.pem")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", gateway.words["secure"]), timeout=10) as plain:
        with pytest.raises(OSError):
            context.wrap_socket(plain, server_hostname="localhost")


def test_cleartext_on_the_tls_port_is_refused(gateway):
    with socket.create_connection(("127.0.0.1", gateway.words["secure"]), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        try:
            while piece := plain.recv(4096):
                answer += piece
        except ConnectionResetError:
            pass
        assert b"HTTP/1.1 200" not in answer


def test_ipv6(gateway):
    assert curl(f"http://[::1]:{gateway.words['six']}/v1/orders")[1] == "1.1 200"


def test_unix_socket(gateway):
    path = str(gateway.folder / "passerelle.sock")
    body, told = curl("--unix-socket", path, "http://shop/v1/orders")
    assert told == "1.1 200" and json.loads(body) == {}
    assert client(gateway, "v3", address=f"unix:{path}").List(v3.ListRequest()) == v3.ListResponse()


def test_the_log_says_by_which_listener_a_call_came(gateway):
    curl("--unix-socket", str(gateway.folder / "passerelle.sock"), "http://shop/v2/orders")
    assert gateway.logged(path="/v2/orders")["listener"].startswith("unix:")


def test_an_instance_is_reached_over_tls(tmp_path):
    certificate(tmp_path, "backend")
    pair = ("--certificate", str(tmp_path / "backend.pem"), "--key", str(tmp_path / "backend.key"))
    with Backend("v3", arguments=pair) as backend:
        listed = (f"[{{address: 'localhost:{backend.port}', protocol: grpc, versions: [v3], "
                  f"tls: {{ca: {tmp_path}/backend.pem}}}}]")
        with Gateway(tmp_path, instances=listed) as gateway:
            assert gateway.http("GET", "/v1/orders").status == 200


def test_an_instance_whose_certificate_is_not_trusted_is_not_spoken_to(tmp_path):
    certificate(tmp_path, "backend")
    certificate(tmp_path, "stranger")
    pair = ("--certificate", str(tmp_path / "backend.pem"), "--key", str(tmp_path / "backend.key"))
    with Backend("v3", arguments=pair) as backend:
        listed = (f"[{{address: 'localhost:{backend.port}', protocol: grpc, versions: [v3], "
                  f"tls: {{ca: {tmp_path}/stranger.pem}}}}]")
        with Gateway(tmp_path, instances=listed) as gateway:
            answer = gateway.http("GET", "/v1/orders")
            assert answer.status == 503 and "certificate" in answer.body.decode()
        assert not backend.told("call")
