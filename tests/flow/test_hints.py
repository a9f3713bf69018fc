"""Hints of `check`: whoever writes what a hint says has one mistake less."""
import re
import subprocess

import pytest
import yaml
from gateway import BINARY

IMPORTS = "".join(f'import "google/protobuf/{name}.proto";' for name in ("timestamp", "wrappers", "field_mask"))
CONFIG = """\
listen: ["127.0.0.1:1"]
services:
  - name: s
    versions: [{name: v1, package: t.v1, schema: s.binpb}, {name: v2, package: t.v2, schema: s.binpb}]
    changes: [list.yaml]
    instances: [{address: "127.0.0.1:2", versions: [v2]}]
"""
GO = "service S { rpc Go(M) returns (M); }"


def mistakes(folder, changes):
    (folder / "list.yaml").write_text(yaml.safe_dump(changes))
    done = subprocess.run([BINARY, "check", folder / "c.yaml"], capture_output=True, text=True, timeout=60)
    told = [line for line in (done.stdout + done.stderr).splitlines() if re.match(r".*list\.yaml:\d+:\d+: ", line)]
    assert done.returncode == 0 or told, done.stdout + done.stderr
    return told


def replaced(node, word):
    """The nearest word of the tree becomes this one."""
    from difflib import SequenceMatcher
    words = []

    def walk(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                words.append(key)
                walk(inner)
        elif isinstance(value, str):
            words.append(value)

    def swap(value, old):
        if isinstance(value, dict):
            return {word if key == old else key: swap(inner, old) for key, inner in value.items()}
        return word if value == old else value

    walk(node)
    near = max((w for w in words if isinstance(w, str) and w != word),
               key=lambda w: SequenceMatcher(None, w, word).ratio())
    return swap(node, near)


def applied(changes, line, section):
    """The list with what the hint says: the first of several alternatives, beside what is there already."""
    hint = re.search(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)$", line).group(1)
    if hint.startswith("did you mean "):
        return replaced(changes, hint[len("did you mean "):-1])
    text = re.sub(r"^(no converter fits: )?write ", "", hint)
    text = re.split(r", or | or |, loud|, graceful| for | if ", text)[0].replace(" and ", "\n").split(" | ")[0]
    text += "}" * (text.count("{") - text.count("}"))
    for key, value in yaml.safe_load(text).items():
        if key in ("from", "to", "types"):
            where = changes
        elif section in ("methods", "types"):
            where = changes.setdefault(section, {})
        else:
            where = changes.setdefault(section, {}).setdefault(line.split(": ")[1].split(".")[0], {})
        both = isinstance(value, dict) and isinstance(where.get(key), dict)
        where[key] = {**where[key], **value} if both else value
    return changes


CASES = [
    # section, the old messages, the new ones, the list
    ("messages", "message M { string a = 1; }", "message M { }", {}),
    ("messages", "message M { string name = 1; }", "message M { string names = 1; }", {}),
    ("messages", "message M { }", "message M { string a = 1; }", {}),
    ("messages", "message M { string a = 1; }", "message M { string b = 1; }", {"messages": {"M": {"aa": "b", "a": "b"}}}),
    ("messages", "message M { string alpha = 1; }", "message M { string beta = 1; }", {"messages": {"M": {"alpha": "betta"}}}),
    ("messages", "message M { string a = 1; }", "message M { repeated string a = 1; }", {}),
    ("messages", "message M { string a = 1; }", "message M { repeated string b = 1; }", {"messages": {"M": {"a": "b"}}}),
    ("messages", "message M { int32 a = 1; }", "message M { string a = 1; }", {}),
    ("messages", "message M { google.protobuf.Timestamp a = 1; }", "message M { int64 b = 1; }", {"messages": {"M": {"a": "b"}}}),
    ("messages", "message M { int32 a = 1; }", "message M { string a = 1; }", {"messages": {"M": {"a": {"by": "texd"}}}}),
    ("messages", "message M { fixed32 a = 1; }", "message M { google.protobuf.UInt32Value a = 1; }", {}),
    ("messages", "message M { repeated X a = 1; } message X { string k = 1; }", "message M { map<string, int32> a = 1; }", {}),
    ("messages", "message M { repeated X a = 1; } message X { string k = 1; }", "message M { map<string, int32> b = 1; }",
     {"messages": {"M": {"a": "b"}}}),
    ("enums", "message M { E e = 1; } enum E { NONE = 0; RED = 1; }", "message M { E e = 1; } enum E { NONE = 0; }", {}),
    ("enums", "message M { E e = 1; } enum E { NONE = 0; }", "message M { E e = 1; } enum E { NONE = 0; RED = 1; }", {}),
    ("methods", "message M { } service T { rpc Old(M) returns (M); }", "message M { }", {}),
    ("types", "message M { } message Ask { } service T { rpc Do(Ask) returns (M); }",
     "message M { } message Query { } service T { rpc Do(Query) returns (M); }", {}),
    ("types", "message M { } message Item { }", "message M { } message Item { }", {"types": {"Item": {"removed": "loud"}}}),
    ("from", "message M { }", "message M { }", {"from": "v0"}),
    ("to", "message M { }", "message M { }", {"to": "v9"}),
    ("messages", "message M { }", "message M { }", {"mesages": {}}),
]


@pytest.mark.parametrize("section, old, new, changes", CASES)
def test_what_a_hint_says_is_one_mistake_less(tmp_path, section, old, new, changes):
    for version, text in (("v1", old), ("v2", new)):
        (tmp_path / f"{version}.proto").write_text(f'syntax = "proto3"; package t.{version}; {IMPORTS} {text} {GO}\n')
    subprocess.run(["protoc", "-I.", "--include_imports", "--descriptor_set_out=s.binpb", "v1.proto", "v2.proto"],
                   cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "c.yaml").write_text(CONFIG)
    changes = {"from": "v1", "to": "v2", **changes}
    before = mistakes(tmp_path, changes)
    assert before
    after = mistakes(tmp_path, applied(changes, before[-1], section))
    assert len(after) < len(before), (before, after, (tmp_path / "list.yaml").read_text())
