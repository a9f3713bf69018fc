"""
The table `figures.md`: the recorded figure of each scenario, and the tools that it was recorded with. Figures are only
comparable between the same tools.
"""
import json
import os
import pathlib
import re
import subprocess

PATH = pathlib.Path(__file__).resolve().parent / "figures.md"
TEXT = """\
# Recorded figures

Written by `make instructions`, which fails when a figure becomes worse: see [performance](../docs/performance.md).

| scenario | figure | unit |
|---|--:|---|
{rows}

Recorded with:

| tool | version |
|---|---|
{tools}
"""


class Limits:
    """In percent: how far above the recorded figure fails, and how far below it is written to the table."""

    def __init__(self, worse, better):
        self.worse, self.better = worse, better


class Figure:
    """One measured figure."""

    def __init__(self, name, value, unit, limits):
        self.name, self.value, self.unit, self.limits = name, round(value), unit, limits

    def percent(self, was):
        return (self.value - was) * 100 / was

    def verdict(self, was):
        """`was`: the recorded figure, or None."""
        if was is None:
            return "new"
        percent = self.percent(was)
        return "WORSE" if percent > self.limits.worse else "better" if percent < -self.limits.better else "as before"


class Table:
    """`rows`: {name: (value, unit)}; `tools`: {tool: version}."""

    def __init__(self, rows, tools):
        self.rows, self.tools = rows, tools

    @staticmethod
    def read(default_tools):
        """`default_tools`: of a table that does not exist yet."""
        rows, tools = {}, {}
        for line in PATH.read_text().splitlines() if PATH.exists() else []:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 3 and re.fullmatch("[0-9,]+", cells[1]):
                rows[cells[0]] = int(cells[1].replace(",", "")), cells[2]
            elif len(cells) == 2 and cells[0] not in ("tool", "---"):
                tools[cells[0]] = cells[1]
        return Table(rows, tools or default_tools)

    def was(self, figure):
        return self.rows.get(figure.name, (None, None))[0]

    def write(self, figures):
        """Writes the table with these rows replaced or added."""
        self.rows |= {figure.name: (figure.value, figure.unit) for figure in figures}
        PATH.write_text(TEXT.format(
            rows="\n".join(f"| {name} | {value:,} | {unit} |" for name, (value, unit) in self.rows.items()),
            tools="\n".join(f"| {what} | {which} |" for what, which in self.tools.items())))


def said(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def build_options(build):
    """Meson's, {name: value}."""
    return {option["name"]: option["value"]
            for option in json.loads((build / "meson-info/intro-buildoptions.json").read_text())}


def tools_of(build):
    """All that changes the figures without a change of the gateway."""
    gateway = build / "passerelle"
    comments = said("readelf", "-p", ".comment", gateway)
    compilers = sorted(set(re.findall(r"^ *\[ *\w+\] +(.+)$", comments, re.MULTILINE)))
    libraries = re.findall(r"libuv [\d.]+", said(gateway, "version"))
    chosen = build_options(build)
    if chosen["b_sanitize"] != "none":
        raise SystemExit("figures are only comparable between builds without sanitizers")
    return {
        "compiler": ", ".join(compilers),
        "build": f"{chosen['buildtype']}, -O{chosen['optimization']}, c_args {' '.join(chosen['c_args']) or 'none'}",
        "C library": os.confstr("CS_GNU_LIBC_VERSION"),
        "libraries": ", ".join(libraries),
        "allocator": f"jemalloc {said('pkg-config', '--modversion', 'jemalloc').strip()}",
        "valgrind": said("valgrind", "--version").strip().removeprefix("valgrind-"),
        # The C library selects its memory and string functions by it.
        "processor": "with AVX2" if re.search(r"^flags.*\bavx2\b", pathlib.Path("/proc/cpuinfo").read_text(),
                                              re.MULTILINE) else "without AVX2",
    }
