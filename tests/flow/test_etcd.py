"""etcd, which nobody here wrote: its own JSON gateway and ours, before the same gRPC service, give the same answers."""
import base64
import contextlib
import http.client
import json
import queue
import subprocess

import grpc
import pytest
from gateway import Gateway
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from processes import ROOT, Process, free_port

GO = "/usr/share/gocode/src"  # where Debian keeps etcd's sources
PROTOS = ["etcd/etcdserver/etcdserverpb/rpc.proto", "etcd/etcdserver/api/v3lock/v3lockpb/v3lock.proto",
          "etcd/etcdserver/api/v3election/v3electionpb/v3election.proto"]

# etcd's JSON gateway writes names as the proto files have them.
CONFIG = """
listen: [{address: '127.0.0.1:$port'}]
admin: {address: '127.0.0.1:$admin'}
log: "-"
services:
  - name: etcd
    versions: [{name: v3, package: etcdserverpb, schema: $schema}]
    instances: ['127.0.0.1:$etcd']
  - name: lock
    versions: [{name: v3, package: v3lockpb, schema: $schema}]
    instances: ['127.0.0.1:$etcd']
  - name: election
    versions: [{name: v3, package: v3electionpb, schema: $schema}]
    instances: ['127.0.0.1:$etcd']
routes:
  - {match: etcd, json: {proto_names: true}}
  - {match: lock, json: {proto_names: true}}
  - {match: election, json: {proto_names: true}}
"""


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Etcd:
    """One etcd of its own, and the gateway before it."""

    def __init__(self, folder, schema, running):
        self.folder, self.schema = folder, schema
        self.port, peer = free_port(), free_port()
        url, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        self.process = Process(["etcd", "--data-dir", str(folder / "data"), "--unsafe-no-fsync",
                                "--listen-client-urls", url, "--advertise-client-urls", url,
                                "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                                "--initial-cluster", f"default={peers}", "--log-level", "error"])
        running.callback(self.process.terminate)
        self.process.wait_until(self.answers)
        self.gateway = running.enter_context(Gateway(folder, CONFIG, schema=schema, etcd=self.port))

    def answers(self):
        try:
            return self.post(self.port, "/v3/maintenance/status", {})[0] == 200
        except OSError:
            return False

    @staticmethod
    def open(port, path, body, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **dict(headers)})
        return connection, connection.getresponse()

    def post(self, port, path, body, headers=()):
        connection, response = self.open(port, path, body, headers)
        try:
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def theirs(self, path, body, headers=()):
        return self.post(self.port, path, body, headers)

    def ours(self, path, body, headers=()):
        return self.post(self.gateway.port, path, body, headers)

    def both(self, path, body, headers=()):
        """The same request to both, one after the other: for what changes nothing."""
        theirs, ours = self.theirs(path, body, headers), self.ours(path, body, headers)
        assert ours == theirs, f"{path} {body}"
        assert theirs[0] == 200, theirs
        return ours[1]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    file = tmp_path_factory.mktemp("etcd") / "etcd.binpb"
    subprocess.run(["protoc", f"-I{GO}/go.etcd.io", f"-I{GO}/github.com/gogo/protobuf", f"-I{ROOT}/examples/shop/proto",
                    "-I/usr/include", "--include_imports", f"--descriptor_set_out={file}", *PROTOS],
                   check=True, timeout=60)
    return file


@pytest.fixture(scope="module")
def etcd(tmp_path_factory, schema):
    with contextlib.ExitStack() as running:
        yield Etcd(tmp_path_factory.mktemp("etcd-data"), schema, running)


def steady(answer):
    """Without what counts on with each change: the next request's answer has other figures."""
    if isinstance(answer, dict):
        return {key: steady(value) for key, value in answer.items()
                if key not in ("revision", "raftIndex", "raftAppliedIndex", "create_revision", "mod_revision")}
    return [steady(each) for each in answer] if isinstance(answer, list) else answer


# ---- What changes nothing is answered alike to the letter -----------------------------------------------

@pytest.fixture(scope="module")
def filled(etcd):
    for i in range(20):
        etcd.theirs("/v3/kv/put", {"key": b64(f"fill/{i:02}"), "value": b64(f"value {i} \0\xff")})
    etcd.theirs("/v3/kv/put", {"key": b64("fill/00"), "value": b64("again")})
    etcd.theirs("/v3/kv/put", {"key": b64("empty")})
    etcd.theirs("/v3/lease/grant", {"ID": "7587848943239468811", "TTL": "600"})
    etcd.theirs("/v3/kv/put", {"key": b64("leased"), "value": b64("x"), "lease": "7587848943239468811"})
    return etcd


READS = [
    ("/v3/kv/range", {"key": b64("fill/00")}),
    ("/v3/kv/range", {"key": b64("nowhere")}),
    ("/v3/kv/range", {"key": b64("empty")}),
    ("/v3/kv/range", {"key": b64("leased")}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0")}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0"), "limit": "3"}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0"), "limit": 3, "count_only": True}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0"), "keys_only": True}),
    ("/v3/kv/range", {"key": b64("fill/"), "rangeEnd": b64("fill0"), "keysOnly": True}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0"), "sort_order": "DESCEND", "sort_target": "MOD"}),
    ("/v3/kv/range", {"key": b64("fill/"), "range_end": b64("fill0"), "sort_order": 2, "sort_target": 0}),
    ("/v3/kv/range", {"key": b64("fill/00"), "serializable": True, "revision": "2"}),
    ("/v3/kv/range", {"key": b64("\0"), "range_end": b64("\0"), "min_mod_revision": "5", "max_mod_revision": "9"}),
    ("/v3/kv/txn", {"compare": [{"key": b64("fill/00"), "target": "VALUE", "result": "EQUAL", "value": b64("again")}],
                    "success": [{"request_range": {"key": b64("fill/01")}}],
                    "failure": [{"request_range": {"key": b64("fill/02")}}]}),
    ("/v3/kv/txn", {"compare": [{"key": b64("fill/00"), "target": "VERSION", "result": "GREATER", "version": "9"}],
                    "success": [{"request_range": {"key": b64("fill/01")}}],
                    "failure": [{"requestRange": {"key": b64("fill/02")}},
                                {"request_txn": {"success": [{"request_range": {"key": b64("empty")}}]}}]}),
    ("/v3/lease/timetolive", {"ID": "1"}),
    ("/v3/kv/lease/timetolive", {"ID": "1", "keys": True}),
    ("/v3/lease/leases", {}),
    ("/v3/cluster/member/list", {}),
    ("/v3/maintenance/status", {}),
    ("/v3/maintenance/alarm", {"action": "GET"}),
    ("/v3/maintenance/defragment", {}),
    ("/v3/auth/user/list", {}),
    ("/v3/auth/role/list", {}),
]


