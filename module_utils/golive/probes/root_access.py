"""root_access: who can become root on a host: a second user 0, a member of a group that is as good as root, whom sudo lets act as others.

Reads passwd, group and sudoers with all it includes. What it cannot read in a rule it shows as it stands: an unknown word is a finding.
"""
from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Set

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 5
ASK = {"root": "str; optional; where the host's files begin, / by default"}
FACTS = {
    "users": "list of str; everybody who can become root or act as somebody else, sorted; a group nobody is in counts for nobody",
    "ways": "list of str; `user: way`, where way is `uid 0`, `group NAME` or `sudo FILE`",
}
#: a member reads the disk, starts a container or rewrites a password, and is root thereby
AS_GOOD_AS_ROOT = ("root", "sudo", "wheel", "admin", "docker", "lxd", "incus", "libvirt", "podman", "disk", "shadow", "kmem")
_INCLUDE = re.compile(r"[@#](include|includedir)\s+(\S.*)\Z")
_ALIAS = re.compile(r"([A-Z]\w*)_Alias\s+(.*)\Z")
_DEEPEST = 8


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Opportunities are the accounts of the host: each could have been one. Raises Undecided for what cannot be read."""
    root = str(ask.get("root") or "/")
    users = [line.split(":") for line in _lines(root, "/etc/passwd") if line.count(":") == 6]
    groups = {row[0]: row for row in (line.split(":") for line in _lines(root, "/etc/group")) if len(row) == 4}
    members = {name: _members(row, users) for name, row in groups.items()}
    ways: Dict[str, Set[str]] = {}
    for row in users:
        if row[2].strip() == "0":
            ways.setdefault(row[0], set()).add("uid 0")
    for name in AS_GOOD_AS_ROOT:
        for user in members.get(name, ()):
            ways.setdefault(user, set()).add("group %s" % name)
    rules = list(_rules(root, "/etc/sudoers", 0)) if os.path.exists(_at(root, "/etc/sudoers")) else []
    aliases = _aliases([text for _, text in rules])
    for path, text in rules:
        if not text.startswith("Defaults") and not _ALIAS.match(text):
            for user in _whom(_words(text.partition("=")[0])[:1], members, aliases, 0):
                ways.setdefault(user, set()).add("sudo %s" % path)
    told = ["%s: %s" % (user, way) for user in sorted(ways) for way in sorted(ways[user])]
    return Observed({"users": sorted(ways), "ways": told}, opportunities=len(users))


def _members(row: List[str], users: List[List[str]]) -> List[str]:
    return sorted({name for name in row[3].split(",") if name} | {user[0] for user in users if user[3] == row[2] and user[2] != "0"})


def _whom(words: List[str], members: Mapping[str, List[str]], aliases: Mapping[str, List[str]], depth: int) -> Iterator[str]:
    for word in words:
        for name in (one for one in word.split(",") if one):
            if name in aliases and depth < _DEEPEST:
                yield from _whom(aliases[name], members, aliases, depth + 1)
            elif name.startswith("%") and name[1:] in members:
                yield from members[name[1:]]
            elif not (name.startswith("%") and re.fullmatch(r"%[a-z_][\w-]*", name)):     # a group that is not there has no members
                yield name


def _words(text: str) -> List[str]:
    """Return the words of the left side of a rule; a list with spaces behind its commas is one word."""
    return re.sub(r"\s*,\s*", ",", text).split()


def _aliases(texts: List[str]) -> Dict[str, List[str]]:
    found: Dict[str, List[str]] = {}
    for text in texts:
        matched = _ALIAS.match(text)
        if matched and matched.group(1) == "User":
            for part in matched.group(2).split(":"):
                name, _, value = part.partition("=")
                found[name.strip()] = _words(value.strip())
    return found


def _rules(root: str, path: str, depth: int) -> Iterator[Any]:
    """Yield (file, logical line) of a sudoers file and of what it includes."""
    if depth > _DEEPEST:
        raise Undecided("sudoers includes itself at %s" % path)
    for line in _logical(_lines(root, path)):
        included = _INCLUDE.match(line)
        if included is None:
            text = re.sub(r"(^|\s)#(?!\d).*", "", line).strip()
            if text:
                yield path, text
            continue
        target = included.group(2).strip().strip('"')
        target = target if target.startswith("/") else os.path.join(os.path.dirname(path), target)
        if included.group(1) == "include":
            yield from _rules(root, target, depth + 1)
        elif os.path.isdir(_at(root, target)):
            for name in sorted(os.listdir(_at(root, target))):
                if "." not in name and not name.endswith("~"):      # as sudo itself reads a directory
                    yield from _rules(root, "%s/%s" % (target, name), depth + 1)


def _logical(lines: List[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        held += line
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        yield held.strip()
        held = ""
    if held.strip():
        yield held.strip()


def _lines(root: str, path: str) -> List[str]:
    try:
        with open(_at(root, path), encoding="utf-8", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror or type(exc).__name__)) from None


def _at(root: str, path: str) -> str:
    return path if root == "/" else root.rstrip("/") + path
