"""Schemas that instances tell by server reflection, in place of files; and the many ways in which they do not."""
import socket
import subprocess
import threading

import grpc
import pytest
from backends import Backend
from certificates import certificate
from gateway import BINARY, SHOP_CONFIG, Gateway, instances
from google.protobuf import descriptor_pb2
from processes import eventually, free_port
from reflecting import Reflecting, notes_schema

CONFIG = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
services:
  - name: notes
    versions:
      - name: v1
        package: notes.v1
        schema: {reflection: $reflection}
    instances: ['$instance']
"""


@pytest.fixture
def files(tmp_path):
    return notes_schema(tmp_path)


def gateway_to(folder, backend, more="", instance=None):
    reflection = f"{{address: '{backend.address}'{more}}}" if more else f"'{backend.address}'"
    return Gateway(folder, CONFIG, reflection=reflection, instance=instance or backend.address)


def refused(gateway, command="check"):
    """What is told of a config that is not taken."""
    gateway.write()
    done = subprocess.run([BINARY, command, gateway.file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("api", ["v1", "v1alpha"])
def test_every_dialect_works_by_what_the_instance_tells(tmp_path, files, api, alone):
    with Reflecting(files, [api], alone) as backend, gateway_to(tmp_path, backend) as gateway:
        note = {"text": {"words": "hello", "at": "2026-03-01T00:00:00Z"}}
        for path in ("/v1/notes", "/notes.v1.Notes/Echo"):
            answer = gateway.http("POST", path, note)
            assert answer.status == 200 and answer.json == note
        with grpc.insecure_channel(gateway.address) as channel:
            assert channel.unary_unary("/notes.v1.Notes/Echo")(b"\n\x03\n\x01a", timeout=10) == b"\n\x03\n\x01a"
        assert {asked for asked, *_ in backend.asked} == {api}
        names = [request.file_by_filename for _, request, _ in backend.asked if request.file_by_filename]
        assert len(names) == len(set(names)) and bool(names) == alone
        assert all(metadata["api-version"] == "v1" for *_, metadata in backend.asked)


def test_an_instance_may_be_asked_over_tls(tmp_path, files):
    certificate(tmp_path)
    credentials = grpc.ssl_server_credentials([((tmp_path / "server.key").read_bytes(),
                                                (tmp_path / "server.pem").read_bytes())])
    with Reflecting(files) as serving, Reflecting(files, credentials=credentials) as telling:
        with gateway_to(tmp_path, telling, ", tls: {ca: server.pem, name: localhost}", serving.address) as gateway:
            assert gateway.http("POST", "/v1/notes", {"text": {"words": "x"}}).status == 200
        gateway = gateway_to(tmp_path, telling, ", tls: {ca: server.pem, name: elsewhere}", serving.address)
        assert "hostname mismatch" in refused(gateway).lower()
        gateway = gateway_to(tmp_path, telling, ", tls: {ca: nothing.pem}", serving.address)
        assert "nothing.pem" in refused(gateway)


def test_a_gateway_may_be_asked_for_the_version_that_is_wanted(tmp_path):
    (tmp_path / "near").mkdir()
    (tmp_path / "far").mkdir()
    with Backend("v3") as backend, \
            Gateway(tmp_path / "far", instances=instances(("v3", backend.port))) as far:
        near = SHOP_CONFIG.replace("schema: $orders", f"schema: {{reflection: '{far.address}'}}")
        with Gateway(tmp_path / "near", near, instances=instances(("v3", far.port))) as gateway:
            made = gateway.http("POST", "/v1/orders", {"customer": "ada"})
            assert made.status == 200 and gateway.http("GET", f"/v2/orders/{made.json['id']}").status == 200


def test_protobufs_own_files_may_be_missing(tmp_path, files):
    left = {name: file for name, file in files.items() if not name.startswith("google/protobuf/")}
    with Reflecting(left, alone=True) as backend, gateway_to(tmp_path, backend) as gateway:
        assert gateway.http("POST", "/v1/notes", {"text": {"words": "x"}}).status == 200


def test_all_commands_take_such_a_config(tmp_path, files):
    with Reflecting(files) as backend:
        gateway = gateway_to(tmp_path, backend)
        assert "v1: 1 method of notes.v1; 1 instance" in gateway.check().stdout
        for command in (["explain", gateway.file, "POST", "/v1/notes"], ["prove", gateway.file]):
            done = subprocess.run([BINARY, *command], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr


def test_a_reload_asks_again(tmp_path, files):
    with Reflecting(files) as backend, gateway_to(tmp_path, backend) as gateway:
        assert gateway.http("POST", "/v1/notes", {"author": "ada"}).status == 400
        backend.files = notes_schema(tmp_path, "string author = 2;")
        gateway.reload()
        eventually(lambda: gateway.http("POST", "/v1/notes", {"author": "ada"}).status == 200)


def test_where_nobody_can_be_asked_a_reload_leaves_the_running_config(tmp_path, files):
    with Reflecting(files) as serving, Reflecting(files) as telling:
        with gateway_to(tmp_path, telling, instance=serving.address) as gateway:
            telling.stop()
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_reloads_total", outcome="refused") == 1)
            told = "\n".join(gateway.process.errors)
            assert telling.address in told and "connection refused" in told and "gateway.yaml:9:" in told
            assert gateway.http("POST", "/v1/notes", {}).status == 200
            telling.start()
            gateway.reload()
            eventually(lambda: gateway.metric("passerelle_config_reloads_total", outcome="taken") >= 1)


@pytest.mark.parametrize("command", ["run", "check"])
def test_without_its_instance_no_gateway_starts_and_the_address_and_the_cause_are_told(tmp_path, command):
    port = free_port()
    gateway = Gateway(tmp_path, CONFIG, reflection=f"127.0.0.1:{port}", instance=f"127.0.0.1:{port}")
    told = refused(gateway, command)
    assert f"asking 127.0.0.1:{port} for the schema of notes.v1: connecting: connection refused" in told
    assert "services[0].versions[0].schema.reflection" in told and "cache" in told


def test_a_cache_stands_in_for_an_instance_that_is_away(tmp_path, files):
    with Reflecting(files) as serving:
        telling = Reflecting(files).start()
        cache = tmp_path / "notes.cache"
        gateway = gateway_to(tmp_path, telling, ", cache: notes.cache", serving.address)
        assert gateway.check().returncode == 0
        assert not cache.exists()  # only a config that runs is worth keeping
        with gateway:
            kept = descriptor_pb2.FileDescriptorSet.FromString(cache.read_bytes())
            assert {file.name for file in kept.file} == set(files)
        same = subprocess.run([BINARY, "diff", f"{cache}:notes.v1", f"{tmp_path}/notes.binpb:notes.v1"], timeout=60)
        assert same.returncode == 0
        telling.stop()

        with gateway_to(tmp_path, telling, ", cache: notes.cache", serving.address) as gateway:
            event = gateway.logged(log="event", event="schema_from_cache")
            assert event["level"] == "warning" and "notes.cache" in event["message"]
            assert "connection refused" in str(event["causes"])
            assert gateway.http("POST", "/v1/notes", {"text": {"words": "x"}}).status == 200
            assert "note: its schema is the one that" in gateway.check().stdout
            telling.files = notes_schema(tmp_path, "string author = 2;")
            telling.start()
            gateway.reload()
            eventually(lambda: gateway.http("POST", "/v1/notes", {"author": "ada"}).status == 200)
            assert b"author" in cache.read_bytes()
        telling.stop()


def test_a_schema_that_does_not_fit_the_config_does_not_reach_the_cache(tmp_path, files):
    cache = tmp_path / "notes.cache"
    with Reflecting(files) as backend, gateway_to(tmp_path, backend, ", cache: notes.cache") as gateway:
        kept = cache.read_bytes()
        backend.files = {"notes/notes.proto": b"\n\x11notes/notes.proto"}
        gateway.reload()
        eventually(lambda: gateway.metric("passerelle_config_reloads_total", outcome="refused") == 1)
        assert cache.read_bytes() == kept


def test_two_versions_cannot_share_a_cache(tmp_path, files):
    with Reflecting(files) as backend:
        gateway = gateway_to(tmp_path, backend, ", cache: notes.cache")
        gateway.config = CONFIG.replace("    instances:", """      - name: v2
        package: notes.v1
        schema: {reflection: $reflection}
    instances:""")
        assert "notes.cache is already the cache of another version" in refused(gateway)


def test_a_schema_comes_from_somewhere(tmp_path):
    gateway = Gateway(tmp_path, CONFIG.replace("{reflection: $reflection}", "{}"), instance="127.0.0.1:1")
    assert "the schema has no source (file or reflection)" in refused(gateway)


# ---- What instances do instead -------------------------------------------------------------------

def listing(request):
    return request.WhichOneof("message_request") == "list_services"


def endless_list(request, response):
    while True:
        yield response


def one_too_many(request, response):
    yield response
    yield response


def end_early(request, response):
    if listing(request):
        yield response
    raise grpc.RpcError


def say_other_files(request, response):
    if not listing(request):
        del response.file_descriptor_response.file_descriptor_proto[:]
        response.file_descriptor_response.file_descriptor_proto.append(b"\n\x0bother.proto")
    yield response


def say_nonsense(request, response):
    if not listing(request):
        response.file_descriptor_response.file_descriptor_proto[0] = b"\n\x7fcut off"
    yield response


def say_two_of_a_name(request, response):
    if not listing(request):
        response.file_descriptor_response.file_descriptor_proto.append(b"\n\x11notes/notes.proto")
    yield response


def answer_what_was_not_asked(request, response):
    if listing(request):
        response.file_descriptor_response.file_descriptor_proto.append(b"")
    yield response


def say_huge(request, response):
    if not listing(request):
        response.file_descriptor_response.file_descriptor_proto[0] += b"\x4a\x80\x80\x80\x02" + b"x" * (4 << 20)
    yield response


def say_an_endless_chain(request, response):
    """Each file imports another one."""
    if not listing(request):
        number = request.file_by_filename or "0"
        name = "notes/notes.proto" if number == "0" else number
        del response.file_descriptor_response.file_descriptor_proto[:]
        response.ClearField("error_response")
        response.file_descriptor_response.file_descriptor_proto.append(
            descriptor_pb2.FileDescriptorProto(name=name, dependency=[str(int(number) + 1)]).SerializeToString())
    yield response


def say_a_circle(request, response):
    if not listing(request):
        del response.file_descriptor_response.file_descriptor_proto[:]
        response.ClearField("error_response")
        for name, other in (("a.proto", "b.proto"), ("b.proto", "a.proto")):
            response.file_descriptor_response.file_descriptor_proto.append(
                descriptor_pb2.FileDescriptorProto(name=name, dependency=[other]).SerializeToString())
    yield response


def say_what_does_not_link(request, response):
    if not listing(request):
        file = descriptor_pb2.FileDescriptorProto.FromString(
            response.file_descriptor_response.file_descriptor_proto[0])
        file.message_type[0].field[0].type_name = ".nowhere.Nothing"
        response.file_descriptor_response.file_descriptor_proto[0] = file.SerializeToString()
    yield response


def say_nothing(request, response):
    threading.Event().wait(3)
    return
    yield


@pytest.mark.parametrize("bend, told", [
    (endless_list, "is not for the requested"),
    (one_too_many, "is not for the requested"),
    (end_early, "it returned UNKNOWN"),
    (say_other_files, "no file from its reflection declares its service notes.v1.Notes"),
    (say_nonsense, "truncated or malformed"),
    (say_two_of_a_name, "two different files named notes/notes.proto"),
    (answer_what_was_not_asked, "the response is not for the requested *"),
    (say_huge, "the limit is 1048576"),
    (say_an_endless_chain, "the schema was not received within 1.0 s"),
    (say_a_circle, "no file from its reflection declares its service notes.v1.Notes"),
    (say_what_does_not_link, "nowhere.Nothing"),
    (say_nothing, "the schema was not received within 1.0 s"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_an_instance_that_tells_nonsense_is_refused(tmp_path, files, bend, told):
    with Reflecting(files, bend=bend) as backend:
        text = refused(gateway_to(tmp_path, backend, ", timeout: 1s, bytes: 1MiB"))
        assert told in text and backend.address in text, text


def test_an_instance_without_reflection_is_refused(tmp_path, files):
    with Reflecting(files, apis=[]) as backend:
        assert "it has no server reflection" in refused(gateway_to(tmp_path, backend))


def test_a_dependency_that_it_does_not_have_is_named(tmp_path, files):
    del files["notes/text.proto"]
    with Reflecting(files) as backend:
        told = refused(gateway_to(tmp_path, backend))
        assert "the request for notes/text.proto (imported by notes/notes.proto) returned NOT_FOUND: no file_by_filename here" in told


def test_a_package_that_it_does_not_have_is_told_with_those_that_it_has(tmp_path, files):
    with Reflecting(files) as backend:
        gateway = gateway_to(tmp_path, backend)
        gateway.config = CONFIG.replace("package: notes.v1", "package: notes.v2")
        assert "no RPC service in the package notes.v2; its services: notes.v1.Notes" in refused(gateway)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x00" * 100],
                         ids=["silence", "http1", "noise"])
def test_what_speaks_no_grpc_is_refused(tmp_path, greeting):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)
                while connection.recv(1000):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        gateway = Gateway(tmp_path, CONFIG + "limits: {connect_time: 500ms}\n",
                          reflection=f"{{address: '{address}', timeout: 1s}}", instance=address)
        assert address in refused(gateway)
        thread.join()


def test_a_name_that_hundreds_of_messages_have_tells_nothing_of_one(tmp_path):
    for version in "v1", "v2":
        files = descriptor_pb2.FileDescriptorSet()
        file = files.file.add(name="many.proto", package=f"many.{version}", syntax="proto3")
        for i in range(500):
            file.message_type.add(name=f"{version}Message{i}").field.add(name="name", number=1, type=9, label=1)
        (tmp_path / version).write_bytes(files.SerializeToString())
    told = subprocess.run([BINARY, "diff", f"{tmp_path}/v1:many.v1", f"{tmp_path}/v2:many.v2"],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and not told.stderr


def test_versions_in_one_package_are_compared_by_their_sets(tmp_path):
    for name, field in ("old", "customer"), ("new", "customer_name"):
        files = descriptor_pb2.FileDescriptorSet()
        file = files.file.add(name="order.proto", package="shop.v1", syntax="proto3")
        file.message_type.add(name="Order").field.add(name=field, number=1, type=9, label=1)
        (tmp_path / name).write_bytes(files.SerializeToString())
    told = subprocess.run([BINARY, "diff", "--changes", f"{tmp_path}/old:shop.v1", f"{tmp_path}/new:shop.v1"],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 1
    assert "Both versions have one package" in told.stdout
    assert "from: old\nto: new\n" in told.stdout and "    customer: customer_name  # guess" in told.stdout
