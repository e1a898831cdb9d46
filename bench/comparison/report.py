"""Medians over rounds, as a Markdown table and as a plot."""

import math
from statistics import median

from comparison import svg


class Row:
    """One thing that is measured again and again.  A measurement has perSecond, p50Us and p99Us;
    clientUs and serverUs, CPU time of the client and of all servers for each of what is counted; and
    elsewhere, the share of the machine's CPU time that went to anything but these."""

    def __init__(self, key, series, text, per, arguments, compared=None, pinned=False):
        self.key = key
        self.series = series  # The system; its rows are joined in the plot.
        self.text = text
        self.per = per  # The thing that is counted.
        self.arguments = arguments  # Arguments of the client.
        self.compared = compared  # Key of the row of the echo with as many calls under way.
        self.pinned = pinned
        self.rounds = []

    def values(self, name):
        return [one[name] for one in self.rounds]

    def median(self, name):
        return median(self.values(name))


def ratio(row, other, name="perSecond"):
    """The median of the ratios in each round, as machines are not equally fast all the time."""
    return median(a / b for a, b in zip(row.values(name), other.values(name)))


def duration(microseconds):
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    return f"{microseconds / 1000:.2f} ms"


def table(rows):
    by_key = {row.key: row for row in rows}
    lines = [
        "| measured | a second | lowest–highest | of the echo | p50 | p99 | CPU of client + servers, µs "
        "| elsewhere |",
        "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        speeds = row.values("perSecond")
        share = f"{ratio(row, by_key[row.compared]):.2f}" if row.compared else "–"
        cpu = f"{row.median('clientUs'):.1f} + {row.median('serverUs'):.1f}"
        lines.append(
            f"| {row.series}: {row.text} | {median(speeds):,.0f} {row.per} "
            f"| {min(speeds):,.0f}–{max(speeds):,.0f} | {share} "
            f"| {duration(row.median('p50Us'))} | {duration(row.median('p99Us'))} "
            f"| {cpu} | {100 * row.median('elsewhere'):.0f} % |")
    return "\n".join(lines) + "\n"


def aims(rows):
    """What was to be reached, and what was.  Without those whose systems were not measured."""
    by_key = {row.key: row for row in rows}
    lines = ["| aim | reached | |", "|---|--:|---|"]

    def add(text, needed, value, shown, most=False):
        if all(key in by_key for key in needed):
            reached = value(*(by_key[key] for key in needed))
            met = reached[0] <= reached[1] if most else reached[0] >= reached[1]
            lines.append(f"| {text} | {shown(reached[0])} | {'yes' if met else 'no'} |")

    def times(value):
        return f"{value:.2f} ×"

    add("single bids, 256 under way: at least 0.5 × the echo", ("gavel-256", "echo-256"),
        lambda gavel, echo: (ratio(gavel, echo), 0.5), times)
    add("single bids, 256 under way: at least 10 × etcd", ("gavel-256", "etcd-256"),
        lambda gavel, etcd: (ratio(gavel, etcd), 10), times)
    add("single bids, 256 under way: at least 1.5 × Redis, a WAIT for each", ("gavel-256", "redis-256"),
        lambda gavel, redis: (ratio(gavel, redis), 1.5), times)
    add("beyond the aims: Redis, one WAIT for all that gather", ("gavel-256", "redis-gathered"),
        lambda gavel, redis: (ratio(gavel, redis), 1), times)
    add("one hot auction: as many bids as on 64", ("gavel-hot", "gavel-256"),
        lambda hot, cold: (ratio(hot, cold), 0.95), times)
    add("bulk: at least 500,000 durable bids a second", ("gavel-bulk",),
        lambda bulk: (bulk.median("perSecond"), 500_000), lambda value: f"{value:,.0f}")
    for suffix, how in (("", ""), ("-pinned", ", all on one core")):
        add(f"one bid at a time{how}: p50 below that of Redis",
            ("gavel-1" + suffix, "redis-1" + suffix),
            lambda gavel, redis: (ratio(gavel, redis, "p50Us"), 1), times, most=True)
    return "\n".join(lines) + "\n"


WIDTH, HEIGHT = 860, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 50, 60


class Axis:
    """A logarithmic one, of whole decades, onto the pixels between `begin` and `end`."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.begin, self.end = begin, end

    def at(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def decades(self):
        return [10 ** power for power in range(self.low, self.high + 1)]


def plot(rows, title):
    """Throughput against latency: a point for each row at its medians, with a line up to the p99 and
    pale points for single rounds."""
    x = Axis([value for row in rows for value in row.values("perSecond")], LEFT, WIDTH - RIGHT)
    y = Axis([value for row in rows for name in ("p50Us", "p99Us") for value in row.values(name)],
             HEIGHT - BOTTOM, TOP)
    out = svg.begin(WIDTH, HEIGHT) + [svg.text(LEFT, 26, title, extra='font-size="14"')]
    for value in x.decades():
        out.append(f'<path class="grid" d="M{x.at(value):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        out.append(svg.text(x.at(value), HEIGHT - BOTTOM + 18, f"{value:,}", "middle"))
    for value in y.decades():
        out.append(f'<path class="grid" d="M{LEFT} {y.at(value):.1f}H{WIDTH - RIGHT}"/>')
        label = f"{value:,} µs" if value < 1000 else f"{value // 1000:,} ms"
        out.append(svg.text(LEFT - 8, y.at(value) + 4, label, "end"))
    out.append(svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14,
                        "a second (bids; calls of the echo; syncs of the disk)", "middle"))
    out.append(svg.text(18, (TOP + HEIGHT - BOTTOM) / 2, "latency: p50, and the line up to p99",
                        "middle", f'transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.0f})"'))
    labels, points = [], []
    for row in rows:
        px, py = x.at(row.median("perSecond")), y.at(row.median("p50Us"))
        points.append(f'<g class="{row.series}">')
        for one in row.rounds:
            points.append(f'<circle cx="{x.at(one["perSecond"]):.1f}" cy="{y.at(one["p50Us"]):.1f}" '
                          f'r="2" fill="currentColor" fill-opacity="0.3"/>')
        points.append(f'<path d="M{px:.1f} {py:.1f}V{y.at(row.median("p99Us")):.1f}" '
                      f'stroke="currentColor" stroke-opacity="0.6"/>')
        filled = svg.GROUND if row.pinned else "own"
        points.append(f'<circle class="{filled}" cx="{px:.1f}" cy="{py:.1f}" r="5" '
                      f'stroke="currentColor" stroke-width="2"/></g>')
        labels.append((px, py, row.series, f"{row.series}: {row.text.replace(' under way', '')}"))
    return svg.end(out + place(labels) + points)


def place(labels):
    """Labels beside their points, each moved down until it is clear of those above it."""
    placed, out = [], []
    for px, py, system, content in sorted(labels, key=lambda label: label[1]):
        width = 6.2 * len(content)
        left = px - 10 - width if px + 10 + width > WIDTH - 4 else px + 10
        base = py + 4
        while any(abs(base - other) < 13 and left < right and start < left + width
                  for other, start, right in placed):
            base += 1
        placed.append((base, left, left + width))
        out.append(svg.label(left, base, content, system))
    return out
