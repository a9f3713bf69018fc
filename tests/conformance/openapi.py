"""OpenAPI documents of the shop's versions, under the tools of others.   openapi.py PASSERELLE VENV FOLDER

openapi-spec-validator reads each document, schemathesis calls the gateway by it, with the shop behind, and a client that
openapi-python-client made of it creates an order and reads it.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
PASSERELLE, VENV, FOLDER = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
ONLY = sys.argv[4:]  # services or versions, "orders v3"
os.environ["PASSERELLE"] = str(PASSERELLE)
os.environ.setdefault("SHOP_STUBS", str(PASSERELLE.parent / "examples/shop/stubs"))
sys.path.insert(0, str(HERE.parent / "flow"))

from backends import Backend  # noqa: E402
from gateway import SHOP, Gateway  # noqa: E402

VERSIONS = [("orders", "v1"), ("orders", "v2"), ("orders", "v3"), ("panel", "v1"), ("hosting", "v1"), ("hosting", "v2")]
EXAMPLES = "40"
# Readers of protobuf's JSON take more than a schema says: null for what is absent, names of fields in both spellings, numbers as
# texts. So what breaks a schema need not be refused.
TAKEN = ["negative_data_rejection"]
# A path with a verb is the path of a resource of that name, too: GET /v2/orders/7:setStatus asks for the order "7:setStatus".
ALSO_READ = {("orders", "v2"): ["allow_header_conformance"]}


def config(ports):
    """The shop's config, on these ports."""
    text = (SHOP / "shop.yaml").read_text()
    moved = {"127.0.0.1:8080": "127.0.0.1:$port", "127.0.0.1:9901": "127.0.0.1:$admin", "orders.binpb": "$orders",
             "orders-v": "$shop/orders-v", "hosting-v": "$shop/hosting-v", 'log: "-"': "log: log.json"}
    moved.update({f"127.0.0.1:{port}": f"127.0.0.1:{here}" for port, here in ports.items()})
    for old, new in moved.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


ORDERS = {"v1": {"customer": "ada"}, "v2": {"customerId": "ada"}, "v3": {"buyer": {"id": "ada"}, "currency": "EUR"}}
FORMS = {"application/x-ndjson": lambda body: json.loads(body.readline()),
         "application/json": lambda body: json.loads([body.readline(), body.readline()][1]),
         "text/event-stream": lambda body: json.loads([body.readline(), body.readline()][1].removeprefix(b"data: "))}
TOOLS = {**os.environ, "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}  # openapi-python-client wants ruff beside it


def run(name, *command, **more):
    print(f"-- {name}", flush=True)
    return subprocess.run([str(word) for word in command], check=False, **more).returncode == 0


def schemathesis(gateway, document, name, excluded):
    environment = {**TOOLS, "SCHEMATHESIS_HOOKS": str(HERE / "openapi/formats.py")}
    return run(f"schemathesis: {name}", VENV / "bin/schemathesis", "run", document, "--url", f"http://{gateway.address}",
               "--exclude-checks", ",".join(excluded), "--exclude-operation-id", "Orders_Watch", "--max-examples", EXAMPLES, "--seed", "1", "--request-timeout", "5", "--warnings", "off",
               "--continue-on-failure", cwd=FOLDER, env=environment)


def streams(gateway, document, name):
    """A stream without an end, which schemathesis would wait for: its first item is what the document says, in each form."""
    print(f"-- streams: {name}", flush=True)
    paths = json.loads(document.read_text())["paths"]
    (path,) = [path for path in paths if paths[path].get("get", {}).get("operationId") == "Orders_Watch"]
    (made,) = [path for path in paths if paths[path].get("post", {}).get("operationId") == "Orders_Create"]
    order = gateway.http("POST", made, ORDERS[name[-2:]]).json
    for media, read in FORMS.items():
        with urllib.request.urlopen(urllib.request.Request(f"http://{gateway.address}{path.format(id=order['id'])}",
                                                           headers={"accept": media}), timeout=20) as response:
            assert response.headers["content-type"].startswith(media), response.headers["content-type"]
            assert media in paths[path]["get"]["responses"]["200"]["content"]
            assert read(response) == order, media
    return True


def generated_client(gateway, document, name):
    """The client is made, and used by a program that names nothing but what was generated."""
    out = FOLDER / f"client_{name}"
    made = run(f"openapi-python-client: {name}", VENV / "bin/openapi-python-client", "generate", "--path", document, "--output-path", out,
               "--meta", "none", "--overwrite", "--fail-on-warning", env=TOOLS)
    return made and run(f"its client: {name}", VENV / "bin/python", HERE / "openapi/use_client.py", out, f"http://{gateway.address}")


def test(gateway, service, version):
    name = f"{service}-{version}"
    document = FOLDER / f"{name}.json"
    written = subprocess.run([str(PASSERELLE), "openapi", gateway.file, "--service", service, "--version", version],
                             check=True, capture_output=True)
    document.write_bytes(written.stdout)
    good = run(f"openapi-spec-validator: {name}", VENV / "bin/openapi-spec-validator", document)
    if service == "orders":
        good &= streams(gateway, document, name)
        good &= generated_client(gateway, document, f"{service}_{version}")
    return schemathesis(gateway, document, name, TAKEN + ALSO_READ.get((service, version), [])) and good


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as running:
        backends = {port: running.enter_context(Backend(version))
                    for port, version in (("7001", "v1"), ("7002", "v2"), ("7003", "v3"), ("7004", "extras"), ("7005", "hosting"))}
        ports = {port: backend.port for port, backend in backends.items()}
        gateway = running.enter_context(Gateway(FOLDER, config(ports)))
        bad = [f"{service} {version}" for service, version in VERSIONS
               if (not ONLY or service in ONLY or version in ONLY) and not test(gateway, service, version)]
    print(f"findings in {', '.join(bad)}" if bad else "no findings", flush=True)
    return 1 if bad else 0


sys.exit(main())
