"""Restarts one instance of the bot in steps, so that entries begin again only after everything was compared.

One file, standard library only, Python 3.9+. Steps: `halt` (no new entries, and what the bot holds now), `restart` (ends and starts the
unit, waits until the bot agrees with the venue, compares), `resume` (entries may begin). After a crash or a failure the file
`no_entries` stays: the bot protects what it holds and opens nothing. A file that somebody else wrote (guard, person) is never taken away.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from typing import Any, Dict, List, Optional

OURS = "golive restart\n"
# What must be the same after a restart. Entry orders are cancelled by a graceful end, so orders are compared as stops of positions.
POSITION = ("pair", "volume", "price", "opened_at", "stop")
PORTS = {"live": 8000, "shadow": 8001, "wire": 8002}
FOLLOW_S, START_S, STOP_S, PAUSE_S = 15.0, 60.0, 60.0, 0.1


class Problem(Exception):
    """One sentence for the person who restarts."""


def main(payload: Dict[str, Any]) -> None:
    """Do one step and print `--golive <nonce> <json>`: the step's answer, or `{"problem": sentence}`."""
    try:
        step = {"halt": halt, "restart": restart, "resume": resume}[payload["step"]]
        answer = step(payload["instance"], bool(payload["check"]), payload.get("before"))
    except Problem as exc:
        answer = {"problem": str(exc)}
    except (OSError, subprocess.SubprocessError) as exc:
        answer = {"problem": "the host could not do it: %s" % (getattr(exc, "strerror", None) or type(exc).__name__)}
    sys.stdout.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps(answer)))


def halt(instance: str, check: bool, _before: Any) -> Dict[str, Any]:
    """End entries and return `{changes, before}`. Raises Problem unless the bot runs, tells what it holds, and follows."""
    need_running(instance)
    path = control(instance)
    changes = [] if os.path.exists(path) else [change("file:" + path, "create", None, "golive restart")]
    if changes and not check:
        write(path, OURS)
    said = awaited(instance, lambda told: check or (told.get("controls") or {}).get("no_entries") is True, FOLLOW_S,
                   "the bot does not show that it opens nothing new; %s stays, go to paper or pull the kill switch" % path)
    return {"changes": changes, "before": held(said)}


def restart(instance: str, check: bool, before: Any) -> Dict[str, Any]:
    """End and start the unit; return `{changes, after}`. Raises Problem when the bot does not come back as it was."""
    need_running(instance)
    unit = unit_of(instance)
    pid = shown(unit, "MainPID")
    changes = [change("unit:" + unit, "restart", "process %s" % pid, "another process")]
    if check:
        return {"changes": changes, "after": None}
    if not isinstance(before, dict) or not os.path.exists(control(instance)):
        raise Problem("entries of %s were not ended before the restart; begin with the step halt" % unit)
    systemctl("stop", unit)
    result = shown(unit, "Result")
    if result != "success":
        raise Problem("%s did not end by itself (%s), an entry order may lie at the venue, it stays stopped; reconcile, then "
                      "decide (docs/emergency.md)" % (unit, result))
    systemctl("start", unit)
    if shown(unit, "ActiveState") not in ("active", "activating"):
        raise Problem("%s did not start again (for the live unit: no valid ticket); what it held is protected at the venue" % unit)
    said = awaited(instance, lambda told: str(told.get("pid")) != pid and told.get("reconciled") is True
                   and told.get("unresolved_orders") == 0, START_S,
                   "%s runs and does not agree with the venue within %g s; entries stay ended" % (unit, START_S))
    after = held(said)
    different = differences(before, after)
    if different:
        raise Problem("after the restart %s differ from before; entries stay ended, explain each difference first" % ", ".join(different))
    return {"changes": changes, "after": after}


