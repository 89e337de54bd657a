"""The profile: a system's numbers and switches, bound once, before the first contact with a target (M15)."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from . import canonical
from .errors import CompileError, GoliveError

REFERENCE = re.compile(r"\$([a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*)")
SUBJECT_WORDS = frozenset({"subject", "subject_address"})
REAL_DAY = 86400


@dataclass(frozen=True)
class Profile:
    """Frozen values by name; `scaled` holds the original of every waiting time that a rehearsal shortened."""

    values: dict[str, Any]
    scaled: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return what is written into the run directory."""
        body = {"values": self.values, "scaled": self.scaled}
        return {**body, "digest": canonical.digest(body)}


def freeze(values: Mapping[str, Any], *, rehearsal: bool) -> Profile:
    """Bind a profile. In a rehearsal every name in `golive_waiting_times` is multiplied by golive_day_seconds/86400.

    Raises GoliveError for a scaled day in production, a waiting time that is no number, and an unresolved template.
    """
    bound = dict(values)
    for name, value in bound.items():
        if isinstance(value, str) and "{{" in value:
            raise GoliveError(f"profile variable {name} was not resolved", found=value[:60])
    day = bound.get("golive_day_seconds")
    if day is None:
        return Profile(bound, {})
    if not rehearsal:
        raise GoliveError("golive_day_seconds is set in production", found=day, todo="remove it: a real day has 86400 s")
    if not isinstance(day, (int, float)) or isinstance(day, bool) or not 0 < day <= REAL_DAY:
        raise GoliveError("golive_day_seconds is not a day", found=repr(day), expected="seconds between 0 and 86400")
    scaled: dict[str, Any] = {}
    for name in bound.get("golive_waiting_times") or []:
        value = bound.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise GoliveError(f"waiting time {name} is not a number", found=repr(value))
        scaled[name] = value
        bound[name] = float(Decimal(str(value)) * Decimal(str(day)) / REAL_DAY)
    return Profile(bound, scaled)


def references(value: Any) -> set[str]:
    """Return the names of the profile variables that an ask or an expectation refers to."""
    if isinstance(value, str):
        match = REFERENCE.fullmatch(value)
        return {match[1].split(".")[0]} - SUBJECT_WORDS if match else set()
    if isinstance(value, Mapping):
        return set().union(*(references(one) for one in value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*(references(one) for one in value)) if value else set()
    return set()


def resolve(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a value with each `$name` replaced. Raises GoliveError for a name that the profile does not have."""
    if isinstance(value, str):
        if value.startswith("$$"):
            return value[1:]
        match = REFERENCE.fullmatch(value)
        if not match or match[1] in SUBJECT_WORDS:
            return value
        found: Any = values
        for step in match[1].split("."):
            if not isinstance(found, Mapping) or step not in found or found[step] is None:
                raise GoliveError(f"unknown profile variable {match[1]}", todo="set it in the system's group_vars")
            found = found[step]
        return found
    if isinstance(value, Mapping):
        return {key: resolve(one, values) for key, one in value.items()}
    if isinstance(value, list):
        return [resolve(one, values) for one in value]
    return value


def from_files(inventory: Path, group: str) -> dict[str, Any]:
    """Return the variables as they stand in group_vars/all and group_vars/<group>, for compiling without Ansible."""
    merged: dict[str, Any] = {}
    for name in ("all", group):
        folder = inventory / "group_vars" / name
        files = sorted(folder.glob("*.yml")) if folder.is_dir() else [inventory / "group_vars" / f"{name}.yml"]
        for path in files:
            if not path.is_file():
                continue
            try:
                data = yaml.safe_load(path.read_text("utf-8")) or {}
            except (OSError, yaml.YAMLError) as exc:
                raise CompileError("is not YAML", where=str(path), found=str(exc).splitlines()[0]) from None
            merged.update(data)
    return merged
