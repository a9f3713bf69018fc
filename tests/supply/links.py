"""Each link of the documentation that leads into the tree arrives: at a file or folder, and at a heading of a page. links.py.

So it is in the package, whose documents link to each other as in the tree; SOURCE_ONLY has the exceptions. And each page is listed in
docs/README.md, which is the navigation of the site, too: what is not listed there is not found. Files of the tree that pages name are there
(a program may be named without its ending), and so are targets of make."""
import glob
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/site"))
sys.dont_write_bytecode = True

from hook import anchor_of, navigation  # noqa: E402

PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
# Of use to those who have the source only; the package has its unit and the changes in the places that Debian gives them.
SOURCE_ONLY = {"CHANGELOG.md", "CONTRIBUTING.md", "debian/passerelle.service", "tests/mutants/survivors.md"}
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\)")


def prose(path):
    """The lines of a page that are not in a fenced block."""
    fence = None
    for line in path.read_text().splitlines():
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if mark and (fence is None or mark[1].startswith(fence)):
            fence = None if fence else mark[1]
        elif fence is None:
            yield line


def anchors_of(path):
    """The names that GitHub gives to the headings of a page; the second of the same text ends in -1."""
    found = {}
    for line in prose(path):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = anchor_of(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]))
            found[name] = found.get(name, -1) + 1
    return {f"{name}-{n}" if n else name for name, count in found.items() for n in range(count + 1)}


def links_of(path):
    text = "\n".join(re.sub(r"`+[^`]*`+", "code", line) for line in prose(path))
    return [link for link in LINK.findall(text) if not re.match(r"[a-z][a-z0-9+.-]*:", link)]


def trouble_of(page, link):
    """Why a link does not arrive, or None."""
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.is_relative_to(ROOT):
        return "it leads out of the tree"
    if not target.exists():
        return "there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return "the page has no such heading"
    return None


def is_program(name):
    """Whether there is a source of this name in a folder beneath: `loadtest/caller` is made of loadtest/beside/caller.c."""
    folder, _, program = name.partition("/")
    return any((ROOT / folder).rglob(f"{program}.c"))


def untrue_names(page):
    """Files and targets that a page names, and which are not there."""
    text = "\n".join(prose(page))
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "build")))
    named = re.findall(rf"`((?:{folders})/[\w./*-]+?)/?`", text)
    yield from (name for name in named if not glob.glob(f"{ROOT}/{name}*") and not is_program(name))
    yield from (f"make {target}" for target in re.findall(r"`make ([a-z-]+)", text) if target not in TARGETS)


def lines_of(name):
    return (ROOT / "debian" / name).read_text().splitlines()


def packaged():
    """What lies in the package's folder of documents at the place that it has in the tree."""
    installed = [line.split() for line in lines_of("passerelle.install")]
    beside = [file for file, folder in installed if folder == f"usr/share/doc/passerelle/{pathlib.Path(file).parent}"]
    return [ROOT / name for name in lines_of("passerelle.docs") + lines_of("passerelle.examples") + beside]


def is_below(path, folders):
    return any(path.is_relative_to(folder) for folder in folders)


links = [(page, link) for page in PAGES for link in links_of(page)]
dead = [f"{page.relative_to(ROOT)}: {link}: {trouble}" for page, link in links if (trouble := trouble_of(page, link))]

there = packaged()
targets = {(page.parent / link.partition("#")[0]).resolve() for page, link in links if is_below(page, there) and not link.startswith("#")}
missing = {str(target.relative_to(ROOT)) for target in targets if target.is_relative_to(ROOT) and not is_below(target, there)}
dead += [f"{name}: documents of the package link to it, and it is not in there" for name in sorted(missing - SOURCE_ONLY)]
dead += [f"{name}: no document of the package links to it: take it out of SOURCE_ONLY" for name in sorted(SOURCE_ONLY - missing)]

dead += [f"{page.relative_to(ROOT)}: `{name}`: there is no such thing" for page in PAGES if page.name != "CHANGELOG.md" for name in untrue_names(page)]

listed = [f"docs/{path}" for _, entries in navigation((ROOT / "docs/README.md").read_text()) for _, path in entries]
findable = {str(page.relative_to(ROOT)) for page in PAGES if page.is_relative_to(ROOT / "docs") and not re.match(r"\d{4}-", page.name)}
dead += [f"{name}: no list of docs/README.md has it: add it below the question that it answers" for name in sorted(findable - set(listed) - {"docs/README.md"})]
dead += [f"docs/README.md: {name} is listed {listed.count(name)} times" for name in sorted(set(listed)) if listed.count(name) > 1]

print(*dead, f"{len(links)} links on {len(PAGES)} pages, {len(dead)} mistakes", sep="\n")
sys.exit(bool(dead) or not links)
