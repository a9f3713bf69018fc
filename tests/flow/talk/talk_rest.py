#!/usr/bin/python3
"""
The talk service by http.server: talk_rest.py BINPB PORT. REST as a legacy backend speaks it, by the paths of
talk_v3.proto: errors as AIP-193 has them, streams as lines of JSON.
"""
import base64
import http.server
import json
import select
import sys
import urllib.parse

from schema import Schema, tell

schema = Schema(sys.argv[1])
HTTP = {"NOT_FOUND": 404, "ABORTED": 409, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "DATA_LOSS": 500}


class Failure(Exception):
    def __init__(self, code, text):
        self.http = HTTP[code]
        secret = base64.b64encode(schema("hidden.Secret")(raw=b"\xfb\xff\0").SerializeToString()).decode()
        self.body = {"error": {"code": self.http, "status": code, "message": "as you wish, 50 % ü", "details": [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "AS_YOU_WISH",
             "domain": "talk.example", "metadata": {"text": text}},
            {"@type": "type.googleapis.com/hidden.Secret", "value": secret}]}}


class Gone(Exception):
    pass


def put(ask, path, value):
    *parents, leaf = path.split(".")
    for parent in parents:
        ask = ask.setdefault(parent, {})
    ask[leaf] = value


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        _, _, method, text = url.path.split("/")
        ask = {"text": urllib.parse.unquote(text)}
        for name, value in urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)):
            put(ask, name, value)
        self.answer(method, ask)

    def do_POST(self):
        self.answer(self.path.split("/")[2], json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, method, ask):
        self.mark = self.headers["x-mark"]
        tell("call", self.mark)
        try:
            {"say": self.say, "count": self.count}[method](schema.read("talk.v3.Ask", ask))
        except Failure as failure:
            self.whole(failure.http, failure.body)
        except (Gone, BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            tell("cancelled", self.mark)

    def begin(self, status, content_type):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in self.headers.items():
            if name.startswith("x-echo-"):
                self.send_header(name, value)

    def whole(self, status, value):
        body = json.dumps(value).encode()
        self.begin(status, "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def suffer(self, ask, done):
        trouble = ask.trouble
        if not ask.HasField("trouble") or trouble.after != done:
            return
        if trouble.wait_ms and select.select([self.connection], [], [], trouble.wait_ms / 1000)[0]:
            raise Gone  # nothing but the end of the connection can come
        if trouble.code:
            raise Failure(trouble.code, ask.text)

    @staticmethod
    def spell(ask, index):
        told = schema("talk.v3.Answer")(text=ask.text, number=ask.number, mood=ask.mood, raw=ask.raw, index=index)
        return schema.spell(told)

    def say(self, ask):
        self.suffer(ask, 0)
        self.whole(200, self.spell(ask, 0))

    def line(self, value):
        """A line, in two chunks that do not end where it does."""
        text = json.dumps(value).encode() + b"\n"
        for part in (text[:3], text[3:]):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def count(self, ask):
        if ask.trouble.code and ask.trouble.after == 0:
            self.suffer(ask, 0)
        self.begin(200, "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for i in range(max(ask.times, 1)):
                self.suffer(ask, i)
                self.line(self.spell(ask, i))
        except Failure as failure:
            self.line(failure.body)
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", int(sys.argv[2])), Handler)
tell("ready", None)
server.serve_forever()
