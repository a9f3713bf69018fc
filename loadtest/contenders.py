"""The gateway, set up in front of a service that costs next to nothing."""
import importlib
import pathlib
import sys

from processes import ROOT, Watched, free_port

CERTAIN_JSON = b'{"id":"42","customer":"ann","status":"PAID","total":"12"}'  # 57 bytes

GATEWAY_CONFIG = """\
listen: [{{address: 127.0.0.1:{port}}}{listen}]
loops: 1
log: {log}
services:
  - name: orders
    versions:
      - {{name: v1, package: shop.orders.v1, schema: {orders}}}
      - {{name: v2, package: shop.orders.v2, schema: {orders}}}
      - {{name: v3, package: shop.orders.v3, schema: {orders}}}
    changes: [{shop}/orders-v1-v2.yaml, {shop}/orders-v2-v3.yaml]
    instances: [{{address: 127.0.0.1:{upstream}, protocol: grpc, versions: [v3]{instances}}}]{services}
routes:
  - {{match: orders, timeout: 60s{route}}}
  - {{match: /raw/, timeout: 60s, instances: [{{address: 127.0.0.1:{upstream}, protocol: http}}]}}
{routes}limits: {{connections: 30000}}
"""

def import_orders(stubs, version):
    """The Python module of the messages of one version."""
    if str(stubs) not in sys.path:
        sys.path.insert(0, str(stubs))
    return importlib.import_module(f"shop.orders.{version}.orders_pb2")


def order_v3(stubs):
    """An order as a v3 service answers it, in protobuf."""
    return import_orders(stubs, "v3").Order(
        id="42", buyer={"id": "ann"}, currency="EUR", state="PAID", total={"units": 12, "nanos": 500000000},
        delivery={"address": {"street": "1 Main Street", "city": "Springfield", "postal_code": "12345"}},
        lines=[{"sku": "classic-mug", "quantity": 2}, {"sku": "tea", "quantity": 1}]).SerializeToString()


def start_upstream(build, folder):
    port = free_port()
    (folder / "reply.binpb").write_bytes(order_v3(build / "examples/shop/stubs"))
    (folder / "reply.json").write_bytes(CERTAIN_JSON)
    return Watched([build / "loadtest/upstream", port, folder / "reply.binpb", folder / "reply.json"], port)


def start_gateway(build, folder, upstream, under=(), config="", route="", services="", log="/dev/null", routes="", instances="", listen=""):
    """`under`: a command that runs it, with its options. `config`: more lines of it, in which FOLDER is the folder. `route`: more of the orders' route.
    `services`, `routes`: more of them, each on a new line. `instances`: more of the first one, and others. `listen`: more listeners, after a comma."""
    port = free_port()
    file = pathlib.Path(folder) / "gateway.yaml"
    file.write_text(GATEWAY_CONFIG.format(
        port=port, listen=listen, upstream=upstream, route=route, services=services, log=log, routes=routes, instances=instances, shop=ROOT / "examples/shop",
        orders=build / "examples/shop/orders.binpb") + config.replace("FOLDER", str(folder)))
    return Watched([*under, build / "passerelle", "run", file], port)
