"""backup: the newest set of backups: age, completeness, whether it equals what runs, whether it is encrypted and cannot be changed."""

from __future__ import annotations

import array
import fcntl
import json
import os
import re
import stat
from typing import Any, Dict, List, Mapping, Optional

from ..canonical import file_digest, parse_utc
from ..errors import GoliveError, Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 20
ASK = {
    "directory": "str; required; where the backups lie",
    "set": "str; required; name of the set",
    "sources": "list of str; optional; files whose present content the newest backup must hold",
}
FACTS = {
    "exists": "bool; a whole backup of the set is there",
    "age_s": "number; since the newest one was taken",
    "complete": "bool; every file of its manifest is there with its size and digest",
    "encrypted": "bool; every archive is an age or OpenPGP file",
    "matches_current": "bool; every source has the digest that the manifest holds for it",
    "changed": "list of str; sources that differ from the backup",
    "count": "int; whole backups of the set",
    "bytes": "int; size of the newest one",
    "append_only": "bool; the kernel refuses to delete in the directory (file attribute a or i)",
    "writable_by_others": "bool; anybody but the owner may write the directory or a file of the newest backup",
    "problem": "str; what is wrong with the newest one",
}
_MANIFEST = re.compile(r"(?P<set>[a-z0-9_]+)-(?P<stamp>[0-9]{8}T[0-9]{6}Z)\.manifest\.json\Z")
_MAGIC = (
    b"age-encryption.org/v1",
    b"-----BEGIN AGE ENCRYPTED FILE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"\x85",
    b"\x84",
    b"\xc1",
    b"\xc3",
)
_FS_IOC_GETFLAGS, _IMMUTABLE, _APPEND = 0x80086601, 0x10, 0x20


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Look at the newest `<set>-<stamp>.manifest.json`.

    It holds `{"set", "at": UTC, "files": [{name, size, sha256}], "sources": {path: sha256}}`. Opportunities are the whole backups.
    """
    folder = str(ask["directory"])
    if not folder.startswith("/"):
        raise Undecided("%s is not an absolute path" % folder[:80])
    try:
        names = sorted(name for name in os.listdir(folder) if _belongs(name, str(ask["set"])))
    except FileNotFoundError:
        return Observed({"exists": False, "count": 0, "problem": "there is no directory %s" % folder[:120]}, opportunities=0)
    except OSError as exc:
        raise Undecided("%s cannot be listed: %s" % (folder[:120], exc.strerror)) from None
    if not names:
        return Observed({"exists": False, "count": 0, "problem": "there is no backup of the set"}, opportunities=0)
    manifest = _manifest(os.path.join(folder, names[-1]))
    try:
        at = parse_utc(manifest.get("at"))
    except GoliveError:
        raise Undecided("the newest manifest does not say when it was taken") from None
    facts: Dict[str, Any] = {"exists": True, "count": len(names), "age_s": round((look.now() - at).total_seconds(), 3)}
    facts.update(_files(folder, manifest))
    facts["writable_by_others"] = _loose(folder, manifest)
    facts["append_only"] = _kept(folder)
    if ask.get("sources"):
        facts.update(_current([str(one) for one in ask["sources"]], manifest))
    return Observed(facts, opportunities=len(names))


def _belongs(name: str, wanted: str) -> bool:
    match = _MANIFEST.match(name)
    return match is not None and match.group("set") == wanted


def _manifest(path: str) -> Dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            found: Any = json.loads(handle.read(1 << 20).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise Undecided("the newest manifest cannot be read: %s" % type(exc).__name__) from None
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, list) or not files or not all(_entry(one) for one in files):
        raise Undecided("the newest manifest does not have its form")
    return dict(found)


def _entry(one: Any) -> bool:
    """A name with a slash would lead out of the directory."""
    return (isinstance(one, dict) and re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", str(one.get("name"))) is not None
            and isinstance(one.get("size"), int) and isinstance(one.get("sha256"), str))  # fmt: skip


def _files(folder: str, manifest: Mapping[str, Any]) -> Dict[str, Any]:
    total, problem, encrypted = 0, "", True
    for one in manifest["files"]:
        path = os.path.join(folder, one["name"])
        try:
            about = os.lstat(path)
            if not stat.S_ISREG(about.st_mode) or about.st_size != one["size"] or file_digest(path) != one["sha256"]:
                problem = problem or "%s is not what was written" % one["name"]
            with open(path, "rb") as handle:
                encrypted = encrypted and handle.read(64).startswith(_MAGIC)
            total += about.st_size
        except FileNotFoundError:
            problem, encrypted = problem or "%s is missing" % one["name"], False
        except OSError as exc:
            raise Undecided("%s cannot be read: %s" % (one["name"], exc.strerror)) from None
    return {"complete": not problem, "problem": problem, "encrypted": encrypted, "bytes": total}


def _current(sources: List[str], manifest: Mapping[str, Any]) -> Dict[str, Any]:
    held = manifest.get("sources")
    held = held if isinstance(held, dict) else {}
    # Missing on both sides is no match: nothing was backed up of it.
    changed = [path for path in sources if held.get(path) is None or held[path] != _digest(path)]
    return {"matches_current": not changed, "changed": changed}


def _digest(path: str) -> Optional[str]:
    try:
        return file_digest(path)
    except FileNotFoundError:
        return None  # a source that is gone differs from every backup, and from a manifest that does not know it
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path[:120], exc.strerror)) from None


def _loose(folder: str, manifest: Mapping[str, Any]) -> bool:
    paths = [folder, *(os.path.join(folder, one["name"]) for one in manifest["files"])]
    return any(os.lstat(path).st_mode & 0o022 for path in paths if os.path.lexists(path))


def _kept(folder: str) -> bool:
    """Return whether the kernel itself refuses to delete in the directory: a read-only mount, or the attribute `a` or `i` (chattr)."""
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return True
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        flags = array.array("L", [0])
        fcntl.ioctl(handle, _FS_IOC_GETFLAGS, flags)
        return bool(flags[0] & (_IMMUTABLE | _APPEND))
    except OSError:
        return False  # a file system without attributes cannot refuse
    finally:
        os.close(handle)
