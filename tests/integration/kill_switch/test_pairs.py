"""Pairs of faults against the real rehearsal exchange: a seeded few in `make test`; `make prove` runs what its record lacks."""
from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests.integration.kill_switch import pairs

SLICE = 2


@pytest.mark.timeout(14400)
def test_a_kill_under_two_faults_ends_as_the_profile_wants_or_says_what_is_naked(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--full"):
        done = {pairs.case(one) for one in pairs.recorded(pairs.digest()) if not one["wrong"]}
        chosen = [one for one in pairs.runs() if one not in done]
    else:
        chosen = random.Random(datetime.now(UTC).strftime("%Y%m%d")).sample(pairs.runs(), SLICE)
    results = pairs.campaign(1, chosen)
    assert len(results) == len(chosen)
    assert [one for one in results if one["wrong"]] == []


def test_a_kill_that_leaves_an_entry_or_lies_is_red() -> None:
    class World:
        policy = "flatten"

        def entries_left(self) -> int:
            return 1

        def positions(self) -> dict[str, tuple[float, float]]:
            return {"SHIB": (600000.0, 600000.0)}

    said = pairs.judge(World(), {"state": "flat", "fenced": True, "troubles": []})
    assert len(said) == 4
