"""The steps around the start of the live bot, each safe to repeat.

`hold` ends entries before a live unit is started, or started anew because it runs what is no longer on disk; `await` waits until its unit
runs, its own word says live and the kernel says that it talks to the venue; `release` lets entries begin, after the gate of phase live has
judged. A gate that stays closed leaves a bot that protects what it holds and opens nothing. One file, standard library only, Python 3.9+.

The live unit has no drop-in of ours that could note what it was started with: nothing may stand between it and its ExecCondition. The
kernel's times tell it: a file that was changed after the process was started is not what the process runs.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any, Dict, List, Optional, Set

OURS = "golive: the gate of phase live has not opened yet\n"
CONTROL = "/run/bot/live/no_entries"
PAUSE_S = 0.2
SAME_S = 1.0  # the kernel's two clocks and its ticks
ESTABLISHED = "01"
VERIFIER = "/usr/local/lib/golive/ticket.py"


class Problem(Exception):
    """One sentence for the person who arms."""


def main(payload: Dict[str, Any]) -> None:
    """Do one step and print `--golive <nonce> <json>`: the step's answer, or `{"problem": sentence}`."""
    try:
        if payload["step"] == "await":
            answer = awaited(payload["unit"], payload["url"], int(payload["port"]), float(payload["seconds"]))
        else:
            answer = {"hold": hold, "release": release}[payload["step"]](payload)
    except Problem as exc:
        answer = {"problem": str(exc)}
    except (OSError, subprocess.SubprocessError) as exc:
        answer = {"problem": "the host could not do it: %s" % (getattr(exc, "strerror", None) or type(exc).__name__)}
    sys.stdout.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps(answer)))


def hold(payload: Dict[str, Any]) -> Dict[str, Any]:
    """End entries where the unit is to be started, or anew; return `{changes, held}`.

    `watched` are files and links; `foreseen` says that a dry run would change one of them. What runs as it lies on disk is not held again.
    """
    unit, check = payload["unit"], bool(payload["check"])
    pid = running(unit)
    outdated = bool(pid) and (bool(payload["foreseen"]) or any(changed(path) > started(pid) + SAME_S for path in payload["watched"]))
    if pid and not outdated:
        return {"changes": [], "held": False}
    changes = [] if os.path.exists(CONTROL) else [_change("create", None, OURS.strip())]
    if changes and not check:
        fresh = os.path.join(os.path.dirname(CONTROL), ".no_entries.golive")
        with open(fresh, "w", encoding="utf-8") as handle:
            handle.write(OURS)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(fresh, 0o644)
        os.replace(fresh, CONTROL)
    if outdated:
        changes.append({"object": "unit:" + unit, "op": "restart", "before": "process %d" % pid, "after": "another process"})
        if not check:
            done = subprocess.run(["systemctl", "restart", unit], stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False)
            if done.returncode != 0:
                words = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise Problem("systemctl restart %s: %s" % (unit, (words or ["exit %d" % done.returncode])[0][:200]))
    return {"changes": changes, "held": bool(changes)}


def release(payload: Dict[str, Any]) -> Dict[str, Any]:
    """Let entries begin if it was `hold` that ended them; `kept`: somebody else did (guard, a person, a restart), and it stays.

    `held`: in a dry run `hold` would have written the file, so that it would be there to take away.
    """
    try:
        with open(CONTROL, encoding="utf-8") as handle:
            found = handle.read(1024)
    except FileNotFoundError:
        predicted = payload["check"] and payload["held"]
        return {"changes": [_change("delete", OURS.strip(), None)] if predicted else [], "kept": False}
    if found != OURS:
        return {"changes": [], "kept": True}
    if not payload["check"]:
        os.unlink(CONTROL)
    return {"changes": [_change("delete", OURS.strip(), None)], "kept": False}


