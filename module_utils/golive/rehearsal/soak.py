"""Soak of the paper run: the kernel's count of the deployed unit's memory, sampled beside it while it trades, signed as `lab-load`.

The unit on the bot's host runs on paper anyway; a sampler in a unit of its own looks at it, so a soak costs no time of its own. A rate per
hour is one of the rehearsal's hours (`hour_s` of the profile), as every time of a rehearsal; what it was is in the record.
"""
from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import GoliveError
from .drills.hosts import Host

SAMPLER, FOLDER = "golive-soak", "/run/golive-soak"
EVERY_S, LONGEST_S = 1.0, 86400
MIB = float(1 << 20)
# On the host: `[seconds since boot, process, restarts, resident bytes]` a line, of the unit's main process as the kernel counts it.
_SAMPLE = """import json, os, subprocess, sys, time
unit, path, every = sys.argv[1], sys.argv[2], float(sys.argv[3])
page = os.sysconf("SC_PAGE_SIZE")
with open(path, "a", buffering=1) as out:
    while True:
        shown = subprocess.run(["systemctl", "show", unit, "--property=MainPID,NRestarts"], stdout=subprocess.PIPE, text=True).stdout
        told = dict(line.split("=", 1) for line in shown.split())
        try:
            with open("/proc/%s/statm" % told["MainPID"]) as handle:
                resident = int(handle.read().split()[1]) * page
            out.write(json.dumps([time.monotonic(), int(told["MainPID"]), int(told["NRestarts"]), resident]) + "\\n")
        except (OSError, KeyError, ValueError):
            pass
        time.sleep(every)
"""
Sample = Sequence[float]


def begin(bot: Host, unit: str) -> bool:
    """Start the sampler unless it runs, and return whether it was started."""
    if bot.unit(f"{SAMPLER}.service")["ActiveState"] == "active":
        return False
    bot.run("systemctl", "reset-failed", f"{SAMPLER}.service")
    bot.run("rm", "-rf", FOLDER)
    bot.write(f"{FOLDER}/sample.py", _SAMPLE, "0644")
    bot.need("systemd-run", f"--unit={SAMPLER}", f"--property=RuntimeMaxSec={LONGEST_S}", "--quiet", "--collect",
             "--property=IgnoreOnIsolate=yes",  # a drill isolates multi-user.target, and what was sampled until then would be lost
             "/usr/bin/python3", "-I", f"{FOLDER}/sample.py", unit, f"{FOLDER}/samples", str(EVERY_S))
    return True


def samples(bot: Host) -> list[Sample]:
    """Return what was sampled so far; a line that is being written is left out."""
    done = bot.run("cat", f"{FOLDER}/samples")
    lines = done.stdout.splitlines(keepends=True) if done.returncode == 0 else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def end(bot: Host) -> None:
    """Stop the sampler and take everything of it away."""
    bot.run("systemctl", "stop", f"{SAMPLER}.service")
    bot.run("rm", "-rf", FOLDER)


def lasted(found: Sequence[Sample]) -> float:
    """Return over how many seconds the samples go."""
    return float(found[-1][0] - found[0][0]) if found else 0.0


def measured(found: Sequence[Sample], at_least_s: float, hour_s: float) -> dict[str, Any]:
    """Return the payload's part about the newest samples that go over `at_least_s`: result, opportunities, passed.

    Raises GoliveError when they do not go so far.
    """
    if lasted(found) < at_least_s or len(found) < 3:
        raise GoliveError("the soak is too short", found=f"{lasted(found):.0f} s", expected=f"{at_least_s:g} s")
    window = [one for one in found if one[0] >= found[-1][0] - at_least_s]
    if lasted(window) < at_least_s:  # the sample before reaches over the edge
        window = list(found[-len(window) - 1:])
    restarts = len({one[1] for one in window}) - 1
    slope, upper = line([(one[0] / hour_s, one[3] / MIB) for one in window])
    result = {"duration_s": round(lasted(window), 3), "rss_slope_mb_per_h": round(slope, 4), "rss_slope_upper_mb_per_h": round(upper, 4),
              "restarts": restarts, "rss_max_mb": round(max(one[3] for one in window) / MIB, 3), "hour_s": hour_s}
    return {"passed": restarts == 0, "result": result, "opportunities": len(window)}


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return slope and upper end of its one-sided 95 % interval (normal approximation) of the least-squares line."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, slope + 1.645 * math.sqrt(rest / (count - 2) / spread)


WINDOWS: Mapping[str, str] = {"soak_day": "day_s", "soak_extended": "paper_continuous_s"}
"""The records and the profile's waiting time that each has to go over."""
