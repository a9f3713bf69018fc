"""The package on a Debian of its own: it is installed, serves, is upgraded under load, and purged.

    run.py PACKAGE.deb [ROOT]

ROOT is a folder with a minimal Debian 12, made by debootstrap if it is not there. Needs root. The unit is judged by
systemd-analyze; there is no systemd in the folder, so the supervisor is started as the unit starts it.
"""
import contextlib
import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MOST_EXPOSED = 2.0  # what systemd-analyze may say of the unit
BEFORE, AFTER = 1, 2  # seconds of load beside the upgrade
HERE = pathlib.Path(__file__).resolve().parents[2]


class Root:
    """The folder, and what runs in it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        if not (self.folder / "bin/sh").exists():
            print(f"debootstrap {folder}", flush=True)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["debootstrap", "--variant=minbase", "bookworm", folder], check=True,
                           stdout=subprocess.DEVNULL)
        shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        self.run("apt-get", "update", "-q")

    def run(self, *command, **options):
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(["chroot", self.folder, *command], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        if done.returncode:
            sys.exit(f"{' '.join(command)} ends with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def install(self, package):
        shutil.copy(package, self.folder / "root/package.deb")
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", "/root/package.deb")

    def files(self):
        """What is there, but for what apt and dpkg write down of their own."""
        left_out = ("proc", "sys", "dev", "tmp", "root", "run", "var/cache/apt", "var/cache/debconf", "var/cache/ldconfig",
                    "var/lib/apt", "var/lib/dpkg", "var/log/apt", "var/log/dpkg.log", "var/log/alternatives.log")
        return {str(path) for path in map(lambda p: p.relative_to(self.folder), self.folder.rglob("*"))
                if not str(path).startswith(left_out)}


class Instance(http.server.BaseHTTPRequestHandler):
    """What the example config sends calls to."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


class Load(threading.Thread):
    """Calls, each on a connection of its own; what goes wrong is kept."""

    def __init__(self):
        super().__init__()
        self.good, self.wrong, self.ended = 0, [], False
        self.start()

    def run(self):
        while not self.ended:
            try:
                with urllib.request.urlopen("http://127.0.0.1:8080/x", timeout=10) as response:
                    assert response.read() == b"ok\n"
                self.good += 1
            except OSError as error:
                self.wrong.append(str(error))

    def end(self):
        self.ended = True
        self.join()


def exposure():
    told = subprocess.run(["systemd-analyze", "security", "--offline=yes", HERE / "debian/passerelle.service"],
                          capture_output=True, text=True, check=True).stdout
    return float(told.rsplit("passerelle.service:", 1)[1].split()[0])


def newer(package, folder):
    """The same package under a later version, as the next release would be."""
    content = pathlib.Path(folder) / "content"
    subprocess.run(["dpkg-deb", "-R", package, content], check=True)
    control = content / "DEBIAN/control"
    control.write_text(control.read_text().replace("\nVersion: ", "\nVersion: 1:", 1))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", content, f"{folder}/newer.deb"], check=True, stdout=subprocess.DEVNULL)
    return f"{folder}/newer.deb"


@contextlib.contextmanager
def serving(root):
    """The supervisor, as the unit starts it: as its user, with the folders that systemd makes."""
    for folder in ("run", "var/lib", "var/log"):
        root.run("install", "-d", "-o", "passerelle", "-g", "passerelle", f"/{folder}/passerelle")
    mounted = root.folder / "proc"
    subprocess.run(["mount", "-t", "proc", "proc", mounted], check=True)
    process = subprocess.Popen(["chroot", "--userspec=passerelle:passerelle", root.folder, "passerelle", "run",
                                "--supervise", "/etc/passerelle/gateway.yaml"])
    try:
        until = time.monotonic() + 20
        while not answers():
            assert process.poll() is None and time.monotonic() < until, "the gateway does not serve"
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(90)
        subprocess.run(["umount", mounted], check=True)


def answers():
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8080), 1):
        return True
    return False


def gateways(supervisor):
    return pathlib.Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()


def check_with():
    """A list of what was good, and the function that adds to it."""
    checks = []

    def check(what, good, told=""):
        checks.append(good)
        print(f"{'good' if good else 'WRONG'}: {what}{f': {told}' if told else ''}", flush=True)

    return checks, check


def main(package, folder="build-dist/root"):
    checks, check = check_with()
    told = exposure()
    check(f"systemd-analyze says at most {MOST_EXPOSED} of the unit", told <= MOST_EXPOSED, told)
    root = Root(folder)
    with tempfile.TemporaryDirectory() as other:
        root.install(package)  # what it depends on stays when it is purged
        root.run("apt-get", "purge", "-y", "-q", "passerelle")
        before = root.files()
        root.install(package)
        check("the example config is good", "is good" in root.run("passerelle", "check", "/etc/passerelle/gateway.yaml"))
        check("man, completion and google/api are there", {
            "usr/share/man/man1/passerelle.1.gz", "usr/share/bash-completion/completions/passerelle",
            "usr/share/passerelle/proto/google/api/annotations.proto"} <= root.files())
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 7001), Instance)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with serving(root) as supervisor:
            was = gateways(supervisor)
            loads = [Load() for _ in range(4)]
            time.sleep(BEFORE)
            said = root.install(newer(package, other))
            time.sleep(AFTER)
            for load in loads:
                load.end()
            lost = [wrong for load in loads for wrong in load.wrong]
            check("an upgrade of the package makes a new process", gateways(supervisor) != was, said.splitlines()[-1])
            check("an upgrade of the package loses no call", not lost and sum(load.good for load in loads) > 100,
                  f"{sum(load.good for load in loads)} good{''.join(f', {wrong}' for wrong in lost[:3])}")
        server.shutdown()
        root.run("apt-get", "purge", "-y", "-q", "passerelle")
        left = root.files() - before
        check("purging leaves nothing", not left and "passerelle" not in (root.folder / "etc/passwd").read_text(),
              ", ".join(sorted(left)[:5]))
    print(f"{sum(checks)} passed, {len(checks) - sum(checks)} failed")
    return not all(checks)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("this needs root: it makes a Debian in a folder, and changes its root to it")
    sys.exit(main(*sys.argv[1:]))
