#!/usr/bin/python3
"""Checks the sources of the operators' page (gateway/page/web): nothing in them turns texts into markup or code, nothing is inline,
which the policy forbids, and all that they name is there."""
import pathlib
import re
import sys

WEB = pathlib.Path(__file__).resolve().parent.parent / "gateway/page/web"
FORBIDDEN = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment", "DOMParser", "setHTML", "srcdoc",
             "eval(", "new Function", "javascript:", "setAttribute(\"style\"", "http://", "https://"]
ALLOWED = {"http://www.w3.org/2000/svg"}  # a name, not an address
IMPORT = re.compile(r"""(?:from|import) +"(\.[^"]+)";""")
NAMED = re.compile(r"""(?:href|src)="(page/[^"]+)\"""")


def sources(*endings):
    return [path for path in sorted(WEB.rglob("*")) if path.suffix in endings and "vendor" not in path.parts]


def complaints():
    for path in sources(".js", ".html", ".css"):
        text = path.read_text()
        for name in ALLOWED:
            text = text.replace(name, "")
        for number, line in enumerate(text.splitlines(), 1):
            for word in FORBIDDEN:
                if word in line:
                    yield f"{path.relative_to(WEB)}:{number}: {word}"
        for name in IMPORT.findall(text):
            if not (path.parent / name).is_file():
                yield f"{path.relative_to(WEB)}: {name} is not there"
    index = (WEB / "index.html").read_text()
    for name in NAMED.findall(index):
        if not (WEB / name.removeprefix("page/")).is_file():
            yield f"index.html: {name} is not there"
    for inline in re.findall(r"<style|<script(?![^>]* src=)[^>]*>| on\w+=| style=", index):
        yield f"index.html: {inline.strip()} is inline"


def views():
    """Each view of the navigation is there."""
    listed = (WEB / "app.js").read_text().partition("const VIEWS = [")[2].partition("];\n")[0]
    for name in re.findall(r'\["(\w+)", "', listed):
        if not (WEB / f"views/{name}.js").is_file():
            yield f"app.js: there is no views/{name}.js"


found = [*complaints(), *views()]
print("\n".join(found) or f"{len(sources('.js', '.html', '.css'))} files, nothing to complain of")
sys.exit(bool(found))