@pytest.mark.parametrize("path,body", READS, ids=[str(i) for i in range(len(READS))])
def test_reads_are_answered_alike(filled, path, body):
    filled.both(path, body)


def test_of_two_methods_with_the_same_rule_the_last_is_meant(filled):
    """etcd's proto gives Hash and HashKV one path. google.api.http lets the last rule win; their gateway the first."""
    assert "compact_revision" not in filled.theirs("/v3/maintenance/hash", {})[1]
    assert "compact_revision" in filled.ours("/v3/maintenance/hash", {})[1]


# ---- Changes: once through each, in a place of its own ---------------------------------------------------

def in_place(body, place):
    """PLACE in keys is where this gateway's run of the story happens."""
    return json.loads(json.dumps(body).replace("PLACE", place))


CHANGES = [
    ("/v3/kv/put", {"key": "PLACE", "value": b64("one")}),
    ("/v3/kv/put", {"key": "PLACE", "value": b64("two"), "prev_kv": True}),
    ("/v3/kv/put", {"key": "PLACE", "ignore_value": True, "prev_kv": True}),
    ("/v3/kv/range", {"key": "PLACE"}),
    ("/v3/kv/txn", {"compare": [{"key": "PLACE", "target": "VERSION", "result": "EQUAL", "version": "3"}],
                    "success": [{"request_put": {"key": "PLACE", "value": b64("three"), "prev_kv": True}},
                                {"request_range": {"key": "PLACE"}}]}),
    ("/v3/kv/txn", {"success": [{"request_delete_range": {"key": "PLACE", "prev_kv": True}}]}),
    ("/v3/kv/put", {"key": "PLACE", "value": b64("four")}),
    ("/v3/kv/deleterange", {"key": "PLACE", "prev_kv": True}),
    ("/v3/kv/deleterange", {"key": "PLACE"}),
]


def test_changes_are_answered_alike(etcd):
    for path, body in CHANGES:
        theirs = etcd.theirs(path, in_place(body, b64("placeA")))
        ours = etcd.ours(path, in_place(body, b64("placeB")))
        assert theirs[0] == 200, theirs
        told = json.loads(json.dumps(ours[1]).replace(b64("placeB"), b64("placeA")))
        assert (ours[0], steady(told)) == (200, steady(theirs[1])), (path, body)


def test_a_lease_lives_is_kept_alive_and_revoked(etcd):
    for post, lease in ((etcd.theirs, "1001"), (etcd.ours, "1002")):
        granted = post("/v3/lease/grant", {"TTL": "100", "ID": lease})[1]
        assert (granted["ID"], granted["TTL"]) == (lease, "100")
        post("/v3/kv/put", {"key": b64(f"lease{lease}"), "lease": lease})
        left = post("/v3/lease/timetolive", {"ID": lease, "keys": True})[1]
        assert left["grantedTTL"] == "100" and left["keys"] == [b64(f"lease{lease}")]
        assert post("/v3/lease/revoke", {"ID": lease})[0] == 200
        assert "kvs" not in post("/v3/kv/range", {"key": b64(f"lease{lease}")})[1]


