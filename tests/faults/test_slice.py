"""Today's slice of the campaign, in the world that needs no host: other breaks each day. `make prove` runs all of them."""
from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from .harness import registry, trial
from .harness.controller import Controller
from .harness.trial import Named
from .mutate import judgement, records

SEED = datetime.now(UTC).strftime("%Y%m%d")
SLICE = 5
MUTANTS = 10


def todays() -> list[Named]:
    every = [(name, number, one) for name in registry.names() for number, one in enumerate(registry.trials(name))]
    return random.Random(SEED).sample([one for one in every if one[2].world == "controller"], SLICE)


@pytest.mark.timeout(1200)  # seconds of CPU; a loaded machine gets its time
def test_the_breaks_of_today_turn_exactly_what_they_declare() -> None:
    world = Controller()
    try:
        outcomes = trial.chain(world, todays(), SEED)
    finally:
        world.close()
    assert {f"{one.fault}/{one.number}": one.problem or "not healed" for one in outcomes if not one.proven} == {}


def test_changed_records_of_today_are_not_judged_green() -> None:
    world = Controller()
    try:
        made = [records.mutant(world, SEED, number) for number in range(MUTANTS)]
    finally:
        world.close()
    assert [one for one in made if one[2] == "pass"] == []


def test_no_small_lie_about_a_fact_is_judged_green() -> None:
    count, never_green, survivors = judgement.campaign()
    assert (never_green, survivors) == ([], [])
    assert count > 3000
