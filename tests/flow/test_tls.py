"""TLS towards clients and instances: what is agreed on, by which names, whose certificates, and which sessions go on."""
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from gateway import Gateway
from http1_backend import Http1Backend
from operators import Authority, command, openssl
from processes import eventually, free_port

NAMES = """{
      certificate: $folder/default.pem,
      key: $folder/default.key,
      certificates: [{certificate: $folder/shop.pem, key: $folder/shop.key}, {certificate: $folder/rsa.pem, key: $folder/rsa.key},
                     {certificate: $folder/star.pem, key: $folder/star.key}]}
"""
CONFIG = f"""
listen:
  - 127.0.0.1:$port
  - address: 127.0.0.1:$secure
    tls: {NAMES}
  - address: 127.0.0.1:$second
    tls: {NAMES}
  - address: 127.0.0.1:$known
    tls:
      certificate: $folder/default.pem
      key: $folder/default.key
      client_ca: $folder/ca.pem
      client_crl: $folder/revoked.pem
admin: {{address: "127.0.0.1:$admin", socket: "unix:$folder/admin.sock"}}
log: "-"
loops: 2
upgrade: {{steady: 0s}}
limits: {{session_time: 1h}}
routes: [{{match: /, instances: ['127.0.0.1:$backend']}}]
"""


def answer(peer, told, body):
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def make_certificates(folder):
    authority = Authority(folder)
    authority.sign("default", "/CN=default", "DNS:localhost,IP:127.0.0.1")
    authority.sign("shop", "/CN=shop", "DNS:shop.example")
    authority.sign("star", "/CN=star", "DNS:*.star.example")
    authority.NEW_KEY = ("-newkey", "rsa:2048", "-nodes")
    authority.sign("rsa", "/CN=rsa", "DNS:shop.example")
    authority.NEW_KEY = Authority.NEW_KEY
    for name in ("panel", "old"):
        authority.sign(name, f"/CN={name}")
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca = us\n[us]\ndatabase = index.txt\ndefault_md = sha256\ncrlnumber = number\n")
    (folder / "number").write_text("01\n")
    revoke(folder)
    return authority


def revoke(folder, *names):
    """A new list, with these besides."""
    ca = ["ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem"]
    for name in names:
        openssl(folder, *ca, "-revoke", f"{name}.pem")
    openssl(folder, *ca, "-gencrl", "-crldays", "2", "-out", "revoked.pem")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    with Http1Backend(answer) as backend:
        with Gateway(folder, CONFIG, options=["--supervise"], backend=backend.port,
                     **{name: free_port() for name in ("secure", "second", "known")}) as running:
            yield running


def trusting(gateway, name=None, version=None):
    context = ssl.create_default_context(cafile=gateway.folder / "ca.pem")
    context.check_hostname = False
    if name:
        context.load_cert_chain(gateway.folder / f"{name}.pem", gateway.folder / f"{name}.key")
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class Call:
    """One request on a connection of its own; `session` is to be resumed."""

    def __init__(self, gateway, context, host="localhost", to="secure", session=None):
        with socket.create_connection(("127.0.0.1", gateway.words[to]), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname=host, session=session) as secure:
                secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                response = http.client.HTTPResponse(secure)
                response.begin()
                assert (response.status, response.read()) == (200, b"ok")
                self.certificate, self.cipher = secure.getpeercert(), secure.cipher()
                self.session, self.resumed = secure.session, secure.session_reused

    @property
    def subject(self):
        return dict(part[0] for part in self.certificate["subject"])["commonName"]


def s_client(gateway, *options, to="secure"):
    """What OpenSSL's client tells of a handshake."""
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.words[to]}", *options],
                          input="", capture_output=True, text=True, timeout=20).stdout


# ---- What is agreed on ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options,agreed", [
    (["-tls1_3"], True),
    (["-tls1_2"], True),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], True),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], False),  # no AEAD
    (["-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384", "-servername", "shop.example"], False),  # no forward secrecy
    (["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256", "-servername", "shop.example"], False),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False),
])
def test_only_modern_ciphers_are_agreed_on(gateway, options, agreed):
    assert ("New, (NONE), Cipher is (NONE)" not in s_client(gateway, *options)) == agreed


def test_there_is_no_compression_and_no_renegotiation(gateway):
    with socket.create_connection(("127.0.0.1", gateway.words["secure"]), timeout=20) as plain:
        with trusting(gateway, version=ssl.TLSVersion.TLSv1_2).wrap_socket(plain, server_hostname="x") as secure:
            assert secure.compression() is None
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.words['secure']}", "-tls1_2"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    told, _ = process.communicate(b"R\n", timeout=20)
    assert b"RENEGOTIATING" in told and b"no renegotiation" in told


# ---- Names ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("host,subject", [
    ("star.example", "default"), ("a.star.example", "star"), ("a.b.star.example", "default"), ("unknown.example", "default")])
def test_a_client_gets_the_certificate_of_the_name_that_it_asks_for(gateway, host, subject):
    assert Call(gateway, trusting(gateway), host).subject == subject


