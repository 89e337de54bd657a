"""Today's slice of the campaign, in the world that needs no host: other breaks each day. `make prove` runs all of them."""
from __future__ import annotations

import random
from datetime import UTC, datetime

from .harness import registry, trial
from .harness.controller import Controller
from .harness.trial import Named

SEED = datetime.now(UTC).strftime("%Y%m%d")
SLICE = 5


def todays() -> list[Named]:
    every = [(name, number, one) for name in registry.names() for number, one in enumerate(registry.trials(name))]
    return random.Random(SEED).sample([one for one in every if one[2].world == "controller"], SLICE)


def test_the_breaks_of_today_turn_exactly_what_they_declare() -> None:
    world = Controller()
    try:
        outcomes = trial.chain(world, todays(), SEED)
    finally:
        world.close()
    assert {f"{one.fault}/{one.number}": one.problem or "not healed" for one in outcomes if not one.proven} == {}
