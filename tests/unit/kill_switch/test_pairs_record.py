"""The committed record of all pairs of faults: complete, green, and of this very kill switch."""
from __future__ import annotations

import json

from tests.integration.kill_switch import pairs

HOW = "run python -m tests.integration.kill_switch.pairs, which takes up where it ended"


def test_every_pair_was_run_against_this_kill_switch_and_none_is_red() -> None:
    assert pairs.RECORD.exists(), HOW
    record = json.loads(pairs.RECORD.read_text(encoding="utf-8"))
    assert record["digest"] == pairs.digest(), "the kill switch or its faults changed; " + HOW
    run = {pairs.case(one) for one in record["results"]}
    assert set(pairs.runs()) - run == set(), HOW
    assert [one for one in record["results"] if one["wrong"]] == []
