"""The code blocks of the docs do what the docs say.

docs/first-service.md is run from its first block to its last in one shell, in a folder of its own: a `sh` block is run, a
`text` block behind it is what it prints (`...` stands for anything), and `norun: REASON` behind `sh` says what cannot be.
"""
import os
import pathlib
import re
import subprocess
from typing import NamedTuple

from gateway import BINARY
from processes import ROOT, free_port

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


def told_by_each(folder, blocks, environment):
    """What each block prints, run one after the other by one shell; it ends with the first one that fails."""
    mark = "-- block %d --"
    script = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "".join(
        f"echo '{mark % block.line}'\n{block.text}{until_open(block.text)}" for block in blocks)
    (folder / "script").write_text(script)
    with open(folder / "told", "wb+") as told:
        done = subprocess.run(["bash", "script"], cwd=folder, env=environment, stdout=told, stderr=told, timeout=60)
        told.seek(0)
        parts = re.split(r"^-- block (\d+) --\n", told.read().decode(), flags=re.MULTILINE)
    assert done.returncode == 0, f"{WALK.name}:{parts[-2]}: exit code {done.returncode}\n{parts[-1]}"
    return dict(zip(map(int, parts[1::2]), parts[2::2]))


def fits(line, wanted):
    return re.fullmatch(".*".join(map(re.escape, wanted.split("..."))), line) is not None


def test_the_first_service_is_made_as_its_page_says(tmp_path):
    ports = {port: str(free_port()) for port in ("8080", "8081", "7001", "7002", "7003")}
    places = {"/usr/share/passerelle/proto": str(ROOT / "examples/shop/proto"), **{f"127.0.0.1:{a}": f"127.0.0.1:{b}" for a, b in ports.items()}}

    def here(text):
        for documented, own in places.items():
            text = text.replace(documented, own)
        return text

    blocks = [block._replace(text=here(block.text)) for block in blocks_of(WALK)]
    run = [block for block in blocks if block.language == "sh" and not block.more]
    assert len(run) > 10 and all(re.match("norun: .", block.more) for block in blocks if block.language == "sh" and block not in run)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/passerelle").symlink_to(pathlib.Path(BINARY).resolve())
    (tmp_path / "node_modules").symlink_to(ROOT / "tests/flow/node/node_modules")
    told = told_by_each(tmp_path, run, {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    wrong = []
    for before, block in zip(blocks, blocks[1:]):
        lines = [line.strip() for line in told.get(before.line, "").splitlines()]
        wrong += [f"{WALK.name}:{block.line}: no line {wanted.strip()!r} in {lines}" for wanted in block.text.splitlines()
                  if block.language == "text" and not any(fits(line, wanted.strip()) for line in lines)]
    assert not wrong, "\n".join(wrong)
