"""What was measured, as tables in Markdown and plots in SVG."""
from beside import peers, plots
from beside.latency import QUANTILES
from processes import ROOT

PAGE, PICTURES = ROOT / "docs/performance.md", ROOT / "docs/performance"
BEGIN, END = "<!-- measured by loadtest/run --record -->\n", "<!-- end of what is measured -->"
OURS = peers.OURS.name
MARK = "~"


def mark(disturbed):
    return MARK if disturbed else ""


def of_ours(row):
    """The arms of a row that are the gateway's."""
    return [name for name in row["arms"] if name.startswith(OURS)]


def others(row, mine):
    """{other: its comparison with that arm of ours}."""
    begin = f"{mine} / "
    return {name.removeprefix(begin): found for name, found in row["ratios"].items() if name.startswith(begin)}


def row_text(row):
    """One line: what ours costs, and its ratio to each of the others."""
    mine = of_ours(row)[0]
    ratios = (f"{name} {found['ratio']:.2f}{mark(found['disturbed'])}" for name, found in others(row, mine).items())
    return f"{row['arms'][mine]['cpu_us']:.3g} us; {', '.join(ratios)}"


def table(head, lines, left=1):
    """The first `left` columns hold text."""
    rule = "|".join("---" if i < left else "--:" for i in range(len(head)))
    return "\n".join(["| " + " | ".join(head) + " |", f"|{rule}|", *("| " + " | ".join(line) + " |" for line in lines)])


# ---- Tables ----------------------------------------------------------------------------------------


def cost_table(rows):
    """CPU of ours by that of each peer."""
    known = [*(peer.name for peer in peers.PEERS), "HAProxy, unread"]
    used = [name for name in known if any(name in row["arms"] for row in rows.values())]
    lines = []
    for row in rows.values():
        for mine in of_ours(row):
            found = others(row, mine)
            cells = (f"{found[name]['ratio']:.2f}{mark(found[name]['disturbed'])}" if name in found else "" for name in used)
            lines.append([f"{row['group']}: {row['name']}{mine.removeprefix(OURS)}", f"{row['arms'][mine]['cpu_us']:.3g}", *cells])
    return ("CPU of the gateway by that of the peer: below 1, the gateway costs less. For streams by message, for all else by call. "
            "`converted`: the gateway changes the version, peers do not.\n\n" + table(["ours / peer", "ours, us", *used], lines))


def latency_table(latency):
    lines = []
    for name, found in latency.items():
        for share, rate in found["rates"].items():
            for arm, figures in rate["arms"].items():
                lines.append([name, f"{share} %", f"{rate['per_second']:,}", arm,
                              *(f"{figures[quantile]:,.0f}{mark(figures['disturbed'])}" for quantile in QUANTILES)])
    return ("Microseconds from when a call was due, at shares of what the slower one of the gateway and the first peer can do.\n\n" +
            table(["work", "load", "calls/s", "", *QUANTILES], lines))


def memory_table(memory):
    names = list(dict.fromkeys(name for found in memory.values() for name in found))
    return table(["bytes for each idle", *names], [[kind, *(f"{found[name]:,.0f}" if name in found else "" for name in names)]
                                                    for kind, found in memory.items()])


def sweep_table(points):
    names = list(dict.fromkeys(name for found in points.values() for name in found))
    return table(["", *names], [[f"{int(n):,}", *(f"{found[name]:.3g}" if name in found else "" for name in names)] for n, found in points.items()])


def reload_table(found):
    return table(["a reload each half second", "reloads", "calls, none lost", "p99 without, us", "p99 during, us"],
                 [[name, str(one["reloads"]), f"{one['calls']:,}", f"{one['without']['p99']:,.0f}", f"{one['during']['p99']:,.0f}"]
                  for name, one in found.items()])


def aims_table(aims):
    return table(["work", "at most", "figure", ""], [[aim["what"], aim["aim_text"], aim["figure_text"], aim["verdict"]] for aim in aims])


# ---- Plots -----------------------------------------------------------------------------------------


def file_name(title):
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower()).replace("--", "-") + ".svg"


def pictures(results):
    """{title: SVG} of all that there are figures for."""
    found = {}
    if results["rows"]:
        found["CPU of ours by that of the peer"] = plots.bars("CPU of ours by that of the peer: below 1, ours costs less", {
            f"{row['group']}: {row['name']}"[:48]: {name: one["ratio"] for name, one in others(row, of_ours(row)[0]).items() if name not in of_ours(row)}
            for row in results["rows"].values()})
    for name, points in results.get("sweeps", {}).items():
        contenders = list(dict.fromkeys(one for found_at in points.values() for one in found_at))
        series = {one: {int(n): found_at[one] for n, found_at in points.items() if one in found_at} for one in contenders}
        if series:
            found[name] = plots.lines(f"{name}: CPU of each call", SWEEP_AXES.get(name, ""), "us", series)
    for name, row in results.get("latency", {}).items():
        share, rate = list(row["rates"].items())[-1]
        series = {arm: {one_in: figures[quantile] for quantile, one_in in zip(QUANTILES, ONE_IN)} for arm, figures in rate["arms"].items()}
        found[f"Latency: {name}"] = plots.lines(f"{name}, at {share} %", "one call in so many takes longer", "us", series)
    return found


ONE_IN = (2, 100, 1000)  # QUANTILES

# What their numbers are of.
SWEEP_AXES = {"HTTP/1.1 with many connections": "connections", "gRPC unary with many services": "services", "HTTP/1.1 to many instances": "instances",
              "gRPC messages that come back, of many sizes": "bytes"}


# ---- The page --------------------------------------------------------------------------------------


def sections(results):
    """(title, text) of each that there is something for; its plot is named like it, or begins with its title and a colon."""
    if results["rows"]:
        yield "CPU of ours by that of the peer", cost_table(results["rows"])
    if results.get("latency"):
        yield "Latency", latency_table(results["latency"])
    if results.get("memory"):
        yield "Memory", memory_table(results["memory"])
    for name, points in results.get("sweeps", {}).items():
        if points:
            yield name, sweep_table(points)
    if results.get("reload"):
        yield "Reload", reload_table(results["reload"])
    notes = [*results.get("wrong", ()), *results["notes"]]
    if notes:
        yield "Notes", "\n".join(f"- {note}" for note in notes)
    yield "Done when", aims_table(results["aims"])


def head(results):
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Measured on {results['date']}, on {results['machine']}: {versions}."


def markdown(results, plotted):
    parts = [head(results)]
    for title, words in sections(results):
        of_it = [each for each in plotted if each == title or each.startswith(f"{title}: ")]
        parts.append("\n\n".join([f"### {title}", words, *(f"![{each}](performance/{file_name(each)})" for each in of_it)]))
    return "\n\n".join(parts) + "\n"


def write_pictures(folder, plotted):
    folder.mkdir(exist_ok=True)
    for title, picture in plotted.items():
        (folder / file_name(title)).write_text(picture)


def write(run):
    plotted = pictures(run.results)
    text = markdown(run.results, plotted)
    (run.output / "performance.md").write_text(text)
    write_pictures(run.output / "performance", plotted)
    if run.options.record:
        write_pictures(PICTURES, plotted)
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print("\n" + text, flush=True)
