"""Twenty typical mistakes: each is told with its place, what and why; and what the message says to write makes the config good."""
import json
import os
import re
import socket
import subprocess

import pytest
from gateway import BINARY
from processes import free_port

PROTOS = {
    "money": 'syntax = "proto3"; message Money { string currency = 1; int64 units = 2; }',
    "a": 'syntax = "proto3"; package shop.v1; import "money.proto"; message M { string name = 1; string gone = 2; Money price = 3; int32 n = 4; }'
         ' service S { rpc Go(M) returns (M); }',
    "b": 'syntax = "proto3"; package shop.v2; import "money.proto"; message M { string title = 1; Money price = 3; string n = 4; }'
         ' service S { rpc Go(M) returns (M); }',
}
CONFIG = """\
listen:
  - address: 127.0.0.1:PORT
  - address: 127.0.0.1:1
    tls:
      certificate: one.pem
      key: one.key
services:
  - name: shop
    versions:
      - name: v1
        package: shop.v1
        schema: a.binpb
      - name: v2
        package: shop.v2
        schema: b.binpb
    changes:
      - list.yaml
    instances:
      - address: 127.0.0.1:2
        versions: [v2]
include: parts/routes.yaml
routes:
  - match: shop
    timeout: 2s
"""
LIST = """\
from: v1
to: v2
messages:
  M:
    name: title
    gone: {removed: graceful}
    n: {by: text}
"""


def run(folder, *words, **more):
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, **more)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """All files that the config names, and those that are named by mistake."""
    folder = tmp_path_factory.mktemp("files")
    for name, text in PROTOS.items():
        (folder / f"{name}.proto").write_text(text)
    for name in "ab":
        run(folder, "protoc", "-I.", "--include_imports", f"--descriptor_set_out={name}.binpb", f"{name}.proto", check=True)
    run(folder, "protoc", "-I.", "--descriptor_set_out=alone.binpb", "a.proto", check=True)
    for name in "one", "two":
        run(folder, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
            "-out", f"{name}.pem", "-days", "400", "-subj", f"/CN={name}", check=True)
    run(folder, "openssl", "ec", "-in", "one.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key", check=True)
    (folder / "parts").mkdir()
    (folder / "parts/routes.yaml").write_text("routes:\n  - match: /legacy\n    instances: ['127.0.0.1:3']\n")
    for name in "one.key", "two.key", "locked.key":
        (folder / name).chmod(0o600)
    return folder


def write(folder, config=CONFIG, changes=LIST, port=18099):
    (folder / "c.yaml").write_text(config.replace("PORT", str(port)))
    (folder / "list.yaml").write_text(changes)


def told(folder, *words, **more):
    """[(file, line, column, what and why, what to write)]"""
    done = run(folder, BINARY, *(words or ("check", "c.yaml")), **more)
    lines = [re.fullmatch(r"(?:passerelle run: \w+: )?([\w./]+):(\d+):(\d+): (.*?)(?: \((.*)\))?", line)
             for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("warning", "{"))]
    return [(found[1], int(found[2]), int(found[3]), found[4], found[5]) for found in lines if found]


# ---- What a message says, done -------------------------------------------------------------------------------------

def replace_line(folder, mistake, line):
    lines = (folder / mistake[0]).read_text().split("\n")
    lines[mistake[1] - 1] = line
    (folder / mistake[0]).write_text("\n".join(lines))


def replace_value(folder, mistake, value):
    """The word at the place, or the value of the key there."""
    line = (folder / mistake[0]).read_text().split("\n")[mistake[1] - 1]
    before, rest = line[:mistake[2] - 1], line[mistake[2] - 1:]
    replace_line(folder, mistake, before + re.sub(r"^(\{[^}]*\}|\$\{[^}]*\}|[\w./*-]+)", lambda _: value, rest))


def meant(folder, mistake):
    """did you mean X: in place of the word, or of the value of its key."""
    word = re.match(r"did you mean (.*?)\??$", mistake[4])[1]
    line = (folder / mistake[0]).read_text().split("\n")[mistake[1] - 1]
    wrong = re.search(r"no field (\w+)|no converter (\w+)", mistake[3])
    if wrong:
        replace_line(folder, mistake, line.replace(wrong[1] or wrong[2], word))
    else:
        replace_value(folder, mistake, word)


