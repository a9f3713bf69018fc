"""Tables of what was measured: on the terminal and in Markdown."""
from beside import peers
from processes import ROOT

PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- measured by loadtest/run --record -->\n", "<!-- end of what is measured -->"


def mark(disturbed):
    return "~" if disturbed else ""


def first_of_ours(row):
    return next(name for name in row["arms"] if name.startswith(peers.OURS.name))


def row_text(row):
    """One line: what ours costs, and its ratio to each of the others."""
    mine = first_of_ours(row)
    others = (f"{name.partition(' / ')[2]} {found['ratio']:.2f}{mark(found['disturbed'])}"
              for name, found in row["ratios"].items() if name.startswith(f"{mine} / "))
    return f"{row['arms'][mine]['cpu_us']:.3g} us; {', '.join(others)}"


def table(head, lines, left=1):
    """In Markdown; the first `left` columns hold text."""
    rule = "|".join("---" if i < left else "--:" for i in range(len(head)))
    return "\n".join(["| " + " | ".join(head) + " |", f"|{rule}|", *("| " + " | ".join(line) + " |" for line in lines)])


def cost_table(results):
    """CPU of ours by that of each peer."""
    names = [peer.name for peer in peers.PEERS] + ["HAProxy, unread"]
    used = [name for name in names if any(f" / {name}" in " ".join(row["ratios"]) for row in results["rows"].values())]
    lines = []
    for row in results["rows"].values():
        mine = [name for name in row["arms"] if name.startswith(peers.OURS.name)]
        for arm in mine:
            cells = (row["ratios"].get(f"{arm} / {name}") for name in used)
            what = f"{row['group']}: {row['name']}{arm.removeprefix(peers.OURS.name)}"
            lines.append([what, f"{row['arms'][arm]['cpu_us']:.3g}",
                          *(f"{cell['ratio']:.2f}{mark(cell['disturbed'])}" if cell else "" for cell in cells)])
    return table(["CPU of ours / of the peer", "ours, us", *used], lines)


def aims_table(results):
    return table(["work", "at most", "figure", ""], [[aim["what"], aim["aim_text"], aim["figure_text"], aim["verdict"]] for aim in results["aims"]])


def sections(results):
    """(title, text) of each table that there is something for."""
    found = []
    if results["rows"]:
        found.append(("CPU of each call", cost_table(results)))
    if results["notes"] or results.get("wrong"):
        found.append(("Notes", "\n".join(f"- {note}" for note in (*results.get("wrong", ()), *results["notes"]))))
    return [*found, ("Done when", aims_table(results))]


def head(results):
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"{results['date']}, on {results['machine']}: {versions}."


def markdown(results):
    return "\n\n".join([head(results), *(f"### {title}\n\n{text}" for title, text in sections(results))]) + "\n"


def write(run):
    text = markdown(run.results)
    (run.output / "performance.md").write_text(text)
    if run.options.record:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print("\n" + text, flush=True)
