"""How commands reach the admin interface: addresses, tokens, TLS, and what they say when they do not."""
import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest
from gateway import BINARY, Gateway
from operators import CONFIG, HASHES, TLS_CONFIG, TOKENS, Authority, SecureGateway, command, entries, make_certificates
from processes import eventually


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with Gateway(tmp_path_factory.mktemp("plain"), CONFIG, **HASHES) as running:
        yield running


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secure")
    authority = make_certificates(folder)
    with SecureGateway(folder, TLS_CONFIG, **HASHES) as running:
        running.authority = authority
        yield running


def token_file(gateway, text, mode=0o600):
    path = gateway.folder / "token"
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def at(gateway, word, *words, scheme="", host="127.0.0.1", **environment):
    return command(gateway, word, "--admin", f"{scheme}{host}:{gateway.admin_port}", *words, **environment)


# ---- Addresses and tokens ---------------------------------------------------------------------------------------------


def test_a_gateway_is_reached_by_each_spelling_of_its_address(gateway):
    for address in (f"unix:{gateway.folder}/admin.sock", f"{gateway.folder}/admin.sock", f"127.0.0.1:{gateway.admin_port}",
                    f"localhost:{gateway.admin_port}", f"http://127.0.0.1:{gateway.admin_port}",
                    f"http://localhost:{gateway.admin_port}/"):
        assert command(gateway, "fleet", "--admin", address).returncode == 0
        assert command(gateway, "fleet", PASSERELLE_ADMIN=address).returncode == 0
    for path in ("admin.sock", "./admin.sock", "unix:admin.sock"):
        done = subprocess.run([BINARY, "fleet", "--admin", path], cwd=gateway.folder, capture_output=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr


def test_the_option_comes_before_the_environment(gateway):
    assert command(gateway, "fleet", "--admin", "unix:/none", PASSERELLE_ADMIN=f"unix:{gateway.folder}/admin.sock").returncode == 3


def test_a_token_comes_from_a_file_or_the_environment(gateway):
    for text in (TOKENS["ops"], TOKENS["ops"] + "\n", TOKENS["ops"] + "\r\n"):
        done = at(gateway, "reload", "--token-file", token_file(gateway, text))
        assert (done.returncode, done.stderr) == (0, "")
    assert at(gateway, "reload", PASSERELLE_TOKEN=TOKENS["ops"]).returncode == 0
    assert at(gateway, "reload", "--token-file", token_file(gateway, TOKENS["reader"]), PASSERELLE_TOKEN=TOKENS["ops"]).returncode == 1
    reading, writing = os.pipe()
    os.write(writing, TOKENS["ops"].encode())
    os.close(writing)
    done = subprocess.run([BINARY, "reload", "--admin", f"127.0.0.1:{gateway.admin_port}", "--token-file", f"/dev/fd/{reading}"],
                          pass_fds=[reading], capture_output=True, text=True, timeout=60)
    os.close(reading)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_token_in_a_fifo_is_refused_at_once(gateway, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for done in (at(gateway, "reload", "--token-file", tmp_path / "fifo"),
                 command(gateway, "reload", "--admin", f"unix:{gateway.folder}/admin.sock", "--token-file", tmp_path / "fifo")):
        assert done.returncode == 2 and "it is a FIFO, not a file" in done.stderr


def test_a_file_that_every_user_may_read_is_warned_of(gateway):
    for mode, warned in ((0o600, False), (0o640, False), (0o604, True), (0o644, True)):
        done = at(gateway, "reload", "--token-file", token_file(gateway, TOKENS["ops"], mode))
        assert done.returncode == 0
        assert ("warning: every user of this machine may use the token" in done.stderr) == warned


def test_what_is_no_token_is_2_and_never_shown(gateway):
    for text in ("", "\n", "a b", "secret\nmore", "secret\x00", "sécret", "s" * 4096):
        done = at(gateway, "reload", "--token-file", token_file(gateway, text))
        assert (done.returncode, done.stdout) == (2, "")
        assert "has no token" in done.stderr and "s" * 9 not in done.stderr and "secret" not in done.stderr
    assert at(gateway, "reload", "--token-file", token_file(gateway, "s" * 4095)).returncode == 1
    done = at(gateway, "reload", "--token-file", "/none")
    assert done.returncode == 2 and "/none: No such file or directory" in done.stderr
    assert at(gateway, "reload", PASSERELLE_TOKEN="a\r\nb: c").returncode == 2


def test_there_is_no_way_to_put_a_token_on_the_command_line(gateway):
    assert at(gateway, "reload", "--token", TOKENS["ops"]).returncode == 2


def test_a_refusal_says_what_is_missing_and_is_1(gateway):
    done = at(gateway, "reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "passerelle reload: the gateway refuses (401): this needs the role operate" in done.stderr
    done = at(gateway, "reload", "--json", PASSERELLE_TOKEN=TOKENS["reader"])
    assert done.returncode == 1 and "refuses (403): reader has the role read; this needs operate" in done.stderr
    assert json.loads(done.stdout)["status"] == 403
    done = at(gateway, "reload", "--json", "--quiet", PASSERELLE_TOKEN=TOKENS["reader"])
    assert (done.returncode, done.stdout) == (1, "") and done.stderr


@contextlib.contextmanager
def server(answer, family=socket.AF_INET, name=("127.0.0.1", 0)):
    """Something else that listens: `answer` gets each connection. Gives the address, and what was read."""
    with socket.socket(family) as listening:
        listening.bind(name)
        listening.listen()
        listening.settimeout(30)
        heard = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(30)
                        heard.append(connection.recv(65536))
                        answer(connection)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield name if family == socket.AF_UNIX else "127.0.0.1:%d" % listening.getsockname()[1], heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_a_token_is_never_sent_to_a_unix_socket(gateway, tmp_path):
    """Somebody may have put another socket, or a link to one, at the place."""
    fake, link = str(tmp_path / "fake.sock"), tmp_path / "admin.sock"
    link.symlink_to(fake)
    with server(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), socket.AF_UNIX, fake) \
            as (_, heard):
        for path in fake, link:
            done = command(gateway, "reload", "--admin", path, PASSERELLE_TOKEN=TOKENS["ops"])
            assert done.returncode == 1 and "this is not the admin listener of a gateway" in done.stderr
    assert len(heard) == 2 and all(b"POST /reload" in text and b"uthorization" not in text for text in heard)


@pytest.mark.parametrize("answer,told", [
    (b"", "it broke off"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "it broke off"),
    (b"SSH-2.0-OpenSSH_9.2p1\r\n", "what answers there does not speak HTTP"),
    (b"\x15\x03\x01\x00\x02\x02\x46", "it wants TLS: write https://"),
])
def test_who_does_not_speak_http_is_no_gateway(gateway, answer, told):
    with server(lambda connection: connection.sendall(answer)) as (address, _):
        done = command(gateway, "audit", "--admin", address)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"no gateway answers at {address}: {told}" in done.stderr


@pytest.mark.parametrize("body", [b"[]", b"{", b"null", b"<html>", b'{"entries":[]}x', b""])
@pytest.mark.parametrize("word", ["audit", "fleet", "reload"])
def test_a_page_of_something_else_is_no_answer(gateway, body, word):
    page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with server(lambda connection: connection.sendall(page)) as (address, _):
        for more in [], ["--json"]:
            done = command(gateway, word, "--admin", address, *more)
            assert (done.returncode, done.stdout) == (1, "")
            assert "this is not the admin listener of a gateway" in done.stderr


def test_a_refusal_of_something_else_is_shown_without_what_a_terminal_obeys(gateway):
    page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\n\x1b[2J\xc2\x9b31m\xff\r\n"
    with server(lambda connection: connection.sendall(page)) as (address, _):
        done = command(gateway, "audit", "--json", "--admin", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the gateway refuses (502): \\x1b[2J\\u009b31m\ufffd" in done.stderr and "\x1b" not in done.stderr


def test_who_answers_slowly_is_given_up(gateway):
    """Ten seconds in all, not for each byte."""
    def trickle(connection):
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b" " * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.5)
    with server(trickle) as (address, _):
        began = time.monotonic()
        done = command(gateway, "audit", "--admin", address)
        assert (done.returncode, "Connection timed out" in done.stderr) == (3, True)
        assert 9 < time.monotonic() - began < 30


def test_a_reason_is_one_line(gateway):
    for why in ("a\r\nAuthorization: Bearer x", "a\nb", "a\x1b[31mb", "a\x7f", b"\xff", "w" * 1001):
        done = command(gateway, "reload", "--why", why) if isinstance(why, str) else subprocess.run(
            [BINARY, "reload", "--admin", f"{gateway.folder}/admin.sock", "--why", why], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--why is one line of text, at most 1000 bytes" in done.stderr
    assert command(gateway, "reload", "--why", "w" * 1000).returncode == 0
    assert entries(gateway)[0]["why"] == "w" * 1000


# ---- TLS --------------------------------------------------------------------------------------------------------------


def test_a_certificate_or_a_token_operates_over_tls(secure):
    token = token_file(secure, TOKENS["ops"])
    for host in "127.0.0.1", "localhost":
        done = at(secure, "reload", "--ca", "ca.pem", "--cert", "ada.pem", "--key", "ada.key", scheme="https://", host=host)
        assert (done.returncode, done.stderr) == (0, "")
        done = at(secure, "reload", "--ca", "ca.pem", "--token-file", token, scheme="https://", host=host)
        assert (done.returncode, done.stderr) == (0, "")
    assert [entry["by"] for entry in entries(secure)] == ["token", "certificate"] * 2
    done = at(secure, "reload", "--ca", "ca.pem", "--cert", "eve.pem", "--key", "eve.key", scheme="https://")
    assert done.returncode == 1 and "eve has the role read" in done.stderr
    assert at(secure, "audit", "--ca", "ca.pem", "--cert", "eve.pem", "--key", "eve.key", scheme="https://").returncode == 0
    done = at(secure, "audit", "--ca", "ca.pem", "--cert", "mallory.pem", "--key", "mallory.key", scheme="https://")
    assert done.returncode == 1 and "refuses (401)" in done.stderr


@pytest.mark.parametrize("of, days, why", [("other", 2, "unable to get local issuer certificate"),
                                           ("ca", -1, "certificate has expired")])
def test_a_certificate_that_is_not_valid_leaves_a_trace(secure, of, days, why):
    authority = Authority(secure.folder, "other") if of == "other" else secure.authority
    authority.sign("forged", "/CN=ada", days=days)
    counted = secure.metric("passerelle_admin_refused_total", reason="certificate")
    done = at(secure, "audit", "--ca", "ca.pem", "--cert", "forged.pem", "--key", "forged.key", scheme="https://")
    assert done.returncode == 3
    line = eventually(lambda: next((line for line in secure.events("admin_refused") if why in line["message"]), None))
    assert line["reason"] == "certificate" and line["peer"].startswith("127.0.0.1:") and "request" not in line
    assert secure.metric("passerelle_admin_refused_total", reason="certificate") == counted + 1


def unreached(done, told):
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert told in done.stderr, done.stderr


def test_a_certificate_of_another_authority_is_refused(secure, tmp_path):
    Authority(tmp_path, "other")
    for more in [], ["--ca", tmp_path / "other.pem"]:
        unreached(at(secure, "audit", *more, scheme="https://"), "the gateway's certificate is of another authority")


def test_a_certificate_for_another_name_is_refused(secure):
    folder = secure.folder
    authority = Authority(folder, "second")
    authority.sign("elsewhere", "/CN=localhost", "DNS:gw2.internal")
    with tls_server(folder / "elsewhere.pem", folder / "elsewhere.key") as port:
        for host in "localhost", "127.0.0.1":
            done = command(secure, "audit", "--admin", f"https://{host}:{port}", "--ca", "second.pem")
            unreached(done, "the gateway's certificate is for another name")


@contextlib.contextmanager
def tls_server(certificate, key, authorities=None, **settings):
    """A server that ends after its handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authorities:
        context.load_verify_locations(authorities)
    for name, value in settings.items():
        setattr(context, name, value)

    def serve(listening):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.settimeout(30)
                with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
                    try:
                        wrapped.do_handshake()
                    except OSError:  # bytes that nobody has read would turn the end into a reset, which overtakes the alert
                        wrapped.settimeout(1)
                        with contextlib.suppress(OSError, ValueError):
                            socket.socket.recv(wrapped, 65536)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


def test_a_certificate_that_has_ended_is_refused(secure):
    authority = Authority(secure.folder, "third")
    authority.sign("old", "/CN=localhost", "DNS:localhost,IP:127.0.0.1", days=-1)
    with tls_server(secure.folder / "old.pem", secure.folder / "old.key") as port:
        done = command(secure, "audit", "--admin", f"https://localhost:{port}", "--ca", "third.pem")
    unreached(done, "the gateway's certificate is not valid: certificate has expired")


def test_tls_where_there_is_none_and_none_where_there_is(gateway, secure):
    unreached(at(gateway, "audit", scheme="https://"), "there is no TLS")
    unreached(at(secure, "audit"), "it ")  # libh2o closes, or sends an alert


def test_an_operators_certificate_that_is_not_accepted(tmp_path):
    authority = make_certificates(tmp_path)
    authority.sign("late", "/CN=ada", days=-1)
    Authority(tmp_path, "foreign").sign("stranger", "/CN=ada")
    config = TLS_CONFIG.replace(", client_certificate_optional: true", "")

    class Strict(SecureGateway):
        def ready(self):
            return at(self, "fleet", "--ca", "ca.pem", "--cert", "ada.pem", "--key", "ada.key", scheme="https://").returncode == 0

    with Strict(tmp_path, config, **HASHES) as strict:
        unreached(at(strict, "audit", "--ca", "ca.pem", scheme="https://"), "it may want a certificate of the operator")
        for name in "late", "stranger":
            done = at(strict, "audit", "--ca", "ca.pem", "--cert", f"{name}.pem", "--key", f"{name}.key", scheme="https://")
            unreached(done, "it may not accept our certificate")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_alert_about_the_certificate_is_told(secure, version):
    """libh2o sends none, others do."""
    Authority(secure.folder, "foreign").sign("stranger", "/CN=ada")
    with tls_server(secure.folder / "server.pem", secure.folder / "server.key", authorities=secure.folder / "ca.pem",
                    verify_mode=ssl.CERT_REQUIRED, maximum_version=version) as port:
        asked = ["audit", "--admin", f"https://localhost:{port}", "--ca", "ca.pem"]
        unreached(command(secure, *asked, "--cert", "stranger.pem", "--key", "stranger.key"),
                  "the gateway does not accept our certificate: ")
        if version == ssl.TLSVersion.TLSv1_3:  # before, the alert is a general one
            unreached(command(secure, *asked), "the gateway wants a certificate of the operator")


@pytest.mark.parametrize("words,told", [
    (["--ca", "none.pem"], "none.pem"),
    (["--ca", "ca.key"], "ca.key"),
    (["--cert", "none.pem", "--key", "ada.key"], "none.pem"),
    (["--cert", "ada.pem", "--key", "eve.key"], "does not match"),
    (["--cert", "ada.pem"], "--cert and --key belong together"),
    (["--key", "ada.key"], "--cert and --key belong together"),
])
def test_files_that_are_wrong_are_2(secure, words, told):
    done = at(secure, "audit", *words, scheme="https://")
    assert (done.returncode, done.stdout) == (2, "") and told in done.stderr


def test_files_for_tls_without_tls_are_2(gateway):
    for words in ["--ca", "x.pem"], ["--cert", "x.pem", "--key", "x.key"]:
        for address in [], ["--admin", f"127.0.0.1:{gateway.admin_port}"]:
            done = command(gateway, "audit", *words, *address)
            assert done.returncode == 2 and "are for TLS" in done.stderr


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_is_1_2_at_least(secure):
    with tls_server(secure.folder / "server.pem", secure.folder / "server.key", maximum_version=ssl.TLSVersion.TLSv1_1,
                    minimum_version=ssl.TLSVersion.TLSv1) as port:
        unreached(command(secure, "audit", "--admin", f"https://localhost:{port}", "--ca", "ca.pem"), "TLS: ")