def first_lines(etcd, port, path, body, n, meanwhile=lambda: None):
    """The first lines of a stream's answer."""
    connection, response = etcd.open(port, path, body)
    lines = [json.loads(response.readline())]
    meanwhile()
    lines += [json.loads(response.readline()) for _ in range(n - 1)]
    connection.sock and connection.sock.close()
    connection.close()
    return response.status, lines


def test_keeping_a_lease_alive_is_a_stream(etcd):
    """Their lines are in an envelope, {"result": ...}, ours are the messages."""
    etcd.theirs("/v3/lease/grant", {"TTL": "100", "ID": "1003"})
    theirs = first_lines(etcd, etcd.port, "/v3/lease/keepalive", {"ID": "1003"}, 1)
    ours = first_lines(etcd, etcd.gateway.port, "/v3/lease/keepalive", {"ID": "1003"}, 1)
    assert ours == (200, [line["result"] for line in theirs[1]])
    assert ours[1][0]["TTL"] == "100"


def test_a_watch_tells_each_change(etcd):
    def story():
        etcd.theirs("/v3/kv/put", {"key": b64("watched"), "value": b64("one")})
        etcd.theirs("/v3/kv/deleterange", {"key": b64("watched")})
    body = {"create_request": {"key": b64("watched"), "prev_kv": True}}
    theirs = first_lines(etcd, etcd.port, "/v3/watch", body, 3, story)
    ours = first_lines(etcd, etcd.gateway.port, "/v3/watch", body, 3, story)
    assert [steady(line) for line in ours[1]] == [steady(line["result"]) for line in theirs[1]]
    assert ours[1][0]["created"] is True
    assert [event.get("type") for line in ours[1][1:] for event in line["events"]] == [None, "DELETE"]


def test_compaction(etcd):
    revision = etcd.theirs("/v3/kv/put", {"key": b64("compacted")})[1]["header"]["revision"]
    etcd.theirs("/v3/kv/put", {"key": b64("compacted")})
    assert steady(etcd.ours("/v3/kv/compaction", {"revision": revision})[1]).keys() == {"header"}
    body = {"key": b64("compacted"), "revision": "1"}
    theirs, ours = etcd.theirs("/v3/kv/range", body), etcd.ours("/v3/kv/range", body)
    assert theirs[1]["message"] == ours[1]["detail"] == "etcdserver: mvcc: required revision has been compacted"


def test_a_lock_is_waited_for(etcd):
    held = etcd.ours("/v3/lock/lock", {"name": b64("door")})[1]
    assert base64.b64decode(held["key"]).startswith(b"door/")
    assert etcd.ours("/v3/lock/unlock", {"key": held["key"]})[0] == 200
    again = etcd.theirs("/v3/lock/lock", {"name": b64("door")})[1]
    assert again.keys() == held.keys()
    etcd.theirs("/v3/lock/unlock", {"key": again["key"]})


# ---- Errors: the same code and text; ours by RFC 9457 -------------------------------------------------

ERRORS = [
    ("/v3/kv/range", {}, "INVALID_ARGUMENT"),                                    # key is not provided
    ("/v3/kv/put", {"key": b64("x"), "lease": "404"}, "NOT_FOUND"),
    ("/v3/lease/revoke", {"ID": "404"}, "NOT_FOUND"),
    ("/v3/kv/compaction", {"revision": "99999999"}, "OUT_OF_RANGE"),
    ("/v3/auth/role/get", {"role": "nobody"}, "FAILED_PRECONDITION"),
    ("/v3/auth/user/delete", {"name": "nobody"}, "FAILED_PRECONDITION"),
    ("/v3/auth/enable", {}, "FAILED_PRECONDITION"),
    ("/v3/lease/grant", {"TTL": "9000000001"}, "OUT_OF_RANGE"),
]


@pytest.mark.parametrize("path,body,code", ERRORS)
def test_errors_are_the_same(etcd, path, body, code):
    theirs, ours = etcd.theirs(path, body), etcd.ours(path, body)
    assert ours[1]["detail"] == theirs[1]["message"]
    assert ours[1]["code"] == code and grpc.StatusCode[code].value[0] == theirs[1]["code"]
    # Their gateway is of a time when FAILED_PRECONDITION was 412; google.rpc.Code says 400.
    assert ours[0] == (400 if theirs[0] == 412 else theirs[0])


