"""Two clients that look on while a job goes its way, each on a thread of its own, and come back when the gateway goes away."""
import http.client
import json
import threading
import time

import grpc
import stage  # noqa: F401: the stubs
from google.longrunning import operations_pb2 as lro, operations_pb2_grpc as lro_grpc
from google.protobuf import duration_pb2


def progress(operation):
    """(state, step) of the job, of an operation as JSON."""
    told = operation["metadata"]["value"]
    return told["state"], told.get("step", "")


class Follower:
    """Looks on until `end`, or until there is nothing more to see; what broke it off meanwhile is in `broken`."""

    def __init__(self, port, name, patience=30):
        self.port, self.name, self.broken = port, name, []
        self.end = time.monotonic() + patience
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.look() and time.monotonic() < self.end:
            time.sleep(0.1)

    def join(self):
        self.thread.join(self.end - time.monotonic() + 10)
        return self


class Waiter(Follower):
    """A gRPC client of WaitOperation, which speaks a version; `operation` is what it was told in the end."""

    def __init__(self, port, name, version):
        self.version, self.operation = version, lro.Operation()
        super().__init__(port, name)

    def look(self):
        request = lro.WaitOperationRequest(name=self.name, timeout=duration_pb2.Duration(seconds=10))
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                self.operation = lro_grpc.OperationsStub(channel).WaitOperation(
                    request, metadata=[("api-version", self.version)], timeout=15)
            except grpc.RpcError as error:
                self.broken.append(f"{error.code().name} {error.details()}")
        return self.operation.done


class Listener(Follower):
    """A browser's EventSource: `told` has the operation of each event, in order."""

    def __init__(self, port, name):
        self.told, self.last_id = [], None
        super().__init__(port, name)

    def look(self):
        fields = {"accept": "text/event-stream", **({"last-event-id": self.last_id} if self.last_id else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("GET", f"/v1/{self.name}", headers=fields)
            return self.read(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.broken.append(str(error) or type(error).__name__)
            return False
        finally:
            connection.close()

    def states(self):
        """[(state, step), ...] as they came."""
        return [progress(operation) for operation in self.told]

    def read(self, response):
        """Whether the stream came to its end."""
        event = {}
        for line in iter(response.readline, b""):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                event[name] = value
                continue
            if event.get("event") == "end":
                return True
            if "event" not in event and "data" in event:
                self.last_id = event.get("id")
                self.told.append(json.loads(event["data"]))
            event = {}
        self.broken.append(f"the stream broke off, {response.status}")
        return False
