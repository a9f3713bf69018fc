"""Plots in SVG: bars of ratios, and lines over what there is more and more of. Light and dark pages both read them."""
import html
import math

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 330, 30, 20, 46
HEIGHT, BOTTOM = 360, 44
COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d")
STYLE = "text{font:12px system-ui,sans-serif;fill:#6b7280}.title{font-size:14px;font-weight:600}.axis{stroke:#9ca3af;stroke-width:.5}.one{stroke:#6b7280}"


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{html.escape(str(words))}</text>'


def line(x1, y1, x2, y2, kind="axis"):
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def svg(height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"><title>{html.escape(title)}</title>'
            f'<style>{STYLE}</style>{text(10, 20, title, kind="title")}{"".join(parts)}</svg>\n')


class Scale:
    """Of logarithms, from a power of ten (or of `base`) to another, onto pixels."""

    def __init__(self, values, start, end, base=10):
        self.base = base
        self.low, self.high = math.floor(math.log(min(values), base)), math.ceil(math.log(max(values), base))
        self.high = max(self.high, self.low + 1)
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log(value, self.base) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def marks(self):
        return [self.base ** power for power in range(self.low, self.high + 1)]


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def legend(names, colors, y):
    found, x = [], LEFT
    for name in names:
        found += [f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colors[name]}"/>', text(x + 14, y, name)]
        x += 34 + 7 * len(name)
    return found


def colors_of(names):
    return {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}


def bars(title, rows):
    """`rows`: {name: {series: ratio}}. Bars begin at 1: to the left ours costs less."""
    names = list(dict.fromkeys(series for row in rows.values() for series in row))
    colors = colors_of(names)
    scale = Scale([1, *(ratio for row in rows.values() for ratio in row.values())], LEFT, WIDTH - RIGHT, 2)
    y, parts = TOP, legend(names, colors, 38)
    for name, row in rows.items():
        y += 8
        parts.append(text(LEFT - 8, y + ROW * len(row) / 4 + 8, name, "end"))
        for series, ratio in row.items():
            x, one = scale.at(ratio), scale.at(1)
            parts.append(f'<rect x="{min(x, one):.1f}" y="{y}" width="{abs(x - one):.1f}" height="{ROW / 2 - 1}" fill="{colors[series]}">'
                         f"<title>{html.escape(series)}: {ratio:.2f}</title></rect>")
            y += ROW // 2
    for mark in scale.marks():
        parts += [line(scale.at(mark), TOP, scale.at(mark), y + 6, "one" if mark == 1 else "axis"), text(scale.at(mark), y + 20, f"{mark:g}", "middle")]
    return svg(y + 30, title, parts)


def lines(title, x_name, y_name, series):
    """`series`: {name: {x: y}}; both axes are of logarithms."""
    colors = colors_of(series)
    xs, ys = zip(*((x, y) for points in series.values() for x, y in points.items()))
    across, up = Scale(xs, 70, WIDTH - RIGHT), Scale(ys, HEIGHT - BOTTOM, TOP)
    parts = legend(series, colors, 38)
    for mark in up.marks():
        parts += [line(70, up.at(mark), WIDTH - RIGHT, up.at(mark)), text(64, up.at(mark) + 4, number(mark), "end")]
    for mark in across.marks():
        parts += [line(across.at(mark), TOP, across.at(mark), HEIGHT - BOTTOM), text(across.at(mark), HEIGHT - BOTTOM + 16, number(mark), "middle")]
    for name, points in series.items():
        path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in sorted(points.items()))
        parts.append(f'<polyline fill="none" stroke="{colors[name]}" stroke-width="2" points="{path}"><title>{html.escape(name)}</title></polyline>')
    parts += [text((WIDTH + 40) / 2, HEIGHT - 8, x_name, "middle"), text(10, TOP - 10, y_name)]
    return svg(HEIGHT, title, parts)
