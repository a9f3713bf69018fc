"""Hints of `check`: whoever writes what a hint says has one mistake less. Every hint in the source is tried."""
import functools
import pathlib
import re
import subprocess
import tempfile
from difflib import SequenceMatcher

import pytest
import yaml
from gateway import BINARY
from hints import sites

IMPORTS = "".join(f'import "google/protobuf/{name}.proto";'
                  for name in ("timestamp", "duration", "wrappers", "field_mask")) + 'import "operation.proto";'
CONFIG = """\
listen: ["127.0.0.1:1"]
services:
  - name: s
    versions: [{name: v1, package: t.v1, schema: s1.binpb}, {name: v2, package: t.v2, schema: s2.binpb}]
    changes: [list.yaml]
    instances: [{address: "127.0.0.1:2", versions: [v2]}]
"""
OPERATION = """\
syntax = "proto3"; package google.longrunning; import "google/protobuf/any.proto";
message Operation { string name = 1; google.protobuf.Any metadata = 2; bool done = 3; google.protobuf.Any response = 5; }
"""
GO = "service S { rpc Go(M) returns (M); }"
MONEY = "message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }"


# ---- What is told --------------------------------------------------------------------------------------------------

class Mistake:
    """One line of `check`: "list.yaml:3:5: M.a: the reason (the hint)"."""

    def __init__(self, line):
        place = re.match(r"(.*?):(\d+):(\d+): (.*)", line)
        self.line, self.row, self.column, rest = line, int(place[2]) - 1, int(place[3]) - 1, place[4]
        hint = re.search(r" \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)$", rest)
        self.hint = hint[1] if hint else None
        self.said = rest[:hint.start()] if hint else rest
        self.path = self.said.split(": ")[0]

    def reasons(self):
        """What may be the reason: the path before it may have a colon, or not be there."""
        parts = self.said.split(": ")
        return [": ".join(parts[k:]) for k in range(len(parts))]

    def gives(self, site):
        return self.hint is not None and any(site.tells(reason) for reason in self.reasons())


def mistakes(folder, name):
    done = subprocess.run([BINARY, "check", folder / "c.yaml"], capture_output=True, text=True, timeout=60)
    told = [line for line in (done.stdout + done.stderr).splitlines() if re.match(rf".*{name}:\d+:\d+: ", line)]
    assert done.returncode == 0 or told, done.stdout + done.stderr
    return [Mistake(line) for line in told]


# ---- A hint, applied -----------------------------------------------------------------------------------------------

CHANGE_KEYS = {"to", "from", "by", "more", "template", "parts", "values", "means", "select", "sentinel", "currency",
               "times", "required", "optional", "of", "first", "key", "value", "duplicates", "operations_of", "response"}


def replaced(text, mistake, word):
    """What begins at the mistake's place becomes this word; else the word of the file that is nearest to it."""
    lines = text.split("\n")
    there = re.compile(r"[\w./-]+").match(lines[mistake.row], mistake.column)
    if there and SequenceMatcher(None, there.group(), word).ratio() >= 0.5:
        lines[mistake.row] = lines[mistake.row][:there.start()] + word + lines[mistake.row][there.end():]
        return "\n".join(lines)
    words = {found for found in re.findall(r"[\w.]+", text) if found != word}
    near = max(words, key=lambda found: SequenceMatcher(None, found, word).ratio())
    return re.sub(rf"(?<![\w.]){re.escape(near)}(?![\w.])", word, text)


def path_at(node, mistake, path=()):
    """The keys that lead to what begins at the mistake's place; the innermost."""
    def is_there(found):
        return (found.start_mark.line, found.start_mark.column) == (mistake.row, mistake.column)

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = path_at(value, mistake, (*path, key.value))
            if inner is not None or is_there(key) or is_there(value):
                return inner if inner is not None else (*path, key.value)
    if isinstance(node, yaml.SequenceNode):
        for k, value in enumerate(node.value):
            inner = path_at(value, mistake, (*path, k))
            if inner is not None or is_there(value):
                return inner if inner is not None else (*path, k)
    return None


class Quoted(str):
    """A scalar in quotes, which stays in them."""


class Loader(yaml.BaseLoader):
    def construct_scalar(self, node):
        value = super().construct_scalar(node)
        return Quoted(value) if getattr(node, "style", None) in ("'", '"') else value


class Dumper(yaml.SafeDumper):
    pass


