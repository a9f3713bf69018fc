#!/usr/bin/python3
"""Checks the tree against tests/modules.py, says everything that is wrong, and prints what includes what.

  arrows.py          includes point to modules further down only; an `_internal.h` is included by its own module and
                     the tests of it; no module is too large; table, folders, meson.build and docs/tour.md agree
  arrows.py --write  writes the diagram of docs/tour.md
"""
import pathlib
import re
import sys

from modules import LAYERS

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOUR = ROOT / "docs/tour.md"
FILES_MOST = 25
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
DIAGRAM = re.compile(r"(<!-- Made by tests/arrows.py --write. -->\n).*?(<!-- End. -->\n)", re.DOTALL)
COLUMNS = 116

LAYER = {layer.name: layer for layer in LAYERS}
MODULE = {f"{layer.name}/{module.name}".rstrip("/"): module for layer in LAYERS for module in layer.modules}
PLACE = {folder: place for place, folder in enumerate(MODULE)}


def layer_of(folder):
    return folder.split("/")[0]


def code(folder, pattern="*.[ch]"):
    """The C files and headers right in a folder."""
    return sorted((ROOT / folder).glob(pattern))


def included(path):
    """(line, file) of each include in quotes; the file from the root of the tree."""
    text = path.read_text()
    for match in INCLUDE.finditer(text):
        name = match.group(1)
        beside = path.parent / name
        found = str(beside.relative_to(ROOT)) if "/" not in name and beside.exists() else name
        yield text.count("\n", 0, match.start(1)) + 1, found


def may_include(folder, other):
    if layer_of(folder) == layer_of(other):
        return PLACE[other] <= PLACE[folder]
    return layer_of(other) in LAYER[layer_of(folder)].sees


def edges():
    """{(folder, other): [place in words]} of all includes between modules, and what lies in no module."""
    found, strangers = {}, []
    for folder in MODULE:
        for path in code(folder):
            for line, name in included(path):
                place, other = f"{path.relative_to(ROOT)}:{line}", str(pathlib.PurePath(name).parent)
                if other not in MODULE:
                    strangers.append(f"{place}: {name} is in no module")
                elif other != folder:
                    found.setdefault((folder, other), []).append(f"{place}: {name}")
    return found, strangers


def tested(path):
    """The module that a file of the tests is about: tests/unit/LAYER/MODULE/...; else its own folder."""
    folder = path.relative_to(ROOT).parent
    return str(folder.relative_to("tests/unit")) if folder.is_relative_to("tests/unit") else str(folder)


def internals():
    """Each include of an `_internal.h` outside its module and the tests of it."""
    for top in [*LAYER, "tests", "loadtest"]:
        for path in sorted((ROOT / top).rglob("*.[ch]")):
            for line, name in included(path):
                if name.endswith("_internal.h") and str(pathlib.PurePath(name).parent) != tested(path):
                    yield f"{path.relative_to(ROOT)}:{line}: {name} is internal to its module"


def disagreements():
    """What the table says and the tree does not, and the other way round."""
    folders = {str(path.relative_to(ROOT).parent) for layer in LAYERS for path in (ROOT / layer.name).rglob("*.[ch]")}
    for folder in sorted(folders - set(MODULE)):
        yield f"{folder}/ is not in tests/modules.py"
    for folder, module in MODULE.items():
        files = code(folder)
        if not files:
            yield f"{folder}/ has no files"
            continue
        if len(files) > FILES_MOST:
            yield f"{folder}/ has {len(files)} C files and headers; {FILES_MOST} are the most"
        if not (ROOT / folder / module.start).exists():
            yield f"{folder}/{module.start} does not exist: where does one start to read?"
        if not any(re.search(rf"\b{module.type}\b", path.read_text()) for path in code(folder, "*.h")):
            yield f"{folder}/: no header has {module.type}, its main type"
    for layer in LAYERS:
        ours = [module.name for module in layer.modules if module.name]
        built = re.findall(r"^subdir\('(\w+)'\)", (ROOT / layer.name / "meson.build").read_text(), re.MULTILINE)
        if built != ours:
            yield f"{layer.name}/meson.build has another order: {', '.join(built)}"
    yield from tour_disagreements(TOUR.read_text())


def tour_disagreements(tour):
    for folder in MODULE:
        if tour.count(f"\n**`{folder}/`**") != 1:
            yield f"docs/tour.md has not one paragraph that begins with **`{folder}/`**"
    for layer in LAYERS:
        ours = [folder for folder in MODULE if folder.split("/")[0] == layer.name]
        told = re.findall(rf"\n\n\*\*`({layer.name}(?:/\w+)?)/`\*\*", tour)
        if told != ours:
            yield f"docs/tour.md: the paragraphs of {layer.name}/ have another order than the table, or no empty line before them"
    if DIAGRAM.search(tour) is None or DIAGRAM.sub(framed, tour) != tour:
        yield "docs/tour.md: the diagram is not current; tests/arrows.py --write writes it"
    names = {path.name for top in [*LAYER, "tests", "examples"] for path in (ROOT / top).rglob("*.*")}
    for name in sorted(set(re.findall(r"`(\w+\.(?:c|h|def|proto|py))`", tour)) - names):
        yield f"docs/tour.md: there is no {name}"


def box(layer, width):
    """The lines of one layer, top module first."""
    inner = width - 4
    names = max(len(module.name or layer.name) for module in layer.modules)
    rows = [f"{module.name or layer.name:{names}}  {module.what}" for module in reversed(layer.modules)]
    title = f" {layer.name}/ "
    return [f"+-{title:-<{width - 4}}-+", *(f"| {row:<{inner}} |" for row in rows), f"+{'-' * (width - 2)}+"]


def diagram():
    """All layers, the highest first; layers that see the same stand side by side."""
    levels = []
    for layer in reversed(LAYERS):
        if levels and levels[-1][0].sees == layer.sees:
            levels[-1].insert(0, layer)
        else:
            levels.append([layer])
    lines = []
    for level in levels:
        width = (COLUMNS - 3 * (len(level) - 1)) // len(level)
        boxes = [box(layer, width) for layer in level]
        height = max(map(len, boxes))
        for one in boxes:
            one[-1:-1] = [f"|{' ' * (width - 2)}|"] * (height - len(one))
        lines += ["   ".join(parts).rstrip() for parts in zip(*boxes)]
        lines.append("   ".join(["v".center(width)] * len(level)).rstrip())
    return "\n".join(lines[:-1]) + "\n"


def framed(match):
    return f"{match.group(1)}```\n{diagram()}```\n{match.group(2)}"


def main():
    if sys.argv[1:] == ["--write"]:
        TOUR.write_text(DIAGRAM.sub(framed, TOUR.read_text()))
        return
    found, wrong = edges()
    for (folder, other), places in found.items():
        if not may_include(folder, other):
            wrong += [f"{place}, but {other}/ is not below {folder}/" for place in places]
    wrong += [*internals(), *disagreements()]
    for folder in reversed(MODULE):
        below = [other for source, other in found if source == folder]
        print(f"{folder}/ -> {', '.join(sorted(below, key=PLACE.get, reverse=True)) or 'nothing'}")
    print("\n".join(["", *wrong]) if wrong else f"\n{len(MODULE)} modules, {len(found)} arrows, none points backwards")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