@pytest.mark.parametrize("kind,subject", [("ECDSA", "shop"), ("RSA-PSS", "rsa")])
def test_of_several_certificates_for_a_name_a_client_gets_one_whose_key_it_knows(gateway, kind, subject):
    told = s_client(gateway, "-servername", "shop.example", "-sigalgs", f"{kind}+SHA256")
    assert f"subject=CN = {subject}" in told


# ---- Sessions ------------------------------------------------------------------------------------------------------

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_session_goes_on_at_each_loop_and_listener(gateway, version):
    context = trusting(gateway, version=version)
    first = Call(gateway, context)
    assert not first.resumed
    assert all(Call(gateway, context, to=to, session=first.session).resumed for to in ("secure", "second") * 4)


@VERSIONS
def test_a_session_goes_on_after_a_reload_and_an_upgrade(gateway, version):
    context = trusting(gateway, version=version)
    session = Call(gateway, context).session
    loaded = len(gateway.events("config_loaded"))
    gateway.reload()
    eventually(lambda: len(gateway.events("config_loaded")) > loaded)
    assert Call(gateway, context, session=session).resumed
    assert command(gateway, "upgrade", "--why", "a test").returncode == 0
    assert Call(gateway, context, session=session).resumed


def test_a_session_does_not_go_on_where_clients_have_to_show_who_they_are(gateway):
    context = trusting(gateway, version=ssl.TLSVersion.TLSv1_2)
    session = Call(gateway, context).session
    with pytest.raises((ssl.SSLError, OSError)):
        Call(gateway, context, to="known", session=session)


# ---- Certificates of clients ---------------------------------------------------------------------------------------

@VERSIONS
def test_a_revoked_client_is_refused_also_with_a_session_from_before(gateway, version):
    panel, old = trusting(gateway, "panel", version), trusting(gateway, "old", version)
    revoke(gateway.folder)
    reload_now(gateway)
    session = Call(gateway, old, to="known").session
    assert Call(gateway, old, to="known", session=session).resumed
    shutil.copy(gateway.folder / "index.txt", gateway.folder / "none.txt")
    revoke(gateway.folder, "old")
    reload_now(gateway)
    for again in (None, session):
        with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
            Call(gateway, old, to="known", session=again)
    assert Call(gateway, panel, to="known").subject == "default"
    shutil.copy(gateway.folder / "none.txt", gateway.folder / "index.txt")


ENDING = """
listen:
  - address: 127.0.0.1:$known
    tls: {certificate: $folder/default.pem, key: $folder/default.key, client_ca: $folder/ca.pem}
  - address: 127.0.0.1:$listed
    tls: {certificate: $folder/default.pem, key: $folder/default.key, client_ca: $folder/ca.pem, client_crl: $folder/revoked.pem}
  - address: 127.0.0.1:$optional
    tls: {certificate: $folder/default.pem, key: $folder/default.key, client_ca: $folder/ca.pem, client_certificate_optional: true}
admin: {address: "127.0.0.1:$admin"}
log: "-"
limits: {session_time: 1h}
routes: [{match: /, instances: ['127.0.0.1:$backend']}]
"""