def whole_line(folder, mistake):
    replace_line(folder, mistake, re.match(r'write "(.*)"$', mistake[4])[1])


def in_quotes(folder, mistake):
    word = re.match(r'write "(.*)" in quotes$', mistake[4])[1]
    line = (folder / mistake[0]).read_text().split("\n")[mistake[1] - 1]
    replace_line(folder, mistake, line.replace(word, f'"{word}"'))


def add_schema(folder, mistake):
    assert mistake[4] == "add schema: FILE"
    line = (folder / "c.yaml").read_text().split("\n")[mistake[1] - 1]
    replace_line(folder, mistake, f"{line}\n{' ' * (mistake[2] - 1)}schema: a.binpb")


def set_file(folder, mistake):
    assert "FILE, which protoc --include_imports --descriptor_set_out=FILE makes" in mistake[4]
    replace_value(folder, mistake, "a.binpb")


def protoc(folder, mistake):
    """The command in the message; its result in place of the source."""
    command = re.search(r"protoc --include_imports --descriptor_set_out=(\S+) \S+", mistake[4])
    run(folder, *command[0].split(), check=True)
    replace_value(folder, mistake, command[1])


def first_example(folder, mistake):
    replace_value(folder, mistake, re.search(r"for example (\w+)", mistake[4])[1])


def as_said(folder, mistake):
    replace_value(folder, mistake, mistake[4])


def leave_out(folder, mistake):
    """The entry that begins in this line, up to the end of the file; or this line."""
    assert "leave out one" in mistake[4] or "remove one" in mistake[4]
    lines = (folder / mistake[0]).read_text().split("\n")
    del lines[mistake[1] - 1:None if "match" in lines[mistake[1] - 1] else mistake[1]]
    (folder / mistake[0]).write_text("\n".join(lines) + "\n")


def write_keys(folder, mistake):
    """(write certificate: X and key: Y), after a command if there is one."""
    if command := re.match(r"(openssl .*?), chmod", mistake[4]):
        run(folder, *command[1].split(), "-passin", "pass:secret", check=True)
    text = (folder / "c.yaml").read_text()
    for key, name in re.findall(r"(certificate|key): ([\w.-]+)", mistake[4].split("write ")[-1]):
        text = re.sub(rf"^( +{key}: ).*$", rf"\g<1>{name}", text, flags=re.M)
    (folder / "c.yaml").write_text(text)


# ---- The mistakes --------------------------------------------------------------------------------------------------

SWAPPED = ("      certificate: one.pem\n      key: one.key", "      certificate: one.key\n      key: one.pem")
MISTAKES = [
    ("a wrong path", ("schema: a.binpb", "schema: schemas/a.binpb"), 12, "No such file", meant),
    ("a typo", ("timeout: 2s", "timeot: 2s"), 24, "there is no such key", meant),
    ("a missing schema", ("        schema: a.binpb\n", ""), 10, "the key schema is missing", add_schema),
    ("a wrong schema", ("schema: a.binpb", "schema: one.pem"), 12, "is not a well-formed message", set_file),
    ("a source as a schema", ("schema: a.binpb", "schema: a.proto"), 12, "a.proto", protoc),
    ("indentation", ("        package: shop.v1", "       package: shop.v1"), 11, "did not find expected", whole_line),
    ("more indentation", ("    timeout: 2s", "      timeout: 2s"), 24, "not allowed in this context", whole_line),
    ("a tab", ("    timeout: 2s", "\ttimeout: 2s"), 24, "a tab character", whole_line),
    ("an unknown field", ("name: title", "name: titel"), 5, "has no field titel", meant),
    ("an undeclared version", ("versions: [v2]", "versions: [v3]"), 20, "shop has no version v3", meant),
    ("a port in use", None, 2, "Address already in use", None),
    ("a route twice", ("    timeout: 2s\n", "    timeout: 2s\n  - match: shop\n    timeout: 1s\n"), 25, "is already matched in c.yaml:23", leave_out),
    ("a wrong type", ("timeout: 2s", "timeout: {seconds: 2}"), 24, "one value is expected here, not a map", first_example),
    ("an unknown converter", ("by: text", "by: texd"), 7, "there is no converter texd", meant),
    ("changes in conflict", ("    name: title\n", "    name: title\n    title: {added: x}\n"), 6, "two changes write title", leave_out),
    ("missing imports", ("schema: a.binpb", "schema: alone.binpb"), 12, "which is not in the set", protoc),
    ("a wrong package", ("package: shop.v1", "package: shop.orders.v1"), 11, "has no RPC service in the package", as_said),
    ("a key of another certificate", ("key: one.key", "key: two.key"), 6, "does not match the certificate", write_keys),
    ("key and certificate swapped", SWAPPED, 5, "they are swapped", write_keys),
    ("an encrypted key", ("key: one.key", "key: locked.key"), 6, "is encrypted", write_keys),
    ("a missing variable", ("timeout: 2s", "timeout: ${NO_SUCH_TIMEOUT}"), 24, "the environment has no variable", None),
    ("a bad include", ("parts/routes.yaml", "parts/route.yaml"), 21, "No such file", meant),
    ("a variable without quotes", ("- address: 127.0.0.1:PORT", "- {address: 127.0.0.1:${NUMBER:-PORT}}"), 2,
     "while parsing a flow mapping", in_quotes),
    ("a pattern without quotes", ("include: parts/routes.yaml", "include: *.yaml"), 21, "while scanning an alias", in_quotes),
]
IN_LIST = {"an unknown field", "an unknown converter", "changes in conflict"}