Dumper.add_representer(Quoted, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"'))
Dumper.add_representer(str, lambda dumper, value: dumper.represent_scalar(
    "tag:yaml.org,2002:" + ("int" if re.fullmatch(r"-?\d+", value) else "str"), value))


def at(tree, path):
    return functools.reduce(lambda node, key: node[key], path, tree)


def beside(old, new):
    """What is there already, and what is new."""
    if not isinstance(old, dict) or not isinstance(new, dict) or not new:
        return new
    return {**old, **{key: beside(old.get(key), value) for key, value in new.items()}}


def put(tree, path, value):
    holder, key = at(tree, path[:-1]), path[-1]
    holder[key] = beside(holder.get(key) if isinstance(holder, dict) else holder[key], value)


def section_of(tree, mistake, section):
    """The map that a line of a hint belongs into, which may not be there yet."""
    if section in ("methods", "types"):
        return tree.setdefault(section, {})
    return tree.setdefault(section, {}).setdefault(mistake.path.split(".")[0], {})


def merge(tree, path, mistake, section, said):
    for key, value in said.items():
        if path and path[-1] == key:
            put(tree, path, value)
        elif key in ("from", "to", "types") and (not path or len(path) < 3):
            tree[key] = value
        elif path and key in CHANGE_KEYS:
            old = at(tree, path)
            put(tree, path, {key: value} if isinstance(old, dict) else {"to": old, key: value})
        else:
            put(section_of(tree, mistake, section), [key], value)


def applied(text, mistake, section, fill):
    """The file with what the hint says: the first of several alternatives, with the words that stand for others."""
    meant = re.match(r"did you mean (.*?)\??$", mistake.hint)
    if meant:
        return replaced(text, mistake, meant[1])
    said = re.sub(r"^(no converter fits: )?(write|add|for example) ", "", mistake.hint)
    said = re.split(r", or | or |, loud|, graceful|, with | for | if |; ", said)[0].replace(" and ", "\n").split(" | ")[0]
    for word, value in fill.items():
        said = said.replace(word, value)
    said += "}" * (said.count("{") - said.count("}"))
    tree, path = yaml.load(text, Loader) or {}, path_at(yaml.compose(text), mistake)
    said = yaml.load(said, Loader)
    if isinstance(said, dict) and not re.match(r"(write )?\{", mistake.hint):
        merge(tree, path, mistake, section, said)
    else:
        at(tree, path[:-1])[path[-1]] = said
    return yaml.dump(tree, Dumper=Dumper, default_flow_style=True, width=10000)


# ---- Change lists --------------------------------------------------------------------------------------------------

class Case:
    """Two versions and a change list; `then` is the list with what the hint says, where that takes a person."""

    def __init__(self, old, new, changes="", then=None, fill=None, pick=None, section="messages", config=CONFIG):
        self.bodies, self.changes, self.then, self.fill = (old, new), changes, then, fill or {}
        self.pick, self.section, self.config = pick, section, config

    def write(self, folder):
        (folder / "operation.proto").write_text(OPERATION)
        packages = re.findall(r"package: ([\w.]+)", self.config)
        for number, body in enumerate(self.bodies, 1):
            syntax = "proto2" if body.startswith("proto2 ") else "proto3"
            text = f'syntax = "{syntax}"; package {packages[number - 1]}; {IMPORTS} {body.removeprefix("proto2 ")} {GO}\n'
            (folder / f"v{number}.proto").write_text(text)
            subprocess.run(["protoc", "-I.", "--include_imports", f"--descriptor_set_out=s{number}.binpb", f"v{number}.proto"],
                           cwd=folder, check=True, capture_output=True)
        (folder / "c.yaml").write_text(self.config)

    def told(self, folder, changes):
        (folder / "list.yaml").write_text(changes)
        return mistakes(folder, "list.yaml")

    @staticmethod
    def whole(changes):
        return changes if changes.startswith(("from:", "[")) else f"from: v1\nto: v2\n{changes}"

    @functools.cached_property
    def before(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.write(folder)
            return self.told(folder, self.whole(self.changes)), self.whole(self.changes)

    def mistake(self):
        told = [it for it in self.before[0] if it.hint and (not self.pick or self.pick in it.line)]
        assert told, [it.line for it in self.before[0]]
        return told[-1]

    def after(self, folder):
        self.write(folder)
        return self.told(folder, self.whole(self.then) if self.then else
                         applied(self.before[1], self.mistake(), self.section, self.fill))


A, B, AB = "message M { string a = 1; }", "message M { string b = 1; }", "message M { string a = 1; string b = 2; }"
RED, NONE = "enum E { NONE = 0; RED = 1; }", "enum E { NONE = 0; }"
E_FIELD = "message M { E e = 1; } "
FLAG = "message M { E b = 1; } enum E { NONE = 0; YES = 1; }"
SUB = "message M { Sub s = 1; } message Sub { string name = 1; map<string, string> words = 2; google.protobuf.Timestamp t = 3; }"
UNLIMITED, LIMIT = "message M { bool unlimited = 1; }", "message M { int32 limit = 1; }"
PRICES = "message M { int64 a = 1; int64 b = 2; string tender = 3; }"
PRICED, IN_EUROS = f"message M {{ Money a = 1; Money b = 2; }} {MONEY}", "b: {by: cents_to_money, currency: EUR}"
PAIRED = "message M { repeated X a = 1; } message X { string k = 1; string v = 2; }"
COUNTED = "message M { int32 e = 1; }"
LISTED = "message M { repeated X a = 1; } message X { string k = 1; string v = 2; string w = 3; }"
OPERATIONS = ("message M { } message Result { } service T { rpc Purge(M) returns (google.longrunning.Operation);"
              " rpc Get(M) returns (google.longrunning.Operation); }")
TEMPLATE = 'template: "p/{p}/r/{r}", into: "p/{p}"'

CASES = [
    Case(A, "message M { }"),
    Case("message M { string name = 1; }", "message M { string names = 1; }"),
    Case("message M { }", A),
    Case(A, B, "messages: {M: {aa: b}}", pick="no field"),
    Case("message M { string alpha = 1; }", "message M { string beta = 1; }", "messages: {M: {alpha: betta}}"),
    Case(A, "message M { repeated string a = 1; }"),
    Case(A, "message M { repeated string b = 1; }", "messages: {M: {a: b}}"),
    Case("message M { int32 a = 1; }", A),
    Case("message M { google.protobuf.Timestamp a = 1; }", "message M { int64 b = 1; }", "messages: {M: {a: b}}"),
    Case("message M { int32 a = 1; }", A, "messages: {M: {a: {by: texd}}}"),
    Case("message M { fixed32 a = 1; }", "message M { google.protobuf.UInt32Value a = 1; }"),
    Case("message M { map<int32, int32> a = 1; }", "message M { map<string, int32> a = 1; }"),
    Case("message M { map<int32, int32> a = 1; }", "message M { map<string, int32> b = 1; }", "messages: {M: {a: b}}"),
    Case(PAIRED, "message M { map<string, string> a = 1; }", fill={"FIELD": "k"}, pick="a map"),
    Case(PAIRED, "message M { map<string, string> a = 1; }", "messages: {M: {a: {key: k}}}", pick="there twice"),
    Case(PAIRED, "message M { map<string, string> a = 1; }", "messages: {M: {a: {duplicates: loud}}}", fill={"FIELD": "k"},
         pick="a list of messages that is a map"),
    Case(LISTED, "message M { map<string, string> a = 1; }", "messages: {M: {a: {key: k, duplicates: loud}}}",
         then="messages: {M: {a: {key: k, value: v, duplicates: loud}}, X to M.AEntry: {w: {removed: loud}}}", pick="is the value"),
    Case(LISTED, "message M { map<string, Y> a = 1; } message Y { string v = 2; string w = 3; }",
         "messages: {M: {a: {key: k, by: text, duplicates: loud}}}", then="messages: {M: {a: {key: k, duplicates: loud}}}",
         pick="plain values"),
    Case("message M { string c = 1; string d = 2; }", "message M { string a = 1; }", "messages: {M: {a: {from: [c, d]}}}",
         pick="several fields"),
    Case(AB, "message M { string c = 1; string kind = 2; }", "messages: {M: {kind: {added: x}, a: c, b: c}}",
         then="messages: {M: {kind: {select: {a: x, b: y}}, a: {to: c, when: {kind: x}}, b: {to: c, when: {kind: y}}}}", pick="two changes"),
    Case("proto2 message M { optional string a = 1; }", "proto2 message M { required string a = 1; }"),
    Case("message M { string name = 1; }", "message M { Sub sub = 1; } message Sub { string name = 1; }",
         "messages: {M: {name: sub.name, sub: {added: {name: x}}}}", pick="only its presence"),
    Case("proto2 message M { optional int32 a = 1 [default = 5]; }", "proto2 message M { optional int32 a = 1; }"),
    Case(f"{E_FIELD}{RED}", E_FIELD + NONE, section="enums"),
    Case(E_FIELD + NONE, E_FIELD + RED, section="enums"),
    Case(E_FIELD + RED, f"{E_FIELD}enum E {{ NONE = 0; GREEN = 1; }}", "enums: {E: {REDD: GREEN}}", pick="REDD"),
    Case(E_FIELD + RED, E_FIELD + NONE, "enums: {E: {RED: {}}}", section="enums", pick="expected"),
    Case(f"{E_FIELD}enum E {{ NONE = 0; A = 1; B = 2; }}", f"{E_FIELD}enum E {{ NONE = 0; C = 1; }}",
         "enums: {E: {A: C, B: C}}", section="enums"),
    Case("message M { bool b = 1; }", FLAG, "messages: {M: {b: {by: flag}}}"),
    Case(A, "message M { }", "messages:\n  M:\n    a: {removed: graceful}  # decide: is it?\n",
         then="messages:\n  M:\n    a: {removed: graceful}\n"),
    Case("message M { string a = 1; repeated string l = 2; }", "message M { repeated string b = 1; }",
         "messages: {M: {b: {from: [l, a], first: loud}}}", pick="in this order"),
    Case("message M { string a = 1; repeated string l = 2; }", "message M { repeated string b = 1; }",
         "messages: {M: {b: {from: [a, l]}}}", pick="say what becomes"),
    Case("message M { string a = 1; repeated string l = 2; }", "message M { repeated string l = 1; }",
         "messages: {M: {l: {first: loud}}}", fill={"FIELD": "a", "LIST": "l"}, pick="first is said"),
    Case("message M { } service T { rpc Old(M) returns (M); }", "message M { } service T { rpc New(M) returns (M); }",
         "methods: {T.Olld: T.New}", pick="no method"),
    Case("message M { } service T { rpc Do(M) returns (M); }", "message M { } service T { rpc Do(M) returns (stream M); }",
         section="methods"),
    Case("message M { } message Ask { } service T { rpc Do(Ask) returns (M); }",
         "message M { } message Query { } service T { rpc Do(Query) returns (M); }", section="types"),
    Case("message M { } message Say { } service T { rpc Do(M) returns (Say); }",
         "message M { } message Told { } service T { rpc Do(M) returns (Told); }", section="types"),
    Case("message M { } service T { rpc Old(M) returns (M); }", "message M { }", "methods: {T.Old: {}}", section="methods",
         pick="expected"),
    Case("message M { } service T { rpc Old(M) returns (M); }", "message M { }", section="methods"),
    Case("message M { string b = 2; }", "message M { oneof o { string a = 1; string b = 2; } }",
         "messages: {M: {a: {constant: x}}}", then="messages: {M: {a: {added: graceful}}}"),
    Case("message M { string kind = 1; string v = 2; }", AB,
         "messages: {M: {v: [{to: a, when: {kind: A}}, {to: b, when: {kind: B}}], kind: {select: {a: A}}}}",
         fill={"..., ": ""}, pick="belongs to"),
    Case("message M { string kind = 1; string v = 2; }", AB,
         "messages: {M: {v: [{to: a, when: {kind: A}}, {to: b, when: {kind: B}}], kind: {select: {a: A, b: A}}}}",
         fill={"..., ": ""}, pick="says that it is"),
    Case(AB, "message M { string kind = 1; string v = 2; }",
         "messages: {M: {a: {to: v, when: {kind: A}}, b: {to: v, when: {kind: B}}, kind: {added: graceful}}}",
         then="messages: {M: {a: {to: v, when: {kind: A}}, b: {to: v, when: {kind: B}}, kind: {select: {a: A, b: B}}}}",
         pick="nothing says which value"),
    Case(PRICES, PRICED, "messages: {M: {a: {by: cents_to_money, currency: tender}, b: {by: cents_to_money, currency: tender}}}",
         then="messages: {M: {a: {by: cents_to_money, currency: tender}, b: {by: cents_to_money, currency: EUR}}}", pick="two changes"),
    Case(PRICES, PRICED, f"messages: {{M: {{a: {{by: cents_to_money, currency: tender}}, {IN_EUROS}, tender: {{removed: loud}}}}}}",
         then=f"messages: {{M: {{a: {{by: cents_to_money, currency: tender}}, {IN_EUROS}}}}}", pick="two changes"),
    Case(PRICES, PRICED, f"messages: {{M: {{a: {{by: cents_to_money, currency: tendr}}, {IN_EUROS}}}}}", pick="neither a field"),
    Case("message M { repeated int64 a = 1; }", f"message M {{ repeated Money a = 1; }} {MONEY}",
         "messages: {M: {a: {by: cents_to_money, currency: EUR}}}",
         then="messages: {M: {a: [{removed: graceful}, {added: graceful}]}}", pick="only a single amount"),
    Case(PRICES, PRICED, f"messages: {{M: {{a: {{by: cents_to_money, currency: euros}}, {IN_EUROS}, tender: {{removed: loud}}}}}}",
         then=f"messages: {{M: {{a: {{by: cents_to_money, currency: EUR}}, {IN_EUROS}, tender: {{removed: loud}}}}}}",
         pick="nor a currency"),
    Case("message M { int64 a = 1; }", "message M { double a = 1; }", "messages: {M: {a: {by: scale, times: 2, divided_by: 3}}}",
         then="messages: {M: {a: {by: scale, times: 1000}}}", pick="exclude each other"),
    Case(UNLIMITED, LIMIT, "messages: {M: {unlimited: {means: {true: {limit: 0}}}, limit: {added: graceful}}}",
         then="messages: {M: {unlimited: {means: {true: {limit: 0}, false: {limit: 1}}}, limit: {added: graceful}}}", pick="when it is unset"),
    Case(UNLIMITED, LIMIT, "messages: {M: {unlimited: {means: {true: {limit: 5}, false: {limit: 5}}}, limit: {added: graceful}}}",
         then="messages: {M: {unlimited: {means: {true: {limit: 5}, false: {limit: 6}}}, limit: {added: graceful}}}", pick="means the same"),
    Case(A, "message M { }", "messages: {M: {a: {removed: gracefull}}}"),
    Case("message M { }", A, "messages: {M: {a: {added: gracefull}}}"),
    Case(AB, "message M { string kind = 1; }", "messages: {M: {kind: {select: {a: A, b: B}, unused: lowd}, a: {removed: loud}, b: {removed: loud}}}",
         pick="zero, graceful"),
    Case(UNLIMITED, LIMIT, "messages: {M: {unlimited: {means: {true: 5}}, limit: {added: 1}}}",
         fill={"FIELD": "limit", "VALUE": "-1"}, pick="expected one field"),
    Case(UNLIMITED, LIMIT, "messages: {M: {unlimited: {means: 5}, limit: {added: 1}}}",
         fill={"{VALUE": "{true", "FIELD": "limit", "MEANING": "-1"}, pick="expected values"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}, parts: {{r: {{removed: graceful}}}}}}}}}}", fill={"TEXT": "x"}, pick="way back"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}, parts: {{r: {{removed: graceful, back: loud}}}}}}}}}}", pick="needs a text, and"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}, parts: {{r: 5}}}}}}}}", fill={"TEXT": "x"}, pick="only one version has"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}, parts: 5}}}}}}", fill={"NAME": "r", "TEXT": "x"}, pick="names of parts"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}, parts: {{r: {{added: x}}}}}}}}}}", pick="only in the template"),
    Case(A, A, f"messages: {{M: {{a: {{{TEMPLATE}}}}}}}", fill={"...": "x"}, pick="one of the two"),
    Case("message M { string area = 1; string block = 2; string c = 3; }", "message M { string d = 1; }",
         'messages: {M: {d: {from: [c], template: "x/{area}/y/{block}"}}}',
         then='messages: {M: {c: {removed: graceful}, d: {from: [area, block], template: "x/{area}/y/{block}"}}}', pick="2 names"),
    Case("message M { string area = 1; string block = 2; }", "message M { string d = 1; }",
         'messages: {M: {d: {from: [area, block], template: "x/{area}/y/{blok}"}}}',
         then='messages: {M: {d: {from: [area, block], template: "x/{area}/y/{block}"}}}', pick="in place of {blok}"),
    Case("message M { int32 a = 1; }", "message M { int32 a = 1; }", "messages: {M: {a: {sentinel: {}}}}", fill={"VALUE": "-1"}),
    Case("message M { google.protobuf.FieldMask mask = 1; }", "message M { google.protobuf.FieldMask mask = 1; }",
         fill={"MESSAGE": "M"}),
    Case("message M { google.protobuf.FieldMask mask = 1; } message Order { }",
         "message M { google.protobuf.FieldMask mask = 1; } message Order { }", "messages: {M: {mask: {of: Ordr}}}"),
    Case(A, "message M { }", "messages: {M: {a: {removd: graceful}}}"),
    Case(A, "message M { }", "messages: {M: {a: null}}", pick="expected the new name"),
    Case(f"{E_FIELD}{RED}", "message M { string e = 1; }", "messages: {M: {e: {by: enum_name, values: {REDD: x}}}}"),
    Case(A, A, "messages: {M: {a: {by: text_table, values: {x: y}, others: lowd}}}", pick="in quotes"),
    Case(A, A, "messages: {M: {a: {by: text_table}}}"),
    Case(A, A, "messages: {Mm: {a: a}}", section="messages", pick="no message"),
    Case("message M { } message Item { }", "message M { }", "types: {Item: {}}", section="types", pick="removed or added"),
    Case("message M { } message Item { }", "message M { }", "types: {Item: null}", section="types", pick="expected the new name"),
    Case("message M { } message Item { string a = 1; }", "message M { } message Items { string b = 1; }",
         "messages: {Item: {a: b}}", pick="no counterpart"),
    Case("message M { } message Item { }", "message M { } message Item { }", "types: {Item: {removed: loud}}", section="types"),
    Case("message M { } message Item { string a = 1; }", "message M { } message Item { int32 b = 1; }",
         "types: {Item: [{removed: kept}, {added: loud}]}", config=CONFIG.replace("t.v1", "t").replace("t.v2", "t"),
         then="types: {Item: [{removed: loud}, {added: loud}]}"),
    Case("message M { }", "message M { }", "from: v0\nto: v2\n"),
    Case("message M { }", "message M { }", "from: v1\nto: v9\n"),
    Case("message M { }", "message M { }", "mesages: {}"),
    Case("message M { int32 a = 1; }", "message M { int32 a = 1; }", "messages: {M: {a: {by: scale}}}"),
    Case("message M { int32 a = 1; }", "message M { int32 b = 1; }", "messages: {M: {a: {to: b, by: {scale: 10}}}}",
         then="messages: {M: {a: {to: b, by: scale, times: 1000}}}", pick="expected the name of a converter"),
    Case("message M { int64 price = 1; }", "message M { Money price = 1; } " + MONEY,
         "messages: {M: {price: {by: cents_to_money}}}"),
    Case("message M { }", E_FIELD + RED, "messages: {M: {e: {added: REDD}}}"),
    Case("message M { }", "message M { bool b = 1; }", "messages: {M: {b: {added: maybe}}}"),
    Case("message M { }", "message M { repeated string l = 1; }", "messages: {M: {l: {added: []}}}"),
    Case("message M { }", SUB, "messages: {M: {s: {added: {words: 5}}}}", fill={"KEY": "k", "VALUE": "v"}),
    Case("message M { }", SUB, "messages: {M: {s: {added: {namee: x}}}}"),
    Case("message M { }", SUB, "messages: {M: {s: {added: {t: yesterday}}}}"),
    Case("message M { }", SUB, "messages: {M: {s: {added: 5}}}"),
    Case(OPERATIONS, OPERATIONS, "methods: {T.Purge: {respons: Result}}"),
    Case(OPERATIONS, OPERATIONS, "methods: {T.Purge: {response: [Result]}}", fill={"TYPE": "Result"}),
    Case(OPERATIONS, OPERATIONS, "methods: {T.Purge: {response: Result}, T.Get: {operations_of: T.Purg}}"),
    Case(OPERATIONS, OPERATIONS, "methods: {T.Purge: {response: Result}, T.Get: {operations_of: {a: b}}}", fill={"METHOD": "T.Purge"}),
    Case("message M { }", "message M { }", "[]", then="from: v1\nto: v2\n"),
]


