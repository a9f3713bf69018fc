"""The code blocks of the docs do what the docs say.

docs/first-service.md is run from its first block to its last in one shell, in a folder of its own: a `sh` block is run, a
`text` block behind it is what it prints (how_to.py), and `norun: REASON` behind `sh` says what cannot be.
Of all pages each `yaml` block is read, as a config or a change list; each command exists, with its options. `sh` blocks of
the pages of test_how_to.py are run there, those of others are in NOT_RUN; blocks without a language show what comes out, which other tests are about.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import NamedTuple

import pytest
import yaml
from gateway import BINARY, ORDERS, SHOP
from how_to import fits, steps_of
from processes import ROOT, free_port
from test_how_to import PAGES as HOW_TO

DOCS = ROOT / "docs"
WALK = DOCS / "first-service.md"


class Block(NamedTuple):
    page: str
    line: int
    language: str
    more: str  # behind the language
    text: str


def blocks_of(page):
    """The fenced blocks of a page."""
    text, found = page.read_text(), []
    for match in re.finditer(r"^```(\w*) ?(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        found.append(Block(page.name, text.count("\n", 0, match.start()) + 1, *match.groups()))
    return found


# ---- The walk ------------------------------------------------------------------------------------

def until_open(script):
    """Waits until what a block has started in the background listens on the ports that it names."""
    ports = [port for line in script.splitlines() if re.search(r" &( |$)", line) for port in re.findall(r"127\.0\.0\.1:(\d+)", line)]
    return "".join(f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $!; sleep 0.02; done\n" for port in ports)


def told_by_each(folder, steps, environment):
    """The lines that each block prints, run one after the other by one shell; it ends with the first one that fails."""
    script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "".join(
        f"echo '@step'\n{commands}{until_open(commands)}" for commands, _ in steps)
    (folder / "script").write_text(script)
    with open(folder / "told", "w+") as told:
        done = subprocess.run(["bash", "script"], cwd=folder, env=environment, stdout=told, stderr=told, timeout=60)
        told.seek(0)
        parts = [part.strip("\n").splitlines() for part in told.read().split("@step\n")[1:]]
    assert done.returncode == 0, f"{steps[len(parts) - 1][0]}exit code {done.returncode}: {parts[-1]}"
    return parts


def test_the_first_service_is_made_as_its_page_says(tmp_path):
    ports = {port: str(free_port()) for port in ("8080", "8081", "7001", "7002", "7003")}
    places = {"/usr/share/passerelle/proto": str(ROOT / "examples/shop/proto"), **{f"127.0.0.1:{a}": f"127.0.0.1:{b}" for a, b in ports.items()}}
    page = WALK.read_text()
    for documented, here in places.items():
        page = page.replace(documented, here)
    steps = steps_of(page)
    assert len(steps) > 15
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/passerelle").symlink_to(pathlib.Path(BINARY).resolve())
    (tmp_path / "node_modules").symlink_to(ROOT / "tests/flow/node/node_modules")
    told = told_by_each(tmp_path, steps, {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    wrong = [f"{commands}prints\n" + "\n".join(lines) + f"\nand not\n{said}" for (commands, said), lines in zip(steps, told)
             if said is not None and not fits(said.splitlines(), lines)]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_what_is_not_run_has_its_reason():
    marks = [block.more for block in blocks_of(WALK) if block.language == "sh" and block.more]
    assert marks and all(re.match(r"norun: \w", mark) for mark in marks)


# `sh` blocks of other pages need what is not there. Who adds one adds its reason here, or makes the walk run it.
NOT_RUN = {
    "discovery.md": "a lease of an etcd, whose id comes out of the first line; test_discovery_etcd.py does the same",
    "logs.md": "a log of many calls, and jq",
    "rollouts.md": "a gateway of systemd with a rollout; test_rollout_acts.py posts the same",
}


def test_shell_blocks_of_other_pages_are_known():
    run = {WALK, *HOW_TO}
    assert {block.page for page in DOCS.rglob("*.md") if page not in run for block in blocks_of(page) if block.language == "sh"} == set(NOT_RUN)


# ---- Configs and change lists --------------------------------------------------------------------

# What the shop of the examples has, for blocks that show a part of a config.
SHOP_VERSIONS = {"orders": ("v1", "v2", "v3"), "hosting": ("v1", "v2"), "stock": ("v1",), "machines": ("v1",), "extras": ("v1",)}
STAND_INS = {"carts": "extras", "users": "hosting"}  # for services that the shop has not
SHOP_CHANGES = {"orders": "orders-v1-v2.yaml, orders-v2-v3.yaml", "hosting": "hosting-v1-v2.yaml"}

# Blocks that are no whole sections of a config: what is around them, by page and first key.
AROUND = {
    ("access.md", "allow"): "authentication:\n  - {name: people, jwt: {issuer: https://login.example, audience: [shop], keys: kept.json}}\nroutes:\n  - match: orders\n    ",
    ("discovery.md", "discovery"): "services:\n  - name: orders\n    ",
    ("discovery.md", "instances"): "services:\n  - name: orders\n    ",
    ("overload.md", "concurrency"): "services:\n  - name: orders\n    ",
}

# What is in these blocks is not read by Passerelle.
OTHERS = {("monitoring.md", "rule_files"): "the config of Prometheus",
          ("config-files.md", "x-common"): "an anchor, which completed() would cut off from its aliases"}

# What `check` tells of a part of a config, or of a change list, that is no mistake of it: it lacks what the reader has.
ELSEWHERE = re.compile("|".join((
    r"No such file or directory", r"the environment has no variable HOSTNAME", r"the folder /\S+ does not exist",  # files of the reader
    r"^\.\.\. is not an address", r"has 64 hexadecimal digits", r"has the same token", r"behind its beginning is not m=",  # what `...` stands for
    r"the key versions is missing: \w+ has more than one", r"has the build 3", r"no job begins with",  # other sections
    r"nothing tells clients apart", r"nobody counts who uses what",
    r"has the text or whole number", r"of v\d has no field", r"no version of \w+ has the field",  # fields that the shop has not
    r"neither a member of a record nor a field of a message")))
LIST_ELSEWHERE = re.compile("|".join((
    r"^no (message|enum|method|field|value) ", r"^no \S+ in v\d", r"has no (field|value|counterpart)", r"is only in v\d", r"nothing says what",
    r"the types differ", r"have no type in common", r"not decided yet")))


def key_of(line):
    match = re.match(r"( *)([\w.]+):", line)
    return match and (len(match[1]), match[2])


def variants_of(text):
    """The configs of a block: another one begins where a key comes again that must be there once."""
    found, seen = [""], set()
    keys = [key_of(line) for line in text.splitlines()]
    outermost = min(key[0] for key in keys if key)
    for line, key in zip(text.splitlines(), keys):
        if key and key[0] == outermost:
            if key[1] in seen:
                found.append("")
                seen = set()
            seen.add(key[1])
        found[-1] += line[outermost:] + "\n"
    return found


def settings_of(service):
    """What the shop's service of a name has, for one that says only something else."""
    name = STAND_INS.get(service["name"], service["name"])
    names = [version["name"] for version in service.get("versions", [])] or SHOP_VERSIONS[name]
    if "versions" not in service:
        versions = ", ".join(f"{{name: {v}, package: shop.{name}.{v}, schema: orders.binpb}}" for v in names)
        yield f"versions: [{versions}]"
        if "changes" not in service and name in SHOP_CHANGES:
            yield f"changes: [{SHOP_CHANGES[name]}]"
    if not service.keys() & {"instances", "discovery"} and not any("compose" in version for version in service.get("versions", [])):
        yield f"instances: [{{address: '127.0.0.1:1', versions: [{', '.join(names)}]}}]"


