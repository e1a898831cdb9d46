"""This machine, and what processes on it use."""

import os
import platform
import signal
import subprocess
import sys
import time


def build(root, *targets):
    for command in (["cmake", "--preset", "release"],
                    ["cmake", "--build", "--preset", "release", "--target", *targets]):
        subprocess.run(command, cwd=root, check=True, stdout=sys.stderr)


def commit_of(root):
    def git(*arguments):
        try:
            return subprocess.check_output(("git",) + arguments, cwd=root, text=True).strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + (", with changes" if changed else "")


def hardware():
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return (f"{len(os.sched_getaffinity(0))} × {models[0] if models else platform.machine()}"
            f", Linux {platform.release()}")


def now():
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def describe(root):
    return f"Commit {commit_of(root)}, {now()}; {hardware()}"


def resident(pid):
    """Bytes of memory that a process has now."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def size_of(directory):
    """Bytes that the files in it take of the disk."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # It was merged into another one meanwhile.
    return total


def end_in_order_when_told():
    """SIGINT and SIGTERM end the program in order; sent again, it goes on with that."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupted(*_):
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(130)

    for number in numbers:
        signal.signal(number, interrupted)
