"""Server reflection: what the gateway tells of its schemas, to a client of each version."""
import subprocess
import time

import grpc
import pytest
from backends import Backend
from gateway import SHOP_CONFIG, Gateway, instances
from grpc_services import Reflection, channel_to, message_class, parsed

OWN = {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
NOT_FOUND, INVALID_ARGUMENT = 5, 3
PINNED = SHOP_CONFIG.replace("log:", "identity_header: x-client\ntrusted_proxies: [127.0.0.1]\nlog:").replace(
    "    changes:", "    pins: {panel: v2}\n    changes:")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """No backend is needed to be asked what there is."""
    with Gateway(tmp_path_factory.mktemp("reflection"), PINNED, instances=instances(("v3", 7003))) as running:
        yield running


@pytest.mark.parametrize("api", ["v1", "v1alpha"])
def test_who_says_no_version_is_shown_the_services_of_the_default(gateway, api):
    assert Reflection(gateway, api).services() == {"shop.orders.v1.Orders"} | OWN


@pytest.mark.parametrize("said, version", [
    (("api-version", "v2"), "v2"), (("api-version", ">=v1"), "v3"),
    (("x-client", "panel"), "v2"), (("x-client", "nobody"), "v1"),
])
def test_a_client_is_shown_the_version_that_it_resolves_to(gateway, said, version):
    assert Reflection(gateway, metadata=[said]).services() == {f"shop.orders.{version}.Orders"} | OWN


def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(gateway):
    with pytest.raises(grpc.RpcError) as refused:
        Reflection(gateway, metadata=[("api-version", "v9")]).services()
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "the versions of orders are v1, v2, v3" in refused.value.details()


def test_who_says_a_version_is_shown_no_other_and_who_says_none_finds_each_by_its_package(gateway):
    v2 = Reflection(gateway, metadata=[("api-version", "v2")])
    assert v2.files(file_containing_symbol="shop.orders.v2.Order")[0] == "shop/orders/v2/orders.proto"
    assert v2.files(file_containing_symbol="shop.orders.v3.Order") == NOT_FOUND
    assert v2.files(file_by_filename="shop/orders/v3/orders.proto") == NOT_FOUND
    assert v2.files(file_by_filename="google/api/http.proto")[0] == "google/api/http.proto"
    stranger = Reflection(gateway)
    for version in ("v1", "v2", "v3"):
        name = f"shop/orders/{version}/orders.proto"
        assert stranger.files(file_containing_symbol=f"shop.orders.{version}.Orders")[0] == name
        assert stranger.files(file_by_filename=name)[0] == name


@pytest.mark.parametrize("symbol", [
    "shop.orders.v3.Orders", "shop.orders.v3.Orders.Create", "shop.orders.v3.Order", "shop.orders.v3.Order.id",
    "shop.orders.v3.State", "shop.orders.v3.PLACED",
])
def test_every_kind_of_symbol_is_found(gateway, symbol):
    assert Reflection(gateway).files(file_containing_symbol=symbol)[0] == "shop/orders/v3/orders.proto"


@pytest.mark.parametrize("symbol", ["", "shop", "shop.orders.v3", "shop.orders.v3.Orders.Crea", "Order"])
def test_what_is_not_there_is_said_in_band(gateway, symbol):
    assert Reflection(gateway).files(file_containing_symbol=symbol) == NOT_FOUND


@pytest.mark.parametrize("api", ["v1", "v1alpha"])
def test_extensions_are_found_and_counted(gateway, api):
    client = Reflection(gateway, api)
    http = {"containing_type": "google.protobuf.MethodOptions", "extension_number": 72295728}
    assert client.files(file_containing_extension=http)[0] == "google/api/annotations.proto"
    assert client.files(file_containing_extension=dict(http, extension_number=7)) == NOT_FOUND
    assert client.files(file_containing_extension=dict(http, containing_type="shop.None")) == NOT_FOUND
    numbers = client.ask(all_extension_numbers_of_type="google.protobuf.MethodOptions")
    assert numbers.all_extension_numbers_response.base_type_name == "google.protobuf.MethodOptions"
    assert list(numbers.all_extension_numbers_response.extension_number) == [72295728]
    none = client.ask(all_extension_numbers_of_type="shop.orders.v1.Order")
    assert not none.all_extension_numbers_response.extension_number
    for wrong in ("shop.orders.v1.Orders", "shop.None"):
        assert client.ask(all_extension_numbers_of_type=wrong).error_response.error_code == NOT_FOUND


def test_a_stream_goes_on_after_an_error_and_answers_in_order(gateway):
    asks = [{"file_by_filename": "none.proto", "host": "there"}, {}, {"list_services": ""},
            {"file_containing_symbol": "grpc.health.v1.Health"}]
    answers = Reflection(gateway).ask_all(*asks)
    assert [answer.WhichOneof("message_response") for answer in answers] == \
        ["error_response", "error_response", "list_services_response", "file_descriptor_response"]
    assert answers[0].valid_host == "there" and "none.proto" in answers[0].error_response.error_message
    assert answers[1].error_response.error_code == INVALID_ARGUMENT
    assert [answer.original_request.WhichOneof("message_request") for answer in answers] == \
        ["file_by_filename", None, "list_services", "file_containing_symbol"]


def test_a_file_comes_with_all_that_it_imports(gateway):
    files = parsed(Reflection(gateway).ask(file_containing_symbol="shop.orders.v1.Orders"))
    names = [file.name for file in files]
    assert len(names) == len(set(names))
    assert all(needed in names for file in files for needed in file.dependency)
    assert "google/protobuf/descriptor.proto" in names


def test_a_client_without_stubs_can_call(tmp_path):
    """As grpcurl and its like do: with what reflection gave it, and nothing else."""
    with Backend("v3") as backend, Gateway(tmp_path, instances=instances(("v3", backend.port))) as gateway:
        pool = Reflection(gateway).pool("shop.orders.v1.Orders")
        method = pool.FindMethodByName("shop.orders.v1.Orders.Create")
        request = message_class(pool, method.input_type.full_name)()
        request.order.customer = "ada"
        call = channel_to(gateway).unary_unary(
            "/shop.orders.v1.Orders/Create", request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_class(pool, method.output_type.full_name).FromString)
        assert call(request, timeout=10).customer == "ada"


SHARED_CONFIG = """
listen: [127.0.0.1:$port]
admin: 127.0.0.1:$admin
services:
  - name: notes
    versions:
      - {name: v1, package: notes, schema: v1.binpb}
      - {name: v2, package: notes, schema: v2.binpb}
    instances: [{address: '127.0.0.1:7001', versions: [v1]}, {address: '127.0.0.1:7002', versions: [v2]}]
"""


def compile_notes(folder, version, body):
    source = folder / version
    source.mkdir()
    (source / "notes.proto").write_text(
        'syntax = "proto3"; package notes; service Notes { rpc Get(Note) returns (Note); }\n' + body)
    subprocess.run(["protoc", f"-I{source}", f"--descriptor_set_out={folder}/{version}.binpb", "notes.proto"],
                   check=True)


def test_of_versions_that_share_a_package_each_client_sees_its_own(tmp_path):
    compile_notes(tmp_path, "v1", "message Note { string text = 1; }")
    compile_notes(tmp_path, "v2", "message Note { string text = 1; string author = 2; } message Author {}")
    with Gateway(tmp_path, SHARED_CONFIG) as gateway:
        for metadata, fields in (([], ["text"]), ([("api-version", "v1")], ["text"]),
                                 ([("api-version", "v2")], ["text", "author"])):
            client = Reflection(gateway, metadata=metadata)
            note = client.pool("notes.Notes").FindMessageTypeByName("notes.Note")
            assert [field.name for field in note.fields] == fields
            by_name = parsed(client.ask(file_by_filename="notes.proto"))[0]
            assert [field.name for field in by_name.message_type[0].field] == fields
            author = client.files(file_containing_symbol="notes.Author")
            assert author == (["notes.proto"] if len(fields) == 2 else NOT_FOUND)


def test_it_can_be_switched_off(tmp_path):
    config = SHOP_CONFIG.replace("log:", "reflection: false\nlog:")
    with Gateway(tmp_path, config, instances=instances(("v3", 7003))) as gateway:
        for api in ("v1", "v1alpha"):
            with pytest.raises(grpc.RpcError) as caught:
                Reflection(gateway, api).services()
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def resident(process):
    with open(f"/proc/{process.child.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_questions_whose_answers_are_not_read_are_not_answered_yet(gateway):
    """Twenty thousand small questions ask for 400 MB."""
    n = 20000
    client = Reflection(gateway)
    request = client.messages.ServerReflectionRequest(file_containing_symbol="shop.orders.v3.Orders")
    before, sent = resident(gateway.process), 0

    def requests():
        nonlocal sent
        for sent in range(1, n + 1):
            yield request

    answers = client.call(requests(), timeout=100)
    first = next(answers)
    assert first.ByteSize() * n > 200e6
    while (was := sent) < n:
        time.sleep(0.5)
        if sent == was:
            break
    assert resident(gateway.process) - before < 64e6
    answers.cancel()
