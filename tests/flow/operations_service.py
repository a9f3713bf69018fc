"""google.longrunning.Operations as the gateway serves it, and passerelle.jobs.v1.Jobs: messages and clients."""
import subprocess
import sys
import tempfile

import backends  # noqa: F401: the package google
import google
from processes import ROOT

_folder = tempfile.TemporaryDirectory()
subprocess.run(["protoc", f"-I{ROOT}/gateway/job_view/proto", f"-I{ROOT}/examples/shop/proto", f"--python_out={_folder.name}",
                "google/longrunning/operations.proto", "passerelle/jobs/v1/jobs.proto"], check=True)
sys.path.insert(0, _folder.name)
google.__path__.append(f"{_folder.name}/google")

from google.longrunning import operations_pb2 as lro  # noqa: E402
from google.protobuf import duration_pb2, empty_pb2, struct_pb2  # noqa: E402
from passerelle.jobs.v1 import jobs_pb2 as jobs  # noqa: E402

SERVICE = "/google.longrunning.Operations/"


class Operations:
    """A client of one channel, that sends `metadata` with each call."""

    def __init__(self, channel, **metadata):
        self.channel, self.metadata = channel, [(name.replace("_", "-"), value) for name, value in metadata.items()]

    def call(self, method, request, response):
        call = self.channel.unary_unary(SERVICE + method, request_serializer=type(request).SerializeToString,
                                        response_deserializer=response.FromString)
        return call(request, timeout=20, metadata=self.metadata)

    def get(self, name):
        return self.call("GetOperation", lro.GetOperationRequest(name=name), lro.Operation)

    def list(self, **wanted):
        return self.call("ListOperations", lro.ListOperationsRequest(name="operations", **wanted), lro.ListOperationsResponse)

    def wait(self, name, seconds=15):
        timeout = duration_pb2.Duration(seconds=seconds)
        return self.call("WaitOperation", lro.WaitOperationRequest(name=name, timeout=timeout), lro.Operation)

    def cancel(self, name):
        return self.call("CancelOperation", lro.CancelOperationRequest(name=name), empty_pb2.Empty)

    def delete(self, name):
        return self.call("DeleteOperation", lro.DeleteOperationRequest(name=name), empty_pb2.Empty)

    def follow(self, name):
        """The stream of its states."""
        call = self.channel.unary_stream("/passerelle.jobs.v1.Jobs/Follow",
                                         request_serializer=jobs.FollowRequest.SerializeToString,
                                         response_deserializer=lro.Operation.FromString)
        return call(jobs.FollowRequest(name=name), timeout=20, metadata=self.metadata)


def state_of(operation):
    """What its metadata says."""
    told = struct_pb2.Struct()
    assert operation.metadata.Unpack(told)
    return told["state"]
