"""All faults that have a file, and all that the catalogue names."""
from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from . import compiled
from .fault import Fault

FOLDER = Path(__file__).parents[1]
NOT_FAULTS = {"__init__", "bypass", "proof_page", "prove"}


def names() -> list[str]:
    """Return the names of all fault files, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in NOT_FAULTS and not path.stem.startswith("test_"))


@cache
def trials(name: str) -> tuple[Fault, ...]:
    """Return the trials of a fault file."""
    found = importlib.import_module(f"tests.faults.{name}").TRIALS
    return tuple(found)


def named_by_catalogue() -> dict[str, set[str]]:
    """Return fault -> the controls that name it."""
    found: dict[str, set[str]] = {}
    for control, one in compiled.controls().items():
        for fault in one["faults"]:
            found.setdefault(fault, set()).add(control)
    return found
