"""What mkdocs must know to make a site of docs/, which is written to be read in the tree: the hook of mkdocs.yml.

The lists of docs/README.md are the navigation. Links to files outside of docs/ lead to copies of them. When the site is built, each link
in it is followed, and nothing may be loaded from elsewhere."""
import html.parser
import json
import os
import pathlib
import re
import urllib.parse

DOCS = pathlib.Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)#]+)\)")
OUTWARD = re.compile(r"\]\(((?:\.\./)+)([^)#]*)")
ITEM = re.compile(r"(?:[-*]|\d+\.) ")


def anchor_of(heading):
    """The name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def navigation(index):
    """The sections of README.md that have entries: a title, and of each entry its title and its path below docs/."""
    sections = []
    for line in index.splitlines():
        if line.startswith("## "):
            sections.append((line[3:], []))
        elif (entry := ENTRY.match(line)) and not entry[2].startswith("../"):
            sections[-1][1].append((entry[1], entry[2]))
    return [section for section in sections if section[1]]


def outside(page, target):
    """The file outside of docs/ that a link of a page leads to, relative to the tree; None for folders, and for what stays inside."""
    found = pathlib.Path(os.path.normpath((DOCS / page).parent / target))
    return found.relative_to(ROOT) if found.is_file() and not found.is_relative_to(DOCS) else None


def apart(text):
    """A list needs an empty line before it here, and none on GitHub."""
    lines, fenced, before = [], False, ""
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        if not fenced and ITEM.match(line) and before and not before.startswith(" ") and not ITEM.match(before):
            lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines)


def decisions():
    """Each decision: its path and title, in order."""
    return [(path, path.read_text().splitlines()[0].lstrip("# ")) for path in sorted(DOCS.glob("decisions/[0-9]*.md"))]


def on_config(config):
    config["nav"] = [{"Documentation": "README.md"}] + [
        {title: [{name: path} for name, path in entries]} for title, entries in navigation((DOCS / "README.md").read_text())]
    config["mdx_configs"]["toc"] = {"slugify": lambda text, separator: anchor_of(text)}
    return config


def on_files(files, config):
    from mkdocs.structure.files import File
    for file in [file for file in files if file.src_path.startswith("site/") or file.src_path.endswith(".py")]:
        files.remove(file)
    targets = {outside(page.src_path, up + rest) for page in files.documentation_pages()
               for up, rest in OUTWARD.findall((DOCS / page.src_path).read_text())} - {None}
    for target in targets:
        # As text and not as a page: its links are those of its own place.
        copy = File(str(target), str(ROOT), config["site_dir"], use_directory_urls=False)
        copy.src_path = copy.dest_path = copy.url = f"tree/{target}.txt"
        copy.abs_dest_path = os.path.join(config["site_dir"], copy.dest_path)
        files.append(copy)
    return files


def on_page_markdown(markdown, page, config, files):
    source = page.file.src_path

    def inward(link):
        target = outside(source, link[1] + link[2])
        return f"]({os.path.relpath(f'tree/{target}.txt', os.path.dirname(source) or '.')}" if target else link[0]

    if source == "decisions/README.md":
        markdown += "\n\n" + "\n".join(f"- [{title}]({path.name})" for path, title in decisions())
    return apart(OUTWARD.sub(inward, markdown))


class Read(html.parser.HTMLParser):
    """What a page of the site has: ids, links, headings, and what a browser loads for it."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.headings, self.open = set(), [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        words = dict(attributes)
        self.ids.add(words.get("id"))
        if tag == "a" and words.get("href"):
            self.links.append(words["href"])
        elif words.get("src") or tag == "link":
            self.loads.append(words.get("src") or words["href"])
        elif tag in ("h1", "h2", "h3") and words.get("id"):
            self.open = [tag, "", words["id"]]

    def handle_data(self, text):
        if self.open:
            self.open[1] += text

    def handle_endtag(self, tag):
        if self.open and self.open[0] == tag:
            self.headings.append(self.open[1:])
            self.open = None


def troubles(site, pages):
    """Links of a built site that do not arrive, and what it would load from the network."""
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name}: loads {load}" for load in page.loads if "//" in load)
        for link in page.links + page.loads:
            if re.match(r"[a-z][a-z0-9+.-]*:|//", link):
                continue
            file, _, anchor = urllib.parse.unquote(link).partition("#")
            target = pathlib.Path(os.path.normpath(path.parent / file)) if file else path
            if not target.is_file():
                yield f"{name}: {link}: there is no such file"
            elif anchor and target in pages and anchor not in pages[target].ids:
                yield f"{name}: {link}: the page has no such heading"


def on_post_build(config):
    from mkdocs.exceptions import PluginError
    site = pathlib.Path(config["site_dir"])
    pages = {path: Read(path.read_text()) for path in sorted(site.rglob("*.html"))}
    headings = [[title, page.headings[0][0], f"{path.relative_to(site)}#{anchor}"]
                for path, page in pages.items() for title, anchor in page.headings]
    (site / "headings.js").write_text(f"const headings = {json.dumps(headings, ensure_ascii=False)};\n")
    found = list(troubles(site, pages))
    if found:
        raise PluginError("\n".join(found))
