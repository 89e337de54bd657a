"""The counterpart on the bot's host: a list of words and nothing else, and no acknowledgement that the bot itself does not give."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive.guard import bot_control


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a function that acts on a host whose unit is `up` and whose bot says `said`."""

    def act(words: list[str], *, up: bool = True, said: Any = None, smaller: Any = None, folder: str | None = None) -> dict[str, Any]:
        monkeypatch.setattr(bot_control, "PATIENCE_S", 0.0)
        monkeypatch.setattr(bot_control, "running", lambda unit: up)
        monkeypatch.setattr(bot_control, "health", lambda url: said)
        settings = {"unit": "bot-live.service", "control_directory": folder or str(tmp_path), "health_url": "", "step_down": smaller}
        return bot_control.act(words, settings)

    return act


@pytest.mark.parametrize("words", ['["kill"]', '["../x"]', '"no_entries"', "[[]]", "null"])
def test_nothing_but_the_words_of_the_list_is_taken(words: str) -> None:
    with pytest.raises(ValueError, match="expected words out of"):
        bot_control.wanted('{"words": %s}' % words)


def test_the_file_is_there_and_the_bot_shows_that_it_follows(host: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    answer = host(["no_entries"], said={"controls": {"no_entries": True}, "last_decision_age_s": 0.2})
    assert answer == {"running": True, "decision_age_s": 0.2, "acknowledged": ["no_entries"], "problems": []}
    assert (tmp_path / "no_entries").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("said", [None, {}, {"controls": {"no_entries": False}}, {"controls": None}])
def test_a_written_file_alone_is_no_acknowledgement(host: Callable[..., dict[str, Any]], tmp_path: Path, said: Any) -> None:
    assert host(["no_entries"], said=said)["acknowledged"] == []
    assert (tmp_path / "no_entries").exists()


def test_a_bot_that_does_not_run_needs_no_word(host: Callable[..., dict[str, Any]]) -> None:
    assert host(["no_entries"], up=False)["acknowledged"] == ["no_entries"]


def test_a_directory_that_is_missing_is_said_and_not_made(host: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    answer = host(["no_entries"], up=False, folder=str(tmp_path / "none"))
    assert answer["acknowledged"] == []
    assert "No such file" in answer["problems"][0]
    assert not (tmp_path / "none").exists()


def test_a_smaller_stage_is_acknowledged_by_a_later_decision_only(host: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    smaller = {"position_size_usdt": 5.0, "max_positions": 2, "trade_pairs": ["SHIB/USDT"]}

    def at(offset: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset))

    assert host(["step_down"], said={"last_decision_at": at(-60)}, smaller=smaller)["acknowledged"] == []
    assert json.loads((tmp_path / "step_down").read_text()) == smaller
    assert host(["step_down"], said={"last_decision_at": at(60)}, smaller=smaller)["acknowledged"] == ["step_down"]


def test_without_a_smaller_stage_stepping_down_ends_entries(host: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert host(["step_down"], said={"controls": {"no_entries": True}})["acknowledged"] == ["step_down"]
    assert (tmp_path / "step_down").read_text() == ""


def test_no_word_writes_nothing_and_tells_the_age_of_the_decision(host: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert host([], said={"last_decision_age_s": 7})["decision_age_s"] == 7
    assert list(tmp_path.iterdir()) == []
