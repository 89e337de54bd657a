"""Faults of a kill on lab hosts: a few in `make test`'s slice; `make prove` runs what its record lacks."""
from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests.integration.kill_switch import hosts, pairs

SLICE = 3


@pytest.mark.lab
@pytest.mark.timeout(14400)
def test_a_kill_on_hosts_ends_as_the_profile_wants_or_says_what_is_naked(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--full"):
        done = {pairs.case(one) for one in hosts.recorded(hosts.digest()) if not one["wrong"]}
        chosen = [one for one in hosts.runs() if one not in done]
    else:
        chosen = random.Random(datetime.now(UTC).strftime("%Y%m%d")).sample(hosts.runs(), SLICE)
    results = hosts.campaign(chosen)
    assert len(results) == len(chosen)
    assert [one for one in results if one["wrong"]] == []
