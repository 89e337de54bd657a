"""closed_since_start: could a running unit have opened anything below the roots of another system, since it was started?

What was opened and closed again leaves no trace, so what is proven is stronger: that nothing could be opened. Its processes hold nothing
now; with exactly their rights, in their mount namespace, the root cannot be listed or passed; they cannot have had more rights before
(no new privileges, no capabilities, not started as root); nothing below the root can be reached around it (mounts, hard links); and the
kernel's change time of the root, which nobody can set, is older than the unit's start. A root that was changed since is undecided.
"""
from __future__ import annotations

import json
import os
import re
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Set, Tuple

from ..errors import Undecided
from . import _units
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 60
ASK = {
    "unit": "str; required; the unit whose processes are asked about",
    "roots": "list of str; required; directories that should be closed to it, each the only way to what lies below",
    "control": "list of str; required; files that its processes must be able to read",
}
FACTS = {
    "open_now": "list of str; `PID PATH` of what its processes hold open, mapped or as their place, below a root",
    "ways": "list of str; how something below a root could have been opened since the start",
    "control_ok": "bool; with the same rights everything named as control can be read",
    "control_failed": "list of str",
    "processes": "int; processes of the unit",
    "started_s_ago": "number; since the unit's main process was started",
    "root_changed_s_before": "number; from the newest change of a root (mode, owner, ACL, entries) to that start",
}
_CAP_ENTRIES = 200_000
_MARGIN_S = 1.0      # clocks of the kernel tick: a change so close before the start counts as after it
# CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, SETGID, SETUID, SYS_CHROOT, SYS_PTRACE, SYS_ADMIN
_MIGHTY = sum(1 << bit for bit in (0, 1, 2, 3, 6, 7, 18, 19, 21))
_TRY = """import json, os, sys
asked = json.loads(sys.argv[1])
def may(act):
    try:
        act()
        return True
    except OSError:
        return False
def opened(path):
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
def passed(path):
    if not os.access(path, os.X_OK, effective_ids=True):
        raise PermissionError
ways = []
for path in asked["roots"]:
    ways += ["%s %s" % (name, path) for name, act in (("list", lambda: os.listdir(path)), ("pass", lambda: passed(path))) if may(act)]
print(json.dumps({"ways": ways, "control": [path for path in asked["control"] if not may(lambda: opened(path))]}))
"""
_STARTED = "MainPID,User,DynamicUser,AmbientCapabilities,ExecMainStartTimestamp"
Place = Tuple[int, int]