def completed_service(item):
    """An entry of `services`, with what it does not say."""
    block = re.match(r"( *)- name: (\w+)", item)
    flow = re.match(r"( *- \{name: (\w+))", item)
    more = list(settings_of(yaml.load(item, yaml.BaseLoader)[0]))
    if block:
        first, _, rest = item.partition("\n")
        return "\n".join([first, *(f"{block[1]}  {text}" for text in more), rest])
    return flow[1] + "".join(f", {text}" for text in more) + item[len(flow[1]):]


def completed(text):
    """A config of a part of one: with a listener, and those of the shop's services that it names, where it has none."""
    if not re.search(r"^listen:", text, re.MULTILINE):
        text += "listen: ['127.0.0.1:0']\n"
    sections = re.split(r"^(?=[\w]+:)", text, flags=re.MULTILINE)
    at = next((i for i, section in enumerate(sections) if section.startswith("services:")), None)
    if at is None:
        named = [name for name in SHOP_VERSIONS if re.search(rf"\b{name}\b", text)]
        return text + "services:\n" * bool(named) + "".join(completed_service(f"  - name: {name}\n") for name in named)
    head, *items = re.split(r"^(?= *- \{?name: \w+)", sections[at], flags=re.MULTILINE)
    level = min((len(re.match(" *", item)[0]) for item in items), default=0)
    whole = []
    for item in items:  # entries of inner lists belong to the service before
        if re.match(" *", item)[0] == " " * level:
            whole.append(item)
        else:
            whole[-1] += item
    sections[at] = head + "".join(map(completed_service, whole))
    return "".join(sections)


