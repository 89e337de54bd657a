"""What the wanted packages need to run: a dependency that dpkg no longer holds breaks them, though they are themselves installed.

Read from dpkg's own database, because apt is asked only when something differs: it would cost a second for each set of a run.
Versions are left to apt; whether a name is there, or provided, is enough to see that something was taken away.
"""
from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, Sequence, Set

from .system import System

STATUS = "/var/lib/dpkg/status"
_FIELD = re.compile(r"^(Package|Status|Depends|Pre-Depends|Provides): *(.*)$", re.MULTILINE)
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")


def lacking(system: System, names: Sequence[str]) -> List[str]:
    """Return the packages that the installed ones of these names need, at any depth, and that nobody provides; sorted."""
    held = _database(system.read(STATUS) or "")
    there = {name for name, fields in held.items() if fields.get("Status", "").endswith(" ok installed")}
    providers: Dict[str, List[str]] = {}
    for name in there:
        for provided in _names(held[name].get("Provides", "")):
            providers.setdefault(provided, []).append(name)
    missing: Set[str] = set()
    seen: Set[str] = set()
    todo = [name for name in names if name in there]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for alternatives in _groups(held[name]):
            found = [one for wanted in alternatives for one in ([wanted] if wanted in there else providers.get(wanted, []))]
            if not found:
                missing.add(next((one for one in alternatives if one in held), alternatives[0]))
            todo += found
    return sorted(missing)


def _database(text: str) -> Dict[str, Mapping[str, str]]:
    """Return name -> fields. A package of two architectures is one: either of them serves."""
    found: Dict[str, Mapping[str, str]] = {}
    for block in text.split("\n\n"):
        fields = dict(_FIELD.findall(block))
        name = fields.get("Package")
        if name and not found.get(name, {}).get("Status", "").endswith(" ok installed"):
            found[name] = fields
    return found


def _groups(fields: Mapping[str, str]) -> Iterator[List[str]]:
    for field in ("Pre-Depends", "Depends"):
        for group in fields.get(field, "").split(","):
            names = [match.group(1) for match in map(_NAME.match, group.split("|")) if match]
            if names:
                yield names


def _names(listed: str) -> List[str]:
    return [match.group(1) for match in map(_NAME.match, listed.split(",")) if match]
