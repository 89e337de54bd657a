"""The drill of the scheduled look: a change that is not named is not found, and it is put back whatever happens."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.rehearsal import inject_drift
from golive.rehearsal.inject_drift import PATH

WANTED = {"host": "bot", "object": f"file:{PATH}", "op": "update", "check": True}


class Bot:
    """The bot's host with one file."""

    name = "bot"

    def __init__(self, holds: bool = True) -> None:
        self.mode, self.holds, self.modes = "644", holds, list[str]()

    def need(self, *command: str) -> str:
        assert command[-1] == PATH
        if command[0] == "chmod":
            self.modes.append(command[1])
            self.mode = command[1] if self.holds else self.mode
        return self.mode + "\n"


def run(folder: Path, *changes: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "changes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in changes))
    return folder


def test_a_change_that_the_next_run_names_is_found(tmp_path: Path) -> None:
    bot = Bot()
    payload, folder = inject_drift.drill(bot, lambda: run(tmp_path / "r", WANTED))  # type: ignore[arg-type]
    assert (payload["passed"], payload["result"]["runs_until_found"], folder) == (True, 1, tmp_path / "r")
    assert bot.modes == ["600", "644"]


@pytest.mark.parametrize("changes", [{"object": "file:/etc/other"}, {"host": "guard"}, {"op": "create"}, {"check": False}])
def test_another_object_host_or_act_is_not_the_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    payload, _ = inject_drift.drill(Bot(), lambda: run(tmp_path / "r", {**WANTED, **changes}))  # type: ignore[arg-type]
    assert (payload["passed"], payload["result"]["runs_until_found"], payload["opportunities"]) == (False, 3, 2)


def test_a_run_that_could_not_tell_has_found_nothing() -> None:
    payload, folder = inject_drift.drill(Bot(), lambda: None)  # type: ignore[arg-type]
    assert (payload["passed"], folder) == (False, None)


def test_what_was_changed_is_put_back_when_the_run_breaks_off() -> None:
    bot = Bot()

    def broken() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inject_drift.drill(bot, broken)  # type: ignore[arg-type]
    assert bot.mode == "644"


def test_a_break_that_does_not_take_hold_proves_nothing() -> None:
    with pytest.raises(GoliveError, match="take hold"):
        inject_drift.drill(Bot(holds=False), lambda: None)  # type: ignore[arg-type]
