"""Since when is a stage armed, and is it decided: by the audit chain and by what was read, never by the bot's word."""
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from golive import ramp, stage
from golive.errors import Undecided

TICKET = {"stage": "day1", "release": {"artifact": "sha256:r"}, "key_fingerprint": "k", "epoch": 3}
STAGE = {"name": "day1", "daily_loss_quote": 10.0}
LEDGER = {"worst_day_loss": "4.2", "chain_intact": True, "unexplained_failures": 0}


def act(kind: str, minute: int, ticket: str = "t1", host: str = "bot", **changes: Any) -> list[dict[str, Any]]:
    at = f"2026-11-21T10:{minute:02d}:00Z"
    said = {"ticket": ticket, "release": "sha256:r", "stage": "day1", "key_fingerprint": "k", "epoch": 3, **changes}
    return [{"act": f"{kind}.begin", "subject": host, "at": at, "detail": said},
            {"act": f"{kind}.done", "subject": host, "at": at, "detail": {"ticket": ticket, "stage": said["stage"]}}]


def minute(lines: list[dict[str, Any]]) -> int:
    found = stage.began(lines, "bot", TICKET)
    assert found == datetime(2026, 11, 21, 10, found.minute, tzinfo=UTC)
    return found.minute


def test_a_stage_begins_with_its_first_ticket_and_a_renewal_goes_on_with_it() -> None:
    assert minute(act("arm", 1) + act("arm", 9, "t2")) == 1


@pytest.mark.parametrize("changes", [{"stage": "day3"}, {"release": "sha256:x"}, {"key_fingerprint": "z"}, {"epoch": 2}])
def test_another_stage_release_key_or_a_kill_in_between_begins_it_anew(changes: dict[str, Any]) -> None:
    assert minute(act("arm", 1) + act("arm", 4, "t2", **changes) + act("arm", 9, "t3")) == 9


def test_a_disarming_ends_it_and_another_host_does_not() -> None:
    ended = [{"act": "disarm.done", "subject": "bot", "at": "", "detail": {"ticket": "t1"}}]
    assert minute(act("arm", 1) + ended + act("arm", 9, "t2")) == 9
    assert minute(act("arm", 1) + act("arm", 5, "t5", host="bot2", stage="day3")) == 1


@pytest.mark.parametrize("lines", [[], act("arm", 1)[:1], act("arm", 1, stage="day3"), act("arm", 1)[1:]])
def test_without_the_act_in_the_chain_nothing_is_known(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(Undecided, match="does not tell"):
        stage.began(lines, "bot", TICKET)


def test_alerts_count_from_the_first_open_gate_of_live_behind_the_act() -> None:
    def gate(minute: int, phase: str = "live", *, is_open: bool = True) -> dict[str, Any]:
        return {"act": "gate", "subject": phase, "at": f"2026-11-21T10:{minute:02d}:00Z", "detail": {"open": is_open}}

    since = datetime(2026, 11, 21, 10, 5, tzinfo=UTC)
    lines = [gate(4), gate(6, "signoff"), gate(7, is_open=False), gate(8), gate(9)]
    assert stage.released(lines, since).minute == 8
    assert stage.released(lines[:3], since) == since


def record(**changes: Any) -> dict[str, Any]:
    given = {"number": 2, "stage": STAGE, "days": 2.5, "ledger": LEDGER, "fills": 12, "alerts": 0, "signers": 2, "signers_min": 2}
    return stage.payload(**{**given, **changes})


def lifts(payload: dict[str, Any]) -> bool:
    facts = {"passed": payload["passed"], "opportunities": payload["opportunities"],
             **{f"result.{name}": value for name, value in payload["result"].items()}}
    return not ramp.undecided("day1", facts, 2, 10)


def test_a_quiet_stage_lifts_the_next_one() -> None:
    assert record()["name"] == "ramp_stage_2"
    assert lifts(record())


@pytest.mark.parametrize("changes", [
    {"ledger": {**LEDGER, "worst_day_loss": "10.01"}}, {"ledger": {**LEDGER, "chain_intact": False}},
    {"ledger": {**LEDGER, "unexplained_failures": 1}}, {"alerts": 1}, {"signers": 1}, {"days": 1.9}, {"fills": 9},
    {"red": ["ledger.trail"]}])
def test_a_breach_an_alert_a_missing_signature_and_too_little_of_it_do_not(changes: dict[str, Any]) -> None:
    assert not lifts(record(**changes))


@pytest.mark.parametrize(("changes", "counts"), [
    ({}, True), ({"verdict": "undecided"}, False), ({"verdict": "pass"}, False), ({"severity": "medium"}, False),
    ({"control": "b"}, False)])
def test_what_is_decided_in_a_stage_and_is_red_is_a_breach(changes: dict[str, Any], counts: bool) -> None:
    verdict = {"control": "a", "verdict": "fail", "severity": "high", **changes}
    assert stage.red([verdict], {"a": {"decided_in": "stage"}, "b": {"decided_in": "before"}}) == (["a"] if counts else [])
    reads_itself = {"a": {"decided_in": "stage", "ask": {"name": "ramp_stage_2"}}}
    assert stage.red([{**verdict, "control": "a"}], reads_itself) == []


def test_profit_lifts_nothing() -> None:
    assert not lifts(record(fills=9, ledger={**LEDGER, "net_profit": "1000"}))
