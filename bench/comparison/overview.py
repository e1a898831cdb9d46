"""The picture that README.md shows: how many bids a second, and how long none are accepted after a kill."""

import math
from statistics import median

from comparison import svg

BARS = [("etcd-256", "etcd"), ("redis-256", "Redis, a WAIT for each bid"),
        ("redis-gathered", "Redis, one WAIT for all that gather"),
        ("gavel-256", "Gavel, single bids"), ("gavel-bulk", "Gavel, lists of 256 bids")]
WIDTH, LEFT, RIGHT = 860, 285, 90  # RIGHT is for the figure after the longest bar.
LINE, BAR = 28, 16
TITLE, GAP, FOOT = 44, 24, 36  # Heights of a title, between the panels, and below an axis.
HEADLINE = 'font-size="16" font-weight="bold"'
SHORTEST, LONGEST = 0, 4  # Powers of ten, in ms.


def bars(rows, top):
    """Throughput from 0 on: the median of the rounds, with a line from the lowest to the highest."""
    most = max(max(row.values("perSecond")) for row, _ in rows)
    width = WIDTH - LEFT - RIGHT

    def x(value):
        return LEFT + value / most * width

    out = []
    for place, (row, name) in enumerate(rows):
        middle = top + place * LINE + LINE / 2
        speeds = row.values("perSecond")
        out += [svg.text(LEFT - 10, middle + 5, name, "end"),
                f'<g class="{row.series}"><path class="own" d="M{LEFT} {middle - BAR / 2}H'
                f'{x(median(speeds)):.1f}v{BAR}H{LEFT}z"/></g>',
                f'<path class="axis" d="M{x(min(speeds)):.1f} {middle}H{x(max(speeds)):.1f}" '
                f'stroke-width="2"/>',
                svg.text(x(max(speeds)) + 8, middle + 5, f"{median(speeds):,.0f}")]
    bottom = top + len(rows) * LINE
    out.append(f'<path class="axis" d="M{LEFT} {top - 4}V{bottom + 4}"/>')
    return out, bottom


def dots(crashes, top):
    """The longest gap of each run on a logarithmic axis, with the median."""
    width = WIDTH - LEFT - RIGHT
    bottom = top + len(crashes) * LINE

    def x(ms):
        return LEFT + (math.log10(ms) - SHORTEST) / (LONGEST - SHORTEST) * width

    out = []
    for power in range(SHORTEST, LONGEST + 1):
        at, ms = x(10 ** power), 10 ** power
        out += [f'<path class="grid" d="M{at:.1f} {top - 4}V{bottom + 4}"/>',
                svg.text(at, bottom + 22, f"{ms} ms" if ms < 1000 else f"{ms // 1000} s", "middle")]
    for place, crash in enumerate(crashes):
        middle = top + place * LINE + LINE / 2
        gaps = crash.gaps()
        out += [svg.text(LEFT - 10, middle + 5, f"{crash.system}, {crash.role}", "end"),
                f'<g class="{crash.system}">']
        out += [f'<circle class="own" cx="{x(gap):.1f}" cy="{middle}" r="4" fill-opacity="0.45"/>'
                for gap in gaps]
        out += [f'<path d="M{x(median(gaps)):.1f} {middle - BAR / 2}v{BAR}" stroke="currentColor" '
                f'stroke-width="3"/></g>',
                svg.text(x(max(gaps)) + 12, middle + 5,
                         f"{median(gaps):,.{0 if median(gaps) >= 100 else 1}f} ms", extra='class="halo"')]
    return out, bottom


def plot(rows, crashes):
    by_key = {row.key: row for row in rows}
    shown = [(by_key[key], name) for key, name in BARS if key in by_key]
    out, bottom = [], -GAP
    if shown:
        lines, bottom = bars(shown, TITLE)
        out += [svg.text(20, 28, "Bids a second, each answered when it is on all three disks (etcd: on two)",
                         extra=HEADLINE)] + lines
    if crashes:
        top = bottom + GAP
        lines, bottom = dots(crashes, top + TITLE)
        out += [svg.text(20, top + 28, "Longest time without an accepted bid when a process is killed",
                         extra=HEADLINE)] + lines
    return svg.end(svg.begin(WIDTH, bottom + FOOT, 14) + out)
