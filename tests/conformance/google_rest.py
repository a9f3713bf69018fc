"""
A client that Google's generator made for catalogue.proto, against the gateway.   google_rest.py GATEWAY SERVICE
SERVICE: where to serve the catalogue, by gRPC.
"""
import datetime
import math
import sys
from concurrent import futures

import grpc
from example.catalogue_v1 import CatalogueClient, types
from example.catalogue_v1.services.catalogue.transports import CatalogueRestTransport
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.protobuf import any_pb2, empty_pb2, field_mask_pb2
from google.rpc import error_details_pb2, status_pb2

gateway, service = sys.argv[1:]
Thing, Size, Material = types.Thing, types.Size, types.Material
masks = []


# ---- The service -----------------------------------------------------------------------------------------

things = {f"things/{k}": Thing(name=f"things/{k}", display_name=f"thing {k}") for k in range(1, 6)}


def get(request, context):
    if request.name not in things:
        info = any_pb2.Any()
        info.Pack(error_details_pb2.ErrorInfo(reason="NO_THING", domain="catalogue.example", metadata={"name": request.name}))
        status = status_pb2.Status(code=5, message=f"there is no {request.name}", details=[info])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(grpc.StatusCode.NOT_FOUND, status.message)
    return things[request.name]


def list_things(request, _):
    first = int(request.page_token or 0)
    page = list(things.values())[first:first + (request.page_size or 2)]
    after = first + len(page)
    return types.ListThingsResponse(things=page, next_page_token=str(after) if after < len(things) else "")


def update(request, _):
    masks.append(list(types.UpdateThingRequest.pb(request).update_mask.paths))
    return request.thing


def watch(request, context):
    for thing in list(things.values())[:request.page_size]:
        yield thing
    if request.page_token == "break":
        context.abort(grpc.StatusCode.DATA_LOSS, "broke off")


METHODS = {
    "GetThing": (types.GetThingRequest, get), "ListThings": (types.ListThingsRequest, list_things),
    "CreateThing": (types.CreateThingRequest, lambda request, _: request.thing), "UpdateThing": (types.UpdateThingRequest, update),
    "DeleteThing": (types.GetThingRequest, lambda request, context: get(request, context) and empty_pb2.Empty()),
    "Repeat": (types.RepeatRequest, lambda request, _: request), "RepeatQuery": (types.RepeatRequest, lambda request, _: request),
    "WatchThings": (types.ListThingsRequest, watch),
}


def spell(message):
    return (message if isinstance(message, empty_pb2.Empty) else type(message).pb(message)).SerializeToString()


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("example.catalogue.v1.Catalogue", {
        name: (grpc.unary_stream_rpc_method_handler if name == "WatchThings" else grpc.unary_unary_rpc_method_handler)(
            answer, request_deserializer=asked.deserialize, response_serializer=spell) for name, (asked, answer) in METHODS.items()})])
    assert server.add_insecure_port(service)
    server.start()
    return server


# ---- What a client does ----------------------------------------------------------------------------------

server = serve()
client = CatalogueClient(transport=CatalogueRestTransport(host=gateway, credentials=AnonymousCredentials(), url_scheme="http"))
FULL = Thing(name="things/a b%2F?&ü", display_name='"quoted" \\ and\nlines ☃', material=Material.STONE, size=Size(width=1e300, height=-0.5, weight=-2**63),
             tags=["", "b", "ü"], labels={"k.1/x": "v", "": "e"}, made=datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc),
             price=0, seal=b"\xfb\xff\0", sold=False)


def refused(kind, call, *arguments, **words):
    try:
        call(*arguments, **words)
    except kind as error:
        return error
    raise AssertionError(f"{kind} is missing")


# One message, in path, body and response.
assert client.get_thing(name="things/3").display_name == "thing 3"
assert client.create_thing(request={"thing": FULL}) == FULL
assert client.delete_thing(request={"name": "things/3"}) is None

# Pages.
assert [thing.name for thing in client.list_things(request={})] == list(things)
assert [thing.name for thing in client.list_things(request={"page_size": 100})] == list(things)

# Values of every kind, there and back, in a body and in a query.
FLOAT_MAX = float.fromhex("0x1.fffffep+127")
VALUES = [{"f_bool": True, "f_int32": -2**31, "f_uint64": 2**64 - 1, "f_double": math.pi, "f_string": "a b&c=d%2F+ü", "f_material": 2,
           "f_numbers": [1, 0, -1], "p_string": ""}, {"f_double": math.inf}, {"f_double": -math.inf}, {"f_double": -1.0},
          {"f_double": 5e-324}, {"f_material": 7}, {"f_size": {"width": 1.5, "weight": 2**53 + 1}}, {"f_size": {"height": -FLOAT_MAX}}, {"f_string": "\u2028\x7f"}]
for values in VALUES:
    request = types.RepeatRequest(thing=Thing(name="things/1"), **values)
    assert client.repeat(request=request) == request, values
    query = types.RepeatRequest(**values)
    assert client.repeat_query(request=query) == query, values
assert math.isnan(client.repeat_query(request={"f_double": math.nan}).f_double)
request = types.RepeatRequest(thing=Thing(name="things/1", material=1, tags=["x"], labels={"a": "b"}))
assert client.repeat(request=request) == request

# A mask of the client, and one that it leaves out.
client.update_thing(request={"thing": {"name": "things/1", "display_name": "x"}, "update_mask": field_mask_pb2.FieldMask(paths=["display_name", "size.width"])})
client.update_thing(request={"thing": {"name": "things/1", "display_name": "x", "size": {"height": 2}}})
assert masks[0] == ["display_name", "size.width"] and sorted(masks[1]) == ["display_name", "size.height"], masks

# Streams.
for n in (0, 1, 5):
    assert [thing.name for thing in client.watch_things(request={"page_size": n})] == list(things)[:n]

# Errors: of the service, with its details, and of the gateway.
error = refused(exceptions.NotFound, client.get_thing, name="things/none")
assert error.message.endswith("there is no things/none") and (error.reason, error.domain) == ("NO_THING", "catalogue.example"), error
assert dict(error.metadata) == {"name": "things/none"}, error.metadata
error = refused(exceptions.InternalServerError, lambda: list(client.watch_things(request={"page_token": "break"})))
assert "broke off" in error.message, error
error = refused(exceptions.BadRequest, client.get_thing, request={"name": "things/1"}, metadata=[("grpc-timeout", "soon")])
assert error.reason == "BAD_REQUEST", error
server.stop(None).wait()
error = refused(exceptions.ServiceUnavailable, client.get_thing, name="things/1", retry=None)
assert error.reason == "UPSTREAM_DOWN", error
print("good: paths, bodies, queries, pages, masks, streams and errors of a client that Google's generator has made")
