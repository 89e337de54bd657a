"""Every control of the registry has been seen red by each break that it names, and the record of it is of today's probes."""
from __future__ import annotations

import pytest
from golive import bundle

from tests.integration.model_registry import record
from tests.integration.model_registry.breaks import BREAKS
from tests.integration.model_registry.world import ELSEWHERE, controls
from tests.integration.rehearsal.test_downtime_drill import BREAKS as DOWNTIME_BREAKS

AT_A_VENUE = {"order_at_half_past_three": "ledger.no_orders_in_downtime", **dict.fromkeys(DOWNTIME_BREAKS, "downtime.orders_blocked")}


def test_every_break_that_a_control_names_is_written_and_no_other() -> None:
    named = {fault for one in controls().values() for fault in one.fields["faults"]}
    assert named == set(BREAKS) | set(AT_A_VENUE)
    assert set(AT_A_VENUE.values()) == ELSEWHERE


@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_a_break_is_named_by_a_control_that_it_turns_red(fault: str) -> None:
    naming = {name for name, one in controls().items() if fault in one.fields["faults"]}
    red = {name for name, verdict in BREAKS[fault].red.items() if verdict == "fail"}
    assert naming & red


@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_it_was_seen_on_a_host_with_today_s_probes(fault: str) -> None:
    proofs = {one["control"]: one for one in record.load()["proofs"] if one["fault"] == fault}
    assert {name: one["verdict"] for name, one in proofs.items()} == dict(BREAKS[fault].red), \
        "run pytest tests/integration/model_registry/test_controls.py, which writes the record"
    for one in proofs.values():
        assert one["probe_digest"] == bundle.probe(one["probe"]).digest, f"{one['probe']} has changed: run test_controls.py"
        assert one["watched"] == len(set(controls()) - ELSEWHERE), "not every control was observed"


def test_every_control_was_seen_red() -> None:
    red = {one["control"] for one in record.load()["proofs"] if one["verdict"] == "fail"}
    assert red | ELSEWHERE == set(controls())
