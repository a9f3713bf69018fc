"""Operators of a gateway: their tokens and certificates, and ways to ask its admin interface."""
import contextlib
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import time

from gateway import BINARY, Answer, Gateway

TOKENS = {"reader": "r" * 40, "ops": "o" * 40}
HASHES = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}

# Clients have names, for what must not be shown of them. The instance is for what operators do to one; nothing listens there.
CONFIG = """
listen: [{address: '127.0.0.1:$port', trusted_proxies: [127.0.0.1]}]
identity_header: x-client-id
admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators:
    - {name: reader, role: read, token_sha256: $reader}
    - {name: ops, role: operate, token_sha256: $ops}
store: store.db
log: "-"
services:
  - name: orders
    versions: [{name: v3, package: shop.orders.v3, schema: $orders}]
    instances: [{address: '127.0.0.1:1', protocol: grpc}]
"""
TLS_CONFIG = CONFIG.replace("  socket:", """\
  tls: {certificate: server.pem, key: server.key, client_ca: ca.pem, client_certificate_optional: true}
  socket:""").replace("  operators:\n", """\
  operators:
    - {name: eve, role: read, certificate: CN=eve}
    - {name: ada, role: operate, certificate: CN=ada}
""")


def openssl(folder, *words):
    subprocess.run(["openssl", *map(str, words)], cwd=folder, check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder: NAME.pem and NAME.key of whatever it signs."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        openssl(folder, "req", "-x509", *self.NEW_KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.pem")

    NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

    def sign(self, name, subject, names="", days=2):
        """`names`: "DNS:localhost,IP:127.0.0.1"; negative days: it has ended."""
        openssl(self.folder, "req", *self.NEW_KEY, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr",
                *(["-addext", f"subjectAltName={names}"] if names else []))
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key",
                "-CAcreateserial", "-copy_extensions", "copy", "-days", days, "-out", f"{name}.pem")

    def sign_until(self, name, subject, end, extensions=""):
        """The same, until a second of the wall clock."""
        self.sign(name, subject)
        (self.folder / "until.txt").write_text("")
        (self.folder / "until.cnf").write_text(
            "[ca]\ndefault_ca = us\n[us]\ndatabase = until.txt\nnew_certs_dir = .\ndefault_md = sha256\nrand_serial = yes\npolicy = any\n"
            f"x509_extensions = more\n[any]\ncommonName = supplied\n[more]\n{extensions}")
        openssl(self.folder, "ca", "-batch", "-config", "until.cnf", "-in", f"{name}.csr", "-cert", f"{self.name}.pem",
                "-keyfile", f"{self.name}.key", "-notext", "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)), "-out", f"{name}.pem")


def make_certificates(folder):
    """For TLS_CONFIG: an authority, the gateway's certificate, and those of operators and of somebody else."""
    authority = Authority(folder)
    authority.sign("server", "/CN=gateway", "DNS:localhost,IP:127.0.0.1")
    for name in ("ada", "eve", "mallory"):
        authority.sign(name, f"/CN={name}")
    return authority


class SecureGateway(Gateway):
    """One whose admin address speaks TLS."""

    def admin(self, path):
        return secure(self)("GET", path)


def plain(gateway, token=None):
    """ask(VERB, PATH, field=value): over TCP, with a token or none."""
    def ask(verb, path, **fields):
        return gateway.http(verb, path, headers=_headers(token, fields), port=gateway.admin_port, timeout=60)
    return ask


def secure(gateway, name=None, token=None):
    """The same with TLS, with the certificate of that name or none."""
    context = ssl.create_default_context(cafile=gateway.folder / "ca.pem")
    if name:
        context.load_cert_chain(gateway.folder / f"{name}.pem", gateway.folder / f"{name}.key")

    def ask(verb, path, **fields):
        connection = http.client.HTTPSConnection("127.0.0.1", gateway.admin_port, timeout=60, context=context)
        try:
            connection.request(verb, path, headers=_headers(token, fields))
            return Answer(connection.getresponse())
        finally:
            connection.close()
    return ask


def on_socket(file, verb, path, headers=None, timeout=60, body=None):
    """The answer on a unix socket."""
    connection = http.client.HTTPConnection("localhost", timeout=timeout)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(timeout)
        connection.sock.connect(str(file))
        connection.request(verb, path, body, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def own_user(gateway):
    """The same on the unix socket."""
    return lambda verb, path, **fields: on_socket(gateway.folder / "admin.sock", verb, path, _headers(None, fields))


class Told:
    """An answer that another process has had."""

    def __init__(self, text):
        self.text = text
        told = json.loads(text)
        self.status, self.body = told["status"], told["body"].encode()

    @property
    def json(self):
        return json.loads(self.body)


NOBODY = ["setpriv", "--reuid", "65534", "--clear-groups"]


@contextlib.contextmanager
def socket_for_others(gateway):
    """A name of the admin socket that others can use, who may not search the folders above, and the descriptors it needs."""
    (gateway.folder / "admin.sock").chmod(0o777)
    gateway.folder.chmod(0o711)
    folder = os.open(gateway.folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/admin.sock", [folder]
    finally:
        os.close(folder)


def other_user(gateway):
    """The same as nobody (65534), on a socket whose mode somebody has loosened. Needs root."""
    script = ("import http.client, json, socket, sys\n"
              "c = http.client.HTTPConnection('localhost', timeout=60); c.sock = socket.socket(socket.AF_UNIX)\n"
              "c.sock.connect(sys.argv[1]); c.request(sys.argv[2], sys.argv[3], headers=json.loads(sys.argv[4]))\n"
              "r = c.getresponse(); print(json.dumps({'status': r.status, 'body': r.read().decode()}))")

    def ask(verb, path, **fields):
        with socket_for_others(gateway) as (name, descriptors):
            done = subprocess.run([*NOBODY, "/usr/bin/python3", "-c", script, name, verb, path, json.dumps(_headers(None, fields))],
                                  pass_fds=descriptors, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return Told(done.stdout)
    return ask


def _headers(token, fields):
    said = {name.replace("_", "-"): value for name, value in fields.items()}
    return {**({"Authorization": f"Bearer {TOKENS.get(token, token)}"} if token is not None else {}), **said}


def command(gateway, *words, stdin="", **environment):
    """passerelle WORD ...: at the unix socket, unless the environment says otherwise."""
    known = {key: value for key, value in os.environ.items() if not key.startswith("PASSERELLE_")}
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, input=stdin, timeout=120, cwd=gateway.folder,
                          env={**known, "PASSERELLE_ADMIN": f"unix:{gateway.folder}/admin.sock", **environment})


def entries(gateway):
    """The audit, newest first."""
    return json.loads(command(gateway, "audit", "--json").stdout)["entries"]
