"""Faults of a kill on lab hosts: a few in `make test`'s slice; `make prove` runs what its record lacks."""
from __future__ import annotations

import json
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


def test_every_fault_runs_alone_on_hosts_at_both_venues() -> None:
    alone = {(names[0], venue) for names, venue, _policy in hosts.runs() if len(names) == 1}
    assert alone == {(name, venue) for name in pairs.FAULTS for venue in ("kraken", "binance_usdm")}
    assert len([one for one in hosts.runs() if len(one[0]) == 2]) == hosts.PAIRS
    assert set(hosts.HERE) <= set(pairs.FAULTS)


def test_the_record_is_of_this_switch_on_these_hosts_and_has_no_red_case() -> None:
    record = json.loads(hosts.RECORD.read_text())
    assert record["digest"] == hosts.digest(), "run python -m tests.integration.kill_switch.hosts and commit its record"
    assert record["red"] == 0
    assert {pairs.case(one) for one in record["results"]} == set(hosts.runs())