class Below(NamedTuple):
    """What lies at and below the roots: device and inode of each entry with its path, and files with a name elsewhere."""

    places: Dict[Place, str]
    linked: List[str]


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Return what is open and what could have been. Raises Undecided where that cannot be told."""
    roots = [os.path.realpath(str(one)) for one in ask["roots"]]
    control = [str(one) for one in ask["control"]]
    if not roots or not control:
        raise Undecided("no root or no control is named: a process that can do nothing would look isolated")
    unit = _units.show(str(ask["unit"]), look)
    if not unit.running:
        raise Undecided("%s does not run, so it was not started" % ask["unit"])
    about = _about(unit.name, look)
    started = min(look.now().timestamp() - _units.age_s(unit.pid), _by_the_clock(about))
    changed = max(_changed(one) for one in roots)
    below = _below(roots)
    pids = _processes(unit.pid)
    held, looked_at = _held(pids, below, roots)
    told = _told(unit.pid, roots, control, look)
    ways = ["%s as process %d" % (one, unit.pid) for one in told["ways"]] + _rights(unit.name, about, pids)
    ways += _mounted(unit.pid, below, roots) + ["%s has another name outside of its root" % one for one in below.linked]
    if not held and not ways and changed > started - _MARGIN_S:
        when = datetime.fromtimestamp(changed, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Undecided("a root was changed at %s, after %s was started: whether it was open in between cannot be told, until the unit "
                        "is started again" % (when, ask["unit"]))
    if _about(unit.name, look) != about:
        raise Undecided("%s was started again while it was looked at" % ask["unit"])
    facts = {"open_now": held[:100], "ways": ways[:100], "control_ok": not told["control"], "control_failed": told["control"],
             "processes": len(pids), "started_s_ago": round(look.now().timestamp() - started, 3),
             "root_changed_s_before": round(started - changed, 3)}
    return Observed(facts, opportunities=looked_at)


def _changed(root: str) -> float:
    try:
        return os.stat(root).st_ctime
    except OSError as exc:
        raise Undecided("the root %s cannot be looked at: %s" % (root, exc.strerror)) from None


def _below(roots: List[str]) -> Below:
    """Walk the roots. A file is linked elsewhere when it has more names than were found below its roots."""
    places: Dict[Place, str] = {}
    names: Dict[Place, int] = {}
    links: Dict[Place, int] = {}
    for root in roots:
        places[_place(os.stat(root))] = root
        for path, folders, files in os.walk(root):
            for name in folders + files:
                entry = os.path.join(path, name)
                try:
                    about = os.lstat(entry)
                except FileNotFoundError:
                    continue      # taken away while we looked
                places[_place(about)] = entry
                if name in files:
                    names[_place(about)] = names.get(_place(about), 0) + 1
                    links[_place(about)] = about.st_nlink
            if len(places) > _CAP_ENTRIES:
                raise Undecided("more than %d entries lie below %s" % (_CAP_ENTRIES, root))
    return Below(places, sorted(places[one] for one, count in links.items() if count > names[one])[:100])


def _place(about: os.stat_result) -> Place:
    return about.st_dev, about.st_ino


def _processes(main: int) -> List[int]:
    """Return the processes of the unit: those in the control group of its main process, or below it."""
    group = _units.read(main, "cgroup")
    if not group:
        raise Undecided("process %d ended while it was looked at" % main)
    mine = group.rstrip(b"\n")
    found = []
    for pid in _units.processes():
        other = (_units.read(pid, "cgroup") or b"").rstrip(b"\n")
        if other == mine or other.startswith(mine.rstrip(b"/") + b"/"):
            found.append(pid)
    return found


def _held(pids: List[int], below: Below, roots: List[str]) -> Tuple[List[str], int]:
    """Return what processes hold below the roots, and how many open files were looked at. Raises Undecided without the right to look."""
    found: Set[str] = set()
    looked_at = 0
    for pid in pids:
        for name in _holds(pid):
            looked_at += 1
            try:
                place = _place(os.stat("%s/%d/%s" % (_units.PROC, pid, name)))
            except OSError:
                continue      # closed, or ended, meanwhile
            if place in below.places:
                found.add("%d %s" % (pid, below.places[place]))
        found |= {"%d %s" % (pid, path) for path in _units.mapped(pid) if any(path.startswith(root + "/") for root in roots)}
    if not looked_at:
        raise Undecided("no open file of the unit can be seen")
    return sorted(found), looked_at


def _holds(pid: int) -> Iterator[str]:
    try:
        yield from ("fd/" + one for one in os.listdir("%s/%d/fd" % (_units.PROC, pid)))
    except (FileNotFoundError, ProcessLookupError):
        return
    except PermissionError:
        raise Undecided("the open files of process %d cannot be seen" % pid) from None
    yield from ("cwd", "root")


def _about(unit: str, look: Look) -> Dict[str, str]:
    """Return as whom, with what and when systemd started a unit."""
    shown = look.run(["systemctl", "show", "--property=" + _STARTED, "--", unit], env={"TZ": "UTC"})
    return dict(line.partition("=")[::2] for line in shown.stdout.splitlines())


def _by_the_clock(about: Mapping[str, str]) -> float:
    """Return the start by the clock of that moment: who set the clock forward since cannot make a later change of a root look older."""
    try:
        return datetime.strptime(about["ExecMainStartTimestamp"], "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc).timestamp()
    except (KeyError, ValueError):
        raise Undecided("systemd does not say when the unit was started") from None


def _rights(unit: str, about: Mapping[str, str], pids: List[int]) -> List[str]:
    """Return what of the processes' rights, now or since their start, could open what the mode bits of a root close."""
    ways = []
    if about.get("User") in ("", "0", "root", None) and about.get("DynamicUser") != "yes":
        ways.append("%s is started as root" % unit)
    if about.get("AmbientCapabilities"):
        ways.append("%s is started with %s" % (unit, about["AmbientCapabilities"]))
    for pid in pids:
        try:
            status = _units.status(pid)
        except Undecided:
            continue      # it ended; what it could do its main process could, or had no new privileges to
        if status.get("NoNewPrivs") != "1":
            ways.append("process %d may gain rights (NoNewPrivileges is off)" % pid)
        if int(status.get("CapPrm", "0"), 16) & _MIGHTY:
            ways.append("process %d has capabilities (CapPrm %s)" % (pid, status["CapPrm"]))
    return ways


def _mounted(pid: int, below: Below, roots: List[str]) -> List[str]:
    """Return where something that lies below a root is mounted as well, in the unit's namespace: a way around the root."""
    text = (_units.read(pid, "mountinfo") or b"").decode("utf-8", "replace")
    if not text:
        raise Undecided("the mounts of process %d cannot be read" % pid)
    found, seen_any = [], False
    for line in text.splitlines():
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), line.split()[4])
        try:
            place = _place(os.stat("%s/%d/root%s" % (_units.PROC, pid, point)))
        except PermissionError:
            continue
        except OSError:
            continue      # hidden below another mount, or gone
        seen_any = True
        path = below.places.get(place)
        if path is not None and path not in roots and os.path.realpath(point) != path:
            found.append("%s is mounted at %s" % (path, point))
    if not seen_any:
        raise Undecided("the mounts of process %d cannot be looked at" % pid)
    return found


def _told(pid: int, roots: List[str], control: List[str], look: Look) -> Mapping[str, Any]:
    """Try with exactly the rights of a process: its user, group, groups and mounts, and not those that its account has by now."""
    status = _units.status(pid)
    user, group = status["Uid"].split()[3], status["Gid"].split()[3]
    groups = ",".join(status.get("Groups", "").split())
    words = ["nsenter", "--target", str(pid), "--mount", "--", "setpriv", "--reuid", user, "--regid", group,
             *(["--groups", groups] if groups else ["--clear-groups"]), "--no-new-privs", "--",
             "/usr/bin/python3", "-ISc", _TRY, json.dumps({"roots": roots, "control": control})]
    done = look.run(words, timeout=15)
    try:
        told: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Undecided("trying with the rights of process %d failed: %s" % (pid, done.stderr.strip()[-200:])) from None
    return told
