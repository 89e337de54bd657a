"""The laws of the kill, held over every interleaving of small worlds: see world.py.

`make test` walks the small worlds and a seeded choice of the others, `make prove` (`--full`) all of them.
"""
from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from golive.kill_switch.parts import plan

from tests.unit.kill_switch import world as model
from tests.unit.kill_switch.world import Broken, Rest, Rules, Switch, World, walk

FLATTEN = plan.Policy(flatten=True, shared=True, may_place=True)
HOLD = plan.Policy(flatten=False, shared=True, may_place=True)
SPOT, SPOT_HOLD = Rules(policy=FLATTEN), Rules(policy=HOLD)
FUTURES = Rules("futures", plan.Policy(flatten=True, may_place=True))
FUTURES_HOLD = Rules("futures", plan.Policy(may_place=True))
STOP, ENTRY = Rest("s", "stop", "sell", 1), Rest("e", "entry", "buy", 1)
SOFT, EXIT = Rest("h", "soft", "sell", 1), Rest("x", "exit", "sell", 1)
ALONE = (Switch(),)

SMALL = {
    "spot with its stop": (World(1, 1, (STOP,)), SPOT),
    "spot without a stop": (World(1, 1, ()), SPOT),
    "spot sold in part": (World(2, 1, (STOP._replace(left=2),)), SPOT),
    "spot held without a stop": (World(1, 1, ()), SPOT_HOLD),
    "spot, one switch dies": (World(1, 1, (STOP,), crashes=1), SPOT),
    "futures held with two stops": (World(1, 0, (STOP, SOFT)), FUTURES_HOLD),
    "futures short": (World(-1, 0, (STOP._replace(side="buy"),)), FUTURES),
    "futures with a stop that may turn it": (World(1, 0, (SOFT._replace(left=2),)), FUTURES_HOLD),
    "futures, a stop left behind": (World(0, 0, (SOFT,)), FUTURES),
}
LARGE = {
    "spot with two stops": (World(2, 1, (STOP, STOP._replace(id="t"))), SPOT),
    "spot with a stop and a take-profit": (World(1, 1, (STOP, EXIT)), SPOT),
    "spot, the bot goes on": (World(1, 1, (STOP, ENTRY), bot=1), SPOT),
    "spot, the bot goes on and one switch dies": (World(1, 1, (STOP, ENTRY), bot=1, crashes=1), SPOT),
    "spot held, the bot goes on and one switch dies": (World(1, 1, (STOP, ENTRY), bot=1, crashes=1), SPOT_HOLD),
    "spot, one switch and a restless bot": (World(1, 1, (STOP, ENTRY), bot=3, switches=ALONE), SPOT),
    "futures, the bot goes on": (World(1, 0, (SOFT, ENTRY), bot=1), FUTURES),
    "futures held, the bot goes on": (World(1, 0, (STOP, SOFT, ENTRY), bot=1), FUTURES_HOLD),
    "futures, one switch and a restless bot": (World(1, 0, (STOP, ENTRY), bot=3, switches=ALONE), FUTURES),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        today = random.Random(metafunc.config.getoption("--slice-day")).sample(sorted(LARGE), 1)
        metafunc.parametrize("name", [*SMALL, *(LARGE if metafunc.config.getoption("--full") else today)])


def test_no_interleaving_breaks_a_law(name: str) -> None:
    start, rules = {**SMALL, **LARGE}[name]
    states, ends = walk(start, rules)
    assert states > 50, "a world in which nothing happens proves nothing"
    assert any(one.state == "over" for end in ends for one in end.switches), "no switch ever came to its end"


def test_who_flattens_ends_flat_wherever_no_switch_died() -> None:
    for start, rules in (SMALL["spot with its stop"], SMALL["spot without a stop"], SMALL["futures short"]):
        _, ends = walk(start, rules)
        assert {end.position for end in ends} == {0}


@pytest.fixture
def fresh() -> Iterator[None]:
    model.wanted.cache_clear()
    yield
    model.wanted.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_without_turns_two_switches_sell_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    real = plan.steps
    monkeypatch.setattr(plan, "steps", lambda view, policy, fenced, turn, *more: real(view, policy, fenced, True, *more))
    monkeypatch.setattr(model, "free", lambda world: 9)
    monkeypatch.setattr(model.Switch, "turn", True)
    with pytest.raises(Broken, match=r"the owner's|more than the bot holds"):
        walk(World(1, 1, ()), SPOT)


@pytest.mark.usefixtures("fresh")
def test_stops_that_go_together_with_entries_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_at_once(view: plan.View, policy: plan.Policy, fenced: bool) -> list[plan.Order]:
        return [order for one in plan.covers(view, policy, fenced).values() for order in one.cancel]
    monkeypatch.setattr(plan, "to_cancel", all_at_once)
    with pytest.raises(Broken, match="cancelled the stop of an open position"):
        walk(World(0, 1, (STOP, ENTRY)), SPOT_HOLD)


@pytest.mark.usefixtures("fresh")
def test_a_reading_of_two_moments_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "takes_a_stop_away", lambda step: False)
    with pytest.raises(Broken, match="cancelled the stop of an open position"):
        walk(World(2, 1, (STOP, STOP._replace(id="t"))), SPOT_HOLD)


@pytest.mark.usefixtures("fresh")
def test_selling_before_the_fence_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = plan.steps
    monkeypatch.setattr(plan, "steps", lambda view, policy, fenced, turn, *more: real(view, policy, True, turn, *more))
    with pytest.raises(Broken):
        walk(World(1, 1, (), bot=1, switches=ALONE), SPOT)
