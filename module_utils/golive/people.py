"""Who is who for a system: which enrolled keys are one person, which roles a person has, which machine may issue which evidence.

`signers/<system>/roles.yml` says it, once for production and once for rehearsals; the keys stand in `*.allowed_signers`.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ticket
from .errors import GoliveError

EVIDENCE_KINDS = ("ci", "drill", "ledger", "load", "venue")
_WORD = re.compile(r"[a-z][a-z_]{1,31}\Z")


@dataclass(frozen=True)
class People:
    """`persons`: principal -> {person, roles}, as a host's policy holds it. `issuers`: principal -> kind of evidence."""

    rehearsal: bool
    persons: Mapping[str, Mapping[str, Any]]
    issuers: Mapping[str, str]

    def all(self) -> dict[str, Mapping[str, Any]]:
        """Return persons and issuers in one form: an issuer is a person of its own with the role `issuer:<kind>`."""
        return {**self.persons, **{name: {"person": name, "roles": [f"issuer:{kind}"]} for name, kind in self.issuers.items()}}


def load(path: Path, rehearsal: bool) -> People:
    """Return the people of one kind of run. Raises GoliveError for a name that stands for two, and for every unknown word."""
    import yaml  # noqa: PLC0415 (only the controller has it; a target that verifies signatures gets its people with the task)

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise GoliveError("the roles file cannot be read", where=path.name, found=type(exc).__name__) from None
    section = "rehearsal" if rehearsal else "production"
    if not isinstance(content, dict) or set(content) != {"production", "rehearsal"}:
        raise GoliveError("the roles file does not have its form", where=path.name, expected="the two keys production and rehearsal")
    part = content[section]
    if not isinstance(part, dict) or set(part) != {"people", "issuers"}:
        raise GoliveError("the roles file does not have its form", where=f"{path.name}: {section}",
                          expected="the two keys people and issuers")
    persons: dict[str, Mapping[str, Any]] = {}
    for person, entry in (part["people"] or {}).items():
        where = f"{path.name}: {section}.people.{person}"
        roles = _words(entry, "roles", where)
        for principal in _names(entry, "principals", where, rehearsal):
            if principal in persons:
                raise GoliveError("one name stands for two people", where=where, found=principal)
            persons[principal] = {"person": str(person), "roles": roles}
    issuers: dict[str, str] = {}
    for kind, principals in (part["issuers"] or {}).items():
        where = f"{path.name}: {section}.issuers.{kind}"
        if kind not in EVIDENCE_KINDS:
            raise GoliveError("not a kind of evidence", where=where, expected=", ".join(EVIDENCE_KINDS))
        for principal in _names({"principals": principals}, "principals", where, rehearsal):
            if principal in persons or principal in issuers:
                raise GoliveError("one key may not issue two kinds of evidence, nor be a person's", where=where, found=principal)
            issuers[principal] = kind
    return People(rehearsal, persons, issuers)


def policy(people: People, *, system: str, host: str, venue: str, mode: str, roles: list[str], release_link: str, config: str,
           runtime: str, positions: list[str] | None, max_clock_offset_s: float = 5) -> dict[str, Any]:
    """Return the policy of a bot's host, as role `bot` writes it to /etc/golive/arm/policy.json. Raises GoliveError if it is wrong."""
    built = {"format": 1, "system": system, "host": host, "rehearsal": people.rehearsal, "venue": venue, "people": mode, "roles": roles,
             "persons": {name: dict(entry) for name, entry in people.persons.items()}, "release_link": release_link, "config": config,
             "runtime": runtime, "positions": positions, "max_clock_offset_s": max_clock_offset_s}
    try:
        return ticket.parse_policy(ticket.encode(built))
    except ticket.Refused as exc:
        raise GoliveError(str(exc), where=f"policy of {host}") from None


def _words(entry: Any, key: str, where: str) -> list[str]:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, list) or not all(isinstance(one, str) and _WORD.match(one) for one in value):
        raise GoliveError(f"{key} is not a list of words", where=where, found=repr(value)[:80])
    return value


def _names(entry: Any, key: str, where: str, rehearsal: bool) -> list[str]:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, list) or not all(isinstance(one, str) and re.match(r"[A-Za-z0-9][A-Za-z0-9._@-]*\Z", one) for one in value):
        raise GoliveError(f"{key} is not a list of names as in allowed_signers", where=where, found=repr(value)[:80])
    for name in value:
        if name.startswith(ticket.LAB_PREFIX) != rehearsal:
            raise GoliveError("names of the lab begin with lab-, and only they", where=where, found=name)
    return value
