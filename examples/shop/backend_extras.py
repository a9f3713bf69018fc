#!/usr/bin/python3
"""Two services that are no help: reviews are counted slowly, and points are garbage. For the demo.

    backend_extras.py --listen 127.0.0.1:7004
"""
import argparse
import json
import signal
import time
from concurrent import futures

import grpc

SLOW = 5  # seconds


def count(request, context):
    time.sleep(SLOW)
    return b""


def balance(request, context):
    return b"\x0a\x7fno message at all"


def handlers(service, name, function):
    return grpc.method_handlers_generic_handler(f"shop.extras.v1.{service}",
                                                {name: grpc.unary_unary_rpc_method_handler(function)})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True)
    listen = parser.parse_args().listen
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handlers("Reviews", "Count", count), handlers("Points", "Balance", balance)))
    if not server.add_insecure_port(listen):
        raise SystemExit(f"{listen} cannot be listened on")
    server.start()
    print(json.dumps({"event": "ready", "listen": listen}), flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(0)


if __name__ == "__main__":
    main()
