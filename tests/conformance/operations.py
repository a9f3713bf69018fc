"""
What google-api-core does with operations, against the gateway: futures over gRPC, and the client of the REST transport.
   operations.py TYPES GATEWAY SERVICE      TYPES: the descriptors of operations/types.proto; SERVICE: where to serve
"""
import sys
import threading
from concurrent import futures

import grpc
from google.api_core import exceptions, operation, operations_v1
from google.api_core.future import polling
from google.api_core.operations_v1 import AbstractOperationsClient
from google.api_core.operations_v1.transports.rest import OperationsRestTransport
from google.auth.credentials import AnonymousCredentials
from google.longrunning import operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2

types_file, gateway, service = sys.argv[1:]
types = descriptor_pb2.FileDescriptorSet.FromString(open(types_file, "rb").read())
for file in types.file:
    descriptor_pool.Default().Add(file)
CreateRequest, Site = (message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(f"slow.v1.{name}"))
                       for name in ("CreateRequest", "Site"))

CLIENT = [("x-client", "ada")]
OFTEN = polling.DEFAULT_POLLING.with_delay(initial=0.05, maximum=0.1)
go_on = threading.Event()


# ---- The service ---------------------------------------------------------------------------------------

def make(request, context):
    if request.name.startswith("bad"):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"{request.name} cannot be made")
    if request.name.startswith("never"):
        context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
    go_on.wait(20)
    return Site(name=request.name, address="192.0.2.7")


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    handlers = {method: grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=CreateRequest.FromString, response_serializer=Site.SerializeToString)
        for method, answer in (("Make", make), ("Unmake", lambda request, context: Site(name=request.name)))}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("slow.v1.Sites", handlers)])
    assert server.add_insecure_port(service)
    server.start()
    return server


# ---- gRPC ----------------------------------------------------------------------------------------------

channel = grpc.insecure_channel(gateway)
client = operations_v1.OperationsClient(channel)
create_call = channel.unary_unary("/slow.v1.Sites/Create", request_serializer=CreateRequest.SerializeToString,
                                  response_deserializer=operations_pb2.Operation.FromString)


def create(name):
    """As a generated client does it."""
    return operation.from_gapic(create_call(CreateRequest(name=name), timeout=10, metadata=CLIENT), client, Site,
                                metadata_type=struct_pb2.Struct, grpc_metadata=CLIENT)


def a_future_has_its_result():
    go_on.clear()
    future, called = create("one"), threading.Event()
    future.add_done_callback(lambda done: called.set())
    assert not future.done() and future.running() and not future.cancelled()
    assert future.metadata["state"] in ("queued", "running")
    go_on.set()
    assert future.result(timeout=20, polling=OFTEN) == Site(name="one", state="done", address="192.0.2.7")
    assert future.done() and future.metadata["state"] == "done" and future.exception() is None
    assert called.wait(20)


def a_failed_one_has_its_exception():
    future = create("bad")
    try:
        future.result(timeout=20, polling=OFTEN)
    except exceptions.FailedPrecondition as error:
        assert "bad cannot be made" in error.message
    else:
        raise AssertionError("it did not fail")
    assert isinstance(future.exception(), exceptions.FailedPrecondition)


def a_cancelled_one_is_cancelled():
    future = create("never")
    assert future.cancel()
    try:
        future.result(timeout=20, polling=OFTEN)
    except (exceptions.Cancelled, futures.CancelledError):
        pass
    assert future.cancelled() and future.done()
    assert not future.cancel()


def operations_are_listed_by_pages_and_deleted():
    names = [create(f"page{i}").operation.name for i in range(5)]
    go_on.set()
    for name in names:
        operation.from_gapic(client.get_operation(name, metadata=CLIENT), client, Site, grpc_metadata=CLIENT).result(timeout=20, polling=OFTEN)
    found = [each.name for each in client.list_operations("operations", "done = true", metadata=CLIENT)]
    assert set(names) <= set(found) and found == sorted(found, reverse=True)
    client.delete_operation(names[0], metadata=CLIENT)
    for ask in (client.get_operation, client.cancel_operation, client.delete_operation):
        try:
            ask(names[0], metadata=CLIENT)
        except exceptions.NotFound as error:
            assert error.reason == "UNKNOWN_OPERATION" and error.domain == "passerelle"
        else:
            raise AssertionError("it is still there")


# ---- REST ----------------------------------------------------------------------------------------------

# As a service's config says it to the generator: the standard bindings.
NAME, OPERATIONS = "/v1/{name=operations/**}", "google.longrunning.Operations."
BINDINGS = {OPERATIONS + "ListOperations": [{"method": "get", "uri": "/v1/{name=operations}"}],
            OPERATIONS + "GetOperation": [{"method": "get", "uri": NAME}],
            OPERATIONS + "DeleteOperation": [{"method": "delete", "uri": NAME}],
            OPERATIONS + "CancelOperation": [{"method": "post", "uri": NAME + ":cancel", "body": "*"}]}


def the_rest_client_sees_the_same():
    rest = AbstractOperationsClient(transport=OperationsRestTransport(
        host=f"http://{gateway}", credentials=AnonymousCredentials(), http_options=BINDINGS))
    go_on.clear()
    name = create("rest").operation.name
    assert not rest.get_operation(name, metadata=CLIENT).done
    go_on.set()
    create("rest2").result(timeout=20, polling=OFTEN)
    operation.from_gapic(client.get_operation(name, metadata=CLIENT), client, Site, grpc_metadata=CLIENT).result(timeout=20, polling=OFTEN)
    told, site = rest.get_operation(name, metadata=CLIENT), Site()
    assert told.done and told.response.Unpack(site) and site.address == "192.0.2.7"
    assert name in [each.name for each in rest.list_operations("operations", "done = true", page_size=2, metadata=CLIENT)]
    rest.cancel_operation(name, metadata=CLIENT)
    rest.delete_operation(name, metadata=CLIENT)
    try:
        rest.get_operation(name, metadata=CLIENT)
    except exceptions.NotFound:
        return
    raise AssertionError("it is still there")


serving = serve()
for case in (a_future_has_its_result, a_failed_one_has_its_exception, a_cancelled_one_is_cancelled,
             operations_are_listed_by_pages_and_deleted, the_rest_client_sees_the_same):
    case()
    print("good:", case.__name__.replace("_", " "))
serving.stop(None)