def problems_of(folder, text):
    config = folder / "gateway.yaml"
    config.write_text(text)
    done = subprocess.run([BINARY, "check", "--json", config], capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)["problems"]


def around(block):
    first = next(key[1] for key in map(key_of, block.text.splitlines()) if key)
    before = AROUND.get((block.page, first), "")
    indent = " " * len(before.rpartition("\n")[2])
    return lambda text: before + text.replace("\n", f"\n{indent}").rstrip(" ") if before else text


def mistakes_of_config(folder, block):
    wrap = around(block)
    for text in variants_of(block.text):
        yield from (problem["reason"] for problem in problems_of(folder, completed(wrap(text))) if not ELSEWHERE.search(problem["reason"]))


def mistakes_of_list(folder, block):
    text = block.text if re.search(r"^from:", block.text, re.MULTILINE) else block.text + "from: v1\nto: v2\n"
    (folder / "list.yaml").write_text(text)
    service = "services:\n" + completed_service("  - name: orders\n    changes: [list.yaml, orders-v2-v3.yaml]\n")
    for problem in problems_of(folder, "listen: ['127.0.0.1:0']\n" + service):
        if problem["file"].endswith("list.yaml") and not LIST_ELSEWHERE.search(problem["reason"]):
            yield problem["reason"]


def test_every_config_and_every_change_list_of_the_docs_is_read(tmp_path):
    for file in [pathlib.Path(ORDERS), *SHOP.glob("*-v?-v?.yaml")]:
        shutil.copy(file, tmp_path / file.name)
    wrong, n = [], 0
    for page in [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]:
        for block in blocks_of(page):
            if block.language != "yaml" or (block.page, block.text.partition(":")[0]) in OTHERS:
                continue
            n += 1
            is_list = re.search(r"^(messages|types|enums|methods):", block.text, re.MULTILINE)
            mistakes = mistakes_of_list if is_list else mistakes_of_config
            wrong += [f"{block.page}:{block.line}: {reason}" for reason in mistakes(tmp_path, block)]
    assert n > 50 and not wrong, "\n".join(wrong)


def test_a_mistake_in_a_block_is_told(tmp_path):
    shutil.copy(ORDERS, tmp_path / "orders.binpb")
    for mistaken in "routes: [{match: orders, timeot: 2s}]", "routes: [{match: orders, timeout: 5 parsecs}]":
        assert list(mistakes_of_config(tmp_path, Block("x.md", 1, "yaml", "", mistaken + "\n"))), mistaken
    for mistaken in "messages: {Order: {customer: {tow: customer_id}}}", "mesages: {}", "messages: {Order: {customer: {to: customer_id, by: x}}}":
        assert list(mistakes_of_list(tmp_path, Block("x.md", 1, "yaml", "", mistaken + "\n"))), mistaken


# ---- Commands ------------------------------------------------------------------------------------

def code_of(page):
    """(line, code) of each line of code of a page: fenced, indented, or in backticks."""
    fenced = False
    for n, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.startswith("```")
        if fenced or line.startswith("    "):
            yield n, line
        else:
            yield from ((n, code) for code in re.findall(r"`([^`]+)`", line))


def test_every_command_of_the_docs_exists_with_its_options():
    table = json.loads(subprocess.run([BINARY, "help", "--json"], capture_output=True, check=True).stdout)["commands"]
    options = {command["name"]: {option["name"] for option in command["options"]} | {"-h"} for command in table}
    wrong, n = [], 0
    for page in [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]:
        for line, code in code_of(page):
            for word, rest in re.findall(r"(?:^|[\s($])passerelle ([a-z][\w-]*)([^|;&#>]*)", code):
                n += 1
                unknown = set(re.findall(r"(?:^|[\s\[])(--?[a-z][\w-]*)", rest)) - options.get(word, set())
                if word not in options or unknown:
                    wrong.append(f"{page.name}:{line}: passerelle {word}{': ' if word in options else ' does not exist'}{' '.join(unknown)}")
    assert n > 150 and not wrong, "\n".join(wrong)
