#!/usr/bin/python3
"""The talk service by grpcio: talk_grpc.py BINPB PORT."""
import sys
import threading
from concurrent import futures

import grpc
from schema import Schema, tell

schema = Schema(sys.argv[1])
Ask, Answer = schema("talk.v3.Ask"), schema("talk.v3.Answer")
Status, ErrorInfo, Secret = (schema(name) for name in ("google.rpc.Status", "google.rpc.ErrorInfo", "hidden.Secret"))


class Call:
    """One call: what it says at its beginning, and whether its caller left."""

    def __init__(self, context):
        self.context, self.over, self.gone = context, False, threading.Event()
        metadata = context.invocation_metadata()
        self.mark = dict(metadata).get("x-mark")
        left = context.time_remaining()
        tell("call", self.mark, left=None if left is None or left > 1e9 else left * 1000)
        if not context.add_callback(self.on_end):
            self.on_end()  # it had left before it was heard
        context.send_initial_metadata([pair for pair in metadata if pair[0].startswith("x-echo-")])
        self.trailers = [pair for pair in metadata if pair[0].startswith("x-trailer-")]
        context.set_trailing_metadata(self.trailers)

    def on_end(self):
        self.gone.set()
        if not self.over:
            tell("cancelled", self.mark)

    def suffer(self, ask, done):
        trouble = ask.trouble
        if not ask.HasField("trouble") or trouble.after != done:
            return
        if trouble.wait_ms:
            self.gone.wait(trouble.wait_ms / 1000)
        if trouble.code:
            code = grpc.StatusCode[trouble.code]
            status = Status(code=code.value[0], message="as you wish, 50 % ü")
            status.details.add().Pack(ErrorInfo(reason="AS_YOU_WISH", domain="talk.example",
                                                metadata={"text": ask.text}))
            status.details.add().Pack(Secret(raw=b"\xfb\xff\0"))
            self.over = True
            self.context.set_trailing_metadata(
                self.trailers + [("grpc-status-details-bin", status.SerializeToString())])
            self.context.abort(code, status.message)


def answer(ask, index):
    return Answer(text=ask.text, number=ask.number, mood=ask.mood, raw=ask.raw, index=index)


def say(ask, context):
    call = Call(context)
    call.suffer(ask, 0)
    call.over = True
    return answer(ask, 0)


def count(ask, context):
    call = Call(context)
    for i in range(max(ask.times, 1)):
        call.suffer(ask, i)
        yield answer(ask, i)
    call.over = True


def gather(asks, context):
    call, told = Call(context), Answer()
    for ask in asks:
        call.suffer(ask, told.index)
        told.text += ask.text
        told.number += ask.number
        told.index += 1
    call.over = True
    return told


def chat(asks, context):
    call = Call(context)
    for i, ask in enumerate(asks):
        call.suffer(ask, i)
        yield answer(ask, i)
    call.over = True


server = grpc.server(futures.ThreadPoolExecutor(256))
spelling = {"request_deserializer": Ask.FromString, "response_serializer": Answer.SerializeToString}
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("talk.v3.Talk", {
    "Say": grpc.unary_unary_rpc_method_handler(say, **spelling),
    "Count": grpc.unary_stream_rpc_method_handler(count, **spelling),
    "Gather": grpc.stream_unary_rpc_method_handler(gather, **spelling),
    "Chat": grpc.stream_stream_rpc_method_handler(chat, **spelling),
})])
server.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
server.start()
tell("ready", None)
server.wait_for_termination()
