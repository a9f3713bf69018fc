"""docs/seeing.md has a row for every metric of the gateway, and for nothing else: metrics.py.

A metric is a text of the source that begins with `passerelle_`. The formats add endings to names (ENDINGS), which the page has."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = r"passerelle_[a-z0-9_]+"
ENDINGS = r"_(total|info|bucket)$"
# Texts that are no metrics: modules of the blackbox_exporter, and a channel of PostgreSQL.
OTHER = {"passerelle_grpc", "passerelle_grpc_tls", "passerelle_ready", "passerelle_tcp", "passerelle_rollouts"}


def families(texts):
    return {re.sub(ENDINGS, "", name) for text in texts for name in re.findall(NAME, text)}


def texts_of_source():
    for folder in ("gateway", "base"):
        for path in (ROOT / folder).rglob("*.[ch]"):
            yield from re.findall(rf'"({NAME})', path.read_text())


def first_cells_of_page():
    page = (ROOT / "docs/seeing.md").read_text()
    return re.findall(r"^\| (`[^|]*`) \|", page[page.index("## The metrics"):], re.M)


source, page = families(set(texts_of_source()) - OTHER), families(first_cells_of_page())
wrong = [f"{name}: docs/seeing.md has no row for it" for name in sorted(source - page)]
wrong += [f"{name}: docs/seeing.md has a row for it, and the source has no such metric" for name in sorted(page - source)]
print(*wrong, f"{len(source)} metrics, {len(wrong)} mistakes", sep="\n")
sys.exit(bool(wrong) or not source)
