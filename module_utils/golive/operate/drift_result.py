"""What did the scheduled run find out? Asked by systemd after it, not by the run itself: a run that died cannot say that it died.

One file, standard library only, Python 3.9+; /usr/local/lib/golive/drift_result.py on the host that runs the timer. `begin` (ExecStartPre)
notes the time; `end` (ExecStopPost) reads the closed report of the run that began since, writes the state and a metrics file for the node
exporter, and ends with 1 unless everything is clean, so that the unit is failed for every other outcome.

Outcomes: `clean`, `red` (drift, red or undecided), `unreached` (a host did not answer), `could_not_tell` (no closed report of this run).
"""
from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Tuple

OUTCOMES = ("clean", "red", "unreached", "could_not_tell")
BY_EXIT = {0: "clean", 2: "red", 4: "unreached"}


def main(argv: List[str], environment: Mapping[str, str]) -> int:
    """Run `begin SETTINGS` or `end SETTINGS`; SETTINGS is a JSON file `{system, reports, state, metrics}`."""
    if len(argv) != 2 or argv[0] not in ("begin", "end"):
        print("drift_result: expected begin or end and a settings file", file=sys.stderr)
        return 64
    settings = _read(argv[1])
    if settings is None:
        print("drift_result: %s cannot be read" % argv[1], file=sys.stderr)
        return 64
    before = _read(settings["state"]) or {}
    if argv[0] == "begin":
        _write(settings["state"], json.dumps({**before, "began": time.time()}))
        return 0
    outcome, reason, run = judged(settings["reports"], float(before.get("began") or time.time()), environment)
    now = time.time()
    state = {"at": now, "outcome": outcome, "reason": reason, "run": run, "clean_at": now if outcome == "clean" else before.get("clean_at"),
             "began": before.get("began")}
    _write(settings["state"], json.dumps(state))
    _write(settings["metrics"], metrics(settings["system"], state))
    print("drift: %s, %s" % (outcome.replace("_", " "), reason))
    return 0 if outcome == "clean" else 1


def judged(reports: str, began: float, environment: Mapping[str, str]) -> Tuple[str, str, Optional[str]]:
    """Return outcome, reason and run id. Exit code and closed report must say the same; either alone proves nothing."""
    ended = "%s %s" % (environment.get("EXIT_CODE", "?"), environment.get("EXIT_STATUS", "?"))
    run = newest(reports, began)
    if run is None:
        return "could_not_tell", "no drift run was opened (another run holds the lock, or it ended before: %s)" % ended, None
    finished = _read(os.path.join(reports, run, "finished.json"))
    if finished is None or not os.path.exists(os.path.join(reports, run, "report.json")):
        return "could_not_tell", "run %s was not closed (%s)" % (run, ended), run
    said = finished.get("exit")
    if environment.get("EXIT_CODE") != "exited" or environment.get("EXIT_STATUS") != str(said) or said not in BY_EXIT:
        return "could_not_tell", "run %s says exit %s, and ended as %s" % (run, said, ended), run
    return BY_EXIT[said], str(finished.get("result") or "")[:300], run


def newest(reports: str, began: float) -> Optional[str]:
    """Return the youngest drift run that was opened since; a run that was opened as anything else is none."""
    try:
        names = sorted((name for name in os.listdir(reports) if name[:1].isdigit()), reverse=True)
    except OSError:
        return None
    for name in names[:20]:
        info = _read(os.path.join(reports, name, "run.json"))
        if info and info.get("mode") == "drift" and info.get("run") == name and _time(info.get("started")) >= int(began):
            return name
    return None


def metrics(system: str, state: Mapping[str, Any]) -> str:
    """Return the text that the node exporter's textfile collector shows."""
    name = system.replace("\\", "").replace('"', "")
    lines = ["# HELP golive_drift_outcome 1 for what the last scheduled run found out.", "# TYPE golive_drift_outcome gauge"]
    lines += ['golive_drift_outcome{system="%s",outcome="%s"} %d' % (name, one, one == state["outcome"]) for one in OUTCOMES]
    lines += ["# HELP golive_drift_red 1 unless the last scheduled run was clean: not being able to tell is red.",
              "# TYPE golive_drift_red gauge", 'golive_drift_red{system="%s"} %d' % (name, state["outcome"] != "clean")]
    for key, what in (("at", "ended"), ("clean_at", "was clean")):
        lines += ["# HELP golive_drift_%s_timestamp_seconds When a scheduled run last %s." % (key, what),
                  "# TYPE golive_drift_%s_timestamp_seconds gauge" % key,
                  'golive_drift_%s_timestamp_seconds{system="%s"} %.3f' % (key, name, state[key] or 0)]
    return "\n".join(lines) + "\n"


def _time(text: Any) -> float:
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


def _read(path: str) -> Optional[Dict[str, Any]]:
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all; the collector may read it at any moment."""
    fresh = path + ".new"
    with open(fresh, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(fresh, 0o644)
    os.replace(fresh, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
