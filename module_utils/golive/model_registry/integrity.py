"""INTEGRITY: is the candidate exactly the files that its manifest names, of a kind that the profile allows, and signed where it must be?

Pure: judges what was seen of the files; `seen.py` looks at them.
"""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from . import contents, names
from .judgement import INTEGRITY, Judgement, limit, of
from .manifest import Declaration, File


class Seen(NamedTuple):
    """What was found of one file: how many bytes, their sha256, and what is in it (`contents.look`); None: it was not looked into."""

    path: str
    size: int
    sha256: str
    content: Optional[Mapping[str, Any]]


def judge(profile: Mapping[str, Any], listed: Sequence[File], seen: Sequence[Seen], declared: Declaration,
          signers: Optional[Sequence[str]], unsigned: Optional[str] = None) -> Judgement:
    """Return the judgement. `signers` are the principals whose signature over the manifest holds, `unsigned` why one does not.

    Profile: `formats` (list of str), `allow_unsafe_formats` (list of str, default none), `signed` (bool), `max_bytes`, `max_files`,
    `archive_max_bytes`, `archive_max_entries`, `archive_max_ratio`.
    """
    by_path = {one.path: one for one in seen}
    problems: List[str] = []
    if len(listed) > limit(profile, "max_files"):
        problems.append("has %d files, at most %d are allowed" % (len(listed), limit(profile, "max_files")))
    total = sum(one.size for one in listed)
    if total > limit(profile, "max_bytes"):
        problems.append("has %d bytes, at most %d are allowed" % (total, limit(profile, "max_bytes")))
    for surplus in sorted(set(by_path) - {one.path for one in listed}):
        problems.append("%s is there and not in the manifest" % surplus)
    for one in listed:
        problems += _same(one, by_path.get(one.path))
    wanted = {*declared.files, names.DECLARATION}
    present = {one.path for one in listed}
    problems += ["%s is declared and not there" % path for path in sorted(wanted - present)]
    problems += ["%s is not declared" % path for path in sorted(present - wanted)]
    formats = profile.get("formats")
    if not isinstance(formats, list) or not formats:
        raise KeyError("formats")
    if declared.format not in formats:
        problems.append("the format %s is not one that the profile allows (%s)" % (declared.format, ", ".join(map(str, formats))))
    for path in declared.files:
        if path in by_path:
            problems += _content(profile, declared.format, by_path[path])
    if profile.get("signed") is True and not signers:
        problems.append("is not signed by anyone who may: %s" % (unsigned or "there is no signature over its manifest"))
    elif unsigned is not None:
        problems.append("carries a signature that does not hold: %s" % unsigned)
    facts: Dict[str, Any] = {"files": len(listed), "bytes": total, "format": declared.format, "signers": sorted(signers or [])}
    return of(INTEGRITY, problems, facts)


def _same(listed: File, seen: Optional[Seen]) -> List[str]:
    if seen is None:
        return ["%s is missing" % listed.path]
    if seen.size != listed.size:
        return ["%s has %d bytes, its manifest says %d" % (listed.path, seen.size, listed.size)]
    if seen.sha256 != listed.sha256:
        return ["%s is not the file of the manifest: found %s, expected %s" % (listed.path, seen.sha256[:19], listed.sha256[:19])]
    return []


def _content(profile: Mapping[str, Any], declared: str, seen: Seen) -> List[str]:
    if seen.content is None:
        return ["%s was not looked into" % seen.path]
    kind, problems = seen.content["kind"], []
    unsafe = profile.get("allow_unsafe_formats") or []
    if kind in contents.UNSAFE and kind not in unsafe:
        problems.append("%s is a %s: opening it runs code, and the profile does not allow that" % (seen.path, kind))
    elif seen.content["problem"]:
        problems.append("%s %s" % (seen.path, seen.content["problem"]))
    elif kind != declared and not (kind in contents.UNSAFE and kind in unsafe):
        problems.append("%s holds %s, declared is %s" % (seen.path, kind, declared))
    return problems + _archive(profile, seen)


def _archive(profile: Mapping[str, Any], seen: Seen) -> List[str]:
    found = (seen.content or {}).get("archive")
    if found is None:
        return []
    problems = []
    if found["broken"]:
        problems.append("%s is an archive that cannot be read: %s" % (seen.path, found["broken"]))
    if found["unsafe"]:
        problems.append("%s would unpack outside of its folder: %s" % (seen.path, found["unsafe"][0]))
    if found["entries"] > limit(profile, "archive_max_entries"):
        problems.append("%s is an archive with more than %d entries" % (seen.path, limit(profile, "archive_max_entries")))
    most, ratio = limit(profile, "archive_max_bytes"), limit(profile, "archive_max_ratio")
    if found["unpacked"] > most or found["unpacked"] > ratio * max(1, seen.size):
        problems.append("%s would unpack to %d bytes (a bomb), at most %d and %g times its size are allowed" % (
            seen.path, found["unpacked"], most, ratio))
    return problems