def mistaken(folder, name, change):
    write(folder, **({"changes": LIST.replace(*change)} if name in IN_LIST else {"config": CONFIG.replace(*change)}))
    return told(folder)


def test_the_config_is_good_without_them(files):
    write(files)
    assert not told(files)


@pytest.mark.parametrize("name, change, line, what, mend", [it for it in MISTAKES if it[4]], ids=lambda it: it if isinstance(it, str) else "")
def test_what_a_message_says_makes_the_config_good(files, name, change, line, what, mend):
    found = [it for it in mistaken(files, name, change) if what in it[3] + str(it[4])]
    assert len(found) == 1, told(files)
    place = ("list.yaml" if name in IN_LIST else "c.yaml", line)
    assert found[0][:2] == place and found[0][2] > 0 and found[0][4], found
    mend(files, found[0])
    left = told(files)
    assert not left or (mend is in_quotes and "no file matches" not in left[0][3] and "would include itself" in left[0][3]), left


def test_a_missing_variable_is_told_with_its_default(files):
    found = mistaken(files, "", ("timeout: 2s", "timeout: ${NO_SUCH_TIMEOUT}"))
    assert [it[:3] for it in found] == [("c.yaml", 24, 14)], found
    replace_value(files, found[0], found[0][4].replace("VALUE", "2s"))
    assert not told(files)


def test_a_port_in_use_is_told_where_it_is_written(files):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        write(files, port=taken.getsockname()[1])
        found = told(files, "run", "c.yaml")
    assert [it[:3] for it in found] == [("c.yaml", 2, 14)] and "Address already in use" in found[0][3], found
    assert "ss -ltnp" in found[0][4] and "another port" in found[0][4]
    write(files, port=free_port())
    assert not told(files)


def started_with(files, admin):
    """What `run` says on its standard error, and the last event in its log."""
    write(files, port=free_port())
    config = files / "c.yaml"
    config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("admin:")) + f"admin: {admin}\nlog: run.log\n")
    line = config.read_text().count("\n") - 1
    done = subprocess.run([BINARY, "run", "c.yaml"], cwd=files, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return line, done.stderr, json.loads((files / "run.log").read_text().splitlines()[-1])


def test_an_admin_address_in_use_is_told_where_it_is_written_with_a_way_to_mend_it(files):
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_UNIX) as living:
        port = taken.getsockname()[1]
        living.bind(str(files / "admin.sock"))
        living.listen()
        (files / "file.sock").write_text("precious")
        for admin, column, mend in (
                (f"127.0.0.1:{port}", 8, "ss -ltnp"), (f"{{address: '127.0.0.1:{port}'}}", 18, "another port"),
                ("unix:admin.sock", 8, f"the process {os.getpid()} listens there; end it"),
                ("{socket: {address: 'unix:file.sock'}}", 27, "remove the file, if nobody needs it")):
            line, said, event = started_with(files, admin)
            assert re.search(rf"c.yaml:{line}:{column}: listening on .*: Address already in use \(.*{re.escape(mend)}", said), said
            assert (event["event"], event["level"]) == ("not_started", "error") and mend in json.dumps(event["causes"])
