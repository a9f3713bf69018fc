#!/usr/bin/python3
"""Prints the lines and branches of each module that the tests of a build folder ran: coverage.py BUILD [files].

BUILD is made with -Db_coverage=true, and its tests have run. A failed CHECK is a bug and ends the process; the branch
that leads there is not counted.
"""
import json
import pathlib
import subprocess
import sys

from modules import LAYERS

ROOT = pathlib.Path(__file__).resolve().parent.parent


def files_of(build):
    """What gcovr tells of each C file and header of the layers."""
    filters = [word for layer in LAYERS for word in ("--filter", f"{ROOT}/{layer.name}/")]
    done = subprocess.run(["gcovr", "--root", ROOT, *filters, "--exclude-branches-by-pattern", r".*\bCHECK\(.*",
                           "--exclude-unreachable-branches", "--json-summary", "-", build],
                          check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["files"]


def told(name, files):
    """One line: of all these files together."""
    figures = []
    for what in ("line", "branch"):
        total, run = (sum(file[f"{what}_{count}"] for file in files) for count in ("total", "covered"))
        figures.append(f"{run:6} of {total:6} {100 * run / total if total else 100:6.1f} %")
    return f"{name:42} {'   '.join(figures)}"


def main():
    files = files_of(pathlib.Path(sys.argv[1]).resolve())
    print(f"{'':42} {'lines':>23}   {'branches':>23}")
    for layer in LAYERS:
        for module in layer.modules:
            folder = f"{layer.name}/{module.name}".rstrip("/")
            inside = [file for file in files if str(pathlib.PurePath(file["filename"]).parent) == folder]
            print(told(f"{folder}/", inside))
            if sys.argv[2:] == ["files"]:
                for file in inside:
                    print(told(f"  {pathlib.PurePath(file['filename']).name}", [file]))
    print(told("all", files))


if __name__ == "__main__":
    main()
