"""
The gateway and its peers, set up for the same work in front of the same service: each with one event loop.

A peer listens on some of these ports, and has no part in scenarios that need another one:

    h1, h2      in clear, passed on in the same version of HTTP: HTTP/1.1, and HTTP/2 for gRPC
    h1s, h2s    the same for clients in TLS
    mixed       HTTP/1.1 passed on in HTTP/2
    rest        REST, Connect and gRPC-Web, which become gRPC
"""
import pathlib
import re
import resource
import subprocess

from beside import install
from processes import ROOT, Watched, free_port, pinned

CONFIGS = pathlib.Path(__file__).resolve().parent / "configs"
PROXY_CORE, LOAD_CORE = 0, 1


class Setup:
    """What contenders need to know. `upstream`: the service's port. `certificate`, `key`: files, for localhost."""

    def __init__(self, build, folder, upstream):
        self.build, self.folder, self.upstream = build, folder, upstream
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        if not self.key.exists():
            make_certificate(self.certificate, self.key)
        # HAProxy does not start unless it may open two files for each connection that it is to stand.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.connections = 12000 if hard == resource.RLIM_INFINITY else min(12000, hard // 2 - 200)

    def fill_in(self, name, **more):
        """The config of that name, with what is in braces (of two kinds of brackets: << >>) replaced."""
        words = {"upstream": self.upstream, "connections": self.connections, "certificate": self.certificate, "key": self.key,
                 "folder": self.folder, "shop": ROOT / "examples/shop", "orders": self.build / "examples/shop/orders.binpb", **more}
        return re.sub("<<([a-z0-9_]+)>>", lambda found: str(words[found[1]]), (CONFIGS / name).read_text())


def make_certificate(certificate, key):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "60",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    pathlib.Path(f"{key}.pair").write_text(certificate.read_text() + key.read_text())  # HAProxy reads both from one file


class Contender:
    """`ports`: the names of those that it listens on. `config`: a file of configs/; `extension`: what it likes its file to end with."""

    def __init__(self, name, ports, config, extension="conf", **words):
        self.name, self.ports, self.config, self.extension, self.words = name, ports, config, extension, words

    def __repr__(self):
        return self.name

    def command(self, setup, file, ports):
        raise NotImplementedError

    def version(self, setup):
        raise NotImplementedError

    def prepare(self, setup):
        """Installs what may be missing; raises Missing."""

    def start(self, setup, under=(), **words):
        """`words`: more to fill in; `under`: a command that runs it."""
        ports = {name: free_port() for name in self.ports}
        file = setup.folder / f"{self.name.replace(' ', '-')}-{free_port()}.{self.extension}"
        file.write_text(setup.fill_in(self.config, **{**self.words, **ports, **words}))
        running = self.watch(setup, [*under, *self.command(setup, file, ports)], next(iter(ports.values())))
        running.ports, running.file = ports, file
        return running

    def watch(self, setup, command, port):
        """Raises Missing with the last that it said, if it ends before it listens."""
        said = setup.folder / f"{self.name}.errors"
        with open(said, "w") as errors:
            try:
                running = Watched(pinned(PROXY_CORE, command), port, errors)
            except SystemExit as problem:
                lines = said.read_text().strip().splitlines()
                raise install.Missing(f"{problem}: {lines[-1]}" if lines else str(problem)) from None
        running.name = self.name
        return running


