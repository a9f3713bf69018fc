"""Any number of services, each with a schema of its own that is the shop's in another package."""
from google.protobuf import descriptor_pb2

ORDERS = "shop/orders/v3/orders.proto"


def service(number):
    return f"s{number:04}"


def package(number):
    return f"many.{service(number)}"


def schema(setup, number):
    """The path of its descriptor set."""
    path = setup.folder / f"{service(number)}.binpb"
    if not path.exists():
        shop = descriptor_pb2.FileDescriptorSet.FromString((setup.build / "examples/shop/orders.binpb").read_bytes())
        file = next(file for file in shop.file if file.name == ORDERS)
        # Two services may not have the same REST paths.
        for method in file.service[0].method:
            method.ClearField("options")
        del file.dependency[:]
        for message in file.message_type:
            for field in message.field:
                field.ClearField("options")
        text = file.SerializeToString()
        path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[renamed(text, number)]).SerializeToString())
    return path


def renamed(text, number):
    file = descriptor_pb2.FileDescriptorProto.FromString(text)
    old, file.package, file.name = f".{file.package}.", package(number), f"{service(number)}.proto"
    for message in file.message_type:
        for field in message.field:
            field.type_name = field.type_name.replace(old, f".{file.package}.")
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(old, f".{file.package}.")
        method.output_type = method.output_type.replace(old, f".{file.package}.")
    return file


def gateway_words(setup, n):
    """What the gateway's config has more."""
    services = "".join(f"  - {{name: {service(i)}, versions: [{{name: v1, package: {package(i)}, schema: {schema(setup, i)}}}],\n"
                       f"     instances: [{{address: 127.0.0.1:{setup.upstream}, protocol: grpc}}]}}\n" for i in range(n))
    return {"services": services, "routes": "".join(f"  - {{match: {service(i)}, timeout: 60s}}\n" for i in range(n))}


def haproxy_words(setup, n):
    """A map of paths to backends."""
    table = setup.folder / f"services-{n}.map"
    table.write_text("".join(f"{package(i)}.Orders {service(i)}\n" for i in range(n)))
    backends = "".join(f"backend {service(i)}\n    server service 127.0.0.1:{setup.upstream} proto h2\n" for i in range(n))
    return {"by_path": f"    use_backend %[path,field(2,/),map({table})]", "backends": backends}
