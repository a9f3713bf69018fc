"""passerelle init: a first config, from what is there."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import grpc
import pytest
from certificates import certificate
from gateway import BINARY, ORDERS, SHOP
from reflecting import Reflecting, notes_schema

NOTES = """syntax = "proto3"; package notes.%s; import "google/api/annotations.proto";
service Notes {
  rpc Get(Note) returns (Note) { option (google.api.http) = {get: "/%s/notes/{text}"}; }
  rpc Watch(Note) returns (stream Note);
}
message Note { string text = 1; %s }
"""
PROTO = str(SHOP / "proto")


def passerelle(folder, *words, code=0, path=None):
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    done = subprocess.run([BINARY, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def write_notes(folder, version, more=""):
    (folder / "proto/notes").mkdir(parents=True, exist_ok=True)
    (folder / f"proto/notes/{version}.proto").write_text(NOTES % (version, version, more))


def init_notes(folder, *more):
    return passerelle(folder, "init", "proto", "--include", PROTO, "--instance", "notes.v1=127.0.0.1:7001", *more)


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_check_judges_the_draft_and_takes_it_when_all_is_decided(tmp_path):
    told = passerelle(tmp_path, "init", ORDERS, *(f"--instance={name}=127.0.0.1:7001" for name in (
        "shop.orders.v1", "shop.hosting.v2", "machines", "extras", "stock", "panel")))
    assert "orders: v1 (shop.orders.v1), v2 (shop.orders.v2), v3 (shop.orders.v3);" in told
    undecided = passerelle(tmp_path, "check", "gateway.yaml", code=1).splitlines()
    assert all("not decided yet" in line for line in undecided), undecided
    marks = sum(path.read_text().count("# decide:") for path in tmp_path.glob("*-v*.yaml"))
    assert len(undecided) == marks == sum(map(int, re.findall(r"-v\d\.yaml, with (\d+) decision", told)))
    for path in tmp_path.glob("*-v*.yaml"):
        path.write_text(re.sub(r" # decide:.*", "", path.read_text()))
    assert "is good" in passerelle(tmp_path, "check", "gateway.yaml")


def test_a_draft_of_one_version_is_good_at_once_and_its_notes_say_what_it_serves(tmp_path):
    write_notes(tmp_path, "v1")
    told = init_notes(tmp_path, "--listen", "127.0.0.1:8081")
    assert "notes: v1 (notes.v1); 2 methods, 1 of them with REST; 1 instance\n" in told
    assert "is good" in passerelle(tmp_path, "check", "gateway.yaml")
    notes = (tmp_path / "gateway-notes.md").read_text()
    assert "| `/notes.v1.Notes/Get` | `GET /v1/notes/{text}` |  |  |" in notes
    assert "| `/notes.v1.Notes/Watch` |  | responses |  |" in notes
    assert "curl -i 'http://127.0.0.1:8081/v1/notes/1'" in notes
    for line in re.findall(r"`gateway.yaml:(\d+)`", notes):
        assert "# DECIDE: " in (tmp_path / "gateway.yaml").read_text().splitlines()[int(line) - 1]


@pytest.mark.parametrize("template, path", [
    ("/v1/{name=bikes/*}", "/v1/bikes/1"), ("/v1/{name=bikes/*/parts/**}:count", "/v1/bikes/1/parts/1:count"),
    ("/v1/bikes/{id}/parts/{part.id}", "/v1/bikes/1/parts/1"), ("/v1/*/bikes", "/v1/1/bikes")])
def test_the_notes_call_a_path_that_the_template_fits(tmp_path, template, path):
    (tmp_path / "proto").mkdir()
    (tmp_path / "proto/bikes.proto").write_text(
        'syntax = "proto3"; package bikes.v1; import "google/api/annotations.proto"; service Bikes { rpc Get(Bike) returns (Bike) '
        f'{{ option (google.api.http) = {{get: "{template}"}}; }} }} message Part {{ string id = 1; }} '
        'message Bike { string name = 1; string id = 2; Part part = 3; }')
    passerelle(tmp_path, "init", "proto", "--include", PROTO)
    assert f"    curl -i 'http://127.0.0.1:8080{path}'\n" in (tmp_path / "gateway-notes.md").read_text()


def test_what_was_edited_stays_and_what_is_new_is_beside_it(tmp_path):
    write_notes(tmp_path, "v1")
    init_notes(tmp_path)
    assert init_notes(tmp_path).count("unchanged") == 3
    config = tmp_path / "gateway.yaml"
    edited = config.read_text().replace("timeout: 10s", "timeout: 3s")
    config.write_text(edited)

    write_notes(tmp_path, "v2", "int64 size = 2;")
    told = init_notes(tmp_path, "--instance", "notes.v2=127.0.0.1:7002")
    assert "kept       gateway.yaml: it differs from what is in gateway.yaml.new" in told
    assert "gateway.yaml has no version v2 of notes (notes.v2)\n" in told
    assert "gateway.yaml has no instance 127.0.0.1:7002 of notes\n" in told
    assert config.read_text() == edited
    assert files(tmp_path) == {"proto", "gateway.yaml", "gateway.yaml.new", "gateway-notes.md", "gateway-notes.md.new",
                               "proto.binpb", "notes-v1-v2.yaml"}
    for name in "gateway.yaml", "gateway-notes.md":
        os.replace(tmp_path / f"{name}.new", tmp_path / name)
    assert "Note.size: not decided yet" in passerelle(tmp_path, "check", "gateway.yaml", code=1)
    changes = tmp_path / "notes-v1-v2.yaml"
    changes.write_text(re.sub(r" # decide:.*", "", changes.read_text()))
    assert "is good" in passerelle(tmp_path, "check", "gateway.yaml")
    assert "kept       notes-v1-v2.yaml" in init_notes(tmp_path)  # which was decided


def test_change_lists_keep_the_names_that_the_config_has_for_them(tmp_path):
    write_notes(tmp_path, "v1", "int64 cents = 2;")
    write_notes(tmp_path, "v2", "string money = 2;")
    init_notes(tmp_path)
    made = tmp_path / "notes-v1-v2.yaml"
    for name in ("changes.yaml", "lists/a.yaml", str(tmp_path / "elsewhere.yaml")):
        (tmp_path / "lists").mkdir(exist_ok=True)
        made = made.rename(tmp_path / name)
        made.write_text("from: v1\nto: v2\nmessages:\n  Note:\n    cents: {to: money, by: number_text}\n")
        config = tmp_path / "gateway.yaml"
        config.write_text(re.sub(r"changes: \[.*\]", f"changes: [{name}]", config.read_text()))
        told = init_notes(tmp_path)
        assert f"kept       {name}: it differs from what is in {name}.new" in told and "has no line" not in told, told
        assert not (tmp_path / "notes-v1-v2.yaml").exists()


def test_a_contract_that_was_edited_is_the_one_of_the_config_and_what_is_new_in_it_is_told(tmp_path):
    write_notes(tmp_path, "v1")
    write_notes(tmp_path, "v2", "int64 size = 2;")
    init_notes(tmp_path)
    changes = tmp_path / "notes-v1-v2.yaml"
    changes.write_text(re.sub(r" # decide:.*", "", changes.read_text()))
    before = changes.read_text()
    write_notes(tmp_path, "v2", "int64 size = 2; string color = 3;")
    write_notes(tmp_path, "v3", "int64 size = 2; string color = 3;")
    told = init_notes(tmp_path)
    assert "replaced   proto.binpb\nnew in it  notes.v2 Note.color: added\nnew in it  notes.v3: added\n" in told
    assert "notes-v1-v2.yaml has no line for Note.color\n" in told and "Note.size" not in told
    assert "gateway.yaml has no version v3 of notes" in told
    assert not (tmp_path / "proto.binpb.new").exists() and changes.read_text() == before
    assert "Note.color" in passerelle(tmp_path, "check", "gateway.yaml", code=1)


def test_a_package_around_another_has_its_own_methods_only(tmp_path):
    (tmp_path / "proto").mkdir()
    for name, more in ("pay", ""), ("pay.v1", "rpc New(Sum) returns (Sum); "):
        (tmp_path / f"proto/{name}.proto").write_text(
            f'syntax = "proto3"; package {name}; service Pay {{ rpc Get(Sum) returns (Sum); {more}}} message Sum {{ string text = 1; }}')
    passerelle(tmp_path, "init", "proto", "--instance", "pay.v1=127.0.0.1:7001")
    assert "methods" not in (tmp_path / "pay-old-v1.yaml").read_text()
    told = passerelle(tmp_path, "check", "gateway.yaml")
    assert "old: 1 method of pay;" in told and "v1: 2 methods of pay.v1;" in told and "is good" in told


def test_a_descriptor_set_that_the_config_does_not_have_is_kept(tmp_path):
    write_notes(tmp_path, "v1")
    shutil.copy(ORDERS, tmp_path / "proto.binpb")
    assert "kept       proto.binpb: it differs from what is in proto.binpb.new\n" in init_notes(tmp_path)
    assert (tmp_path / "proto.binpb").read_bytes() == pathlib.Path(ORDERS).read_bytes()
    (tmp_path / "proto.binpb").write_text("no set")
    assert "kept       proto.binpb" in init_notes(tmp_path)
    assert (tmp_path / "proto.binpb").read_text() == "no set"


def test_what_an_earlier_run_put_beside_a_file_goes_when_nothing_differs_any_more(tmp_path):
    write_notes(tmp_path, "v1")
    init_notes(tmp_path)
    config = tmp_path / "gateway.yaml"
    made = config.read_text()
    config.write_text(made + "# mine\n")
    init_notes(tmp_path)
    config.write_text(made)
    told = init_notes(tmp_path)
    assert "unchanged  gateway.yaml\nremoved    gateway.yaml.new, of an earlier run\n" in told
    assert files(tmp_path) == {"proto", "gateway.yaml", "gateway-notes.md", "proto.binpb"}
    assert "removed" not in init_notes(tmp_path)


def test_instances_tell_what_they_serve(tmp_path):
    with Reflecting(notes_schema(tmp_path)) as backend:
        told = json.loads(passerelle(tmp_path, "init", backend.address, "--out", "made", "--json"))
        assert told["services"] == [{"name": "notes", "instances": [backend.address], "versions": [
            {"name": "v1", "package": "notes.v1", "schema": f"127.0.0.1-{backend.port}.binpb"}]}]
        assert [file["state"] for file in told["files"]] == ["written"] * 3
        assert all("api-version" not in metadata for *_, metadata in backend.asked)
    assert "is good" in passerelle(tmp_path, "check", "made/gateway.yaml")


def test_names_are_from_where_the_config_is(tmp_path):
    shutil.copy(ORDERS, tmp_path / "orders.binpb")
    passerelle(tmp_path, "init", "orders.binpb", "--out", "made", "--instance", "stock=unix:stock.sock")
    config = (tmp_path / "made/gateway.yaml").read_text()
    assert 'schema: "../orders.binpb"' in config and '"unix:../stock.sock"' in config
    assert "--admin made/admin.sock" in config and "passerelle run made/gateway.yaml\n" in (tmp_path / "made/gateway-notes.md").read_text()
    assert files(tmp_path / "made") == {"gateway.yaml", "gateway-notes.md", "hosting-v1-v2.yaml", "orders-v1-v2.yaml",
                                        "orders-v2-v3.yaml"}


@pytest.mark.parametrize("out, schema", [
    ("a/b", "../../orders.binpb"), ("./a//", "../orders.binpb"), (".", "orders.binpb"), ("{here}/a", "{here}/orders.binpb"),
    ("link/c", "{here}/orders.binpb"), ("a/../a", "{here}/orders.binpb")])
def test_a_descriptor_set_is_named_from_the_config_if_the_way_is_plain(tmp_path, out, schema):
    shutil.copy(ORDERS, tmp_path / "orders.binpb")
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    out = out.format(here=tmp_path)
    passerelle(tmp_path, "init", "orders.binpb", "--out", out)
    assert f'schema: "{schema.format(here=tmp_path)}"' in (tmp_path / out / "gateway.yaml").read_text()
    assert "orders.binpb: " not in passerelle(tmp_path, "check", f"{out}/gateway.yaml", code=1)


@pytest.mark.parametrize("where, include", [("proto/notes", "proto"), ("proto", PROTO)])
def test_names_of_files_begin_at_the_include_that_has_the_folder_in_it(tmp_path, where, include):
    write_notes(tmp_path, "v1")
    (tmp_path / "proto/notes/node_modules").mkdir()
    (tmp_path / "proto/notes/node_modules/bad.proto").write_text("bad")
    (tmp_path / "proto/notes/more.proto").write_text('syntax = "proto3"; import "notes/v1.proto"; package notes.more.v1;')
    assert "notes: v1" in passerelle(tmp_path, "init", where, "--include", include, "--include", PROTO)


def test_buf_builds_a_folder_with_a_buf_yaml_if_it_is_there(tmp_path):
    write_notes(tmp_path, "v1")
    (tmp_path / "proto/buf.yaml").write_text("version: v2\n")
    assert "notes: v1" in init_notes(tmp_path)  # without buf by protoc
    assert "from `proto, by protoc`" in (tmp_path / "gateway-notes.md").read_text()
    (tmp_path / "bin").mkdir()
    buf = tmp_path / "bin/buf"
    buf.write_text(f'#!/bin/sh\n[ "$*" = "build proto -o -" ] && cat {ORDERS}\n')
    buf.chmod(0o755)
    told = passerelle(tmp_path, "init", "proto", "--out", "by-buf", path=tmp_path / "bin")
    assert "orders: v1" in told and "from `proto, by buf`" in (tmp_path / "by-buf/gateway-notes.md").read_text()
    buf.write_text("#!/bin/sh\necho 'notes.proto:1:1: no such thing' >&2; exit 100\n")
    told = passerelle(tmp_path, "init", "proto", "--out", "none", path=tmp_path / "bin", code=1)
    assert "notes.proto:1:1: no such thing\n" in told and "buf refuses it" in told and not (tmp_path / "none").exists()


@pytest.mark.parametrize("words, told", [
    (["nothing"], "nothing is no descriptor set, no folder of .proto files, and no address of an instance"),
    (["empty"], "there is no .proto file below empty"),
    (["bad"], "protoc refuses it; imports were looked for in bad"),
    (["bad/bad.proto"], "bad/bad.proto is protobuf source: name its folder, from which its imports begin"),
    (["words.txt"], "BAD_SCHEMA"),
    (["localhost:port"], "port is not a port"),
    ([ORDERS, "--listen", "foo"], "--listen: foo is not an address: a host, a colon and a port: for example 0.0.0.0:8080"),
    ([ORDERS, "--listen", "127.0.0.1:65536"], "--listen: 65536 is not a port: 0 to 65535"),
    (["127.0.0.1:1"], "connection refused"),
    ([ORDERS, "--instance", "127.0.0.1:7001"], "write PACKAGE=ADDRESS, with one of "),
    ([ORDERS, "--instance", "orders.v9=127.0.0.1:7001"], "which service the instance orders.v9=127.0.0.1:7001 belongs to is not clear"),
    ([ORDERS, "--instance", "stock=here"], "here is no address"),
    ([ORDERS, "--out", "words.txt/made"], "mkdir words.txt/made: Not a directory"),
])
def test_a_source_that_is_none_is_told_and_nothing_is_written(tmp_path, words, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/bad.proto").write_text('syntax = "proto3";\nimport "nowhere.proto";\n')
    (tmp_path / "words.txt").write_text("no descriptor set")
    before = files(tmp_path)
    assert told in passerelle(tmp_path, "init", *words, code=1)
    assert files(tmp_path) == before


def test_names_of_files_do_nothing_to_a_terminal(tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/\x1b[31mx.proto").write_text('syntax = "proto3"; import "nosuch.proto";')
    done = subprocess.run([BINARY, "init", "bad", "--out", "none"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "nosuch.proto" in done.stderr and "\\x1b[31mx.proto" in done.stderr and "\x1b" not in done.stderr


def test_an_instance_without_reflection_is_told_what_to_name_instead(tmp_path):
    with Reflecting({}, apis=()) as backend:
        told = passerelle(tmp_path, "init", backend.address, code=1)
    assert "it has no server reflection" in told and f"name its .proto folder, and --instance {backend.address}" in told


# ---- Instances with TLS --------------------------------------------------------------------------------------------

def secure(folder, mutual=False):
    """Credentials of an instance; it takes clients of its own certificate only, if `mutual`."""
    certificate(folder)
    key, pem = ((folder / f"server.{kind}").read_bytes() for kind in ("key", "pem"))
    return grpc.ssl_server_credentials([(key, pem)], pem if mutual else None, mutual)


def test_an_instance_with_tls_is_asked_and_its_config_says_so(tmp_path):
    with Reflecting(notes_schema(tmp_path), credentials=secure(tmp_path)) as backend:
        address = f"localhost:{backend.port}"
        passerelle(tmp_path, "init", f"https://{address}", "--ca", "server.pem", "--out", "made")
        assert f'- {{address: "{address}", tls: {{ca: "../server.pem"}}}}' in (tmp_path / "made/gateway.yaml").read_text()
        assert (tmp_path / f"made/localhost-{backend.port}.binpb").exists()
        assert "is good" in passerelle(tmp_path, "check", "made/gateway.yaml")
        told = passerelle(tmp_path, "init", f"https://{address}", "--out", "other", code=1)
        assert "certificate" in told and not (tmp_path / "other").exists()
        assert "nosuch.pem" in passerelle(tmp_path, "init", f"https://{address}", "--ca", "nosuch.pem", code=1)
        passerelle(tmp_path, "init", address, "--out", "other", code=1)


def test_an_instance_that_wants_a_certificate_gets_it(tmp_path):
    with Reflecting(notes_schema(tmp_path), credentials=secure(tmp_path, mutual=True)) as backend:
        url = f"https://localhost:{backend.port}"
        passerelle(tmp_path, "init", url, "--ca", "server.pem", code=1)
        passerelle(tmp_path, "init", url, "--ca", "server.pem", "--cert", "server.pem", "--key", "server.key")
        assert 'tls: {ca: "server.pem", certificate: "server.pem", key: "server.key"}' in (tmp_path / "gateway.yaml").read_text()
        assert "is good" in passerelle(tmp_path, "check", "gateway.yaml")


def test_an_instance_that_is_named_may_have_tls(tmp_path):
    write_notes(tmp_path, "v1")
    passerelle(tmp_path, "init", "proto", "--include", PROTO, "--instance", "notes.v1=https://notes.internal", "--instance", "http://[::1]:7001")
    config = (tmp_path / "gateway.yaml").read_text()
    assert '- {address: "notes.internal:443", tls: {}}' in config and '- {address: "[::1]:7001"}' in config
    told = passerelle(tmp_path, "init", "proto", "--include", PROTO, "--ca", "server.pem", code=1)
    assert "--ca, --cert and --key are for instances that are named https://HOST:PORT, and there is none" in told