def said(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return done.stdout + done.stderr


def found(text, pattern):
    match = re.search(pattern, text)
    return match[1] if match else "unknown"


class Ours(Contender):
    def __init__(self):
        super().__init__("Passerelle", ("h1", "h1s"), "passerelle.yaml", "yaml", services="", routes="", limits="", log="/dev/null")

    def start(self, setup, under=(), **words):
        running = super().start(setup, under, **words)
        clear, tls = running.ports["h1"], running.ports["h1s"]
        running.ports.update(h2=clear, h2s=tls, mixed=clear, rest=clear)
        return running

    def command(self, setup, file, ports):
        return [setup.build / "passerelle", "run", file]

    def version(self, setup):
        commit = said("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
        return f"{found(said(setup.build / 'passerelle', 'version'), r'passerelle ([0-9.]+)')} ({commit})"


class HaProxy(Contender):
    def __init__(self, name="HAProxy", equal=""):
        super().__init__(name, ("h1", "h2", "mixed", "h1s", "h2s"), "haproxy.cfg", "cfg", equal=equal, by_path="", backends="")

    def command(self, setup, file, ports):
        return [install.program("haproxy"), "-db", "-f", file]

    def version(self, setup):
        return found(said(install.program("haproxy"), "-v"), r"version ([0-9.]+)")


# The fields that the gateway adds to requests and responses, and its log.
EQUAL_HAPROXY = """\
    log stdout format raw local0
    option httplog
    unique-id-format %[uuid]
    unique-id-header x-request-id
    option forwardfor
    http-request set-header x-forwarded-proto http
    http-request set-header x-forwarded-host %[req.hdr(host)]
    http-request set-header via "1.1 haproxy-8f5fbd9184d8942c"
    http-response set-header x-request-id %[unique-id]
"""


class Nginx(Contender):
    def __init__(self):
        super().__init__("nginx", ("h1", "h2", "h1s", "h2s"), "nginx.conf")

    def command(self, setup, file, ports):
        return [install.program("nginx"), "-p", setup.folder, "-c", file]

    def version(self, setup):
        return found(said(install.program("nginx"), "-v"), r"nginx/([0-9.]+)")


class Nghttpx(Contender):
    def __init__(self):
        super().__init__("nghttpx", ("h1", "h2", "h1s", "h2s"), "nghttpx.conf")

    def command(self, setup, file, ports):
        return [install.program("nghttpx"), f"--conf={file}"]

    def version(self, setup):
        return found(said(install.program("nghttpx"), "--version"), r"nghttp2/([0-9.]+)")


class Envoy(Contender):
    def __init__(self):
        super().__init__("Envoy", ("h1", "h2", "h1s", "h2s", "rest"), "envoy.yaml", "yaml")

    def prepare(self, setup):
        self.path = install.envoy(setup.build)

    def command(self, setup, file, ports):
        return [self.path, "--concurrency", 1, "--disable-hot-restart", "--log-level", "off", "-c", file]

    def version(self, setup):
        return found(said(self.path, "--version"), r"/([0-9]+\.[0-9.]+)/")


class GoPeer(Contender):
    """A program of loadtest/peers. `module`: the one whose version is told."""

    def __init__(self, name, program, module, ports):
        super().__init__(name, ports, None)
        self.program, self.module = program, module

    def prepare(self, setup):
        self.path = install.go_program(setup.build, self.program)

    def start(self, setup, under=(), **words):
        port = free_port()
        command = ["env", "GOMAXPROCS=1", *under, self.path, f"127.0.0.1:{port}", f"127.0.0.1:{setup.upstream}"]
        running = self.watch(setup, command, port)
        running.ports = dict.fromkeys(self.ports, port)
        return running

    def version(self, setup):
        return install.go_versions()[self.module]


OURS = Ours()
HAPROXY, HAPROXY_EQUAL = HaProxy(), HaProxy("HAProxy, equal", EQUAL_HAPROXY)
NGINX, NGHTTPX = Nginx(), Nghttpx()
ENVOY = Envoy()
GRPC_GATEWAY = GoPeer("grpc-gateway", "grpc_gateway", "github.com/grpc-ecosystem/grpc-gateway/v2", ("rest",))
VANGUARD = GoPeer("Vanguard", "vanguard", "connectrpc.com/vanguard", ("rest", "h2"))
PEERS = (HAPROXY, HAPROXY_EQUAL, NGINX, NGHTTPX, ENVOY, GRPC_GATEWAY, VANGUARD)
