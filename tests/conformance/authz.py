"""
Istio's policy server decides about calls through the gateway, in each dialect.   authz.py SERVER
It allows what has `x-ext-authz: allow`, and clients whose certificate has a SPIFFE id that ends with /sa/a.
"""
import http.client
import http.server
import ssl
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "flow"))

import grpc  # noqa: E402
from backends import Backend, client, v3  # noqa: E402
from gateway import Gateway  # noqa: E402
from operators import Authority  # noqa: E402
from processes import Process, eventually, free_port  # noqa: E402
from test_access import Echo  # noqa: E402

CONFIG = """
listen:
  - 127.0.0.1:$port
  - {address: '127.0.0.1:$secure', tls: {certificate: $folder/server.pem, key: $folder/server.key, client_ca: $folder/ca.pem, client_certificate_optional: true}}
admin: 127.0.0.1:$admin
log: "-"
policy_servers: [{name: istio, instances: ['127.0.0.1:$istio'], timeout: 5s, headers: [x-ext-authz*], body: 1KiB}]
authorization: {policy_server: istio, default: allow}
services:
  - name: orders
    versions:
      - {name: v3, package: shop.orders.v3, schema: $orders}
    instances: [{address: '127.0.0.1:$instance', protocol: grpc, versions: [v3]}]
routes: [{match: /echo/, instances: ['127.0.0.1:$echo']}]
"""
ALLOW = {"x-ext-authz": "allow"}
DENIED = "denied by ext_authz for not found header `x-ext-authz: allow` in the request"


def passes_what_is_allowed_with_the_fields_of_the_server(gateway):
    answer = gateway.http("GET", "/echo/a?b=c", headers={**ALLOW, "x-private": "p"})
    assert answer.status == 200, answer.body
    seen = answer.json
    assert seen["x-ext-authz-check-result"] == "allowed" and seen["x-private"] == "p"
    assert "/echo/a?b=c" in seen["x-ext-authz-check-received"] and "x-private" not in seen["x-ext-authz-check-received"]


def overwrites_a_field_of_the_client(gateway):
    seen = gateway.http("GET", "/echo/", headers={**ALLOW, "x-ext-authz-check-result": "denied"}).json
    assert seen["x-ext-authz-check-result"] == "allowed"


def refuses_in_the_words_of_the_server(gateway):
    for headers in ({}, {"x-ext-authz": "deny"}):
        answer = gateway.http("GET", "/echo/", headers=headers)
        assert answer.status == 403 and DENIED in answer.body.decode(), answer.body
        assert answer.headers["x-ext-authz-check-result"] == "denied"


def decides_about_rpcs_and_rest_alike(gateway):
    stub = client(gateway, "v3")
    stub.List(v3.ListRequest(), metadata=list(ALLOW.items()), timeout=20)
    try:
        stub.List(v3.ListRequest(), timeout=20)
        raise AssertionError("it was allowed")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED and DENIED in error.details(), error
    for path, body in (("/v3/orders", None), ("/shop.orders.v3.Orders/List", {"limit": 1})):
        verb = "POST" if body else "GET"
        assert gateway.http(verb, path, body, ALLOW).status == 200
        refused = gateway.http(verb, path, body)
        assert refused.status == 403 and DENIED in refused.body.decode(), refused.body


def knows_clients_by_their_certificates(gateway):
    for name, status in (("a", 200), ("b", 403)):
        context = ssl.create_default_context(cafile=gateway.folder / "ca.pem")
        context.load_cert_chain(gateway.folder / f"{name}.pem", gateway.folder / f"{name}.key")
        connection = http.client.HTTPSConnection("localhost", gateway.words["secure"], context=context, timeout=20)
        connection.request("GET", "/echo/")
        assert connection.getresponse().status == status, name
        connection.close()


def refuses_when_the_server_is_gone(gateway, server):
    server.terminate()
    answer = eventually(lambda: (told := gateway.http("GET", "/echo/", headers=ALLOW)).status == 503 and told)
    assert answer.json["reason"] == "POLICY_UNAVAILABLE"


CASES = (passes_what_is_allowed_with_the_fields_of_the_server, overwrites_a_field_of_the_client, refuses_in_the_words_of_the_server,
         decides_about_rpcs_and_rest_alike, knows_clients_by_their_certificates)


def main():
    port, other = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = Authority(folder)
        authority.sign("server", "/CN=localhost", "DNS:localhost")
        for account in ("a", "b"):
            authority.sign(account, f"/CN={account}", f"URI:spiffe://cluster.local/ns/shop/sa/{account}")
        server = Process([sys.argv[1], f"-grpc={port}", f"-http={other}"])
        echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        with Backend("v3") as backend, Gateway(folder, CONFIG, secure=free_port(), istio=port, instance=backend.port,
                                               echo=echo.server_port) as gateway:
            eventually(lambda: gateway.http("GET", "/echo/", headers=ALLOW).status == 200)
            for case in CASES:
                case(gateway)
                print(f"passed: it {case.__name__.replace('_', ' ')}")
            refuses_when_the_server_is_gone(gateway, server)
            print("passed: it refuses when the server is gone")


if __name__ == "__main__":
    main()