def is_served(gateway, context, **how):
    try:
        return Call(gateway, context, **how).resumed or "without resumption"
    except (ssl.SSLError, OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("ending,to", [("certificate", "known"), ("certificate", "optional"), ("authority", "known"), ("list", "listed")])
def test_a_session_ends_with_what_proved_it(tmp_path, ending, to):
    """The certificate of the client, an authority of its chain, the list of revocations."""
    authority = make_certificates(tmp_path)
    seconds = 14  # for a slow machine to start a gateway and make four calls
    end = time.time() + seconds
    if ending == "authority":
        authority.sign_until("middle", "/CN=middle", end, "basicConstraints = critical, CA:true\n")
        Authority.sign(Middle(tmp_path), "brief", "/CN=brief")
        with open(tmp_path / "brief.pem", "a") as chain:
            chain.write((tmp_path / "middle.pem").read_text())
    elif ending == "certificate":
        authority.sign_until("brief", "/CN=brief", end)
    else:
        authority.sign("brief", "/CN=brief")
        openssl(tmp_path, "ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-gencrl", "-crlsec", seconds, "-out",
                "revoked.pem")
    with Http1Backend(answer) as backend:
        with Gateway(tmp_path, ENDING, backend=backend.port, **{name: free_port() for name in ("known", "listed", "optional")}) as gateway:
            contexts = [trusting(gateway, "brief", version) for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
            sessions = [Call(gateway, context, to=to).session for context in contexts]
            again = [Call(gateway, context, to=to, session=session) for context, session in zip(contexts, sessions)]
            assert all(call.resumed for call in again)
            time.sleep(max(0, end + 1.2 - time.time()))
            for context, session, call in zip(contexts, sessions, again):
                assert not is_served(gateway, context, to=to)
                assert not is_served(gateway, context, to=to, session=session)
                assert not is_served(gateway, context, to=to, session=call.session)  # the end goes on with the session


def test_a_session_goes_on_where_another_list_of_the_same_authority_has_ended(tmp_path):
    make_certificates(tmp_path)
    good = (tmp_path / "revoked.pem").read_text()
    openssl(tmp_path, "ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem", "-gencrl", "-crlsec", 1, "-out", "revoked.pem")
    with open(tmp_path / "revoked.pem", "a") as both:
        both.write(good)
    time.sleep(2)
    with Http1Backend(answer) as backend:
        with Gateway(tmp_path, ENDING, backend=backend.port, **{name: free_port() for name in ("known", "listed", "optional")}) as gateway:
            panel = trusting(gateway, "panel")
            assert Call(gateway, panel, to="listed", session=Call(gateway, panel, to="listed").session).resumed


class Middle(Authority):
    def __init__(self, folder):
        self.folder, self.name = folder, "middle"


def reload_now(gateway):
    loaded = len(gateway.events("config_loaded"))
    gateway.reload()
    eventually(lambda: len(gateway.events("config_loaded")) > loaded)


# ---- Rotation ------------------------------------------------------------------------------------------------------

def test_certificates_are_rotated_under_load_without_a_lost_call(tmp_path):
    authority = make_certificates(tmp_path)
    lost, n, over = [], [], threading.Event()
    with Http1Backend(answer) as backend, Gateway(tmp_path, CONFIG, backend=backend.port, **{
            name: free_port() for name in ("secure", "second", "known")}) as gateway:
        def call(host):
            context = trusting(gateway)
            while not over.is_set():
                try:
                    Call(gateway, context, host)
                    n.append(host)
                except (OSError, AssertionError, http.client.HTTPException) as failure:
                    lost.append(repr(failure))

        threads = [threading.Thread(target=call, args=(host,), daemon=True) for host in ("localhost", "shop.example")]
        for thread in threads:
            thread.start()
        for turn in range(4):
            authority.sign("default", f"/CN=turn {turn}", "DNS:localhost")
            before = len(n)
            reload_now(gateway)
            eventually(lambda: len(n) > before + 4)
        over.set()
        for thread in threads:
            thread.join(20)
        assert lost == []
        assert Call(gateway, trusting(gateway)).subject == "turn 3"


def test_when_certificates_end_is_a_metric_and_a_warning(gateway):
    ends = subprocess.run(["openssl", "x509", "-in", gateway.folder / "default.pem", "-noout", "-enddate"],
                          capture_output=True, text=True, check=True).stdout.split("=")[1].strip()
    expected = ssl.cert_time_to_seconds(ends)
    where = f"listener 127.0.0.1:{gateway.words['secure']}"
    shown = gateway.metric("passerelle_certificate_ends_timestamp_seconds", where=where)
    assert abs(shown - expected) < 60 and shown <= expected + 1 and shown > time.time()
    assert any(where in line["message"] and line["level"] == "warning" for line in gateway.events("certificate_ends"))


def test_what_openssl_holds_is_counted_until_its_connections_end(gateway):
    def held():
        return gateway.metric("passerelle_memory_bytes", kind="tls")

    before, opened = held(), []
    assert before > 0
    for _ in range(100):
        plain = socket.create_connection(("127.0.0.1", gateway.words["secure"]), timeout=20)
        opened.append(trusting(gateway).wrap_socket(plain, server_hostname="localhost"))
    eventually(lambda: held() > before + 100 * 4096)
    for secure in opened:
        secure.close()
    eventually(lambda: held() < before + 100 * 1024)


# ---- Instances -----------------------------------------------------------------------------------------------------

INSTANCE = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
log: "-"
errors: full
routes:
  - {match: /right/, instances: [{address: '127.0.0.1:$backend', tls: {ca: $folder/ca.pem, spiffe: 'spiffe://shop.example/orders'}}]}
  - {match: /wrong/, instances: [{address: 'localhost:$backend', tls: {ca: $folder/ca.pem, spiffe: 'spiffe://shop.example/other'}}]}
  - {match: /named/, instances: [{address: 'localhost:$backend', tls: {ca: $folder/ca.pem, name: orders.example}}]}
"""


def test_an_instance_is_known_by_its_spiffe_id(tmp_path):
    Authority(tmp_path).sign("orders", "/CN=orders", "URI:spiffe://shop.example/orders")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "orders.pem", tmp_path / "orders.key")
    backend = Http1Backend(answer)
    backend.listener = context.wrap_socket(backend.listener, server_side=True, do_handshake_on_connect=False)
    with backend, Gateway(tmp_path, INSTANCE, backend=backend.port) as gateway:
        assert gateway.http("GET", "/right/").status == 200
        wrong = gateway.http("GET", "/wrong/")
        assert wrong.status == 503 and b"does not have the SPIFFE id" in wrong.body, json.dumps(wrong.json)
        named = gateway.http("GET", "/named/")
        assert named.status == 503 and b"ostname mismatch" in named.body
