"""A secret of the store is a default."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab

REFERENCE = "vault:kv/kraken-micro/alerts/receiver#token"


def _break(world: Lab) -> None:
    world.kept["weak"] = world.value(REFERENCE)
    world.values[REFERENCE] = "changeme"


def _confirm(world: Lab) -> str:
    if len(world.values[REFERENCE]) > 8:
        raise NotTaken("the plan carries the store's own")
    return "the plan carries a word of eight letters"


def _heal(world: Lab) -> None:
    world.values[REFERENCE] = world.kept.pop("weak")


TRIALS = (
    Fault("lab", "store", red("secrets.strength"), _break, _confirm, _heal),
)
