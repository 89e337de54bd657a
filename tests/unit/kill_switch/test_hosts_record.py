"""What is run on lab hosts, and that the record of it is of this switch."""
from __future__ import annotations

from tests.integration.kill_switch import hosts, pairs


def test_every_fault_runs_alone_on_hosts_at_both_venues() -> None:
    alone = {(names[0], venue) for names, venue, _policy in hosts.runs() if len(names) == 1}
    assert alone == {(name, venue) for name in pairs.FAULTS for venue in ("kraken", "binance_usdm")}
    assert len([one for one in hosts.runs() if len(one[0]) == 2]) == hosts.PAIRS
    assert set(hosts.HERE) <= set(pairs.FAULTS)