BAD = [{"key": 1}, {"key": "%%"}, {"limit": "x"}, {"sort_order": "SIDEWAYS"}, {"limit": 1.5}, {"keys_only": "yes"},
       {"key": ["a"]}, []]


@pytest.mark.parametrize("body", BAD, ids=[json.dumps(body) for body in BAD])
def test_what_is_no_request_is_refused_by_both(etcd, body):
    assert etcd.theirs("/v3/kv/range", body)[0] == 400
    assert etcd.ours("/v3/kv/range", body)[0] == 400


# ---- Authentication, last: it changes who may do what --------------------------------------------------

AUTH = [
    ("/v3/auth/user/add", {"name": "root", "password": "secret"}),
    ("/v3/auth/role/add", {"name": "root"}),
    ("/v3/auth/role/add", {"name": "reader"}),
    ("/v3/auth/role/grant", {"name": "reader", "perm": {"permType": "READ", "key": b64("a"), "range_end": b64("b")}}),
    ("/v3/auth/user/grant", {"user": "root", "role": "root"}),
    ("/v3/auth/user/list", {}),
    ("/v3/auth/role/get", {"role": "reader"}),
    ("/v3/auth/user/get", {"name": "root"}),
    ("/v3/auth/role/revoke", {"role": "reader", "key": b64("a"), "range_end": b64("b")}),
    ("/v3/auth/role/delete", {"role": "reader"}),
]


@pytest.fixture
def two(tmp_path, schema):
    """Two clusters of one: the same story is told to each, once by either gateway."""
    with contextlib.ExitStack() as running:
        pair = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            pair.append(Etcd(tmp_path / name, schema, running))
        yield pair


def of_no_cluster(answer):
    return {key: value for key, value in answer.items() if key != "header"}


def test_users_and_roles(two):
    one, other = two
    for path, body in AUTH:
        theirs, ours = one.theirs(path, body), other.ours(path, body)
        assert (theirs[0], of_no_cluster(theirs[1])) == (ours[0], of_no_cluster(ours[1])) and ours[0] == 200, path
    assert one.theirs("/v3/auth/enable", {})[0] == other.ours("/v3/auth/enable", {})[0] == 200
    login = {"name": "root", "password": "secret"}
    for post in (one.theirs, other.ours):
        status, answer = post("/v3/kv/range", {"key": b64("a")})
        assert status == 400 and "user name is empty" in json.dumps(answer)
        token = post("/v3/auth/authenticate", login)[1]["token"]
        assert post("/v3/kv/range", {"key": b64("a")}, {"Authorization": token})[0] == 200
        status, answer = post("/v3/auth/authenticate", {**login, "password": "wrong"})
        assert status == 400 and "authentication failed" in json.dumps(answer)


# ---- gRPC clients through the gateway -------------------------------------------------------------------

@pytest.fixture(scope="module")
def messages(schema):
    files = descriptor_pb2.FileDescriptorSet.FromString(schema.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return lambda name: factory.GetPrototype(pool.FindMessageTypeByName(f"etcdserverpb.{name}"))


def test_a_grpc_client_watches_and_asks_for_more_on_the_same_stream(etcd, messages):
    request, response = messages("WatchRequest"), messages("WatchResponse")
    channel = grpc.insecure_channel(etcd.gateway.address)
    watch = channel.stream_stream("/etcdserverpb.Watch/Watch", request.SerializeToString, response.FromString)
    wanted = [request(create_request={"key": b"grpc/1"}), request(create_request={"key": b"grpc/2"})]
    etcd.gateway.clients.append(channel)
    asked = queue.Queue()
    answers = watch(iter(asked.get, None), timeout=30)
    for i, create in enumerate(wanted):
        asked.put(create)
        assert next(answers).watch_id == i
    for i in (2, 1):
        etcd.ours("/v3/kv/put", {"key": b64(f"grpc/{i}"), "value": b64("x")})
        told = next(answers)
        assert (told.watch_id, told.events[0].kv.key) == (i - 1, b"grpc/%d" % i)
    asked.put(request(cancel_request={"watch_id": 0}))
    assert next(answers).canceled
    answers.cancel()


def test_etcdctl_works_through_the_gateway(etcd):
    def ctl(*arguments):
        done = subprocess.run(["etcdctl", "--endpoints", etcd.gateway.address, *arguments], capture_output=True,
                              text=True, timeout=30, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"})
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert ctl("put", "ctl", "value") == "OK\n"
    assert ctl("get", "ctl") == "ctl\nvalue\n"
    assert ctl("del", "ctl") == "1\n"
    assert "127.0.0.1" in ctl("member", "list")
    snapshot = etcd.folder / "snapshot"
    ctl("snapshot", "save", str(snapshot))  # a stream of large messages
    assert snapshot.stat().st_size > 16000
