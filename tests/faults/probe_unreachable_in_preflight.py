"""A probe of the list's first phase could not look: undecided is not green."""
from __future__ import annotations

from .harness import compiled
from .harness.run_breaks import verdict_is

LINES = set(compiled.bound().values["phase_one_lines"])
BLIND = sorted(control for section in compiled.plain()["checklist"] for item in section["items"] if LINES & set(item["seed"])
               for control in item["controls"] if control in compiled.automated())[0]
TRIALS = (verdict_is(BLIND, {"verdict": "undecided"}, "gate.phase_green"),)
