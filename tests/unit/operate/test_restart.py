"""A restart: entries begin again only after the bot came back as it was, and what somebody else stopped stays stopped."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from golive.operate import restart

POSITION = {"pair": "SHIB/USDT", "volume": "10", "price": "1", "opened_at": "2026-11-21T10:00:00Z", "stop": "s-1"}


class Bot:
    """A unit with a health page, as systemd and the bot would tell it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.result, self.pid = folder, "active", "success", 7
        self.positions: list[dict[str, Any]] = [dict(POSITION)]
        self.reconciled, self.forgets, self.starts = True, False, True

    def shown(self, _unit: str, name: str) -> str:
        return {"ActiveState": self.state, "Result": self.result, "MainPID": str(self.pid)}[name]

    def systemctl(self, verb: str, _unit: str) -> None:
        self.state = "active" if verb == "start" and self.starts else "inactive"
        if verb == "start":
            self.pid += 1
            self.positions = [] if self.forgets else self.positions

    def health(self, _url: str) -> dict[str, Any]:
        return {"pid": self.pid, "controls": {"no_entries": (self.folder / "no_entries").exists()}, "positions": self.positions,
                "latches": {"killed": False}, "day_profit": "0", "last_fill": {"seq": 5}, "reconciled": self.reconciled,
                "unresolved_orders": 0}


@pytest.fixture
def bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bot:
    made = Bot(tmp_path)
    monkeypatch.setattr(restart, "shown", made.shown)
    monkeypatch.setattr(restart, "systemctl", made.systemctl)
    monkeypatch.setattr(restart, "health", made.health)
    monkeypatch.setattr(restart, "control", lambda _instance: str(tmp_path / "no_entries"))
    for name in ("FOLLOW_S", "START_S"):
        monkeypatch.setattr(restart, name, 0.0)
    return made


def stopped(bot: Bot) -> bool:
    return (bot.folder / "no_entries").exists()


def test_entries_are_ended_before_the_restart_and_begin_after_it(bot: Bot) -> None:
    halted = restart.halt("wire", False, None)
    assert stopped(bot)
    again = restart.restart("wire", False, halted["before"])
    assert again["after"] == halted["before"]
    assert bot.pid == 8
    assert stopped(bot)
    assert restart.resume("wire", False, None) == {"changes": [restart.change(f"file:{bot.folder}/no_entries", "delete", "golive restart",
                                                                              None)], "kept": False}
    assert not stopped(bot)


def test_a_bot_that_forgot_its_position_opens_nothing_new(bot: Bot) -> None:
    before = restart.halt("wire", False, None)["before"]
    bot.forgets = True
    with pytest.raises(restart.Problem, match="positions"):
        restart.restart("wire", False, before)
    assert stopped(bot)


def test_a_bot_that_does_not_agree_with_the_venue_opens_nothing_new(bot: Bot) -> None:
    before = restart.halt("wire", False, None)["before"]
    bot.reconciled = False
    with pytest.raises(restart.Problem, match="does not agree with the venue"):
        restart.restart("wire", False, before)
    assert stopped(bot)


def test_a_bot_that_had_to_be_killed_is_not_started_again(bot: Bot) -> None:
    before = restart.halt("live", False, None)["before"]
    bot.result = "timeout"
    with pytest.raises(restart.Problem, match="entry order may lie at the venue"):
        restart.restart("live", False, before)
    assert bot.state == "inactive"
    assert stopped(bot)


def test_a_live_unit_without_a_ticket_is_named_as_not_started(bot: Bot) -> None:
    before = restart.halt("live", False, None)["before"]
    bot.starts = False
    with pytest.raises(restart.Problem, match="no valid ticket"):
        restart.restart("live", False, before)


def test_what_does_not_run_is_not_started(bot: Bot) -> None:
    bot.state = "inactive"
    with pytest.raises(restart.Problem, match="only what runs is restarted"):
        restart.halt("live", False, None)
    assert not stopped(bot)


def test_no_restart_without_the_step_before_it(bot: Bot) -> None:
    with pytest.raises(restart.Problem, match="begin with the step halt"):
        restart.restart("wire", False, None)
    assert bot.pid == 7


def test_what_the_guard_ended_stays_ended(bot: Bot) -> None:
    (bot.folder / "no_entries").write_text("guard\n")
    assert restart.halt("wire", False, None)["changes"] == []
    assert restart.resume("wire", False, None) == {"changes": [], "kept": True}
    assert stopped(bot)


def test_a_restart_that_was_cut_off_is_finished_by_the_next(bot: Bot) -> None:
    restart.halt("wire", False, None)
    assert restart.halt("wire", False, None)["changes"] == []
    restart.resume("wire", False, None)
    assert os.listdir(bot.folder) == []


def test_a_dry_run_predicts_and_touches_nothing(bot: Bot) -> None:
    halted = restart.halt("wire", True, None)
    told = [one["op"] for step in (halted, restart.restart("wire", True, halted["before"]), restart.resume("wire", True, None))
            for one in step["changes"]]
    assert told == ["create", "restart", "delete"]
    assert (bot.pid, stopped(bot)) == (7, False)


FLAT: dict[str, Any] = {"positions": [], "latches": {}, "day_profit": "1", "fill": 5}


def test_profit_of_an_open_position_may_move_and_a_closed_day_may_not() -> None:
    assert restart.differences(FLAT, {**FLAT, "day_profit": "0"}) == ["day_profit"]
    held = {**FLAT, "positions": [["a"]]}
    assert restart.differences(held, {**held, "day_profit": "0"}) == []


def test_a_stop_that_was_filled_meanwhile_is_no_difference_and_a_lost_fill_is() -> None:
    held = {**FLAT, "positions": [["a"]]}
    assert restart.differences(held, {**FLAT, "fill": 6}) == []
    assert restart.differences(held, {**held, "fill": 4}) == ["fills"]
    assert restart.differences(held, {**FLAT, "fill": 6, "latches": {"killed": True}}) == ["latches"]
