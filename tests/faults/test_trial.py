"""The campaign itself is proven: what it must never call a proof."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from .harness import trial
from .harness.fault import Fault, NotTaken, red
from .harness.world import Verdicts, World


class Switches(World):
    """A world of three controls that are red when their switch is on; `stuck` is never healed, `blind` never turns."""

    name = "switches"

    def __init__(self) -> None:
        super().__init__()
        self.on: set[str] = set()
        self.blind: set[str] = set()

    def catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        return {}

    def can_show(self) -> set[str]:
        return {"a.one", "a.two", "a.three"}

    def observe(self, names: Iterable[str]) -> Verdicts:
        found = {name: ("fail", "on") if name in self.on - self.blind else ("pass", "as wanted") for name in names}
        self.observed = [{"control": name} for name in found]
        return found


def fault(*on: str, declared: tuple[str, ...] = ("a.one",), heals: bool = True, takes: bool = True) -> Fault:
    def confirm(world: Switches) -> str:
        if not takes:
            raise NotTaken("nothing was switched")
        return "switched"

    def heal(world: Switches) -> None:
        world.on -= set(on) if heals else set()

    return Fault("switches", "file", red(*declared), lambda world: world.on.update(on), confirm, heal)


def tried(world: Switches, *faults: Fault) -> list[trial.Outcome]:
    return trial.chain(world, [(f"f{number}", 0, one) for number, one in enumerate(faults)], "seed")


def test_exactly_the_declared_set_red_and_green_again_is_a_proof() -> None:
    assert [one.proven for one in tried(Switches(), fault("a.one"), fault("a.two", declared=("a.two",)))] == [True, True]


def test_a_control_that_stays_green_is_no_proof() -> None:
    world = Switches()
    world.blind = {"a.one"}
    (one,) = tried(world, fault("a.one"))
    assert not one.proven
    assert "a.one stayed pass" in one.problem


def test_a_control_that_turns_and_was_not_declared_is_no_proof() -> None:
    (one,) = tried(Switches(), fault("a.one", "a.three"))
    assert not one.proven
    assert "a.three turned fail as well" in one.problem


def test_a_break_that_nobody_else_sees_is_no_proof() -> None:
    (one,) = tried(Switches(), fault("a.one", takes=False))
    assert not one.proven
    assert "did not take hold" in one.problem


def test_what_is_not_green_again_is_no_proof_also_when_the_next_trial_hides_it() -> None:
    first, second = tried(Switches(), fault("a.one", heals=False), fault("a.two", declared=("a.two",)))
    assert not first.proven
    assert not second.proven


def test_what_was_red_before_proves_nothing() -> None:
    world = Switches()
    world.on = {"a.one"}
    (one,) = tried(world, fault("a.one"))
    assert not one.proven
    assert "not green before" in one.problem


def test_what_a_break_leaves_unwatched_is_looked_at_for_the_healing_of_the_one_before_and_held_against_neither() -> None:
    second = replace(fault("a.two", "a.one", declared=("a.two",)), unwatched=("a.one",))
    assert [one.proven for one in tried(Switches(), fault("a.one"), second)] == [True, True]
    stays = replace(fault("a.two", "a.one", declared=("a.two",), heals=False), unwatched=("a.one",))
    first, _second = tried(Switches(), fault("a.one"), stays)
    assert "not green after healing: a.one" in first.problem


def test_a_break_that_fails_is_healed_and_told() -> None:
    def explode(world: Switches) -> None:
        world.on.add("a.one")
        raise RuntimeError("the host is gone")

    world = Switches()
    broken = Fault("switches", "file", red("a.one"), explode, lambda _world: "", lambda _world: world.on.clear())
    (one,) = tried(world, broken)
    assert "the host is gone" in one.problem
    assert world.on == set()


class Windows(Switches):
    """A switch that stays on for two looks after it was switched off."""

    left = 0

    def observe(self, names: Iterable[str]) -> Verdicts:
        found = super().observe(names)
        if self.left and "a.one" in found:
            self.left -= 1
            found["a.one"] = ("fail", "still in the window")
        return found


def lingering(world: Windows) -> Fault:
    def heal(_world: Switches) -> None:
        world.on.clear()
        world.left = 2

    return Fault("switches", "venue", red("a.one"), lambda _world: world.on.add("a.one"), lambda _world: "switched", heal,
                 lingers=True, settle_s=30)


def test_a_break_waits_until_the_one_before_has_left_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(trial.time, "sleep", waited.append)
    world = Windows()
    assert [one.proven for one in tried(world, lingering(world), lingering(world))] == [True, True]
    assert waited


def test_what_turned_green_after_the_start_is_seen_green_before_its_break() -> None:
    world = Windows()
    world.left = 1
    (one,) = tried(world, fault("a.one"))
    assert one.proven
