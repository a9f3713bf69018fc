"""The JSON Schema of the config, as editors use it: it takes every config of the tree, and refuses what `check` refuses."""
import json
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest
import yaml
from gateway import BINARY
from google.protobuf.internal import encoder
from processes import ROOT

sys.path.insert(0, str(ROOT / "docs"))

from config_reference import Reference, descriptor  # noqa: E402
from config_schema import ConfigSchema  # noqa: E402


class Core(yaml.SafeLoader):
    """YAML 1.2 as editors read it: dates are texts, and only true and false are truth values."""


Core.yaml_implicit_resolvers = {
    first: kept for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] in ("null", "merge")])}
for tag, pattern, first in (("bool", r"true|false", "tf"), ("int", r"-?[0-9]+", "-0123456789"),
                            ("float", r"-?[0-9]+\.[0-9]+", "-0123456789")):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


@pytest.fixture(scope="module")
def schema():
    done = subprocess.run([BINARY, "config", "schema"], capture_output=True, text=True, timeout=60, check=True)
    schema = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def load(text):
    """None: it is no YAML, as an example that leaves something out is not."""
    try:
        return yaml.load(text, Core)
    except yaml.YAMLError:
        return None


def configs():
    """(where, what) of all configs in files and in the documentation."""
    files = subprocess.run(["git", "ls-files", "*.yaml"], cwd=ROOT, capture_output=True, text=True).stdout.split() or [
        str(path.relative_to(ROOT)) for folder in ("examples", "debian", "tests") for path in (ROOT / folder).rglob("*.yaml")]
    for name in files:
        yield name, load((ROOT / name).read_text())
    for page in [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]:
        for k, text in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.M | re.S)):
            yield f"{page.relative_to(ROOT)}, block {k + 1}", load(text)


def test_it_takes_every_config_of_the_tree(schema):
    keys, read, refused = set(schema.schema["properties"]), [], []
    for where, config in configs():
        if not isinstance(config, dict) or not {key for key in config if not key.startswith("x-")} <= keys:
            continue  # a change list, a list of instances, a part of a service
        read.append(where)
        refused += [f"{where}: {error.json_path}: {error.message[:200]}" for error in schema.iter_errors(config)
                    if not (where.startswith("docs/") and error.validator == "required")]  # those leave out what is not their matter
    assert not refused, "\n".join(refused)
    assert len(read) > 40


@pytest.mark.parametrize("text, where", [
    ("lissten: []", "$"), ("listen: [{tls: {certificate: a, key: b}}]", "$.listen[0]"), ("listen: x", "$.listen"),
    ("limits: {streams: many}", "$.limits.streams"), ("limits: {streams: 0}", "$.limits.streams"),
    ("routes: [{match: a, timeout: soon}]", "$.routes[0].timeout"), ("routes: [{match: a, impact: hihg}]", "$.routes[0].impact"),
    ("routes: [{match: a, timeout: 3}]", "$.routes[0].timeout"), ("drain: {time: 10}", "$.drain"),
    ("services: [{name: s, versions: []}]", "$.services[0].versions"), ("reflection: 'yes'", "$.reflection"),
    ("routes: [{match: a, unknown_query: [[key]]}]", "$.routes[0].unknown_query"),
    ("store: {postgresql: {fiel: x}}", "$.store"), ("limits: {memory: 4 parsecs}", "$.limits.memory"),
])
def test_it_refuses_mistakes_where_they_are(schema, text, where):
    assert where in [error.json_path for error in schema.iter_errors(load(text))]


@pytest.mark.parametrize("text", [
    "listen: ['127.0.0.1:80']", "include: a/*.yaml", "include: [a.yaml, b.yaml]", "x-mine: {any: [thing]}", "limits: {streams: '${N}'}",
    "reflection: ${R:-true}", "routes: [{match: a, timeout: 1h30m, impact: high}]", "store: {postgresql: {file: /run/secrets/db}}",
    "limits: {memory: 4GiB, head_bytes: 65536}", "store: my.db", "routes: [{match: a, timeout: 0}]", "error_details: true",
    "x-a: &a {address: 'x:1'}\nlisten: [*a]", "routes: [{match: a, unknown_query: [key]}]", "routes: [{match: a, unknown_query: ignore}]",
    "routes: [{match: a, unknown_query: {rule: ignore, names: [key]}}]",
])
def test_it_takes_each_spelling(schema, text):
    assert not list(schema.iter_errors(load(text)))


def test_a_deprecated_key_is_marked_with_what_replaces_it():
    """No key is at present: one is made so, with the option `deprecated_for` of document.proto."""
    described, instead = descriptor(shutil.which("protoc"), str(ROOT), "/usr/include"), b"at: TEXT"
    listener = next(message for message in described.message_type if message.name == "Listener")
    old = next(field for field in listener.field if field.name == "mode")
    old.options.MergeFromString(encoder.TagBytes(50107, 2) + bytes([len(instead)]) + instead)
    schema = ConfigSchema(described).schema()["$defs"]["Listener"]["anyOf"][0]["properties"]
    assert schema["mode"]["deprecated"] is True and schema["mode"]["description"].startswith("Deprecated: write at: TEXT. ")
    assert "deprecated" not in schema["owner"]
    assert "| `mode` | text |  | **Deprecated:** write `at: TEXT`. Of a unix socket" in Reference(described).text()
