"""docs/seeing.md has a row for every metric and event of the gateway, and for no other metric: metrics.py.

A metric is a text of the source that begins with `passerelle_`. The formats add endings to names (ENDINGS), which the page has. An event is
the second argument of telemetry_event()."""
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


def texts_of_source(pattern):
    for folder in ("gateway", "base"):
        for path in (ROOT / folder).rglob("*.[ch]"):
            yield from re.findall(pattern, path.read_text())


def rows(begin):
    """The rows of all tables from a text of the page to its next heading."""
    page = (ROOT / "docs/seeing.md").read_text()
    return re.findall(r"^\| (?=`).*", page[page.index(begin):].split("\n## ")[0], re.M)


def first_cells(begin):
    return [row.split(" | ")[0] for row in rows(begin)]


source, page = families(set(texts_of_source(rf'"({NAME})')) - OTHER), families(first_cells("## The metrics"))
wrong = [f"{name}: docs/seeing.md has no row for it" for name in sorted(source - page)]
wrong += [f"{name}: docs/seeing.md has a row for it, and the source has no such metric" for name in sorted(page - source)]
events = set(texts_of_source(r'telemetry_event\(\s*[^,;]*?,\s*"([a-z_]+)"'))
listed = {name for row in rows("Events worth an alert") for name in re.findall(r"`(\w+)`", row)}
wrong += [f"the event {name}: docs/seeing.md has no row for it" for name in sorted(events - listed)]
print(*wrong, f"{len(source)} metrics, {len(events)} events, {len(wrong)} mistakes", sep="\n")
sys.exit(bool(wrong) or not source or not events)
