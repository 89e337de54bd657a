"""What the files of a host will be once the earlier tasks of a dry run were real: their predictions laid over what is there now.

A running process is stale when that differs from what it loaded, not because something changes: a file that somebody changed and that
golive sets back is again what the process has. Secrets are told without their digest; of them only who loaded the same one is known.
"""
from __future__ import annotations

import fnmatch
import os
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_CONTENT = re.compile(r"sha256:[0-9a-f]{64}|other secret|secret")
_LOADED = re.compile(r", as (.+) loaded it\Z")
#: where a change is known and its outcome is not: equal to no digest
UNKNOWN = "?"
Digests = Callable[[Sequence[str]], Dict[str, str]]


def as_loaded_by(units: Sequence[str]) -> str:
    """Return the words by which a change of a secret says which units loaded the new content already."""
    return ", as %s loaded it" % " ".join(units) if units else ""


class Foreseen:
    """The predictions of one host for one unit: path -> digest, None for what will be gone, `UNKNOWN`; links; releases."""

    def __init__(self, changes: Sequence[Mapping[str, Any]], unit: str, loaded: Mapping[str, str]) -> None:
        self.files: Dict[str, Optional[str]] = {}
        self.links: Dict[str, Optional[str]] = {}
        self.releases: List[str] = []
        for change in changes:
            kind, _, path = str(change["object"]).partition(":")
            if kind == "link":
                self.links[path] = _target(path, change)
            elif kind == "release":
                self.releases.append(path)
            elif kind == "certificate" and change["op"] in ("create", "renew"):
                self.files[path] = UNKNOWN
            elif kind == "file" and content_changes(change):
                self.files[path] = _outcome(change, unit, loaded.get(path))

    def over(self, patterns: Sequence[str], digests: Digests) -> Dict[str, str]:
        """Return path -> digest of what the patterns will mean. `digests` reads what they mean now."""
        found: Dict[str, str] = {}
        for pattern in patterns:
            link = next((one for one in self.links if pattern == one or pattern.startswith(one + "/")), None)
            place = pattern if link is None else self._behind(link, pattern)
            if place is None:
                continue
            if any(place.startswith(one + "/") for one in self.releases):
                found[pattern] = UNKNOWN
                continue
            for path, digest in digests([place]).items():
                found[path if link is None else link + path[len(place) - len(pattern) + len(link):]] = digest
        for path, outcome in self.files.items():
            if any(_means(pattern, path) for pattern in patterns):
                found.pop(path, None)
                if outcome is not None:
                    found[path] = outcome
        return found

    def _behind(self, link: str, pattern: str) -> Optional[str]:
        target = self.links[link]
        return None if target is None else target + pattern[len(link):]


def content_changes(change: Mapping[str, Any]) -> bool:
    """Return whether a change of a file alters its content, not only mode or owner."""
    before, after = (_CONTENT.findall(str(change.get(side) or "")) for side in ("before", "after"))
    return not (change["op"] == "update" and bool(before) and before == after)


def _outcome(change: Mapping[str, Any], unit: str, loaded: Optional[str]) -> Optional[str]:
    if change["op"] == "delete":
        return None
    words = str(change.get("after") or "")
    digest, by = _DIGEST.search(words), _LOADED.search(words)
    if digest:
        return digest.group(1)
    return loaded if by and loaded and unit in by.group(1).split() else UNKNOWN


def _target(path: str, change: Mapping[str, Any]) -> Optional[str]:
    if change["op"] == "delete":
        return None
    return os.path.normpath(os.path.join(os.path.dirname(path), str(change.get("after") or "").partition("-> ")[2]))


def _means(pattern: str, path: str) -> bool:
    """Return whether a pattern means a path as the shell reads it: a star does not reach into a directory below."""
    return pattern.count("/") == path.count("/") and fnmatch.fnmatchcase(path, pattern)
