"""file: mode, owner, size, age and content of files, their rotation and who writes to them, as the kernel says."""

from __future__ import annotations

import glob as globbing
import grp
import json
import os
import pwd
import re
import stat
import sys
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from ..canonical import file_digest
from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 10
ASK = {
    "path": "str; optional; one absolute path (one of path, paths and glob must be named)",
    "paths": "list of str; optional; absolute paths that should all be there",
    "glob": "str; optional; absolute pattern, may match nothing",
    "content_matches": "str; optional; regular expression, counted over the lines of at most 1 MiB of each file",
    "digest": "bool; optional; also sha256 of each file",
    "writer_unit": "str; optional; systemd unit that should be writing to `current`",
    "current": "str; optional; the file that the writer should hold open",
    "generations_of": "str; optional; count the rotated generations of this file",
}
FACTS = {
    "exists": "bool; every path that was named, or at least one match",
    "count": "int; regular files found",
    "missing": "list of str; of path or paths",
    "directory_exists": "bool; of the first path or the glob",
    "mode": "str; octal, four digits; of the only file",
    "owner": "str; of the only file",
    "group": "str; of the only file",
    "size": "int; bytes; of the only file",
    "sha256": "str; of the only file",
    "modes": "list of str; distinct",
    "owners": "list of str; distinct, as owner:group",
    "as_named": "list of str; mode and owner:group of each of path or paths, in their order; absent where there is none",
    "max_size": "int; bytes",
    "total_size": "int; bytes",
    "newest_age_s": "number; since the last change of the youngest file",
    "oldest_age_s": "number",
    "digests": "list of str; sha256, sorted by path",
    "matches": "int; lines that match content_matches",
    "rotated_generations": "int; files named <current>.<something> or <current>-<something>",
    "writer_follows": "bool; the unit's main process or a child holds the file open that lies at `current` now",
    "writer_running": "bool",
    "not_regular": "list of str; links, directories, devices among what matched",
}
_READ_CAP = 1 << 20
_FILES_CAP = 500
_FDS_CAP = 5000
_LIST = """import json, os, sys
folder, found = "/proc/%s/fd" % sys.argv[1], []
for name in os.listdir(folder)[:5000]:
    try:
        about = os.stat("%s/%s" % (folder, name))
    except FileNotFoundError:
        continue
    found.append([about.st_dev, about.st_ino])
print(json.dumps(found))
"""


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Look at the files without changing their access times where the kernel lets us. Raises Undecided for what may not be read."""
    named = [str(one) for one in ask.get("paths") or ([ask["path"]] if ask.get("path") else [])]
    pattern = str(ask.get("glob") or "")
    if not named and not pattern:
        raise Undecided("the question names neither path, paths nor glob")
    for one in [*named, *([pattern] if pattern else [])]:
        if not one.startswith("/"):
            raise Undecided("%s is not an absolute path" % one[:80])
    found = [*named, *sorted(globbing.glob(pattern, recursive=False) if pattern else [])]
    if len(found) > _FILES_CAP:
        raise Undecided("%d files match, at most %d are looked at" % (len(found), _FILES_CAP))
    about = {path: _stat(path) for path in found}
    regular = {path: one for path, one in about.items() if one is not None and stat.S_ISREG(one.st_mode)}
    facts: Dict[str, Any] = {
        "count": len(regular),
        "missing": [path for path in named if about[path] is None],
        "not_regular": [path for path, one in about.items() if one is not None and not stat.S_ISREG(one.st_mode)],
        "directory_exists": os.path.isdir(os.path.dirname(found[0] if found else pattern)),
        "exists": bool(regular) and not any(about[path] is None for path in named),
        "total_size": sum(one.st_size for one in regular.values()),
        "modes": sorted({_mode(one) for one in regular.values()}),
        "owners": sorted({_owner(one) for one in regular.values()}),
        "as_named": ["%s %s" % (_mode(one), _owner(one)) if one is not None else "absent" for one in (about[path] for path in named)],
    }
    if regular:
        facts.update(_of_all(regular, look.now().timestamp()))
    if len(regular) == 1:
        facts.update(_of_one(next(iter(regular.values()))))
    _contents(ask, list(regular), facts)
    if ask.get("generations_of"):
        facts["rotated_generations"] = _generations(str(ask["generations_of"]))
    if ask.get("writer_unit"):
        facts.update(_writer(str(ask["writer_unit"]), str(ask.get("current") or ""), look))
    return Observed(facts, opportunities=len(regular))


def _stat(path: str) -> Optional[os.stat_result]:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise Undecided("%s cannot be looked at: %s" % (path[:200], exc.strerror)) from None
    except ValueError:
        raise Undecided("not a path") from None


def _mode(one: os.stat_result) -> str:
    return "%04o" % stat.S_IMODE(one.st_mode)


def _owner(one: os.stat_result) -> str:
    return "%s:%s" % (_name(pwd.getpwuid, one.st_uid, "pw_name"), _name(grp.getgrgid, one.st_gid, "gr_name"))


def _name(lookup: Any, number: int, field: str) -> str:
    try:
        return str(getattr(lookup(number), field))
    except KeyError:
        return str(number)  # an owner without a name is shown by its number


def _of_all(regular: Mapping[str, os.stat_result], now: float) -> Dict[str, Any]:
    ages = [max(0.0, now - one.st_mtime) for one in regular.values()]
    return {
        "max_size": max(one.st_size for one in regular.values()),
        "newest_age_s": round(min(ages), 3),
        "oldest_age_s": round(max(ages), 3),
    }


def _of_one(one: os.stat_result) -> Dict[str, Any]:
    owner, _, group = _owner(one).partition(":")
    return {"mode": _mode(one), "owner": owner, "group": group, "size": one.st_size}


def _contents(ask: Mapping[str, Any], paths: List[str], facts: Dict[str, Any]) -> None:
    if ask.get("content_matches"):
        try:
            pattern = re.compile(str(ask["content_matches"]).encode("utf-8"), re.MULTILINE)
        except re.error:
            raise Undecided("content_matches is not a regular expression") from None
        facts["matches"] = sum(1 for path in paths for _one in pattern.finditer(_head(path)))
    if ask.get("digest"):
        try:
            facts["digests"] = [file_digest(path) for path in sorted(paths)]
        except OSError as exc:
            raise Undecided("a file cannot be read: %s" % exc.strerror) from None
        if len(paths) == 1:
            facts["sha256"] = facts["digests"][0]


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read(_READ_CAP)
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path[:200], exc.strerror)) from None


def _generations(current: str) -> int:
    folder, name = os.path.split(current)
    try:
        names = os.listdir(folder)
    except OSError as exc:
        raise Undecided("%s cannot be listed: %s" % (folder[:200], exc.strerror)) from None
    return sum(1 for one in names if one.startswith((name + ".", name + "-")))


def _writer(unit: str, current: str, look: Look) -> Dict[str, Any]:
    """Tell whether a process of the unit holds the very inode that lies at `current`: a rotated file is another one."""
    if not re.match(r"[A-Za-z0-9:_.@-]+\Z", unit):
        raise Undecided("%s is not the name of a unit" % unit[:60])
    done = look.run(["systemctl", "show", "--property=ControlGroup", "--value", "--", unit])
    group = done.stdout.strip()
    pids = _pids(group) if done.rc == 0 and group else []
    facts: Dict[str, Any] = {"writer_running": bool(pids)}
    wanted = _stat(current) if current else None
    if pids and wanted is not None:
        facts["writer_follows"] = (wanted.st_dev, wanted.st_ino) in _held(pids, look)
    elif pids and current:
        facts["writer_follows"] = False  # the writer has no file to follow: it writes to one that was moved away
    return facts


def _pids(group: str) -> List[str]:
    found: List[str] = []
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"):
        for path in [root + group, *globbing.glob(globbing.escape(root + group) + "/*")]:
            try:
                with open(path + "/cgroup.procs", encoding="ascii") as handle:
                    found += handle.read().split()
            except (OSError, ValueError):
                continue
    return sorted(set(found))


def _held(pids: List[str], look: Look) -> Set[Tuple[int, int]]:
    """Return (device, inode) of every file that the processes have open.

    Root without the right to trace (a container) may not look; the processes' own user may. Raises Undecided when nobody may.
    """
    found: Set[Tuple[int, int]] = set()
    for pid in pids:
        try:
            found |= _open_files(pid)
        except PermissionError:
            found |= _open_files_as_owner(pid, look)
        except OSError:
            continue  # it has ended meanwhile
    return found


def _open_files(pid: str) -> Set[Tuple[int, int]]:
    found = set()
    folder = "/proc/%s/fd" % pid
    for name in os.listdir(folder)[:_FDS_CAP]:
        try:
            about = os.stat("%s/%s" % (folder, name))
        except FileNotFoundError:
            continue
        found.add((about.st_dev, about.st_ino))
    return found


def _open_files_as_owner(pid: str, look: Look) -> Set[Tuple[int, int]]:
    owner = _name(pwd.getpwuid, os.stat("/proc/%s" % pid).st_uid, "pw_name")
    done = look.run([sys.executable or "python3", "-ISc", _LIST, pid], user=owner)
    try:
        rows: Any = json.loads(done.stdout)
        return {(int(device), int(inode)) for device, inode in rows}
    except (ValueError, TypeError):
        raise Undecided("which files the writer has open may not be seen on %s" % look.host) from None