def resume(instance: str, check: bool, _before: Any) -> Dict[str, Any]:
    """Let entries begin if it was us who ended them; return `{changes, kept}`, `kept` = somebody else ended them."""
    path = control(instance)
    try:
        with open(path, encoding="utf-8") as handle:
            found = handle.read(1024)
    except FileNotFoundError:
        return {"changes": [change("file:" + path, "delete", "golive restart", None)] if check else [], "kept": False}
    if found != OURS:
        return {"changes": [], "kept": True}
    if not check:
        os.unlink(path)
    return {"changes": [change("file:" + path, "delete", "golive restart", None)], "kept": False}


def held(said: Dict[str, Any]) -> Dict[str, Any]:
    """Return what of a health document must survive a restart. Raises Problem when the bot does not tell it."""
    positions, latches = said.get("positions"), said.get("latches")
    if not isinstance(positions, list) or not isinstance(latches, dict) or "day_profit" not in said:
        raise Problem("the bot's health document names no positions, latches or day_profit; nothing could be compared after a restart")
    return {"positions": sorted(([str(one.get(name)) for name in POSITION] for one in positions), key=str), "latches": latches,
            "day_profit": said["day_profit"], "fill": int((said.get("last_fill") or {}).get("seq") or 0)}


def differences(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    """Return which parts differ.

    Exits and stops go on while entries are ended. Where the ledger tells of a fill in between, positions and profit may differ, and whether
    they are right is for the independent reader to say; a bot that knows of fewer fills than before has forgotten some.
    """
    names = ["latches"]
    if after["fill"] < before["fill"]:
        return ["fills"]
    if after["fill"] == before["fill"]:
        # The day's profit moves with the price while a position is open.
        names += ["positions"] + ([] if before["positions"] else ["day_profit"])
    return [name for name in names if before[name] != after[name]]


def awaited(instance: str, good: Any, seconds: float, otherwise: str) -> Dict[str, Any]:
    """Return the first health document that is good. Raises Problem when none is within the time."""
    end = time.monotonic() + seconds
    while True:
        said = health("http://127.0.0.1:%d/health" % PORTS[instance])
        if said is not None and good(said):
            return said
        if time.monotonic() > end:
            raise Problem(otherwise if said is not None else "the bot gives no answer at /health; look with playbooks/operate/incident.yml")
        time.sleep(PAUSE_S)


def health(url: str) -> Optional[Dict[str, Any]]:
    """Return the bot's health document, None when it gives none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            found = json.loads(answer.read(1 << 20))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def need_running(instance: str) -> None:
    """Raises Problem: what is stopped was stopped by somebody, and is not started by a restart."""
    state = shown(unit_of(instance), "ActiveState")
    if state != "active":
        raise Problem("%s is %s, and only what runs is restarted; name a running instance with -e restart_instance=wire, or see "
                      "docs/emergency.md for what starts it" % (unit_of(instance), state or "unknown"))


def unit_of(instance: str) -> str:
    """Return the unit of an instance."""
    return "bot-%s.service" % instance


def control(instance: str) -> str:
    """Return the control file that ends entries."""
    return "/run/bot/%s/no_entries" % instance


def write(path: str, text: str) -> None:
    """Write a control file whole or not at all. Its directory is the bot role's."""
    fresh = os.path.join(os.path.dirname(path), ".no_entries.restart")
    with open(fresh, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.chmod(fresh, 0o644)
    os.replace(fresh, path)


def change(name: str, operation: str, before: Optional[str], after: Optional[str]) -> Dict[str, Any]:
    """Return one change in the form of interfaces.md, section 6."""
    return {"object": name, "op": operation, "before": before, "after": after}


def shown(unit: str, name: str) -> str:
    """Return one property of a unit."""
    done = subprocess.run(["systemctl", "show", unit, "--property=" + name, "--value"], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=10, check=False)
    return done.stdout.decode("utf-8", "replace").strip()


def systemctl(verb: str, unit: str) -> None:
    """Run a verb. Raises Problem with systemd's own words."""
    done = subprocess.run(["systemctl", verb, unit], stdin=subprocess.DEVNULL, capture_output=True, timeout=STOP_S, check=False)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Problem("systemctl %s %s: %s" % (verb, unit, (words or ["exit %d" % done.returncode])[0][:200]))
