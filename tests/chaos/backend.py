#!/usr/bin/python3
"""
Instances of the mail service: backend.py BINPB FOLDER KIND:NAME:ADDRESS...

KIND is `grpc` (grpcio), `grpcs` (the same with TLS: FOLDER/NAME.pem and .key), `rest` or `connect` (http.server).
One process may be several instances. FOLDER/NAME.wrote has a line for each Write that was executed: it is there
before the answer, so that a test sees what was executed and what its client was told.
"""
import http.server
import json
import os
import pathlib
import struct
import sys
import threading
import urllib.parse
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "flow/talk"))

import grpc  # noqa: E402
from schema import Schema  # noqa: E402

schema = Schema(sys.argv[1])
folder = pathlib.Path(sys.argv[2])
Ask, Answer = schema("mail.v1.Ask"), schema("mail.v1.Answer")


class Instance:
    def __init__(self, name):
        self.name = name
        self.wrote = os.open(folder / f"{name}.wrote", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def answer(self, ask, index=0):
        return Answer(text=ask.text, number=ask.number, raw=ask.raw, index=index, instance=self.name)

    def read(self, ask):
        return self.answer(ask)

    def write(self, ask):
        os.write(self.wrote, ask.text.encode() + b"\n")
        return self.answer(ask)

    def follow(self, ask):
        return (self.answer(ask, i) for i in range(max(ask.times, 1)))


# ---- gRPC -------------------------------------------------------------------------------------------

def serve_grpc(instance, address, tls):
    spelling = {"request_deserializer": Ask.FromString, "response_serializer": Answer.SerializeToString}
    server = grpc.server(futures.ThreadPoolExecutor(64))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("mail.v1.Mail", {
        "Read": grpc.unary_unary_rpc_method_handler(lambda ask, _: instance.read(ask), **spelling),
        "Write": grpc.unary_unary_rpc_method_handler(lambda ask, _: instance.write(ask), **spelling),
        "Follow": grpc.unary_stream_rpc_method_handler(lambda ask, _: instance.follow(ask), **spelling)})])
    if tls:
        key, certificate = ((folder / f"{instance.name}.{end}").read_bytes() for end in ("key", "pem"))
        server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
    else:
        server.add_insecure_port(address)
    server.start()
    return server


# ---- REST and Connect, over HTTP/1.1 ------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    instance = None

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.wfile = self.connection.makefile("wb", 65536)  # one write for each response

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        parts = url.path.split("/")
        fields = dict(urllib.parse.parse_qsl(url.query), text=urllib.parse.unquote(parts[3]))
        ask = schema.read("mail.v1.Ask", fields)
        if parts[-1] == "follow":
            lines = [json.dumps(schema.spell(answer)).encode() + b"\n" for answer in self.instance.follow(ask)]
            self.stream("application/x-ndjson", lines)
        else:
            self.whole(self.instance.read(ask))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)) if "Content-Length" in self.headers \
            else self.chunks()
        if self.path.endswith("/Follow"):
            ask = schema.read("mail.v1.Ask", json.loads(body[5:]))
            messages = [json.dumps(schema.spell(answer)).encode() for answer in self.instance.follow(ask)]
            framed = [b"\0" + struct.pack(">I", len(message)) + message for message in messages]
            self.stream("application/connect+json", framed + [b"\2" + struct.pack(">I", 2) + b"{}"])
        else:
            read = self.path.endswith("/Read")
            ask = schema.read("mail.v1.Ask", json.loads(body))
            self.whole(self.instance.read(ask) if read else self.instance.write(ask))

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def whole(self, answer):
        body = json.dumps(schema.spell(answer)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, content_type, pieces):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the gateway, or a relay between, has left

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def serve_http(instance, address):
    host, port = address.rsplit(":", 1)
    server = Server((host, int(port)), type("H", (Handler,), {"instance": instance}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    servers = []
    for spec in sys.argv[3:]:
        kind, name, address = spec.split(":", 2)
        instance = Instance(name)
        servers.append(serve_grpc(instance, address, kind == "grpcs") if kind.startswith("grpc")
                       else serve_http(instance, address))
    print("ready", flush=True)
    threading.Event().wait()


main()