# ---- The config ----------------------------------------------------------------------------------------------------

INSTANCE = '{address: "127.0.0.1:2", versions: [v2]}'
V1, V2 = "{name: v1, package: t.v1, schema: s1.binpb}", "{name: v2, package: t.v2, schema: s2.binpb}"


def config(listen='["127.0.0.1:1"]', v1=V1, v2=V2, instances=f"[{INSTANCE}]", service="", changes="[list.yaml]", rest="", name="s"):
    return (f"listen: {listen}\nservices:\n  - name: {name}\n    versions: [{v1}, {v2}]\n    changes: {changes}\n"
            f"    instances: {instances}\n{service}{rest}")


def listener(more):
    return f'[{{address: "127.0.0.1:1", {more}}}]'


def keyed(key):
    return f"store: {{sqlite: /tmp/store.db, keys: [{key}]}}\n"


def route(what):
    return f"routes: [{what}]\n"


REST = '[{address: "127.0.0.1:2", versions: [v2], protocol: rest}]'
BOTH = '[{address: "127.0.0.1:2", versions: [v1, v2]}]'
SAY = "message M { E e = 1; int32 n = 2; string s = 3; } enum E { NONE = 0; RED = 1; }"


NESTED = "message M { I i = 1; } message I { string s = 1; }"
LOOK = SAY + " service R { rpc Look(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; } }"


def limited(what):
    return config(rest=f"rate_limits: [{{per: [client], {what}}}]\n")


def traced(what):
    return config(rest=f"tracing: {{{what}}}\n")


def sent(what):
    return config(rest=f"otlp: {{{what}}}\n")


def shadow(what, match="s.R/Look", instances=BOTH):
    return config(instances=instances, rest=route(f"{{match: {match}, shadow: {what}}}"))


BUILD = '[{address: "127.0.0.1:2", versions: [v1, v2], build: "3.1.0"}]'


class ConfigCase(Case):
    """A config, and the config with what its hint says; `lists`: the change list with either."""

    def __init__(self, before, then, pick, old=SAY, new=SAY, lists=("from: v1\nto: v2\n",) * 2):
        super().__init__(old, new, before, then, pick=pick)
        self.lists, self.is_after = lists, False

    def after(self, folder):
        self.is_after = True
        return super().after(folder)

    def told(self, folder, changes):
        (folder / "list.yaml").write_text(self.lists[self.is_after])
        (folder / "good.key").write_text("0f" * 32)
        (folder / "instances.yaml").write_text("instances: []")
        (folder / "keys.yaml").write_text("keys: []")
        (folder / "c.yaml").write_text(changes)
        return mistakes(folder, "c.yaml")

    @staticmethod
    def whole(changes):
        return changes


def default(what):
    return config(rest=route(f"{{match: s.S/Go, on_failure: {{graceful: {{default: {what}}}}}}}"))


def graceful(what, match="s.S/Go"):
    return config(rest=route(f"{{match: {match}, on_failure: {{graceful: {{{what}}}}}}}"))


def listed(where):
    return config(instances="[]", service=f"    discovery: {where}\n")


def addressed(address):
    return config(instances=f"[{INSTANCE}, {{address: \"{address}\", versions: [v1]}}]")


def demanded(rules):
    return config(rest=route(f"{{match: s.S/Go, parameters: {{{rules}}}}}"))


def proved(by):
    return f"authentication: [{{{by}}}]\n"


def asking(server="name: opa, instances: ['127.0.0.1:2']", rest="authorization: {policy_server: opa}\n"):
    return f"policy_servers: [{{{server}}}]\n{rest}"


def webhook(name="pager", url="https://pager.test/", when=""):
    return config(rest=f"ledger: {{webhooks: [{{name: {name}, url: '{url}', when: {{{when}}}}}]}}\n")


def leg(name="a", method="s.S/Go", request="s: request.s", response="s: s", more=""):
    return f"{{name: {name}, method: {method}, request: {{{request}}}, response: {{{response}}}{more}}}"


def composed(*legs, method="S/Go", more="", others="", rest=""):
    """The service s has the second version's messages; p is made of it, with the first one's."""
    return (f'listen: ["127.0.0.1:1"]\nservices:\n  - name: s\n    versions: [{V2}]\n    instances: [{INSTANCE}]\n'
            f"  - name: p\n    versions: [{{name: v1, package: t.v1, schema: s1.binpb, compose: [{{method: {method}, "
            f"legs: [{', '.join(legs or [leg()])}]{more}}}{others}]}}]\n{rest}")


PAGE = """message M { E e = 1; int32 n = 2; string s = 3; Other o = 4; repeated Half half = 5; repeated Whole state = 6; }
          message Other { int32 z = 1; } message Half { string name = 1; } message Whole { string name = 1; string state = 2; }
          enum E { NONE = 0; RED = 1; } """
BLUE = SAY.replace("RED = 1;", "RED = 1; BLUE = 2;")


def page(before, then, pick, old=PAGE, new=SAY):
    return ConfigCase(before, then, pick, old=old, new=new)


def rollout(before, then, pick):
    def said(more):
        candidate = "" if "candidate" in more else "candidate: {version: v2}, "
        return config(instances=f'[{INSTANCE}, {{address: "127.0.0.1:3", versions: [v1], build: "3.1"}}]',
                      rest=f"rollouts_file: rollouts.db\nrollouts: [{{service: s, {candidate}{more}}}]\n")

    return ConfigCase(said(before), then and said(then), pick)


def kept(file):
    return f"rollouts_file: {file}\nrollouts: [{{service: s, candidate: {{version: v2}}}}]\n"


STEP = "{name: a, method: s.R/Look}"


def job(more="", steps=STEP, method="s.S/Go", store="store: {sqlite: /tmp/s.db}\n", others=""):
    return config(rest=f"{store}jobs:\n  - {{method: {method}{more}, steps: [{steps}]}}\n{others}")


def circle(step):
    """A job of a method, whose step calls one that is composed of it."""
    return composed(rest=f"store: {{sqlite: /tmp/s.db}}\njobs:\n  - {{method: s.S/Go, steps: [{{name: a, method: {step}, idempotency: key}}]}}\n")


def keyed_route(what):
    return config(rest="store: {sqlite: /tmp/s.db}\nclients: {recorded: hashed, key: good.key}\n" +
                  route(f"{{match: {what}, idempotency: {{key: optional}}}}"))


def slow(before, then, pick):
    """Jobs of the first version, whose messages have what they need."""
    messages = LOOK.replace("string s = 3;", "string s = 3; bool b = 4; M m = 5; string t = 6; string word = 7;") + \
        " message N { string s = 1; } service T { rpc See(N) returns (N); rpc Scan(M) returns (stream M); }"
    return ConfigCase(before, then, pick, old=messages, new=messages)


