"""The catalogue as a rehearsal of a system judges by it, without Ansible."""
from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from golive import compile as compiler
from golive import profile
from golive.session import ROOT

SYSTEM = "kraken-micro"


@cache
def bound() -> profile.Profile:
    """Return the frozen profile of a rehearsal: the values that need no template, which are all that the catalogue names."""
    values = profile.from_files(ROOT / "inventories" / SYSTEM, "rehearsal")
    return profile.freeze({name: one for name, one in values.items() if not (isinstance(one, str) and "{{" in one)}, rehearsal=True)


@cache
def controls() -> Mapping[str, Mapping[str, Any]]:
    """Return all compiled controls by id."""
    return compiler.compile_system(SYSTEM, bound()).controls


@cache
def plain() -> Mapping[str, Any]:
    """Return the whole compiled catalogue as a run freezes it."""
    return compiler.compile_system(SYSTEM, bound()).plain()


def automated() -> dict[str, Mapping[str, Any]]:
    """Return the controls that need a red proof: built, applied, and no person's statement."""
    return {name: one for name, one in controls().items() if one["built"] and not one["attest"]}
