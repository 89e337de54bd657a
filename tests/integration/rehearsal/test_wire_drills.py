"""One wire drill for real, and the same drill on a bot with the fault that it is there to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.rehearsal.wire import scenarios
from golive.rehearsal.wire.world import Copy, Exchange, NotSeen

ROOT = Path(__file__).resolve().parents[3]
APP = ROOT / "molecule/lab/bots/kraken_micro"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    one = Exchange(tmp_path_factory.mktemp("wire") / "exchange", ROOT)
    yield one
    one.stop()


@pytest.fixture
def maker(exchange: Exchange, tmp_path: Path) -> Iterator[Callable[..., Callable[..., Copy]]]:
    copies: list[Copy] = []

    def with_faults(**faults: Any) -> Callable[..., Copy]:
        def make(mode: str, **changes: Any) -> Copy:
            copies.append(Copy(tmp_path / str(len(copies)), APP, exchange, mode, {**changes, **({"faults": faults} if faults else {})}))
            return copies[-1]

        return make

    yield with_faults
    exchange.calm()
    for one in copies:
        one.end(9)


def test_a_position_is_covered_at_the_venue_when_the_bot_dies(exchange: Exchange, maker: Callable[..., Any]) -> None:
    result, opportunities = scenarios.bot_cut_off(exchange, maker())
    assert (result["control_stimulus_passed"], result["positions_naked"]) == (True, 0)
    assert opportunities >= 1


def test_a_bot_that_places_no_stop_does_not_pass(exchange: Exchange, maker: Callable[..., Any]) -> None:
    try:
        result, _opportunities = scenarios.bot_cut_off(exchange, maker(no_stop=True))
    except NotSeen:
        return
    assert result["positions_naked"] >= 1


def test_a_lost_answer_becomes_no_second_order(exchange: Exchange, maker: Callable[..., Any]) -> None:
    result, opportunities = scenarios.lost_answer(exchange, maker())
    assert (result["duplicate_orders"], result["orders_without_client_id"]) == (0, 0)
    assert opportunities >= 5


def test_a_bot_that_is_killed_knows_what_it_knew_before(exchange: Exchange, maker: Callable[..., Any]) -> None:
    result, opportunities = scenarios.kill_and_restart(exchange, maker())
    assert result == {"positions_equal": True, "orders_equal": True, "breaker_equal": True, "daily_loss_equal": True}
    assert opportunities >= 1


def test_books_of_another_mode_are_not_compared(exchange: Exchange, maker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    health = Copy.health
    monkeypatch.setattr(Copy, "health", lambda self: {**health(self), "effective_mode": "paper"} if self.starts > 1 else health(self))
    start = Copy.start

    def counted(self: Any) -> Any:
        self.starts = getattr(self, "starts", 0) + 1
        return start(self)

    monkeypatch.setattr(Copy, "start", counted)
    wait_for = scenarios.wait_for
    monkeypatch.setattr(scenarios, "wait_for",
                        lambda met, what, seconds=30: wait_for(met, what, 3 if "mode of before" in what else seconds))
    with pytest.raises(NotSeen, match="in the mode of before"):
        scenarios.kill_and_restart(exchange, maker())
