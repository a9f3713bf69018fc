#!/usr/bin/python3
"""
Records what real clients send: record.py, with PASSERELLE and SHOP_STUBS as for the flow tests.

Each client of tests/flow/talkers.py makes one call of each kind that it has, on a connection of its own, through a
relay to the gateway. What the client sent is kept as CLIENT-KIND.bin beside this file; test_recordings reads them.
"""
import pathlib
import socket
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "flow"))

import talkers  # noqa: E402
import test_matrix  # noqa: E402
from gateway import Gateway  # noqa: E402

CALLS = {"say": "metadata_goes_there_and_back", "count": "a_stream_of_answers", "gather": "a_stream_of_requests",
         "chat": "a_conversation"}


class Relay:
    """Takes one connection to `port` and keeps what its client says."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.port, self.kept = port, b""
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=self.copy_back, args=(server, client), daemon=True).start()
        while piece := client.recv(65536):
            self.kept += piece
            server.sendall(piece)
        server.shutdown(socket.SHUT_WR)

    @staticmethod
    def copy_back(server, client):
        try:
            while piece := server.recv(65536):
                client.sendall(piece)
        except OSError:
            pass  # the client has what it wanted


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    schema, binary = talkers.compile_schema(folder)
    backend = talkers.Backend("/usr/bin/python3", talkers.TALK / "talk_grpc.py", binary, port := talkers.free_port())
    instance = f"{{address: '127.0.0.1:{port}', versions: [v3]}}"
    clients, close = talkers.clients(binary, talkers.Schema(binary))
    with Gateway(folder, test_matrix.CONFIG, schema=schema, talk=talkers.TALK, instance=instance) as gateway:
        for name, by_version in clients.items():
            for method, case_name in CALLS.items():
                if method not in test_matrix.methods_of_client(name):
                    continue
                case, relay = test_matrix.CASES[case_name], Relay(gateway.port)
                call = test_matrix.Call(method, case.asks, case.fields, 5)
                told = by_version["v3"].run(relay.address, call, lambda how: None)
                assert told.code is None, told.message
                (HERE / f"{name.replace('/', '-')}-{method}.bin").write_bytes(relay.kept)
        close()
    backend.process.kill()


main()
