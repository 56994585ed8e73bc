#!/usr/bin/env python3
"""Draws the table of `bench --only growth` as an SVG: the cost of each person, from few people to many.

    bench/plot.py target/growth.csv > docs/performance.svg

Three panels: microseconds and bytes of the database per person, and megabytes of memory. The horizontal scale is logarithmic. Each run
adds to the table; the last measurement of a point counts.
"""

import csv
import math
import sys
from collections import defaultdict

WIDTH, PANEL, LEFT, RIGHT, TOP = 720, 190, 70, 20, 34
COLOURS = {"sqlite": "#1f6feb", "postgres": "#d1661f"}


def microseconds(row, column):
    return float(row[column]) * 1_000_000 / int(row["people"])


PANELS = [
    (
        "microseconds a person (solid: submit; dashed: from there to the last result)",
        {
            "": lambda r: microseconds(r, "submit_seconds"),
            "dashed": lambda r: microseconds(r, "drain_seconds"),
        },
    ),
    ("bytes in the database a person", {"": lambda r: int(r["bytes"]) / int(r["people"])}),
    (
        "most memory, MB (solid: enqueue submit; dashed: worker)",
        {"": lambda r: float(r["submit_rss_mb"]), "dashed": lambda r: float(r["worker_rss_mb"])},
    ),
]


def nice(top):
    """A round number at least as large as `top`."""
    step = 10 ** math.floor(math.log10(top))
    return next(n * step for n in (1, 2, 2.5, 5, 10) if n * step >= top)


def short(n):
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n / size:g}{letter}"
    return f"{n:g}"


def panel(title, series, rows, y0):
    people = [int(row["people"]) for group in rows.values() for row in group]
    low, high = math.log10(min(people)), math.log10(max(people))
    top = nice(max(f(row) for f in series.values() for group in rows.values() for row in group))
    height = PANEL - TOP - 26

    def x(n):
        return LEFT + (math.log10(n) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return y0 + TOP + height * (1 - value / top)

    yield f'<text x="{LEFT}" y="{y0 + 20}" font-weight="bold">{title}</text>'
    for part in range(5):
        value = top * part / 4
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{short(value)}</text>'
    for n in sorted(set(people)):
        yield f'<text x="{x(n):.1f}" y="{y0 + PANEL - 8}" text-anchor="middle">{short(n)}</text>'
    for db, group in rows.items():
        colour = COLOURS.get(db, "#555")
        for style, f in series.items():
            points = " ".join(f"{x(int(r['people'])):.1f},{y(f(r)):.1f}" for r in group)
            dash = ' stroke-dasharray="6 4"' if style == "dashed" else ""
            yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
            for point in points.split():
                px, py = point.split(",")
                yield f'<circle cx="{px}" cy="{py}" r="3" fill="{colour}"/>'


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    with open(sys.argv[1], newline="") as table:
        latest = {(row["db"], row["people"]): row for row in csv.DictReader(table)}
    rows = defaultdict(list)
    for row in latest.values():
        rows[row["db"]].append(row)
    for group in rows.values():
        group.sort(key=lambda row: int(row["people"]))
    total = PANEL * len(PANELS) + 24
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{total}" font-family="sans-serif" font-size="12">')
    print(f'<rect width="{WIDTH}" height="{total}" fill="white"/>')
    for number, (title, series) in enumerate(PANELS):
        print("\n".join(panel(title, series, rows, number * PANEL)))
    for number, db in enumerate(rows):
        print(f'<text x="{LEFT + 90 * number}" y="{total - 8}" fill="{COLOURS.get(db, "#555")}">● {db}</text>')
    print("</svg>")


main()