def states(value):
    return ", ".join(f"{state}: {value}" for state in ("queued", "running", "waiting", "failed", "undoing", "undone", "done"))


THING = "resource: {kind: thing, key: request.s"
READY = "{name: ready, method: s.R/Look, wait: {until: {field: s, is: [READY]}, every: 2s, for: 10m}}"
PASSWORD = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

JOB_CASES = [
    page(circle("p.S/Go"), circle("s.S/Go"), "begins another one of it"),
    ConfigCase(keyed_route("/legacy/, instances: [{address: '127.0.0.1:9'}]"), keyed_route("s.S/Go"), "no two requests can be compared"),
    slow(job(store=""), job(), "no store that keeps them"),
    slow(job(steps="{name: a-b, method: s.R/Look}"), job(steps="{name: sites, method: s.R/Look}"), "the name of a step"),
    slow(job(steps="{name: a, method: s.S/Go}"), job(steps="{name: a, method: s.S/Go, idempotency: key}"), "does no harm"),
    slow(job(steps="{name: a}"), job(steps=READY), "calls a method, or waits"),
    slow(job(steps="{name: a, method: s.R/Look, wait: 2s}"), job(steps=READY), "until its response has something"),
    slow(job(steps="{name: a, wait: {until: {field: s, is: [x]}}}"), job(steps=READY), "the step needs a method"),
    slow(job(steps="{name: a, wait: 2s, request: {s: job.id}}"), job(steps=READY), "has no request"),
    slow(job(steps="{name: a, wait: {every: 2s}}"), job(steps=READY), "needs the time"),
    slow(job(steps="{name: a, wait: {event: a-b}}"), job(steps="{name: a, wait: {event: approved}}"), "the name of an event"),
    slow(job(steps=READY.replace("every: 2s", "every: 10m")), job(steps=READY), "it is called once"),
    slow(job(steps="{name: a, method: s.R/Look, when: {field: request.e, is: [READ]}}"),
         job(steps="{name: a, method: s.R/Look, when: {field: request.e, is: [RED]}}"), "is no t.v1.E"),
    slow(job(steps="{name: a, method: s.R/Look, when: {field: request.b, is: ['yes']}}"),
         job(steps="{name: a, method: s.R/Look, when: {field: request.b, is: ['true']}}"), "is no bool"),
    slow(job(steps="{name: a, method: s.R/Look, when: {field: request.s}}"),
         job(steps="{name: a, method: s.R/Look, when: {field: request.s, is: [x]}}"), "one list of values"),
    slow(job(steps="{name: a, method: s.R/Look, when: {field: request.wrd, is: [x]}}"),
         job(steps="{name: a, method: s.R/Look, when: {field: request.word, is: [x]}}"), "has no field wrd"),
    slow(job(steps="{name: a, method: s.R/Look, request: {s: steps.a.s}}"),
         job(steps="{name: a, method: s.R/Look, request: {s: request.s}}"), "has no response by then"),
    slow(job(steps="{name: a, method: s.R/Look, request: {s: id}}"),
         job(steps="{name: a, method: s.R/Look, request: {s: job.id}}"), "is no path"),
    slow(job(", state: e"), job(f", state: e, states: {{{states('NONE')}}}"), "has no value for queued"),
    slow(job(f", state: e, states: {{{states('READ')}}}"), job(f", state: e, states: {{{states('RED')}}}"), "has no value READ"),
    slow(job(", state: s, states: {quued: x}"), job(", state: s, states: {queued: x}"), "is no state of a job"),
    slow(job(", state: s, answer: {s: job.state}"), job(", state: s"), "the field of the state"),
    slow(job(", answer: {s: job.key}"), job(", answer: {s: job.id}"), "only known to a step"),
    slow(job(", result: t.v1.M"), job(), "is no google.longrunning.Operation"),
    slow(job(", metadata: {s: job.id}"), job(), "is no google.longrunning.Operation"),
    slow(job(", resource: {kind: a b, key: request.s}"), job(", resource: {kind: site, key: request.s}"), "the name of a kind"),
    slow(job(", resource: {kind: thing, key: s}"), job(", resource: {kind: thing, key: job.id}"), "when the job is accepted"),
    slow(job(f", {THING}, read: [{{method: t.T/See, key: s}}]}}"), job(f", {THING}, read: [{{method: s.R/Look, key: s}}]}}"),
         "is no method of s"),
    slow(job(f", {THING}, read: [{{method: s.T/See, key: s}}]}}"),
         job(f", {THING}, read: [{{method: s.T/See, key: s, answer: {{s: request.s}}}}]}}"), "which the job is"),
    slow(job(f", {THING}, read: [{{method: s.R/Look, key: s}}, {{method: s.R/Look, key: t}}]}}"),
         job(f", {THING}, read: [{{method: s.R/Look, key: s}}, {{method: s.R/Look, key: s}}]}}"), "by another key or kind"),
    slow(job(others=f"  - {{method: s.S/Go, steps: [{STEP}]}}\n"),
         job(others=f"  - {{method: s.S/Go, revision: 2, steps: [{STEP}]}}\n"), "there already is the revision 1"),
    slow(job(", forward: [authorization]"), job(", token_file: good.key"), "may have expired"),
    slow(job(", schedule: {}"), job(", schedule: {every: 6h}"), "every or at, and not both"),
    slow(job(", schedule: {at: '3:00'}"), job(", schedule: {at: \"03:00\"}"), "no time of the day"),
    slow(job(steps="{name: a, method: s.R/Look, undo: {method: s.R/Look, request: {s: steps.a.s}}}"),
         job(steps="{name: a, method: s.R/Look, undo: {method: s.R/Look, request: {s: job.id}}}"), "cannot be undone then"),
    slow(job(steps="{name: a, method: s.R/Look, on_failure: graceful}, {name: b, method: s.R/Look, request: {s: steps.a.s}}"),
         job(steps="{name: a, method: s.R/Look, on_failure: graceful}, {name: b, method: s.R/Look, on_failure: graceful, request: {s: "
                   "steps.a.s}}"), "although it is graceful"),
]

