"""What systemd and the kernel say of a unit's process: reads `systemctl show` and /proc, changes nothing."""
from __future__ import annotations

import os
import time
from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

from ..errors import Undecided
from .look import Look

PROC = "/proc"
_FRESH_S = 1.0    # how old an answer may be that systemd gave beside another one
_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "MainPID", "NRestarts", "ExecCondition", "DropInPaths",
               "FragmentPath", "RootDirectory", "RootImage", "BindPaths", "BindReadOnlyPaths")


class Unit(NamedTuple):
    """A unit as systemd tells it; `pid` is 0 when no main process runs."""

    name: str
    properties: Dict[str, str]
    pid: int

    @property
    def exists(self) -> bool:
        """Return whether systemd knows a definition of it."""
        return self.properties.get("LoadState") not in ("not-found", None)

    @property
    def running(self) -> bool:
        """Return whether it is active with a main process."""
        return self.properties.get("ActiveState") == "active" and self.pid > 0


_expected: Set[str] = set()
_answers: Dict[str, Tuple[float, Dict[str, str]]] = {}   # unit -> when systemd said it (monotonic), and what


def expect(names: Iterable[str]) -> None:
    """Name the units that this process will be asked about, so that one question to systemd answers for all (8 ms of CPU each)."""
    _expected.update(name for name in names if _is_name(name))


def show(name: str, look: Look) -> Unit:
    """Ask systemd about a unit. Raises Undecided when systemd does not answer."""
    if not _is_name(name):
        raise Undecided("%r is no unit name" % name[:60])
    said_at, properties = _answers.get(name, (0.0, {}))
    if not properties or time.monotonic() - said_at > _FRESH_S:
        properties = _ask(name, look)
    try:
        pid = int(properties.get("MainPID", "0"))
    except ValueError:
        pid = 0
    return Unit(name, properties, pid)


def _is_name(name: str) -> bool:
    return bool(name) and not name.startswith("-") and not any(sign in name for sign in "*?[")


def _ask(name: str, look: Look) -> Dict[str, str]:
    """Ask about a unit and about those that are expected as well; where systemd minds one of them, about this one alone."""
    names = [name, *sorted(_expected - {name})]
    asked_at = time.monotonic()
    done = look.run(["systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", *names])
    blocks = done.stdout.strip("\n").split("\n\n")
    if len(names) > 1 and (done.rc != 0 or len(blocks) != len(names)):
        done = look.run(["systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", name])
        names, blocks = [name], [done.stdout]
    if done.rc != 0:
        raise Undecided("systemd did not answer about %s: %s" % (name[:60], done.stderr.strip()[:120]))
    found = {one: _properties(block) for one, block in zip(names, blocks)}
    _answers.update({one: (asked_at, answer) for one, answer in found.items() if one in _expected})
    return found[name]


def _properties(block: str) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for line in block.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found[key] = value if key not in found else found[key] + "\n" + value
    return found


def conditions(unit: Unit) -> List[str]:
    """Return the command lines of the conditions that can stop a start (those whose failure is ignored are left out)."""
    found = []
    for line in unit.properties.get("ExecCondition", "").splitlines():
        fields = dict(part.strip().split("=", 1) for part in line.strip("{ }").split(" ; ") if "=" in part)
        if fields and fields.get("ignore_errors", "no").strip() == "no":
            found.append(fields.get("argv[]", "").strip())
    return [one for one in found if one]


def read(pid: int, name: str) -> Optional[bytes]:
    """Return a file of /proc/<pid>, None when the process is gone. Raises Undecided when it may not be read."""
    try:
        with open("%s/%d/%s" % (PROC, pid, name), "rb") as handle:
            return handle.read(1 << 20)
    except PermissionError:
        raise Undecided("the process %d may not be looked into without root" % pid) from None
    except (FileNotFoundError, ProcessLookupError):
        return None


def environment(pid: int) -> Dict[str, str]:
    """Return the environment that a process was started with. Raises Undecided when it is gone."""
    raw = read(pid, "environ")
    if raw is None:
        raise Undecided("the process %d ended while it was looked at" % pid)
    pairs = (item.decode("utf-8", "replace").partition("=") for item in raw.split(b"\0") if b"=" in item)
    return {name: value for name, _, value in pairs}


def status(pid: int) -> Dict[str, str]:
    """Return the fields of /proc/<pid>/status. Raises Undecided when the process is gone."""
    raw = read(pid, "status")
    if raw is None:
        raise Undecided("the process %d ended while it was looked at" % pid)
    return {key: value.strip() for key, _, value in (line.partition(":") for line in raw.decode("utf-8", "replace").splitlines())}


def kilobytes(fields: Dict[str, str], name: str) -> int:
    """Return a memory field of status in kB. Raises Undecided when the kernel does not give it."""
    words = fields.get(name, "").split()
    if len(words) != 2 or not words[0].isdigit() or words[1] != "kB":
        raise Undecided("the kernel gives no %s for this process" % name)
    return int(words[0])


def age_s(pid: int) -> float:
    """Return the seconds since a process was started, by the kernel's own clock. Raises Undecided when it is gone."""
    raw = read(pid, "stat")
    if raw is None:
        raise Undecided("the process %d ended while it was looked at" % pid)
    try:
        started = int(raw.rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        with open("%s/uptime" % PROC, encoding="ascii") as handle:
            return max(0.0, float(handle.read().split()[0]) - started)
    except (OSError, ValueError, IndexError):
        raise Undecided("the kernel's start time of process %d cannot be read" % pid) from None


def link(pid: int, name: str) -> Optional[str]:
    """Return where a link of /proc/<pid> points, None when it cannot be told."""
    try:
        return os.readlink("%s/%d/%s" % (PROC, pid, name))
    except OSError:
        return None


def mapped(pid: int) -> List[str]:
    """Return the files that a process has mapped (its libraries), as the kernel names them."""
    raw = read(pid, "maps") or b""
    return sorted({line.split(None, 5)[5].decode("utf-8", "replace") for line in raw.splitlines() if line.count(b"/")})


def root_of(unit: Unit) -> str:
    """Return where the files of a unit's process are seen: through the process, or on the host when the unit has no root of its own.

    A host whose root may not trace processes (a container) refuses the first way.
    """
    place = "%s/%d/root" % (PROC, unit.pid)
    if os.access(place + "/etc", os.X_OK):
        return place
    if any(unit.properties.get(name) for name in ("RootDirectory", "RootImage", "BindPaths", "BindReadOnlyPaths")):
        raise Undecided("the file system of %s cannot be looked at" % unit.name)
    return ""


def processes() -> List[int]:
    """Return the ids of all processes."""
    return sorted(int(name) for name in os.listdir(PROC) if name.isdigit())
