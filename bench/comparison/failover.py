"""What a crash costs: the longest time without an accepted bid once a process was killed, and how many
were accepted in each 10 ms around that."""

import csv
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from statistics import median

from comparison import svg, systems

STEP_MS = 10
RATE = 3000  # Bids a second.  The machine bears it easily, so that only the crash shows.
BEFORE, AFTER = 0.5, 2.5  # Seconds that are measured before and after the crash.
WRITERS = 8  # Of etcd only.
LEFT, RIGHT, TOP = 80, 30, 50
WIDTH, PANEL = 860, 120
SHOWN_BEFORE, SHOWN_AFTER = 200, 2000  # ms


class Crash:
    """One kind of crash, made again and again.  `runs`: the longest gap in ms, and how many bids were
    accepted in each step, from SHOWN_BEFORE before it to SHOWN_AFTER after it."""

    def __init__(self, system, role, make):
        self.system = system
        self.role = role
        self.make = make
        self.runs = []

    def run(self):
        gap, steps = self.make()
        self.runs.append((gap, steps))
        return gap

    def gaps(self):
        return [gap for gap, _ in self.runs]


def around(counts, at_ms):
    """Of counts for each step, those that are shown."""
    first = (at_ms - SHOWN_BEFORE) // STEP_MS
    return [counts.get(first + i, 0) for i in range((SHOWN_BEFORE + SHOWN_AFTER) // STEP_MS)]


def crash_of_gavel(binaries, directory, role):
    """`gavel bench` starts a chain of three with a spare, loads it, and kills."""
    with tempfile.TemporaryDirectory(dir=directory) as data:
        timeline = os.path.join(data, "timeline.csv")
        answer = subprocess.run(
            [os.path.join(binaries, "gavel"), "bench", "--nodes", "3", "--rate", str(RATE),
             "--in-flight", "4096", "--warmup", "500ms", "--duration", f"{BEFORE + AFTER}s",
             "--kill", f"{role}@{BEFORE}s", "--timeline", timeline, "--dir",
             os.path.join(data, "chain"), "-o", "json"],
            stdout=subprocess.PIPE, text=True, check=True, timeout=60,
            env={**systems.environment(), "XDG_CONFIG_HOME": data}).stdout
        kill = json.loads(answer)["kills"][0]
        with open(timeline, newline="") as file:
            counts = {int(row["ms"]) // STEP_MS: int(row["bids"]) for row in csv.DictReader(file)}
    return int(kill["longestGapNs"]) / 1e6, around(counts, int(kill["atNs"]) // 1_000_000)


def crash_of_etcd(binaries, directory, _):
    """Kills the leader of three members; whoever writes goes to the next member when one does not
    answer."""
    system = systems.Etcd(binaries, tempfile.mkdtemp(dir=directory) + "/etcd")
    try:
        system.start()
        members = [int(address.rpartition(":")[2]) for address in system.server.split(",")]
        answered, over = [], threading.Event()
        writers = [threading.Thread(target=write_to_etcd, args=(members, i, answered, over))
                   for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(BEFORE + 0.5)
        victim = leader_of_etcd(members)
        killed = time.monotonic()
        system.processes[victim].send_signal(signal.SIGKILL)
        time.sleep(AFTER)
        end = time.monotonic()
        while max(answered, default=0) < killed + 0.05 and time.monotonic() < end + 20:
            time.sleep(0.1)  # There is no new leader yet.
        over.set()
        for writer in writers:
            writer.join()
    finally:
        system.stop()
    times = sorted(answered)
    gap = max((b - a for a, b in zip(times, times[1:]) if b >= killed), default=float("inf"))
    counts = {}
    begin = killed - BEFORE
    for at in times:
        step = int((at - begin) * 1000) // STEP_MS
        counts[step] = counts.get(step, 0) + 1
    return gap * 1000, around(counts, int(BEFORE * 1000))


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise OSError(content)
    return json.loads(content)


def leader_of_etcd(members):
    for i, port in enumerate(members):
        status = post(http.client.HTTPConnection("127.0.0.1", port, timeout=2),
                      "/v3/maintenance/status", {})
        if status["leader"] == status["header"]["member_id"]:
            return i
    raise systems.NotReady("etcd has no leader")


def write_to_etcd(members, number, answered, over):
    place, connection = number, None
    while not over.is_set():
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", members[place % 3], timeout=0.2)
            post(connection, "/v3/kv/put", {"key": "Yg==", "value": "MQ=="})
            answered.append(time.monotonic())
        except (OSError, http.client.HTTPException):
            connection, place = None, place + 1


def crashes_of(name, binaries, directory):
    if name == "gavel":
        return [Crash("Gavel", role, lambda role=role: crash_of_gavel(binaries, directory, role))
                for role in ("head", "middle", "tail", "master")]
    if name == "etcd":
        return [Crash("etcd", "leader", lambda: crash_of_etcd(binaries, directory, None))]
    return []  # Redis alone does not go on without its master.


def table(crashes):
    lines = ["| killed | longest time without an accepted bid, p50 | shortest–longest | times |",
             "|---|--:|--:|--:|"]
    for crash in crashes:
        gaps = crash.gaps()
        lines.append(f"| {crash.system}: {crash.role} | {median(gaps):,.1f} ms "
                     f"| {min(gaps):,.1f}–{max(gaps):,.1f} ms | {len(gaps)} |")
    return "\n".join(lines) + "\n"


def aims(crashes):
    worst = max((median(crash.gaps()) for crash in crashes if crash.system == "Gavel"), default=None)
    if worst is None:
        return ""
    return ("\n| aim | reached | |\n|---|--:|---|\n"
            f"| SIGKILL of any process under load: longest gap p50 under 50 ms | {worst:.1f} ms "
            f"| {'yes' if worst < 50 else 'no'} |\n")


def plot(crashes, title):
    """A panel for each kind of crash: accepted bids in each step, as a share of what was usual
    before, of the run with the median gap; pale, of the others."""
    height = TOP + PANEL * len(crashes) + 50
    out = svg.begin(WIDTH, height) + [svg.text(LEFT, 26, title, extra='font-size="14"')]

    def x(ms):
        return LEFT + (ms + SHOWN_BEFORE) / (SHOWN_BEFORE + SHOWN_AFTER) * (WIDTH - LEFT - RIGHT)

    bottom = TOP + PANEL * len(crashes)
    for ms in range(0, SHOWN_AFTER + 1, 250):
        line = svg.AXIS if ms == 0 else svg.GRID
        out.append(f'<path class="{line}" d="M{x(ms):.1f} {TOP}V{bottom}"/>')
        out.append(svg.text(x(ms), bottom + 18, f"{ms}", "middle"))
    out.append(svg.text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, "ms after the process was killed",
                        "middle"))
    for place, crash in enumerate(crashes):
        base = TOP + PANEL * (place + 1) - 10
        out.append(f'<path class="axis" d="M{LEFT} {base}H{WIDTH - RIGHT}"/>')
        ordered = sorted(crash.runs, key=lambda run: run[0])
        middle = ordered[len(ordered) // 2]
        for run in [one for one in ordered if one is not middle] + [middle]:
            before = run[1][:SHOWN_BEFORE // STEP_MS]
            usual = max(sum(before) / len(before), 1e-9)
            path = f"M{x(-SHOWN_BEFORE):.1f} {base}"
            for step, count in enumerate(run[1]):
                y = base - min(count / usual, 2) * (PANEL - 40) / 2
                path += f"L{x(step * STEP_MS - SHOWN_BEFORE):.1f} {y:.1f}H{x((step + 1) * STEP_MS - SHOWN_BEFORE):.1f}"
            shade = "1" if run is middle else "0.15"
            out.append(f'<path class="{crash.system}" d="{path}" fill="none" stroke="currentColor" '
                       f'stroke-opacity="{shade}"/>')
        out.append(svg.label(WIDTH - RIGHT - 4, base - PANEL + 34,
                             f"{crash.system}: {crash.role}, {median(crash.gaps()):,.0f} ms",
                             crash.system, "end"))
        out.append(svg.text(LEFT - 8, base + 4, "0", "end"))
        out.append(svg.text(LEFT - 8, base - (PANEL - 40) / 2 + 4, "usual", "end"))
    return svg.end(out)
