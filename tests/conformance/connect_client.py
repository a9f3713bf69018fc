#!/usr/bin/python3
"""The client under test of connectrpc's conformance runner: the suite's own client, with the gateway before it.

The runner writes ClientCompatRequests, each a call to a server of its own, and reads ClientCompatResponses. Here
each call goes to a gateway whose only instance is that server; there is one gateway for each way to speak
to a server. Usage:

    connect_client.py GATEWAY TOOLS CLIENT

TOOLS is the folder with the suite's programs and conformance.binpb. CLIENT is what the client speaks to the gateway:
"same" as the case says of the server, or one of the names below.
"""
import json
import os
import subprocess
import sys
import tempfile

from connect_suite import (CONNECT, GRPC, GRPC_WEB, HTTP1, HTTP2, free_port, household, messages, read_framed,
                           start_gateway, write_file, write_framed)

CLIENTS = {"same": None, "grpc": (GRPC, HTTP2), "connect-h1": (CONNECT, HTTP1), "connect-h2": (CONNECT, HTTP2),
           "grpc-web-h1": (GRPC_WEB, HTTP1), "grpc-web-h2": (GRPC_WEB, HTTP2)}
PROTOCOLS = {CONNECT: "connect", GRPC: "grpc", GRPC_WEB: "grpc_web"}
CODECS = {1: "proto", 2: "json"}
COMPRESSIONS = {1: "identity", 2: "gzip", 3: "br", 4: "zstd"}

CONFIG = """
listen:
  - {{address: 127.0.0.1:{port}{listener_tls}}}
admin: 127.0.0.1:{{admin}}
loops: 1
errors: public
log: /dev/null
limits: {{call_time: 0s}}
services:
  - name: conformance
    versions:
      - {{name: v1, package: connectrpc.conformance.v1, schema: {schema}}}
    instances:
      - {{address: {server}, protocol: {protocol}, http2: {http2}, codec: {codec}, compression: {compression}{instance_tls}}}
routes:
  - {{match: conformance, unknown_fields: keep, unknown_answer_fields: keep}}
"""


class Front:
    """Gateways, one for each way to speak to a server, and the certificate that clients know them by."""

    def __init__(self, gateway, tools, folder, children):
        self.gateway, self.folder, self.children = gateway, folder, children
        self.schema = json.dumps(os.path.join(os.path.abspath(tools), "conformance.binpb"))
        self.ports = {}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", f"{folder}/own.key", "-out", f"{folder}/own.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        with open(f"{folder}/own.pem", "rb") as file:
            self.certificate = file.read()

    def port_for(self, request):
        way = (request.host, request.port, request.protocol, request.http_version, request.codec, request.compression)
        if way not in self.ports:
            self.ports[way] = self.start(request)
        return self.ports[way]

    def start(self, request):
        folder = tempfile.mkdtemp(dir=self.folder)
        client_ca = own_certificate = listener_tls = instance_tls = ""
        if request.client_tls_creds.cert:
            write_file(folder, "client.pem", request.client_tls_creds.cert)
            write_file(folder, "client.key", request.client_tls_creds.key)
            client_ca, own_certificate = ", client_ca: client.pem", ", certificate: client.pem, key: client.key"
        if request.server_tls_cert:
            write_file(folder, "server.pem", request.server_tls_cert)
            listener_tls = f", tls: {{certificate: ../own.pem, key: ../own.key{client_ca}}}"
            instance_tls = f", tls: {{ca: server.pem{own_certificate}}}"
        port = free_port()
        start_gateway(self.gateway, folder, self.children, CONFIG.format(
            port=port, listener_tls=listener_tls, schema=self.schema, server=f"{request.host}:{request.port}",
            protocol=PROTOCOLS[request.protocol], http2=str(request.http_version == HTTP2).lower(),
            codec=CODECS[request.codec], compression=COMPRESSIONS[request.compression], instance_tls=instance_tls))
        return port


def main():
    gateway, tools, client = sys.argv[1:4]
    Request, = messages(tools, "ClientCompatRequest")
    with household() as (folder, children):
        front = Front(gateway, tools, folder, children)
        caller = subprocess.Popen([os.path.join(tools, "referenceclient")], stdin=subprocess.PIPE)
        children.append(caller)
        while (request := read_framed(sys.stdin.buffer, Request)) is not None:
            request.port = front.port_for(request)
            request.host = "127.0.0.1"
            if request.server_tls_cert:
                request.server_tls_cert = front.certificate
            if CLIENTS[client]:
                request.protocol, request.http_version = CLIENTS[client]
            write_framed(caller.stdin, request)
        caller.stdin.close()
        sys.exit(caller.wait())


main()
