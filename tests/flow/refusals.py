"""What a client of each dialect is told when the gateway refuses its call."""
import base64

import grpc
from backends import client, v1

GET = "/shop.orders.v1.Orders/Get"
STATUSES = {429: "resource_exhausted", 503: "unavailable"}
GRPC_CODES = {"8": "resource_exhausted", "14": "unavailable"}


class Refusal:
    """`said`: the error with its details, in which the name of the fault is; `after`: seconds to wait."""

    def __init__(self, code, said, after):
        self.code, self.said, self.after = code, said, after

    def is_by(self, fault, code="unavailable"):
        return self.code == code and fault.encode() in self.said and self.after >= 1


def _of_rest(gateway, who):
    answer = gateway.http("GET", "/v1/orders/x", headers=who)
    if answer.status == 200:
        return None
    assert answer.status in STATUSES and answer.json["retryable"] is True
    return Refusal(answer.json["code"].lower(), answer.body, int(answer.headers["Retry-After"]))


def _of_connect(gateway, who):
    answer = gateway.http("POST", GET, {"id": "x"}, who)
    if answer.status == 200:
        return None
    assert STATUSES[answer.status] == answer.json["code"]
    details = b"".join(base64.b64decode(each["value"] + "==") for each in answer.json["details"])
    return Refusal(answer.json["code"], details, int(answer.headers["Retry-After"]))


def _trailers_of_web(answer):
    """Those in the last frame of the body, or in the head if there is no body."""
    if not answer.body:
        return dict(answer.headers)
    frame = answer.body[answer.body.rindex(b"\x80"):]
    return dict(line.split(": ", 1) if ": " in line else line.split(":", 1)
                for line in frame[5:].decode().split("\r\n") if line)


def _of_web(gateway, who):
    answer = gateway.http("POST", GET, b"\0\0\0\0\0", {"Content-Type": "application/grpc-web+proto", **who})
    trailers = _trailers_of_web(answer)
    if trailers["grpc-status"] == "0":
        return None
    assert int(trailers["grpc-retry-pushback-ms"]) >= 1000
    return Refusal(GRPC_CODES[trailers["grpc-status"]], base64.b64decode(trailers["grpc-status-details-bin"] + "=="),
                   int(answer.headers["Retry-After"]))


def _of_grpc(gateway, who):
    metadata = [(name.lower(), value) for name, value in who.items()]
    try:
        client(gateway, "v1").Get(v1.GetRequest(id="x"), timeout=20, metadata=metadata)
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        return Refusal(error.code().name.lower(), trailers["grpc-status-details-bin"],
                       int(trailers["grpc-retry-pushback-ms"]) // 1000)
    return None


DIALECTS = {"rest": _of_rest, "connect": _of_connect, "grpc-web": _of_web, "grpc": _of_grpc}


def refusal(gateway, dialect, who=None):
    """None: the call went well. `who`: fields that say who calls."""
    return DIALECTS[dialect](gateway, who or {})
