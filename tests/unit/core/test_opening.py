"""Opening questions: their answer stands while the bot is armed, and not one moment longer, nor on a record that was edited."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive import acts, opening, rundir
from golive.canonical import file_digest
from golive.exchange import ask

CONTROLS: dict[str, dict[str, Any]] = {"account.opening": {"opening": True}, "other.thing": {"opening": False},
                                       "key.rights": {"drift": "when_free"}, "key.born": {"drift": False}}
TICKET = "sha256:" + "a" * 64


def verdict(control: str = "account.opening", word: str = "pass", **changes: Any) -> dict[str, Any]:
    return {"control": control, "subject": "bot", "vantage": "target", "phase": "signoff", "verdict": word, "reason": "as wanted",
            "seen": {"positions": 0}, "at": "2026-11-21T10:00:00Z", "closes": word == "fail", **changes}


class World:
    """A system whose bot was armed by an earlier run, and a run that judges it now."""

    def __init__(self, reports: Path) -> None:
        self.before, self.now = rundir.RunDir.create(reports), rundir.RunDir.create(reports)
        self.judge(self.before, verdict())
        acts.note(self.before, "arm.done", "bot", {"ticket": TICKET})
        opening.keep(self.now, "bot", {"state": "valid", "digest": TICKET, "ticket": {"release": {}}})

    def judge(self, run: rundir.RunDir, *found: dict[str, Any]) -> None:
        path = run.write("signoff/gate.json", {"phase": "signoff", "verdicts": list(found)})
        acts.note(run, "gate", "signoff", {"digest": file_digest(str(path))})

    def asked(self, **changes: Any) -> dict[str, Any]:
        return opening.carried(self.now, CONTROLS, [verdict(word="fail", reason="positions is 1", **changes)])[0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "reports/s")


def test_what_was_green_before_the_arming_stays_green_while_the_ticket_is_in_force(world: World) -> None:
    found = world.asked()
    assert (found["verdict"], found["closes"]) == ("pass", False)
    assert found["reason"] == "seen before it was armed, 2026-11-21T10:00:00Z: as wanted"
    assert world.now.read("last_ticket.json") == {"release": {}}


def test_an_expired_ticket_is_still_the_one_that_positions_were_opened_under(world: World) -> None:
    opening.keep(world.now, "bot", {"state": "expired", "digest": TICKET, "ticket": None})
    assert world.asked()["verdict"] == "pass"


@pytest.mark.parametrize("shown", [{"state": "voided", "digest": TICKET}, {"state": "none", "digest": None},
                                   {"state": "valid", "digest": "sha256:" + "b" * 64}])
def test_after_a_kill_a_disarming_or_under_a_foreign_ticket_it_is_asked_anew(world: World, shown: dict[str, Any]) -> None:
    opening.keep(world.now, "bot", shown)
    assert (world.asked()["verdict"], world.asked()["closes"]) == ("fail", True)


def test_a_gate_record_that_was_edited_or_lost_carries_nothing(world: World) -> None:
    path = world.before.path / "signoff/gate.json"
    path.write_text(path.read_text() + " ")
    assert world.asked()["verdict"] == "fail"
    path.unlink()
    assert world.asked()["verdict"] == "fail"


def test_a_red_that_was_armed_over_is_not_turned_green(world: World) -> None:
    world.judge(world.before, verdict(word="fail"))
    assert world.asked()["verdict"] == "fail"


def test_an_edited_chain_carries_nothing(world: World) -> None:
    chain = world.now.path.parent / "audit.jsonl"
    lines = [json.loads(line) for line in chain.read_text().splitlines()]
    lines[0]["subject"] = "x"
    chain.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert world.asked()["verdict"] == "fail"


@pytest.mark.parametrize("changes", [{"control": "other.thing"}, {"subject": "bot2"}, {"vantage": "outside"}])
def test_other_questions_subjects_and_vantages_are_judged_as_they_are_seen(world: World, changes: dict[str, Any]) -> None:
    assert world.asked(**changes)["verdict"] == "fail"


@pytest.mark.parametrize("control", ["key.rights", "key.born"])
def test_what_cannot_be_asked_while_the_bot_runs_keeps_its_answer_and_what_is_seen_red_is_red(world: World, control: str) -> None:
    world.judge(world.before, verdict(control))
    taken = f"asking the venue {opening.NOT_FREE} bot-live.service is active"
    now = [verdict(control, word, reason=reason) for word, reason in (
        ("undecided", taken), ("undecided", "the venue did not answer"), ("fail", taken), ("pass", "as wanted"))]
    assert [one["verdict"] for one in opening.carried(world.now, CONTROLS, now)] == ["pass", "undecided", "fail", "pass"]
    assert opening.NOT_FREE in Path(ask.__file__).read_text("utf-8"), "the key check says it in other words by now"
    opening.keep(world.now, "bot", {"state": "none", "digest": None})
    assert opening.carried(world.now, CONTROLS, now) == now


def test_a_later_renewal_carries_it_on_with_the_first_time(world: World) -> None:
    world.judge(world.now, world.asked())
    acts.note(world.now, "arm.done", "bot", {"ticket": "sha256:" + "c" * 64})
    later = rundir.RunDir.create(world.now.path.parent)
    opening.keep(later, "bot", {"state": "valid", "digest": "sha256:" + "c" * 64})
    found = opening.carried(later, CONTROLS, [verdict(word="fail")])[0]
    assert (found["verdict"], found["reason"]) == ("pass", "seen before it was armed, 2026-11-21T10:00:00Z: as wanted")


@pytest.mark.parametrize(("before", "now", "outdated"), [
    ("valid", TICKET, False), ("expired", TICKET, False), ("valid", None, True), ("expired", "sha256:" + "b" * 64, True),
    ("none", None, False), ("none", TICKET, False), ("voided", None, False)])
def test_whoever_arms_learns_that_the_ticket_is_another_one_by_now(world: World, before: str, now: str | None, outdated: bool) -> None:
    opening.keep(world.now, "bot", {"state": before, "digest": TICKET if before in ("valid", "expired") else None})
    assert opening.outdated(world.now, "bot", {"digest": now}) is outdated
