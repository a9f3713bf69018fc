"""A backend that tells its schema by server reflection: grpcio, with a servicer that a test may bend."""
import subprocess
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2
from grpc_services import REFLECTION
from processes import ROOT, free_port

NOTES = """
syntax = "proto3";
package notes.v1;
import "google/api/annotations.proto";
import "notes/text.proto";
service Notes {
  rpc Echo(Note) returns (Note) { option (google.api.http) = {post: "/v1/notes" body: "*"}; }
}
message Note { notes.Text text = 1; %s }
"""
TEXT = 'syntax = "proto3"; package notes; import "google/protobuf/timestamp.proto";' \
       'message Text { string words = 1; google.protobuf.Timestamp at = 2; }'


def notes_schema(folder, more=""):
    """{file name: FileDescriptorProto's bytes} of the service, with more fields in its Note."""
    source = folder / "notes"
    source.mkdir(exist_ok=True)
    (source / "notes.proto").write_text(NOTES % more)
    (source / "text.proto").write_text(TEXT)
    made = folder / "notes.binpb"
    subprocess.run(["protoc", f"-I{folder}", f"-I{ROOT}/examples/shop/proto", "--include_imports",
                    f"--descriptor_set_out={made}", "notes/notes.proto"], check=True)
    files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file
    return {file.name: file.SerializeToString() for file in files}


class Reflecting:
    """
    Serves notes.v1.Notes, which echoes, and reflection in the given versions of it. `alone`: a file comes
    without what it imports. `answer(request, response)` may bend each response, or yield others.
    """

    def __init__(self, files, apis=("v1", "v1alpha"), alone=False, bend=None, port=None, credentials=None):
        self.files, self.apis, self.alone, self.bend = files, apis, alone, bend
        self.port, self.credentials = port or free_port(), credentials
        self.asked = []  # (version of reflection, request)
        self.server = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        handlers = {"notes.v1.Notes": {"Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request)}}
        for api in self.apis:
            messages = REFLECTION[api]
            handlers[f"grpc.reflection.{api}.ServerReflection"] = {
                "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
                    lambda requests, context, api=api: self.tell(api, requests, context),
                    request_deserializer=messages.ServerReflectionRequest.FromString,
                    response_serializer=messages.ServerReflectionResponse.SerializeToString)}
        self.server.add_generic_rpc_handlers(tuple(
            grpc.method_handlers_generic_handler(name, methods) for name, methods in handlers.items()))
        bound = self.server.add_secure_port(self.address, self.credentials) if self.credentials else \
            self.server.add_insecure_port(self.address)
        assert bound == self.port
        self.server.start()
        return self

    def stop(self):
        self.server.stop(0).wait()

    def tell(self, api, requests, context):
        for request in requests:
            self.asked.append((api, request, dict(context.invocation_metadata())))
            response = REFLECTION[api].ServerReflectionResponse(original_request=request)
            self.answer(request, response)
            if self.bend:
                yield from self.bend(request, response)
            else:
                yield response

    def answer(self, request, response):
        kind = request.WhichOneof("message_request")
        if kind == "list_services":
            for name in ("notes.v1.Notes", "grpc.reflection.v1alpha.ServerReflection"):
                response.list_services_response.service.add().name = name
            return
        name = request.file_by_filename
        if kind == "file_containing_symbol" and request.file_containing_symbol.startswith("notes.v1."):
            name = "notes/notes.proto"
        if name not in self.files:
            response.error_response.error_code, response.error_response.error_message = 5, f"no {kind} here"
            return
        told = [name] if self.alone else [name] + [other for other in self.files if other != name]
        response.file_descriptor_response.file_descriptor_proto.extend(self.files[each] for each in told)
