"""code_references: does the code that is deployed name what belongs to another system?

Every file that is text is read, in any case of letters; the files of the guard, which has to name what it refuses, are told apart. Source
proves nothing about what runs (a path can be put together), so this stands beside what the kernel says. A word that must be found shows
that the right code was read.
"""
from __future__ import annotations

import os
from typing import Any, Dict, Iterator, Mapping, Optional

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 60
ASK = {
    "paths": "list of str; required; folders of the deployed code",
    "words": "list of str; required; what may not be named, in any case of letters",
    "allowed": "list of str; optional; files that may (the guard), as their path ends",
    "control": "str; required; a word that this code names",
}
FACTS = {
    "references": "list of str; FILE:LINE that names one of the words",
    "allowed_references": "int; lines of the allowed files that do",
    "control_found": "bool",
    "files": "int; text files that were read",
}
_CAP_FILE, _CAP_FILES = 4 << 20, 50_000
_LEFT_OUT = ("__pycache__", ".git")


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Return where the words stand. Raises Undecided where code is missing or too large to be read whole."""
    del look
    words = [str(one).lower().encode() for one in ask["words"] if str(one)]
    allowed = tuple("/" + str(one).lstrip("/") for one in ask.get("allowed") or [])
    control = str(ask["control"]).lower().encode()
    if not words or not control:
        raise Undecided("no word is asked for")
    facts: Dict[str, Any] = {"references": [], "allowed_references": 0, "control_found": False, "files": 0}
    for folder in ask["paths"]:
        if not os.path.isdir(str(folder)):
            raise Undecided("there is no code at %s" % folder)
        for path in _files(str(folder)):
            data = _text(path)
            if data is None:
                continue
            facts["files"] += 1
            if facts["files"] > _CAP_FILES:
                raise Undecided("more than %d files lie below %s" % (_CAP_FILES, folder))
            facts["control_found"] = facts["control_found"] or control in data
            lines = ["%s:%d" % (path, number) for number, line in enumerate(data.split(b"\n"), 1) if any(one in line for one in words)] \
                if any(one in data for one in words) else []
            if allowed and path.endswith(allowed):
                facts["allowed_references"] += len(lines)
            else:
                facts["references"] += lines
    opportunities = int(facts["files"])
    facts["references"] = facts["references"][:100]
    return Observed(facts, opportunities=opportunities)


def _files(folder: str) -> Iterator[str]:
    def refuse(exc: OSError) -> None:
        raise Undecided("%s cannot be read: %s" % (exc.filename, exc.strerror))

    for path, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(one for one in folders if one not in _LEFT_OUT)
        yield from (os.path.join(path, one) for one in sorted(names))


def _text(path: str) -> Optional[bytes]:
    """Return the lower-case bytes of a file; None for one that is no text, or is gone. A link is read as what it leads to."""
    try:
        with open(path, "rb") as handle:
            data = handle.read(_CAP_FILE + 1)
    except OSError as exc:
        if os.path.islink(path):
            return None      # leads nowhere: no code
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror)) from None
    if b"\0" in data[:8192]:
        return None
    if len(data) > _CAP_FILE:
        raise Undecided("%s is too large to be read whole" % path)
    return data.lower()