CONFIG_CASES = JOB_CASES + [
    ConfigCase(demanded("e: {at_most: 1, versions: [v1]}"), demanded("e: {one_of: [RED], versions: [v1]}"), "have no bounds"),
    ConfigCase(demanded("n: {at_least: 5, at_most: 3}"), demanded("n: {at_least: 2, at_most: 3}"), "no value fits"),
    ConfigCase(demanded("n: {clamp: true}"), demanded("n: {clamp: true, at_most: 5}"), "no bound that a value"),
    ConfigCase(demanded("s: {clamp: true, at_most: 5}"), demanded("s: {at_most: 5}"), "only numbers and times"),
    ConfigCase(demanded("n: {one_of: 5}"), demanded("n: {one_of: [5]}"), "a list of values"),
    ConfigCase(demanded("n: {at_least: 50, default: 3}"), demanded("n: {at_least: 50, default: 50}"), "less than at_least"),
    ConfigCase(demanded("n: {at_most: 50, default: 99}"), demanded("n: {at_most: 50, default: 50}"), "more than at_most"),
    ConfigCase(demanded("n: {one_of: [11, 22], default: 5}"), demanded("n: {one_of: [11, 22], default: 11}"), "not among"),
    ConfigCase(demanded("s: {required: true, default: x}"), demanded("s: {default: x}"), "never missing"),
    ConfigCase(demanded("n: {default: 0, at_most: 5}"), demanded("n: {at_most: 5}"), "has this value"),
    ConfigCase(demanded("n: {required: false}"), demanded("n: {required: true}"), "demands nothing"),
    ConfigCase(demanded("n: {required: true}, again: {field: n, at_most: 5}"), demanded("n: {required: true, at_most: 5}"),
               "has a rule already"),
    ConfigCase(config(rest=route("{match: /x/, instances: ['127.0.0.1:3'], parameters: {s: {required: true}}}")),
               demanded("s: {required: true}"), "is not read"),
    ConfigCase(config(rest=route("{match: /x/, instances: ['127.0.0.1:3'], unknown_query: ignore}")),
               config(rest=route("{match: s.S/Go, unknown_query: ignore}")), "queries and bodies"),
    ConfigCase(config(rest=route("{match: s, unknown_query: foo}")), config(rest=route("{match: s, unknown_query: [foo]}")), "not known here"),
    ConfigCase(config(rest=route("{match: t.v1.S/Go}")), config(rest=route("{match: s.S/Go}")), "no service t"),
    ConfigCase(webhook(name="a b"), webhook(name="pager"), "1 to 64 letters"),
    ConfigCase(webhook(when="faults: [UPSTREAM_DOWM]"), webhook(when="faults: [UPSTREAM_DOWN]"), "there is no fault"),
    ConfigCase(webhook(when="faults: [FIELD_REQUIRED]"), webhook(when="faults: [UPSTREAM_DOWN]"), "a mistake of clients"),
    ConfigCase(webhook(when="criticality: 101"), webhook(when="criticality: 0.5"), "from 0 to 100"),
    page(composed(leg(request="s: request.s.first")), composed(), "is no message"),
    page(composed(leg(response="e: e")), composed(), "has no value BLUE", new=BLUE),
    page(composed(leg(response="n: s")), composed(leg(response="n: n")), "does not fit"),
    page(composed(leg(response="o: .")), composed(leg(response="o.z: n")), "no field in common"),
    page(composed(method="S/Og"), composed(), "has no method"),
    page(composed(leg(name="a-b")), composed(leg(name="sites")), "cannot be the name"),
    page(composed(leg(method="Go")), composed(), "is no method"),
    page(composed(leg(request="s: s")), composed(), "is no path"),
    page(composed(leg(request="s: legs.a.s")), composed(), "wait for each other"),
    page(composed(leg(), leg(name="b", response="")), composed(leg(), leg(name="b", response="n: n")), "nobody needs"),
    page(composed(more=", report: half"), composed(more=", report: state"), "a report needs the field"),
    page(composed(), composed(others=f", {{method: R/Look, legs: [{leg()}]}}"), "is not composed",
         old=PAGE + "service R { rpc Look(M) returns (M); }"),
    page(composed(leg(method="p.S/Go")), composed(), "composed of itself"),
    page(composed(rest="    instances: ['127.0.0.1:3']\n"), composed(), "no instances of its own"),
    page(composed(leg(more=", required: true, on_failure: {graceful: {skip: true, writes: true}}")),
         composed(leg(more=", required: true, on_failure: {graceful: {stale: 10m, writes: true}}")), "cannot be required"),
    page(composed(leg(more=", on_failure: {graceful: {default: {}, writes: true, version: v2}}")),
         composed(leg(more=", on_failure: {graceful: {default: {}, writes: true}}")), "the leg's version"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", versions: v2}]'), None, "a list is expected"),
    ConfigCase(config(rest="routess: []\n"), None, "no such key"),
    ConfigCase(config(rest="error_details: false\n"), config(rest="errors: public\n"), "no longer read"),
    ConfigCase(config(rest=route("{match: s, on_failure: lowd}")), None, "not known here"),
    ConfigCase(config(v1="v1"), config(), "a map is expected"),
    ConfigCase(config(rest=route("{match: s, timeout: soon}")), config(rest=route("{match: s, timeout: 250ms}")), "length of time"),
    ConfigCase(config(v1=V1[:-1] + ", deprecated: soon}"), config(v1=V1[:-1] + ", deprecated: 2026-03-01}"), "not a date"),
    ConfigCase(config(rest="limits: {head_bytes: big}\n"), config(rest="limits: {head_bytes: 65536}\n"), "not a size"),
    ConfigCase(config(rest="reflection: maybe\n"), config(rest="reflection: false\n"), "not a truth value"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", protocol: grcp, versions: [v2]}]'), None, "not known here"),
    ConfigCase(default("{e: REDD}"), None, "not a value of"),
    ConfigCase(config(rest='reflection: "false"\n'), config(rest="reflection: false\n"), "text is not a truth"),
    ConfigCase(config(rest="limits: {max_age: 10ms}\n"), config(rest="limits: {max_age: 0}\n"), "must be at least 1s"),
    ConfigCase(config(rest='limits: {max_hops: "4"}\n'), config(rest="limits: {max_hops: 4}\n"), "text is not a number"),
    ConfigCase(config(name="!!str s"), config(name='"s"'), "tags are not"),
    ConfigCase(config(v1="{name: v1, schema: s1.binpb}"), config(), "key package is missing"),
    ConfigCase(config(rest=route("{match: s, timeout: {seconds: 2}}")), config(rest=route("{match: s, timeout: 250ms}")), "one value is"),
    ConfigCase(config(rest="routes: [{match: s}, {match: s}]\n"), config(rest="routes: [{match: s}]\n"), "already matched"),
    ConfigCase(config(rest="node: '${'\n"), config(rest="node: '$${'\n"), "has no end"),
    ConfigCase(config(rest="node: ${1A}\n"), config(rest="node: $${1A}\n"), "names no variable"),
    ConfigCase(config(rest="node: '${A:-${B}}'\n"), config(rest="node: ${A:-TEXT}\n"), "has no references"),
    ConfigCase(config(rest="node: ${NO_SUCH_NODE}\n"), config(rest="node: ${NO_SUCH_NODE:-VALUE}\n"), "has no variable"),
    ConfigCase(config(v1="&one " + V1, v2="{<<: *ome, name: v2, package: t.v2, schema: s2.binpb}"),
               config(v1="&one " + V1, v2="{<<: *one, name: v2, package: t.v2, schema: s2.binpb}"), "no anchor"),
    ConfigCase(config(v1="&one " + V1, v2="&one " + V2), config(v1="&one " + V1, v2="&one_2 " + V2), "here twice"),
    ConfigCase(config(v1="{&one name: v1, package: t.v1, schema: s1.binpb}"), config(v1="{name: &one v1, package: t.v1, schema: s1.binpb}"),
               "has no anchor"),
    ConfigCase(config(v1="{<<: one, name: v1, package: t.v1, schema: s1.binpb}"), config(v1="{<<: {name: v1}, package: t.v1, schema: s1.binpb}"),
               "takes a map"),
    ConfigCase(config(rest='cors: {origins: ["*"], credentials: true}\n'),
               config(rest='cors: {origins: ["https://panel.example"], credentials: true}\n'), "every origin"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", versions: [v2], tls: {spiffe: orders}}]'),
               config(instances='[{address: "127.0.0.1:2", versions: [v2], tls: {spiffe: "spiffe://shop.example/orders"}}]'),
               "no SPIFFE id"),
    ConfigCase(config(rest="user: root\n"), config(rest="user: root\nsandbox: true\n"), "needs sandbox"),
    ConfigCase(config(rest="catalog: {path: apis}\n"), config(rest="catalog: {path: /apis}\n"), "apis is not a path"),
    ConfigCase(config(rest="catalog: {url: api.example.com}\n"), config(rest='catalog: {url: "https://api.example.com"}\n'), "not the URL of a gateway"),
    ConfigCase(config(rest="cors: {origins: [panel]}\n"), config(rest='cors: {origins: ["https://panel.example"]}\n'), "not an origin"),
    ConfigCase(config('["unix:"]'), config('["unix:/run/passerelle.sock"]'), "no path after"),
    ConfigCase(config("[{address: 'unix:/x', mode: rw}]"), config("[{address: 'unix:/x', mode: 0660}]"), "is not the mode of a socket"),
    ConfigCase(config("[{address: 'unix:/x', mode: 0440}]"), config("[{address: 'unix:/x', mode: 0660}]"), "nobody could connect with the mode"),
    ConfigCase(config(rest="admin: {socket: {address: 'unix:/y', mode: 0666}}\n"),
               config(rest="admin: {socket: {address: 'unix:/y', mode: 0660}}\n"), "everybody on this machine could operate"),
    ConfigCase(config('["8080"]'), config('["0.0.0.0:8080"]'), "is not an address"),
    ConfigCase(config('["::1:80"]'), config('["[::1]:80"]'), "in brackets"),
    ConfigCase(config('["http://0.0.0.0"]'), config('["0.0.0.0:80"]'), "no scheme"),
    ConfigCase(config('[":8080"]'), config('["0.0.0.0:8080"]'), "no host before"),
    ConfigCase(config('["0.0.0.0:"]'), config('["0.0.0.0:8080"]'), "no port after"),
    ConfigCase(config('["127.0.0.256:1"]'), config('["0.0.0.0:8080"]'), "neither an IP"),
    ConfigCase(config('["127.0.0.1:99999"]'), config('["127.0.0.1:9999"]'), "not a port"),
    ConfigCase(config(rest='dns: {servers: ["x:53"]}\n'), config(rest='dns: {servers: ["10.0.0.2"]}\n'), "name server"),
    ConfigCase(config(instances=f'[{INSTANCE}, {{address: "127.0.0.1:3", protocol: http, versions: [v1]}}]'),
               config(rest=route('{match: /x/, instances: ["127.0.0.1:3"]}')), "plain HTTP has no versions"),
    ConfigCase(config(rest=route('{match: /x/, instances: [{address: "127.0.0.1:3", protocol: rest}]}')),
               config(rest=route('{match: /x/, instances: [{address: "127.0.0.1:3", protocol: http}]}')), "in plain HTTP only"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", protocol: rest, codec: proto, versions: [v2]}]'),
               config(instances='[{address: "127.0.0.1:2", protocol: rest, codec: json, versions: [v2]}]'), "REST is always"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", versions: [v4]}]'), None, "no version v4"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2"}]'), config(), "versions is missing"),
    ConfigCase(config(instances='[{address: "127.0.0.1:2", versions: [v1]}, {address: "127.0.0.1:2", versions: [v2]}]'),
               config(instances='[{address: "127.0.0.1:2", versions: [v1, v2]}]'), "already has the address"),
    ConfigCase(config(listener("trusted_proxies: [none, unix]")), config(listener("trusted_proxies: [unix]")), "the only entry"),
    ConfigCase(config(listener("trusted_proxies: [10.0.0.1/8]")), config(listener("trusted_proxies: [10.0.0.0/8]")), "bits after"),
    ConfigCase(config(listener("trusted_proxies: [lb]")), config(listener("trusted_proxies: [10.0.0.0/8]")), "not a network"),
    ConfigCase(config(listener("proxy_protocol: true")), config(listener("proxy_protocol: true, trusted_proxies: [10.0.0.0/8]")),
               "no trusted proxies"),
    ConfigCase(config(listener("trusted_proxies: [unix]"), rest="identity_header: cookie\n"),
               config(listener("trusted_proxies: [unix]"), rest="identity_header: x-client-id\n"), "has another meaning"),
    ConfigCase(config(rest="identity_header: x-client-id\n"),
               config(listener("trusted_proxies: [unix]"), rest="identity_header: x-client-id\n"), "from trusted proxies only"),
    ConfigCase(config(listener("trusted_proxies: [unix]"), rest="identity: {tenant_header: x-tenant}\n"),
               config(listener("trusted_proxies: [unix]"), rest="identity_header: x-client\nidentity: {tenant_header: x-tenant}\n"),
               "identity beside it"),
    ConfigCase(config(listener("trusted_proxies: [unix]"), rest="identity: {claim_headers: {plan: x-plan}}\n"),
               config(listener("trusted_proxies: [unix]"),
                      rest="identity_header: x-client\nidentity: {claim_headers: {plan: x-plan}}\n"),
               "identity beside it"),
    ConfigCase(config(listener("trusted_proxies: [unix]"),
                      rest="identity_header: x-client\nidentity: {claim_headers: {the plan: x-plan}}\n"),
               config(listener("trusted_proxies: [unix]"),
                      rest="identity_header: x-client\nidentity: {claim_headers: {plan: x-plan}}\n"),
               "no name of a claim"),
    ConfigCase(config(rest="error_help: docs.example/{reason}\n"),
               config(rest="error_help: 'https://docs.example.com/errors#{reason}'\n"), "not a URL"),
    ConfigCase(config(rest="error_help: 'https://docs.example.com/{other}'\n"),
               config(rest="error_help: 'https://docs.example.com/errors#{reason}'\n"), "there is no {other}"),
    ConfigCase(config(rest="error_help: 'https://docs.example.com/{reason}/{reason}'\n"),
               config(rest="error_help: 'https://docs.example.com/errors#{reason}'\n"), "once: there is no {reason}"),
    ConfigCase(config(rest="error_help: 'https://docs.example.com/reason}'\n"),
               config(rest="error_help: 'https://docs.example.com/errors#{reason}'\n"), "there is no }"),
    ConfigCase(config(rest="healing: {shed: {stop: true}}\n"), config(rest="healing: {shed: {at_most: 7}}\n"), "cannot be stopped"),
    ConfigCase(config(rest="objectives: {high: 100 %}\n"), config(rest="objectives: {high: 99.9 %}\n"), "not a share of the calls"),
    ConfigCase(config(rest="log: {to: 'syslog:unix:'}\n"), config(rest="log: {to: 'syslog:unix:/dev/log'}\n"), "path of a unix socket has 1 to"),
    ConfigCase(config(rest="log: {to: 'syslog:udp:logs:514'}\n"), config(rest="log: {to: 'syslog:udp:10.0.0.7:514'}\n"), "is no IP address, and a lookup"),
    ConfigCase(config(rest="log: {to: 'syslog:tls:x'}\n"), config(rest="log: {to: 'syslog:udp:10.0.0.7:514'}\n"), "is no place for a log: syslog"),
    ConfigCase(config(rest="log: {to: nowhere}\n"), config(rest="log: {to: journald}\n"), "nowhere is no place for a log"),
    ConfigCase(config(rest="log: {format: '%client'}\n"), config(rest="log: {format: combined}\n"), "neither a member"),
    ConfigCase(config(rest="log: {format: '%{clint}'}\n"), config(rest="log: {format: '%{client}'}\n"), "no line of a call has the member clint"),
    ConfigCase(config(rest="log: {format: '%{nosuchthing}'}\n"), config(rest="log: {format: '%{client} %{code}'}\n"), "no line of a call has the member nosuchthing"),
    ConfigCase(config(rest="log: {to: syslog, facility: lokal0}\n"), config(rest="log: {to: syslog, facility: local0}\n"), "no facility"),
    ConfigCase(config(rest="log: {also: [{format: json}]}\n"), config(rest="log: {also: [{file: calls.log, format: json}]}\n"), "it has no place"),
    ConfigCase(config(rest="log: {sample: {successes: 2}}\n"), config(rest="log: {sample: {successes: 0.01}}\n"), "no share of calls from 0 to 1"),
    ConfigCase(config(rest="ledger: {redact: ['a b c d']}\n"), config(rest="ledger: {redact: [client]}\n"), "neither a member"),
    ConfigCase(config(rest="clients: hashed\n"), config(rest="clients: {recorded: hashed, key: /etc/os-release}\n"), "needs a key"),
    ConfigCase(config(rest="clients: {recorded: named, key: /etc/os-release}\n"),
               config(rest="clients: {recorded: hashed, key: /etc/os-release}\n"), "names are not hashed"),
    ConfigCase(config(rest='admin: {socket: "127.0.0.1:3"}\n'),
               config(rest='admin: {socket: "unix:/run/passerelle/admin.sock"}\n'), "not a unix socket"),
    ConfigCase(config(rest='admin: {address: "127.0.0.1:3", hosts: ["a:1"]}\n'),
               config(rest='admin: {address: "127.0.0.1:3", hosts: ["gw1.internal"]}\n'), "the name of a host"),
    ConfigCase(config(rest=f'admin: {{address: "127.0.0.1:3", operators: [{{name: ada, password: "secret"}}]}}\n'),
               config(rest=f'admin: {{address: "127.0.0.1:3", operators: [{{name: ada, password: "{PASSWORD}"}}]}}\n'), "begins with $argon2id"),
    ConfigCase(config(rest=f'admin: {{address: "10.0.0.7:3", operators: [{{name: ada, password: "{PASSWORD}"}}]}}\n'),
               config(rest=f'admin: {{address: "127.0.0.1:9901", operators: [{{name: ada, password: "{PASSWORD}"}}]}}\n'), "unencrypted"),
    ConfigCase(config(instances=f'[{INSTANCE}, {{address: "127.0.0.1:1", versions: [v1]}}]'),
               config(instances=f'[{INSTANCE}, {{address: "127.0.0.1:3", versions: [v1]}}]'), "itself listens"),
    ConfigCase(config(rest=route('{match: /a/../b/, instances: ["127.0.0.1:3"]}')),
               None, "normal form"),
    ConfigCase(config(rest=route("{match: /t.v2.S/Go}")), config(rest=route("{match: s.S/Go}")), "there are none"),
    ConfigCase(config(rest=route('{match: /x/, instances: ["127.0.0.1:3"], on_failure: {graceful: {default: {}}}}')),
               config(rest=route('{match: /x/, instances: ["127.0.0.1:3"], on_failure: loud}')), "without a schema"),
    ConfigCase(config(rest=route("{match: ss}")), None, "no service ss"),
    ConfigCase(graceful("writes: true"), graceful("writes: true, skip: true"), "no fallback"),
    ConfigCase(graceful("writes: true, skip: true, stale: 10m"), graceful("writes: true, stale: 10m, skip: true"), "never reached"),
    ConfigCase(graceful("skip: true"), graceful("skip: true, writes: true"), "look done"),
    ConfigCase(graceful("older: true, skip: true, writes: true", "s.T/Scrap"), graceful("skip: true, writes: true", "s.T/Scrap"),
               "another version could serve", old=f"{SAY} service T {{ rpc Scrap(M) returns (M); }}",
               lists=('from: v1\nto: v2\nmethods: {T.Scrap: {removed: "gone"}}\n',) * 2),
    ConfigCase(graceful("stale: 10m, writes: true", "s.T/See"), graceful("skip: true, writes: true", "s.T/See"),
               "no key to keep", old=f"{SAY} service T {{ rpc See(M) returns (stream M); }}",
               new=f"{SAY} service T {{ rpc See(M) returns (stream M); }}"),
    ConfigCase(config(rest=route("{match: s.S/Goo}")), None, "matches no method"),
    ConfigCase(config(v1="{name: v1, package: t.v1, schema: {}}"), config(), "no source"),
    ConfigCase(config(v1="{name: v1, package: t.v7, schema: s1.binpb}"), None, "no RPC service"),
    ConfigCase(config(v1='{name: "v 1", package: t.v1, schema: s1.binpb}', changes="[]"), config(changes="[]"), "name of a version"),
    ConfigCase(config(service="    default_version: v9\n"), None, "no version v9"),
    ConfigCase(config(name='"s s"'), config(), "name of a service"),
    ConfigCase(config(rest=route("{match: s.S/Go, on_failure: {graceful: {version: v8, default: {}}}}")), None, "no version v8"),
    ConfigCase(config(v1="{name: v1, package: t.v1, schema: none.binpb}"), config(), "No such file"),
    ConfigCase(config(changes="[]"), config(instances='[{address: "127.0.0.1:2", versions: [v1, v2]}]', changes="[]"), "no instance can serve",
               new="message M { bytes e = 1; } message N { }"),
    ConfigCase(config(rest=route("{match: s.R/Look, hedge: {after: 100ms}, attempts: 1}")),
               config(rest=route("{match: s.R/Look, hedge: {after: 100ms}, attempts: 2}")), "needs at least 2 attempts", old=LOOK, new=LOOK),
    ConfigCase(config(rest=route("{match: s.R/Look, hedge: {after: soon}}")),
               config(rest=route("{match: s.R/Look, hedge: {after: 50ms}}")), "is no time", old=LOOK, new=LOOK),
    ConfigCase(shadow("{to: {version: v2}, share: 5}"), shadow("{to: {version: v2}, share: 1 %}"), "is no share", old=LOOK, new=LOOK),
    ConfigCase(shadow("{to: {}}"), shadow("{to: {version: v2}}"), "to one version, or to one build", old=LOOK, new=LOOK),
    ConfigCase(shadow('{to: {build: "3.1"}}', instances=BUILD), shadow('{to: {build: "3.1.0"}}', instances=BUILD),
               "has the build 3.1", old=LOOK, new=LOOK),
    ConfigCase(shadow("{to: {version: v2}, ignore: [s]}"), shadow("{to: {version: v2}, ignore: [M.s]}"), "has the field s", old=LOOK, new=LOOK),
    ConfigCase(shadow("{to: {version: v2}, methods: [Look]}"), shadow("{to: {version: v2}, methods: [R/Look]}"), "has no method Look",
               old=LOOK, new=LOOK),
    ConfigCase(shadow("{to: {version: v2}}", match="s.S/Go"), config(instances=BOTH, rest=route("{match: s.S/Go}")),
               "matches no method that can be copied", old=LOOK, new=LOOK),
    ConfigCase(config(rest=route("{match: /x/, instances: ['127.0.0.1:3'], shadow: {to: {version: v2}}}")),
               config(instances=BOTH, rest=route("{match: s.R/Look, shadow: {to: {version: v2}}}")), "no two responses", old=LOOK, new=LOOK),
    ConfigCase(limited("rate: often"), limited("rate: 100/s"), "is no rate"),
    ConfigCase(limited("rate: 2000000/s"), limited("rate: 1000000/s"), "told apart from no limit"),
    ConfigCase(limited("rate: 5/s, burst: 0"), limited("rate: 5/s, burst: 1"), "ever be admitted"),
    ConfigCase(limited("rate: 1/d, burst: 32"), limited("rate: 1/d, burst: 31"), "more than 31 days"),
    ConfigCase(limited("rate: 5/s, count: bytes, cost: e"), limited("rate: 5/s, cost: e"), "no other cost", old=COUNTED, new=COUNTED),
    ConfigCase(limited("rate: 5/s, cost: {field: e, most: 6}"), limited("rate: 5/s, cost: {field: e, most: 5}"), "more than the burst",
               old=COUNTED, new=COUNTED),
    ConfigCase(limited("rate: 5/s, cost: ee"), None, "whole number ee", old=COUNTED, new=COUNTED),
    ConfigCase(limited("concurrent: 5, burst: 5"), limited("concurrent: 5"), "counts calls, one each"),
    ConfigCase(limited("rate: 5/s, on: {client: ['*-test']}"), limited("rate: 5/s, on: {client: ['test-*']}"), "a client's name"),
    ConfigCase(limited("rate: 5/s, on: {class: [free], anonymous: true}"), limited("rate: 5/s, on: {anonymous: true}"), "neither a name nor a class"),
    ConfigCase(limited("rate: 5/s, on: {}"), limited("rate: 5/s, on: {version: [v1]}"), "nothing of a call"),
    ConfigCase(limited("rate: 5/s, name: a b"), limited("rate: 5/s, name: client-burst"), "a limit's name"),
    ConfigCase(limited("burst: 5"), limited("rate: 100/s, burst: 5"), "exactly one of rate and concurrent"),
    ConfigCase(traced("collector: '127.0.0.1:4317', share: 0 %"), traced("collector: '127.0.0.1:4317', share: 10 %"), "is no share of the calls"),
    ConfigCase(traced("share: 10 %"), traced("share: 10 %, collector: '127.0.0.1:4317'"), "nobody gets the spans"),
    ConfigCase(traced("collector: '127.0.0.1:4317', url: 'http://127.0.0.1:4318/v1/traces'"), traced("collector: '127.0.0.1:4317'"), "not to both"),
    ConfigCase(sent("metrics: 60s"), sent("metrics: 60s, collector: '127.0.0.1:4317'"), "nobody gets the signals"),
    ConfigCase(sent("collector: '127.0.0.1:4317'"), sent("collector: '127.0.0.1:4317', metrics: 60s"), "nothing is sent"),
    ConfigCase(sent("url: 'http://collector?a', metrics: 60s"), sent("url: 'http://127.0.0.1:4318', metrics: 60s"), "it has no query"),
    ConfigCase(config(rest="baggage: {record: [a b]}\n"), config(rest="baggage: {record: [tenant]}\n"), "cannot be the name of a member"),
    ConfigCase(config(rest=route("{match: s.S/Go, baggage: false}")), config(service="    baggage: false\n", rest=route("{match: s.S/Go}")),
               "a service says it itself"),
    ConfigCase(config(rest="rate_limits: [" + ", ".join(["{rate: 5/s}"] * 17) + "]\n"),
               config(rest="rate_limits: [" + ", ".join(["{rate: 5/s}"] * 16) + "]\n"), "more than 16 limits"),
    ConfigCase(config(service="    retry_budget: {percent: 0}\n"), config(service="    retry_budget: {percent: 20}\n"),
               "may any be retried"),
    ConfigCase(config(service="    breaker: {calls: 2, probes: 3}\n"), config(service="    breaker: {calls: 2, probes: 1}\n"),
               "takes more calls than to open it"),
    ConfigCase(config(service="    concurrency: {waiting: 5}\n"), config(service="    concurrency: {waiting: 5, calls: 100}\n"),
               "limits nothing"),
    ConfigCase(config(rest=route("{match: s.S/Go, breaker: {}}")), config(service="    breaker: {}\n", rest=route("{match: s.S/Go}")),
               "has limits of its own"),
    ConfigCase(config(service="    retire: [{version: v1}]\n"), config(service="    retire: [{version: v1}]\n", rest="usage: {}\n"),
               "nobody counts who uses a version"),
    ConfigCase(config(service="    usage: {fields: true}\n"), config(service="    usage: {fields: true}\n", rest="usage: {}\n"),
               "nobody counts who uses what"),
    ConfigCase(config(service="    retire: [{version: v1, brownouts: [{at: 2026-12-01, share: 5}]}]\n", rest="usage: {}\n"),
               config(service="    retire: [{version: v1, brownouts: [{at: 2026-12-01, share: 5 %}]}]\n", rest="usage: {}\n"),
               "is no share"),
    ConfigCase(config(rest="overload: {delay: 1s}\n"), config(rest="overload: {delay: 10ms}\n"), "one turn that is late"),
    ConfigCase(config(rest=route("{match: s.S/Go, retry_budget: {percent: 20}}")),
               config(service="    retry_budget: {percent: 20}\n", rest=route("{match: s.S/Go}")), "has a retry budget"),
    ConfigCase(config(service="    health: {check: {every: 5s}}\n"), config(service="    health: {check: grpc}\n"), "what is checked"),
    ConfigCase(config(instances=REST, service="    health: {check: grpc}\n"),
               config(instances=REST, service="    health: {check: {http: /healthz}}\n"), "does not speak gRPC"),
    ConfigCase(config(service="    health: {check: {http: healthz}}\n"),
               config(service="    health: {check: {http: {path: /healthz}}}\n"), "is not a valid path"),
    ConfigCase(config(service="    health: {eject: {slower: 1}}\n"), config(service="    health: {eject: {slower: 4}}\n"),
               "are slower than the others"),
    ConfigCase(config(service="    health: {eject: {first: 1s, most: 2s}}\n"),
               config(service="    health: {eject: {first: 30s, most: 5m}}\n"), "goes on failing uses up"),
    ConfigCase(config(rest="cell: 'a b'\n"), config(rest="cell: hall-1\n"), "name of a cell"),
    ConfigCase(config(rest="cells: {spill: 10}\n"), config(rest="cell: hall-1\ncells: {spill: 10}\n"), "only if the gateway has one"),
    ConfigCase(config(service="    affinity: {}\n"), config(service="    affinity: {client: true}\n"), "exactly one of"),
    ConfigCase(config(service="    affinity: {client: true, bound: 1}\n"), config(service="    affinity: {client: true, bound: 1.25}\n"),
               "times the mean"),
    ConfigCase(config(rest=route("{match: s.S/Go, affinity: {field: ss}}")), None, "has the text or whole number", old=SAY, new=SAY),
    ConfigCase(config(rest=route("{match: s.S/Go, log: {fields: [ss]}}")), None, "has the field ss", old=SAY, new=SAY),
    ConfigCase(config(rest=route("{match: s.S/Go, log: {fields: [i]}}")), config(rest=route("{match: s.S/Go, log: {fields: [i.s]}}")),
               "which has no text", old=NESTED, new=NESTED),
    ConfigCase(config(rest=route("{match: /x/, instances: ['127.0.0.1:3'], affinity: {field: s}}")),
               config(rest=route("{match: /x/, instances: ['127.0.0.1:3'], affinity: {client: true}}")), "is not read"),
    ConfigCase(config(rest=route("{match: s.S/Go, objectives: {low: 90 %}}")),
               config(service="    objectives: {low: 90 %}\n", rest=route("{match: s.S/Go}")), "has objectives; a service has its own"),
    ConfigCase(config(rest=route("{match: s.S/Go, warm: 2}")), config(service="    warm: 2\n", rest=route("{match: s.S/Go}")),
               "has connections"),
    rollout("candidate: {}", "candidate: {build: '3.1'}", "exactly one of build and version"),
    rollout("candidate: {build: '3.l'}", "candidate: {build: '3.1'}", "has the build"),
    rollout("pilot: ['*-test']", "pilot: ['test-*']", "star at its end"),
    rollout("tiers: [1, 5, 5%%, all]", 'tiers: [1, 5, "5 %", all]', "is no tier"),
    rollout("tiers: [1, 10]", "tiers: [1, 10, 100, 1000, all]", "the last tier"),
    rollout("judge: {alpha: 0}", "judge: {alpha: 0.05}", "a probability"),
    rollout("judge: {slow: 100}", "judge: {slow: 99}", "a percentage"),
    ConfigCase(config(listener("trusted_proxies: [unix]"), rest="cohort: {}\n"),
               config(listener("trusted_proxies: [unix]"), rest="cohort: {header: x-account}\n"), "tells clients apart"),
    rollout("cohort: {field: ss}", None, "has the text or whole number"),
    ConfigCase(config(rest=kept("/none/rollouts.db")), config(rest=kept("rollouts.db")), "the folder /none does not exist"),
    ConfigCase(listed("{}"), listed("{file: instances.yaml}"), "does not say where"),
    ConfigCase(listed("{file: a.yaml, folder: b}"), listed("{file: instances.yaml}"), "listed in one place"),
    ConfigCase(listed("{dns: [{name: a.test, instance: {versions: [v1]}}]}"),
               listed("{dns: [{name: 'a.test:7001', instance: {versions: [v1]}}]}"), "the port is missing"),
    ConfigCase(listed("{dns: [{name: 'a b', instance: {versions: [v1]}}]}"),
               listed("{dns: [{name: 'orders.internal:7001', instance: {versions: [v1]}}]}"), "is not a name in DNS"),
    ConfigCase(listed("{dns: [{name: 'a.test:0', instance: {versions: [v1]}}]}"), None, "is not a port"),
    ConfigCase(listed("{dns: [{name: '_a._tcp.test:1', instance: {versions: [v1]}}]}"), None, "have the ports"),
    ConfigCase(listed("{dns: [{name: 'a.test:1', instance: 5}]}"),
               listed("{dns: [{name: 'a.test:1', instance: {versions: [v1]}}]}"), "not what an instance is"),
    ConfigCase(listed("{dns: ['a.test:1']}"), listed("{dns: [{name: 'a.test:1', instance: {versions: [v2]}}]}"),
               "has more than one"),
    ConfigCase(listed("{etcd: {endpoints: ['a:1'], prefix: ''}}"),
               listed("{etcd: {endpoints: ['a:1'], prefix: /services/orders/}}"), "without a prefix"),
    ConfigCase(listed("{etcd: {endpoints: ['a:1'], prefix: /o/, user: gateway}}"),
               listed("{etcd: {endpoints: ['a:1'], prefix: /o/, user: gateway, tls: {}, password_file: good.key}}"),
               "key password_file is missing"),
    ConfigCase(listed("{etcd: {endpoints: ['a:1'], prefix: /o/, tls: {}, password_file: good.key}}"),
               listed("{etcd: {endpoints: ['a:1'], prefix: /o/, tls: {}, password_file: good.key, user: gateway}}"),
               "key user is missing"),
    ConfigCase(listed("{etcd: {endpoints: ['a:1'], prefix: /o/, password_file: good.key, user: gateway}}"),
               listed("{etcd: {endpoints: ['a:1'], prefix: /o/, tls: {}, password_file: good.key, user: gateway}}"),
               "is sent unencrypted"),
    ConfigCase(config(rest=proved("jwt: {issuer: a, keys: no.jwks, algorithms: [HS255]}")),
               config(rest=proved("jwt: {issuer: a, keys: no.jwks, algorithms: [HS256]}")), "is no algorithm"),
    ConfigCase(config(rest=proved("jwt: {issuer: a, keys: no.jwks, claims: {a b: c}}")),
               config(rest=proved("jwt: {issuer: a, keys: no.jwks, claims: {a_b: c}}")), "no name of a claim"),
    ConfigCase(config(rest=proved("jwt: {issuer: a}")), config(rest=proved("jwt: {issuer: a, keys_url: https://a/}")), "has no keys"),
    ConfigCase(config(rest=proved("jwt: {issuer: a, keys_url: 'http://a.test/'}")),
               config(rest=proved("jwt: {issuer: a, keys_url: 'https://a.test/'}")), "could give other keys"),
    ConfigCase(config(rest=proved("")), config(rest=proved("api_keys: keys.yaml")), "one of jwt, api_keys and"),
    ConfigCase(config(rest=route("{match: s.S/Go, allow: [{}]}")), config(rest=route('{match: s.S/Go, allow: [{client: ["*"]}]}')),
               "demands nothing"),
    ConfigCase(config(rest=route("{match: s.S/Go, allow: [{fields: {s: $who}}]}")), config(rest=route("{match: s.S/Go, allow: [{fields: {s: $client}}]}")),
               "cannot have the value", old=SAY, new=SAY),
    ConfigCase(config(rest=route("{match: s.S/Go, allow: [{by: [people]}]}")), config(rest=route('{match: s.S/Go, allow: [{by: [token]}]}')), "has the name people"),
    ConfigCase(config(rest="authentication: [{name: token, certificate: {of: common_name, name: [a]}}]\n" + route("{match: s.S/Go, allow: [{by: [token]}]}")),
               config(rest="authentication: [{name: bots, certificate: {of: common_name, name: [a]}}]\n" + route("{match: s.S/Go, allow: [{by: [bots]}]}")),
               "is a kind of proof"),
    ConfigCase(config(rest=route("{match: s.S/Go, allow: []}")), config(rest=route('{match: s.S/Go, allow: [{client: ["*"]}]}')),
               "it closes nothing"),
    ConfigCase(config(rest=route("{match: s.S/Go, allow: [{class: [a], client: []}]}")), config(rest=route("{match: s.S/Go, allow: [{class: [a]}]}")),
               "it closes nothing"),
    *(ConfigCase(config(rest=route(f"{{match: s.S/Go, {before}}}")), config(rest=route(f"{{match: s.S/Go, {then}}}")), pick, old=body, new=body)
      for before, then, pick, body in (
          ("response_fields: []", "response_fields: [n]", "it hides nothing", SAY),
          ("response_details: [t.v1.M]", 'response_fields: ["*"], response_details: [t.v1.M]', "all details of errors", SAY),
          ("response_fields: [n, {path: s, version: [v3]}]", "response_fields: [n, {path: s, version: [v1]}]", "no version v3", SAY),
          ("response_fields: [n], response_details: [M]", "response_fields: [n], response_details: [t.v1.M]", "a message M", SAY),
          ("response_fields: [alphx]", "response_fields: [alpha]", "no field", "message M { string alpha = 1; }"),
          ("response_fields: [n.x]", "response_fields: [n]", "to choose from", SAY),
          ("response_fields: [b]", "response_fields: [a, b]", "required, and hidden",
           "proto2 message M { required string a = 1; optional string b = 2; }"),
          ("response_fields: [{path: n, version: [v1]}]", "response_fields: [n]", "no entry applies", SAY))),
    ConfigCase(config(rest=route("{match: /a/, response_fields: [n], instances: ['127.0.0.1:3']}")),
               config(rest=route("{match: /a/, instances: ['127.0.0.1:3']}")), "is not read"),
    ConfigCase(limited("rate: 1/s").replace("[client]", "[client, client]"), limited("rate: 1/s"), "in the list already"),
    ConfigCase(config(rest=route("{match: s.S/Go, authentication: []}")), config(rest=route("{match: s.S/Go, authenticate: none}")),
               "it closes nothing"),
    ConfigCase(config(rest=proved("certificate: {name: []}")), config(rest=proved("certificate: {name: [a]}")), "it closes nothing"),
    ConfigCase(config(rest=asking("name: none, instances: ['127.0.0.1:2']", "")), config(rest=asking()), "cannot be the name of a policy server"),
    ConfigCase(config(rest=asking("name: opa, instances: ['127.0.0.1:2'], headers: []")),
               config(rest=asking("name: opa, instances: ['127.0.0.1:2'], headers: [none]")), "it closes nothing"),
    ConfigCase(config(rest=asking("name: opa, instances: ['127.0.0.1:2'], partial_body: true")),
               config(rest=asking("name: opa, instances: ['127.0.0.1:2'], partial_body: true, body: 8KiB")), "nothing of a body"),
    ConfigCase(config(rest=asking(rest="authorization: {policy_server: oqa}\n")), config(rest=asking()), "no policy server of"),
    ConfigCase(config(rest=asking("name: opa, instances: [{address: '127.0.0.1:2', protocol: connect}]")),
               config(rest=asking("name: opa, instances: [{address: '127.0.0.1:2', protocol: grpc}]")), "policy servers speak gRPC"),
    ConfigCase(composed(rest=asking() + route("{match: s.S/Go, policy_server: opa}")),
               composed(rest=asking() + route("{match: s.S/Go, policy_server: opa}, {match: p, policy_server: opa}")),
               "would not be asked about this call"),
    ConfigCase(config(rest="store: {sqlite: /none/store.db}\n"), config(rest="store: {sqlite: /tmp/store.db}\n"), "does not exist"),
    ConfigCase(config(rest='store: {sqlite: /tmp/s.db, postgresql: "x=y"}\n'), config(rest="store: {sqlite: /tmp/s.db}\n"), "both sqlite"),
    ConfigCase(config(rest="feedback: {}\n"), config(rest="store: {sqlite: /tmp/s.db}\nfeedback: {}\n"), "is kept in a store"),
    ConfigCase(config(rest='store: {postgresql: "host=db user=gw password=my secret"}\n'),
               config(rest="store: {postgresql: \"host=db user=gw password='with spaces'\"}\n"), "no connection string"),
    ConfigCase(config(rest='store: {postgresql: ""}\n'), config(rest="store: {postgresql: service=passerelle}\n"), "it is empty"),
    ConfigCase(config(rest=keyed('{id: a, file: c.yaml}')), config(rest=keyed('{id: a, file: good.key}')), "64 hexadecimal digits"),
    ConfigCase(config(rest=keyed('{id: "a b", file: good.key}')), config(rest=keyed('{id: 2026-11, file: good.key}')), "a key's id"),
    ConfigCase(config(v2=V2 + ", {name: v3, package: t.v2, schema: s2.binpb}"),
               config(v2=V2 + ", {name: v3, package: t.v2, schema: s2.binpb}", changes="[list.yaml]"), "not neighbouring",
               lists=("from: v1\nto: v3\n", "from: v1\nto: v2\n")),
    ConfigCase(config(rest=route("{match: s.T/Scrap, on_failure: {graceful: {default: {}}}}"), instances=BOTH),
               config(rest=route("{match: s.T/Scrap, on_failure: {graceful: {version: v1, default: {}}}}"), instances=BOTH),
               "cannot be written", old=f"{SAY} service T {{ rpc Scrap(M) returns (M); }}",
               lists=('from: v1\nto: v2\nmethods: {T.Scrap: {removed: "gone"}}\n',) * 2),
]
ALL = CASES + CONFIG_CASES

# Hints that no config file of a test can lead to, and where they are tried.
ELSEWHERE = {
    "tell_syntax": "a line that is no YAML (test_typical_mistakes.py)",
    "include": "a file beside the config (test_config_files.py)",
    "tell_twice": "two files of a config (test_config_files.py)",
    "on_value": "the content of a file (test_config_files.py)",
    "doubt_same_key": "a doubt: nothing fails by it (test_config.c)",
    "check_fallbacks": "a doubt: nothing fails by it (test_config.c)",
    "check_route": "a composed service of two versions beside another service (test_compose_config.c)",
    "read_secret": "the content of a file (test_webhooks.py)",
    "read_job_webhook": "a doubt: nothing fails by it (test_job_webhooks.py)",
    "check_method": "a method that no job begins with (test_job_webhooks.py)",
    "read_secrets": "files of tokens and authorities, and a doubt (test_webhooks.py)",
    "find_entries": "a list of instances is read while the gateway runs (test_instance_list.c)",
    "result_type": "operations need Google's schema (mistakes.def of test_job_config.c)",
    "make_metadata": "operations need Google's schema (mistakes.def of test_job_config.c)",
    "hide": "a doubt: nothing fails by it (test_http_rules.py)",
    "doubt_passing": "a doubt: nothing fails by it (test_job_config.c)",
    "check_list": "a required field, and operations, which need Google's schema (test_response_fields.py)",
    "config_check_shown": "legs and steps, which have more to be right (test_response_fields.py)",
    "read_custom_pattern": "a service YAML (test_http_rules.py)",
    "tell_unknown": "a service YAML (test_http_rules.py)",
    "read_http_rule": "a service YAML (test_http_rules.py)",
    "read_http_rules": "a service YAML (test_http_rules.py)",
    "find_ruled_method": "a service YAML (test_http_rules.py)",
    "use_http_rule": "a service YAML (test_http_rules.py)",
    "conventions_use_http_rules": "a service YAML (test_http_rules.py)",
    "read_reflection": "only a program without a network cannot ask by reflection (test_config.c)",
}


# Hints that name nothing to write; what the cases write was read from them.
PROSE = {"*ANCHOR of a map", "0: none", "$${ for the characters ${", "${NAME}, ${NAME:-default}, or $${ for the characters ${", "write a field, or leave it out", "list it as a whole", "list it, too", "an entry for it, or one without `version`",
         "its full name, for example shop.orders.v1.OutOfStock", "fewer limits", "take the whole field", "call another method in one of the steps", "s.RpcService/Method", "less than wait.for", "take it from the request, or from an earlier step", "another revision",
         "the same kind and key everywhere", "response: {a field of the response: its path}", "an enum that is placed as another one has the same names and numbers",
         "both need the same type, or integers the wider one", "place its fields, each by its path", "service.RpcService/Method",
         "leave out one of the paths", "call another method in one of the legs", "a smaller one, or a larger at_most",
         "for example [a, b]", "write a rule, or leave it out", "write an entry, or leave it out", "a message and one of its fields, for example Order.updated", "RpcService/Method", "one rule with both, or other versions",
         "give each value a meaning of its own", "retry_budget in the service", "warm in the service", "baggage in the service", "write it in the service", "what always has a response comes last", "leave it out", "create it, and let the gateway write in it", "leave out one of them", "openssl rand -hex 32", "the output of: passerelle password", "list them under X to Y",
         "give each value a meaning of its own", "retry_budget in the service", "warm in the service", "objectives in the service", "write it in the service", "what always has a response comes last", "leave it out", "create it, and let the gateway write in it", "leave out one of them", "openssl rand -hex 32", "list them under X to Y",
         "give each value a meaning of its own", "retry_budget in the service", "warm in the service", "write it in the service", "what always has a response comes last", "leave it out", "create it, and let the gateway write in it", "leave out one of them", "openssl rand -hex 32", "the output of: passerelle password", "another name for the method", "list them under X to Y",
         "list the origins", "give it all its versions there", "the address of a service's own process",
         "to match an RPC write service.RpcService/Method", "one list for each two neighbouring versions",
         "quote a value that is to be a string", "write from: with a field for each of {p}, {q}", "without quotes", "write the value out", "0 to 65535", "leave it out, or leave out the others", "file or reflection",
         "letters, digits, - and _", "letters, digits, -, _ and dots", 'letters, digits and "._-:/"', "file names are relative to this file"}


def is_said(case):
    """Has the list of the case something that its hint names, and that was not there before?"""
    hint, before, then = case.mistake().hint, case.before[1], case.then
    named = [hint] + [word for word in re.findall(r"[\w./:*\[\]-]{2,}", hint) if word in then]
    return hint in PROSE or any(then.count(word) > before.count(word) for word in named) or "without the mark" in hint


@pytest.mark.parametrize("case", ALL, ids=lambda case: (case.pick or case.changes or case.bodies[0])[:60])
def test_what_a_hint_says_is_one_mistake_less(tmp_path, case):
    before, after = case.before[0], case.after(tmp_path)
    assert case.then is None or is_said(case), case.mistake().line
    assert len(after) < len(before), ([it.line for it in before], [it.line for it in after], (tmp_path / "list.yaml").read_text())


def test_every_hint_of_the_source_is_applied_here():
    given = [mistake for case in ALL for mistake in [case.mistake()]]
    untried = [site for site in sites() if site.reasons and site.function not in ELSEWHERE
               and not any(mistake.gives(site) for mistake in given)]
    assert not untried, "\n".join(map(str, untried))
