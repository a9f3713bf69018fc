#!/usr/bin/python3
"""Checks that includes point down only: gateway -> protocols, adapters -> base; tests may see all.

protocols and adapters do not know each other: they meet in base. Says every arrow that is wrong.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY_SEE = {
    "base": {"base"},
    "adapters": {"adapters", "base"},
    "protocols": {"protocols", "base"},
    "gateway": {"gateway", "protocols", "adapters", "base"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def included(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def main():
    wrong, seen = [], 0
    for folder, allowed in MAY_SEE.items():
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            for number, name in included(path):
                seen += 1
                top = name.split("/")[0]
                if "/" in name and top in [*MAY_SEE, "tests", "loadtest"] and top not in allowed:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {folder} may not include {name}")
    print("\n".join(wrong) if wrong else f"{seen} includes, all arrows point down")
    sys.exit(1 if wrong or not seen else 0)


if __name__ == "__main__":
    main()
