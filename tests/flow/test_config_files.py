"""What a config is made of: several files, variables, secrets in files of their own, the standard input."""
import json
import os
import re
import signal
import subprocess

import pytest
from gateway import BINARY, Gateway
from operators import on_socket
from processes import eventually, free_port

LISTEN = 'listen: ["127.0.0.1:1"]\n'
ROUTE = 'routes: [{{match: /{0}, instances: ["127.0.0.1:2"]}}]\n'


def write(folder, **files):
    """part__a="..." is the file part/a.yaml."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "c.yaml"


def check(file, text=None, **variables):
    """All that `check` says of it, without the folder; the environment has these variables."""
    done = subprocess.run([BINARY, "check", str(file)], input=text, capture_output=True, text=True, timeout=60,
                          cwd=None if str(file) != "-" else variables.pop("folder"), env={**os.environ, **variables})
    said = (done.stdout + done.stderr).replace(f"{os.path.dirname(file)}/" if str(file) != "-" else "\0", "")
    assert done.returncode == (0 if "mistake" not in said and ":1:" not in said and "yaml:" not in said else 1), said
    return said


def good(said):
    return not any(".yaml:" in line and "warning" not in line for line in said.splitlines())


# ---- Variables -----------------------------------------------------------------------------------------------------

def test_variables_are_values_of_any_type_and_stay_one_value(tmp_path):
    file = write(tmp_path, c='listen: ["127.0.0.1:${PORT}"]\nloops: ${LOOPS}\nreflection: ${FLAG:-false}\n'
                             f'node: ${{NODE}}\n{ROUTE.format("a")}')
    said = check(file, PORT="1", LOOPS="3", NODE="x\nloops: 9 # {a: b}")
    assert good(said), said
    assert "c.yaml:2:8: loops: three is not a whole number" in check(file, PORT="1", LOOPS="three", NODE="x")


def test_a_missing_variable_is_a_mistake_with_its_place_and_a_default_mends_it(tmp_path):
    file = write(tmp_path, c=f"{LISTEN}node: ${{NO_SUCH_NODE}}\n{ROUTE.format('a')}")
    assert "c.yaml:2:7: the environment has no variable NO_SUCH_NODE (${NO_SUCH_NODE:-VALUE})\n" in check(file)
    assert good(check(write(tmp_path, c=f"{LISTEN}node: ${{NO_SUCH_NODE:-VALUE}}\n{ROUTE.format('a')}")))


def test_two_dollars_are_no_variable_and_keys_have_none(tmp_path):
    file = write(tmp_path, c=f"{LISTEN}error_help: 'https://x/$${{reason}}'\n{ROUTE.format('a')}")
    assert good(check(file))
    assert "there is no such key" in check(write(tmp_path, c=f"{LISTEN}${{NODE}}: x\n"), NODE="node")


# ---- Included files ------------------------------------------------------------------------------------------------

def test_included_files_are_joined_in_the_order_of_their_names(tmp_path):
    file = write(tmp_path, c=f"include: part/*.yaml\n{LISTEN}", part__b=ROUTE.format("b"), part__a=ROUTE.format("a"))
    said = check(file)
    assert good(said) and said.index("/a:") < said.index("/b:"), said


def test_a_mistake_is_told_in_its_file_and_names_are_relative_to_it(tmp_path):
    file = write(tmp_path, c=f"include: [part/a.yaml, part/b.yaml]\n{LISTEN}{ROUTE.format('c')}", part__a=ROUTE.format("a"),
                 part__b='x-ours: {any: thing}\nservices:\n  - name: s\n    versions: [{name: v1, package: t, schema: no.binpb}]\n')
    said = check(file)
    assert "part/b.yaml:4:47: services[0].versions[0].schema: open " in said and "part/no.binpb: No such file" in said, said


def test_included_files_include_others_and_variables_name_them(tmp_path):
    file = write(tmp_path, c=f"include: ${{PART}}/a.yaml\n{LISTEN}", part__a="include: b.yaml\n", part__b=ROUTE.format("b"))
    assert good(check(file, PART="part"))


@pytest.mark.parametrize("include, told", [
    ("part/none.yaml", "c.yaml:1:10: open part/none.yaml: No such file or directory"),
    ("part/*.none", "c.yaml:1:10: no file matches part/*.none"),
    ("[part/a.yaml, part/../part/a.yaml]", "c.yaml:1:24: part/../part/a.yaml is included already, by c.yaml"),
    ("c.yaml", "c.yaml:1:10: c.yaml would include itself"),
    ("part/loop.yaml", "part/loop.yaml:1:10: c.yaml would include itself"),
    ("part/list.yaml", "part/list.yaml:1:1: an included file is a map, with keys of the config"),
    ("[{a: b}]", "c.yaml:1:11: the name of a file, or a pattern, is expected here (services/*.yaml)"),
    ("{a: b}", "c.yaml:1:10: include: a list is expected here"),
    ("part/twice.yaml", "part/twice.yaml:2:1: the key loops is in c.yaml:2:1, too: only lists are joined (leave out one of them)"),
    ("part/1.yaml", "part/8.yaml:1:10: files include one another more than 8 deep"),
])
def test_what_cannot_be_included_is_told(tmp_path, include, told):
    chain = {f"part__{i}": f"include: {i + 1}.yaml\n" for i in range(1, 9)}
    file = write(tmp_path, c=f"include: {include}\nloops: 1\n{LISTEN}", part__a=ROUTE.format("a"), part__loop="include: ../c.yaml\n",
                 part__list="- a\n", part__twice="\nloops: 2\n", part__9=ROUTE.format("a"), **chain)
    assert told in check(file), check(file)


def test_files_may_include_one_another_eight_deep(tmp_path):
    chain = {f"part__{i}": f"include: {i + 1}.yaml\n" for i in range(2, 9)}
    assert good(check(write(tmp_path, c=f"include: part/2.yaml\n{LISTEN}", part__9=ROUTE.format("a"), **chain)))


# ---- Secrets -------------------------------------------------------------------------------------------------------



def test_a_secret_is_read_from_its_file_without_the_end_of_the_line(tmp_path):
    (tmp_path / "db").write_text("host=/nowhere user=SECRET\n")
    (tmp_path / "db").chmod(0o600)
    file = write(tmp_path, c=f"{LISTEN}store: {{postgresql: {{file: db}}}}\n{ROUTE.format('a')}")
    said = check(file)
    assert good(said) and "SECRET" not in said and "db" not in said, said
    (tmp_path / "db").chmod(0o644)
    assert "store.postgresql: other users may use db (mode 644): chmod 600" in check(file)


@pytest.mark.parametrize("secret, told", [
    ("{file: none}", "store.postgresql: open none: No such file"),
    ("{file: empty}", "store.postgresql: empty holds no secret: it is empty, or has blank lines only (printf '%s' SECRET > empty)"),
    ("{file: line}", "store.postgresql: line holds no secret"),
    ("{file: lines}", "store.postgresql: lines holds no secret"),
    ("{file: binary}", "store.postgresql: binary is no text in UTF-8"),
    ("{fiel: db}", "store.postgresql: a text is expected here, or the file that has it ({file: /run/secrets/NAME})"),
    ("{file: db, more: x}", "store.postgresql: a text is expected here"),
    ("{file: [db]}", "store.postgresql: a text is expected here"),
])
def test_a_secret_that_cannot_be_read_is_told_once(tmp_path, secret, told):
    for name, content in {"db": b"host=/nowhere", "empty": b"", "line": b"\r\n", "lines": b" \n\n\t\n", "binary": b"\xff\0"}.items():
        (tmp_path / name).write_bytes(content)
    said = check(write(tmp_path, c=f"{LISTEN}store:\n  postgresql: {secret}\n{ROUTE.format('a')}"))
    assert f"c.yaml:3:15: {told}" in said and said.count("c.yaml:") == 1, said


def test_what_follows_from_a_secret_that_cannot_be_read_is_left_out(tmp_path):
    operators = "".join(f"    - {{name: {name}, token_sha256: {{file: none}}}}\n" for name in "ab")
    hook = "job_webhooks:\n  - {name: w, url: {fiel: x}}\n"
    said = check(write(tmp_path, c=f"{LISTEN}admin:\n  address: 127.0.0.1:3\n  operators:\n{operators}{hook}{ROUTE.format('a')}"))
    places = [line.split(": ")[:2] for line in said.splitlines() if line.startswith("c.yaml:")]
    assert places == [["c.yaml:5:31", "admin.operators[0].token_sha256"], ["c.yaml:6:31", "admin.operators[1].token_sha256"],
                      ["c.yaml:8:20", "job_webhooks[0].url"]], said



# ---- The standard input --------------------------------------------------------------------------------------------

def test_check_reads_the_standard_input(tmp_path):
    assert good(check("-", f"{LISTEN}{ROUTE.format('a')}", folder=tmp_path))
    assert "-:2:1: lops: there is no such key (did you mean loops)" in check("-", f"{LISTEN}lops: 1\n", folder=tmp_path)


# ---- A gateway -----------------------------------------------------------------------------------------------------

CONFIG = """
include: parts/*.yaml
listen: ["127.0.0.1:$port"]
admin:
  address: 127.0.0.1:$admin
  socket: unix:admin.sock
  operators: [{name: ops, token_sha256: {file: ops.sha256}}]
node: $${GATEWAY_NODE:-nobody}
"""


def settings(folder):
    return {value["path"]: value for value in json.loads(on_socket(folder / "admin.sock", "GET", "/settings").body)["values"]}


def test_a_reload_reads_all_of_its_files_again(tmp_path):
    write(tmp_path, parts__a='routes: [{match: /a, instances: ["127.0.0.1:2"]}]\n')
    (tmp_path / "ops.sha256").write_text("ab" * 32 + "\n")
    (tmp_path / "ops.sha256").chmod(0o600)
    with Gateway(tmp_path, CONFIG, environment={"GATEWAY_NODE": "one"}) as gateway:
        first = settings(tmp_path)
        assert first["node"] == {"path": "node", "value": "one", "line": 8, "variables": "GATEWAY_NODE"}
        assert first["admin.operators[0].token_sha256"]["from"] == f"{tmp_path}/ops.sha256"
        assert gateway.http("GET", "/b").status == 404
        write(tmp_path, parts__b='routes: [{match: /b, instances: ["127.0.0.1:2"]}]\n')
        gateway.reload()
        eventually(lambda: gateway.http("GET", "/b").status == 503)
        assert settings(tmp_path)["routes[1].match"]["file"] == f"{tmp_path}/parts/b.yaml"
        (tmp_path / "parts/b.yaml").write_text("routes: [\n")
        gateway.reload()
        refused = eventually(lambda: gateway.events("config_refused"))[0]
        assert "parts/b.yaml:2:1" in json.dumps(refused)
        assert gateway.http("GET", "/b").status == 503


def test_a_gateway_that_got_its_config_once_cannot_read_it_again(tmp_path):
    port = free_port()
    text = f'listen: ["127.0.0.1:{port}"]\nadmin: unix:admin.sock\nroutes: [{{match: /, instances: ["127.0.0.1:2"]}}]\n'
    with subprocess.Popen([BINARY, "run", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          cwd=tmp_path) as gateway:
        gateway.stdin.write(text)
        gateway.stdin.close()
        assert any('"started"' in line for line in gateway.stdout)
        gateway.send_signal(signal.SIGHUP)
        refused = next(line for line in gateway.stdout if '"config_refused"' in line)
        gateway.terminate()
    assert "- can be read once only" in refused
    done = subprocess.run([BINARY, "run", "--supervise", "-"], input=text, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2 and "each restart reads it again" in done.stderr


# ---- What is shown of it -------------------------------------------------------------------------------------------

def test_each_value_is_shown_with_where_it_is_from_and_no_secret(tmp_path):
    (tmp_path / "db").write_text("host=/nowhere password=SECRET\n")
    file = write(tmp_path, c=f"include: part/*.yaml\n{LISTEN}node: ${{SHOWN_NODE}}\nstore: {{postgresql: {{file: db}}}}\n",
                 part__a=ROUTE.format("a"))
    shown = {}
    for options in ([], ["--written"], ["--json"]):
        done = subprocess.run([BINARY, "config", "show", *options, "c.yaml"], capture_output=True, text=True, timeout=60, cwd=tmp_path,
                              check=True, env={**os.environ, "SHOWN_NODE": "one"})
        assert "SECRET" not in done.stdout + done.stderr
        shown["".join(options)] = [re.split(" {2,}| (?=c.yaml)", line) for line in done.stdout.splitlines()]
    assert ["node", "one", "c.yaml:3, environment: SHOWN_NODE"] in shown[""]
    assert ["store.postgresql", "(secret)", "c.yaml:4, secret: db"] in shown[""]
    assert ["routes[0].match", "/a", "part/a.yaml:1"] in shown[""]
    assert ["reflection", "true", "default"] in shown[""] and not any(row[-1] == "default" for row in shown["--written"])
    values = {value["path"]: value for value in json.loads(done.stdout)["values"]}
    assert values["routes[0].match"] == {"path": "routes[0].match", "value": "/a", "file": "part/a.yaml", "line": 1}
