#!/usr/bin/env python3
"""On the bot's host: void the ticket, stop and mask the bot, and say whether it is stopped. Started by the kill through a forced command.

Standard library only, Python 3.9+. Each step stands alone: one that fails does not keep the next from being done.
Prints one JSON object `{"stopped": bool, "masked": bool, "voided": bool, "units": {name: state}, "problems": [...]}`.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List

SETTINGS = "/etc/golive/stop_bot.json"


def run(argv: List[str], problems: List[str]) -> str:
    """Run a command and return what it printed; its failure becomes a problem in words."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as exc:
        problems.append("%s: %s" % (argv[0], type(exc).__name__))
        return ""
    if done.returncode != 0 and argv[1:2] != ["show"]:
        problems.append("%s: %s" % (" ".join(argv[:3]), done.stderr.decode("utf-8", "replace").strip()[-160:]))
    return done.stdout.decode("utf-8", "replace")


def stop(settings: Dict[str, Any]) -> Dict[str, Any]:
    """Do it and return what is true afterwards, as systemd says."""
    problems: List[str] = []
    for directory in settings["control_directories"]:
        try:  # the bot's own kill file first: it works where systemd hangs
            with open(os.path.join(directory, "kill"), "w", encoding="ascii") as handle:
                handle.write("kill\n")
        except OSError as exc:
            if not isinstance(exc, FileNotFoundError):
                problems.append("%s: %s" % (directory, exc.strerror))
    before = len(problems)
    run([sys.executable, settings["ticket_program"], "void", "--reason", "kill switch"], problems)
    voided = len(problems) == before
    for unit in settings["units"]:
        run(["systemctl", "kill", "--signal=SIGKILL", unit], [])
        run(["systemctl", "stop", unit], [])
        run(["systemctl", "mask", unit], problems)
    states = {}
    for unit in settings["units"]:
        shown = run(["systemctl", "show", "--property=ActiveState,UnitFileState", unit], problems)
        states[unit] = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    stopped = all(state.get("ActiveState") in ("inactive", "failed") for state in states.values()) and bool(states)
    masked = all(state.get("UnitFileState") in ("masked", "masked-runtime") for state in states.values()) and bool(states)
    return {"stopped": stopped, "masked": masked, "voided": voided, "units": states, "problems": problems}


def main() -> int:
    """Read the settings and stop; exit 0 when the bot is stopped, whatever else failed."""
    try:
        with open(SETTINGS, encoding="utf-8") as handle:
            settings = json.load(handle)
        result = stop(settings)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        print("stop_bot: %s: %s" % (SETTINGS, type(exc).__name__), file=sys.stderr)
        return 64
    print(json.dumps(result))
    return 0 if result["stopped"] else 1


if __name__ == "__main__":
    sys.exit(main())