def started(pid: int) -> float:
    """Return when a process was started, in seconds since 1970, by the kernel's clock."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as handle:
        ticks = int(handle.read().rpartition(")")[2].split()[19])
    with open("/proc/uptime", encoding="ascii") as handle:
        return time.time() - float(handle.read().split()[0]) + ticks / os.sysconf("SC_CLK_TCK")


def changed(path: str) -> float:
    """Return when a file or link itself was last changed; one that is not there was never changed."""
    try:
        return os.lstat(path).st_ctime
    except FileNotFoundError:
        return 0.0


def _change(op: str, before: Optional[str], after: Optional[str]) -> Dict[str, Any]:
    return {"object": "file:" + CONTROL, "op": op, "before": before, "after": after}


def awaited(unit: str, url: str, port: int, seconds: float) -> Dict[str, Any]:
    """Return `{changes: [], pid, mode, stage, waited_s}` as soon as nothing is missing. Raises Problem with what was."""
    began = time.monotonic()
    while True:
        pid, said = running(unit), health(url)
        missing = missing_of(pid, said, venue_connections(pid, port) if pid else 0)
        waited = time.monotonic() - began
        if said is not None and not missing:
            return {"changes": [], "pid": pid, "mode": said["effective_mode"], "stage": said.get("stage"), "waited_s": round(waited, 1)}
        if waited > seconds:
            raise Problem("%s is not live after %d s: %s" % (unit, seconds, "; ".join(missing + explained(pid))))
        time.sleep(PAUSE_S)


def missing_of(pid: int, said: Optional[Dict[str, Any]], connections: int) -> List[str]:
    """Return what is missing for a live bot, in words; empty is live."""
    if not pid:
        return ["its unit does not run"]
    if said is None:
        return ["it gives no answer at /health"]
    if said.get("pid") != pid:
        return ["another process answers at /health"]
    found = []
    if said.get("instance") != "live" or said.get("effective_mode") != "live":
        found.append("it says instance %s, mode %s" % (said.get("instance"), said.get("effective_mode")))
    if (said.get("controls") or {}).get("exit_only") is not False:
        found.append("it is marked exit-only")
    if said.get("reconciled") is not True:
        found.append("it has not agreed with the venue yet")
    if not connections:
        found.append("it has no connection to the venue")
    return found


def explained(pid: int) -> List[str]:
    """Return why a unit that does not run may not, in the words of the host's own verifier."""
    if pid or not os.path.exists(VERIFIER):
        return []
    done = subprocess.run([sys.executable, "-ISE", VERIFIER, "show"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                          check=False)
    try:
        shown = json.loads(done.stdout.decode("utf-8", "replace"))
    except ValueError:
        return []
    return ["its ticket is %s%s" % (shown.get("state"), " (%s)" % shown["reason"] if shown.get("reason") else "")]


def running(unit: str) -> int:
    """Return the main process of an active unit, 0 where there is none."""
    done = subprocess.run(["systemctl", "show", unit, "--property=ActiveState", "--property=MainPID"], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=10, check=False)
    values = dict(line.split("=", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if "=" in line)
    return int(values.get("MainPID", "0") or 0) if values.get("ActiveState") == "active" else 0


def health(url: str) -> Optional[Dict[str, Any]]:
    """Return the bot's health document, None when it gives none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            found = json.loads(answer.read(1 << 20))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def venue_connections(pid: int, port: int, proc: str = "/proc") -> int:
    """Return how many established connections to a remote port a process holds, as the kernel lists them."""
    remote = _established(["%s/%d/net/tcp" % (proc, pid), "%s/%d/net/tcp6" % (proc, pid)], port)
    return len(remote & _sockets("%s/%d/fd" % (proc, pid)))


def _established(tables: List[str], port: int) -> Set[str]:
    found: Set[str] = set()
    for path in tables:
        try:
            with open(path, encoding="ascii") as handle:
                rows = [line.split() for line in handle][1:]
        except OSError:
            continue  # no IPv6, or the process has just ended
        found |= {row[9] for row in rows if len(row) > 9 and row[3] == ESTABLISHED and int(row[2].rsplit(":", 1)[1], 16) == port}
    return found


def _sockets(folder: str) -> Set[str]:
    """Return the inodes of a process's sockets. Asked as its owner: root without CAP_SYS_PTRACE (a container) may not look, they may."""
    become: Dict[str, Any] = {}
    try:
        owner = os.stat(folder)
        if os.geteuid() == 0:
            become = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        done = subprocess.run([sys.executable, "-ISE", "-c", _LINKS, folder], stdin=subprocess.DEVNULL, capture_output=True, timeout=10,
                              check=False, **become)
    except OSError:
        return set()  # it has just ended
    return set(re.findall(r"socket:\[(\d+)\]", done.stdout.decode("utf-8", "replace")))


_LINKS = """
import os, sys
for name in os.listdir(sys.argv[1]):
    try:
        print(os.readlink(os.path.join(sys.argv[1], name)))
    except OSError:
        pass
"""
