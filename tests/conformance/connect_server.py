#!/usr/bin/python3
"""The server under test of connectrpc's conformance runner: the gateway, with a server of the suite behind it.

The runner starts this with a ServerCompatRequest on standard input (4 bytes of length, big-endian, then the
message) and wants a ServerCompatResponse in the same frame on standard output, and nothing else there. What
the gateway and the server behind it say goes to standard error. Usage:

    connect_server.py GATEWAY TOOLS UPSTREAM

TOOLS is the folder with the suite's programs and conformance.binpb; UPSTREAM one of the names below.
"""
import json
import os
import subprocess
import sys

from connect_suite import (CONNECT, GRPC, GRPC_WEB, HTTP1, HTTP2, free_port, household, messages, read_framed,
                           start_gateway, write_file, write_framed)

UNLIMITED = 1 << 30  # of the server behind: the limit that is tested is the gateway's
# name: (the suite's server, its ServerCompatRequest.protocol and .http_version, the instance in our config)
UPSTREAMS = {
    "grpc": ("referenceserver", GRPC, HTTP2, "protocol: grpc"),
    "connect-h1": ("referenceserver", CONNECT, HTTP1, "protocol: connect"),
    "connect-h2": ("referenceserver", CONNECT, HTTP2, "protocol: connect, http2: true"),
    "connect-h1-json": ("referenceserver", CONNECT, HTTP1, "protocol: connect, codec: json"),
    "connect-h2-json": ("referenceserver", CONNECT, HTTP2, "protocol: connect, codec: json, http2: true"),
    "grpc-web-h1": ("referenceserver", GRPC_WEB, HTTP1, "protocol: grpc_web"),
    "grpc-go": ("grpcserver", GRPC, HTTP2, "protocol: grpc"),
}

CONFIG = """
listen:
  - {{address: 127.0.0.1:{port}{tls}}}
admin: 127.0.0.1:{{admin}}
loops: 1
errors: public
log: /dev/null
limits: {{message_bytes: {limit}, call_time: 0s}}
services:
  - name: conformance
    versions:
      - {{name: v1, package: connectrpc.conformance.v1, schema: {schema}}}
    instances:
      - {{address: 127.0.0.1:{upstream}, {instance}}}
cors: {{origins: ["*"]}}
routes:
  - {{match: conformance, unknown_fields: keep, attempts: 1}}
"""


def start_upstream(tools, program, children, request):
    child = subprocess.Popen([os.path.join(tools, program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    children.append(child)
    write_framed(child.stdin, request)
    child.stdin.close()
    return child


def listener_tls(folder, request):
    if not request.use_tls:
        return ""
    write_file(folder, "server.pem", request.server_creds.cert)
    write_file(folder, "server.key", request.server_creds.key)
    write_file(folder, "client.pem", request.client_tls_cert)
    client = ", client_ca: client.pem" if request.client_tls_cert else ""
    return f", tls: {{certificate: server.pem, key: server.key{client}}}"


def main():
    gateway, tools, upstream = sys.argv[1:4]
    program, protocol, http_version, instance = UPSTREAMS[upstream]
    Request, Response = messages(tools, "ServerCompatRequest", "ServerCompatResponse")
    request = read_framed(sys.stdin.buffer, Request)
    with household() as (folder, children):
        behind = start_upstream(tools, program, children, Request(protocol=protocol, http_version=http_version,
                                                                  message_receive_limit=UNLIMITED))
        address = read_framed(behind.stdout, Response)
        port = free_port()
        front = start_gateway(gateway, folder, children, CONFIG.format(
            port=port, tls=listener_tls(folder, request), upstream=address.port, instance=instance,
            schema=json.dumps(os.path.join(os.path.abspath(tools), "conformance.binpb")),
            limit=request.message_receive_limit or 16777216))
        pem = request.server_creds.cert if request.use_tls else b""
        write_framed(sys.stdout.buffer, Response(host="127.0.0.1", port=port, pem_cert=pem))
        front.wait()


main()
