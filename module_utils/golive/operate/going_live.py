"""The three steps around the start of the live bot, each safe to repeat.

`hold` ends entries before a live unit that does not run is started; `await` waits until its unit runs, its own word says live and the
kernel says that it talks to the venue; `release` lets entries begin, after the gate of phase live has judged. A gate that stays closed
leaves a bot that protects what it holds and opens nothing. One file, standard library only, Python 3.9+.
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
            answer = {"hold": hold, "release": release}[payload["step"]](payload["unit"], bool(payload["check"]))
    except Problem as exc:
        answer = {"problem": str(exc)}
    except (OSError, subprocess.SubprocessError) as exc:
        answer = {"problem": "the host could not do it: %s" % (getattr(exc, "strerror", None) or type(exc).__name__)}
    sys.stdout.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps(answer)))


def hold(unit: str, check: bool) -> Dict[str, Any]:
    """End entries where the unit is still to be started. What runs already was released once, and is not held again."""
    if running(unit) or os.path.exists(CONTROL):
        return {"changes": []}
    if not check:
        fresh = os.path.join(os.path.dirname(CONTROL), ".no_entries.golive")
        with open(fresh, "w", encoding="utf-8") as handle:
            handle.write(OURS)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(fresh, 0o644)
        os.replace(fresh, CONTROL)
    return {"changes": [_change("create", None, OURS.strip())]}


def release(unit: str, check: bool) -> Dict[str, Any]:
    """Let entries begin if it was `hold` that ended them; `kept`: somebody else did (guard, a person, a restart), and it stays."""
    try:
        with open(CONTROL, encoding="utf-8") as handle:
            found = handle.read(1024)
    except FileNotFoundError:
        predicted = check and not running(unit)  # a dry run: hold has written nothing
        return {"changes": [_change("delete", OURS.strip(), None)] if predicted else [], "kept": False}
    if found != OURS:
        return {"changes": [], "kept": True}
    if not check:
        os.unlink(CONTROL)
    return {"changes": [_change("delete", OURS.strip(), None)], "kept": False}


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
