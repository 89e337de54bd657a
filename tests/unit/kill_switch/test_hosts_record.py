"""What is run on lab hosts, and that the record of it is of this switch."""
from __future__ import annotations

import json

from tests.integration.kill_switch import hosts, pairs


def test_every_fault_runs_alone_on_hosts_at_both_venues() -> None:
    alone = {(names[0], venue) for names, venue, _policy in hosts.runs() if len(names) == 1}
    assert alone == {(name, venue) for name in pairs.FAULTS for venue in ("kraken", "binance_usdm")}
    assert set(hosts.HERE) <= set(pairs.FAULTS)


def test_every_pair_runs_on_hosts_at_the_venue_that_loopback_did_not_choose() -> None:
    here = {(names, venue) for names, venue, _policy in hosts.runs() if len(names) == 2}
    there = {(names, venue) for names, venue, _policy in pairs.runs() if len(names) == 2}
    assert here | there == {(names, venue) for names in pairs.pairs() if len(names) == 2 for venue in ("kraken", "binance_usdm")}
    assert not here & there


def test_the_record_is_of_this_switch_complete_and_without_a_red_case() -> None:
    record = json.loads(hosts.RECORD.read_text(encoding="utf-8"))
    how = "run python -m tests.integration.kill_switch.hosts, which takes up where it ended"
    assert record["digest"] == hosts.digest(), how
    assert {pairs.case(one) for one in record["results"]} == set(hosts.runs()), how
    assert [one for one in record["results"] if one["wrong"]] == []
