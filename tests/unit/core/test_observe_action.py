"""plugins/action/observe.py: what is undecided is asked again while there is patience, and nothing else is."""
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from golive.errors import GoliveError

from tests.fixtures.plugins import load_action

SURE = {"expect": {}, "witness": ["kernel"], "severity": "high"}
CONTROLS = {"orders": {**SURE, "min_opportunities": 3}, "clock": {**SURE, "min_opportunities": None}}
PLAN = {"host": "bot", "probes": [
    {"id": "a", "subject": "bot", "probe": "ledger", "digest": "d", "controls": [{"control": "orders", "vantage": "target"}]},
    {"id": "b", "subject": "bot", "probe": "command", "digest": "d", "controls": [{"control": "clock", "vantage": "target"}]}]}


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Any:
    loaded = load_action("observe")
    time = SimpleNamespace(now=0.0, asked=[])
    monkeypatch.setattr(loaded.time, "monotonic", lambda: time.now)

    def run(counts: list[int | None], patience_s: float) -> Any:
        action = object.__new__(loaded.ActionModule)

        def ask(questions: dict[str, Any], *_: Any) -> dict[str, Any]:
            count = counts[len(time.asked)]
            time.asked.append([one["id"] for one in questions["probes"]])
            if count is None:
                raise GoliveError("not reached")
            return {one: {"id": one, "facts": {}, "opportunities": abs(count), "undecided": "the bot runs" if count < 0 else None,
                          "witness": "kernel"} for one in time.asked[-1]}

        def rest(seconds: float) -> None:
            time.now += seconds

        action._ask, action.rest = ask, rest
        answered, missing = action._answers(PLAN, CONTROLS, "bot", None, {}, patience_s)
        return {name: one["opportunities"] for name, one in answered.items()}, missing, time.asked

    return run


def test_without_patience_each_question_is_asked_once(look: Any) -> None:
    assert look([1], 0.0)[::2] == ({"a": 1, "b": 1}, [["a", "b"]])


def test_with_patience_only_what_is_undecided_is_asked_again(look: Any) -> None:
    assert look([1, 2, 4], 60.0)[::2] == ({"a": 4, "b": 1}, [["a", "b"], ["a"], ["a"]])


def test_a_probe_that_could_not_look_is_not_asked_again(look: Any) -> None:
    assert look([-1], 60.0)[2] == [["a", "b"]]


def test_patience_ends(look: Any) -> None:
    found, _, asked = look([1] * 9, 5.0)
    assert found == {"a": 1, "b": 1}
    assert len(asked) == 4


def test_a_host_that_is_lost_while_waiting_keeps_its_first_answer(look: Any) -> None:
    found, missing, _ = look([1, None], 60.0)
    assert found == {"a": 1, "b": 1}
    assert missing == "bot: not reached"
