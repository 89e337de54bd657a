"""A result of CI is signed by the key of another issuer."""
from __future__ import annotations

import json

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files


def _confirm(world: Controller) -> str:
    found = next(world.evidence.glob("coverage-*.json"))
    kind, issuer = (json.loads(found.read_bytes())[name] for name in ("kind", "issuer"))
    if (kind, issuer) != ("ci", "lab-drill"):
        raise NotTaken(f"{found.name} is {kind} by {issuer}")
    return f"{found.name} is a record of CI, signed by {issuer}"


def _heal(world: Controller) -> None:
    for path in world.evidence.glob("coverage-*"):
        path.unlink()


TRIALS = (
    on_files(
        "record", lambda world: world.record("ci", "coverage", issuer="lab-drill"), _confirm, _heal, "evidence.issuers_separate",
    ),
)
