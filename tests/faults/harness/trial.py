"""A chain of trials: everything green, then one break after the other, each confirmed by a second look, exactly its declared set red.

That a fault was healed is seen in the next trial, which observes its controls again, and at the end, where everything is observed again:
so a fault costs one observation instead of three.
"""
from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .fault import Fault, NotTaken
from .world import Verdicts, World

NEIGHBOURS = 2
PAUSE_S = 10.0


@dataclass
class Outcome:
    """What a trial showed. `problem` is empty when the fault proved what it declared, and was healed."""

    fault: str
    number: int
    world: str
    declared: Fault
    problem: str = ""
    confirmed: str = ""
    red: Verdicts = field(default_factory=dict)
    watched: int = 0
    took_s: float = 0.0
    healed: bool = False
    observations: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        """Return whether everything was seen: green, broken, exactly the declared set red, healed, green."""
        return not self.problem and self.healed


Named = tuple[str, int, Fault]


def chain(world: World, faults: Sequence[Named], seed: str, *, full: bool = False,
          told: Callable[[Outcome], None] = lambda _one: None) -> list[Outcome]:
    """Try faults one after the other in one world. Never raises for what the world does; heals whatever it broke."""
    outcomes: list[Outcome] = []
    wanted = set().union(*(set(fault.red) | set(fault.beside) for _, _, fault in faults)) if faults else set()
    start = _settled(world, sorted(world.can_show() if full else (wanted & world.can_show()) | _sample(world, seed)),
                     min(60.0, max((one.settle_s for _, _, one in faults), default=0.0)))
    green = {name for name, verdict in start.items() if verdict[0] == "pass"}
    before: list[Outcome] = []
    lingering: set[str] = set()
    for name, number, fault in faults:
        outcome = Outcome(name, number, world.name, fault)
        outcomes.append(outcome)
        dark = _lit(world, fault, green, lingering, max([one.declared.settle_s for one in outcomes if one.declared.lingers], default=0.0))
        if dark:
            outcome.problem = "not green before the break: " + "; ".join(dark)
        else:
            _attempt(outcome, fault, world, green - lingering, seed, before, full=full)
            before = [] if fault.lingers else [outcome]
            lingering |= {*fault.red, *fault.also, *fault.unwatched} if fault.lingers else set()
        told(outcome)
    _last(world, outcomes, green)
    return outcomes


def _lit(world: World, fault: Fault, green: set[str], lingering: set[str], patience: float) -> list[str]:
    """Wait until what a break before left in a window has passed, look again at what was not green at first; return what still is not."""
    waiting = [one for one in fault.red if one in lingering]
    wanted = waiting + [one for one in fault.red if one not in green and one not in lingering]
    if not wanted:
        return []
    seen = _settled(world, wanted, patience if waiting else 0.0)
    lit = {one for one in wanted if seen[one][0] == "pass"}
    green |= lit
    lingering -= lit
    return [f"{one}: {seen[one][0]} ({seen[one][1][:200]})" for one in wanted if one not in lit]


def _sample(world: World, seed: str) -> set[str]:
    known = sorted(world.can_show())
    return set(random.Random(seed).sample(known, min(12, len(known))))


def _attempt(outcome: Outcome, fault: Fault, world: World, green: set[str], seed: str, before: list[Outcome], *, full: bool) -> None:
    began = time.monotonic()
    healing = {control for one in before for control in one.declared.red}
    quiet = {control for one in before for control in one.declared.unwatched}
    others = sorted((green & world.neighbours()) - set(fault.red) - set(fault.also) - set(fault.unwatched) - quiet - healing)
    sample = others if full else random.Random(f"{seed}:{outcome.fault}:{outcome.number}").sample(others, min(NEIGHBOURS, len(others)))
    names = sorted({*fault.red, *(set(fault.beside) & green), *sample, *healing})
    outcome.watched = len(names)
    try:
        world.prepare(names)
        fault.break_(world)
        outcome.confirmed = fault.confirm(world)
        patience = max([fault.settle_s, *(one.declared.settle_s for one in before)])
        seen = _until(world, names, patience, lambda found: difference(found, fault) == "")
        outcome.red = {control: verdict for control, verdict in seen.items() if verdict[0] != "pass"}
        outcome.problem = difference(seen, fault)
        outcome.observations = {one["control"]: one for one in world.observed if one["control"] in fault.red}
        _healed(before, seen, set(fault.red))
    except NotTaken as exc:
        outcome.problem = f"the break did not take hold: {exc}"
    except Exception as exc:  # noqa: BLE001 (one fault that cannot be tried must not end the campaign)
        outcome.problem = f"the trial failed: {type(exc).__name__}: {str(exc)[:300]}"
    try:
        fault.heal(world)
    except Exception as exc:  # noqa: BLE001 (told; what it leaves red is seen by the next observation)
        outcome.problem = outcome.problem or f"healing failed: {type(exc).__name__}: {str(exc)[:300]}"
    outcome.took_s = round(time.monotonic() - began, 2)


def _healed(before: Iterable[Outcome], seen: Verdicts, red_now: set[str]) -> None:
    """A fault is healed when its controls are green again, or when the next one has turned the same ones red (seen at the end)."""
    for one in before:
        again = {control: seen[control] for control in one.declared.red if control not in red_now}
        one.healed = bool(again) and all(verdict[0] == "pass" for verdict in again.values())


def _last(world: World, outcomes: list[Outcome], green: set[str]) -> None:
    """Observe once more whatever was turned red and not seen green since."""
    open_ = [one for one in outcomes if not one.problem and not one.healed]
    names = sorted({control for one in open_ for control in one.declared.red})
    if not names:
        return
    seen = _settled(world, names, max(one.declared.settle_s for one in open_))
    for one in open_:
        left = [f"{control}: {seen[control][0]} ({seen[control][1][:160]})" for control in one.declared.red if seen[control][0] != "pass"]
        one.healed = not left
        one.problem = "not green after healing: " + "; ".join(left) if left else ""


def _settled(world: World, names: Sequence[str], seconds: float) -> Verdicts:
    seen = world.look(names)
    todo = [name for name, verdict in seen.items() if verdict[0] != "pass"]
    if todo and seconds > 0:
        seen.update(_until(world, todo, seconds, lambda found: all(one[0] == "pass" for one in found.values())))
    return seen


def _until(world: World, names: Iterable[str], seconds: float, holds: Callable[[Verdicts], bool]) -> Verdicts:
    end = time.monotonic() + seconds
    seen = world.observe(names)
    while not holds(seen) and time.monotonic() < end:
        time.sleep(min(PAUSE_S, max(1.0, seconds / 15)))  # between two looks, never instead of a condition
        seen = world.observe(names)
    return seen


def difference(seen: Verdicts, fault: Fault) -> str:
    """Return in words how far what turned red is from what was declared; empty when it is exactly that.

    What the fault leaves unwatched may have been looked at all the same, for the healing of the one before.
    """
    declared = {**{name: one for name, one in fault.also.items() if name in seen}, **fault.red}
    words = [f"{control} stayed {seen.get(control, ('unseen', ''))[0]} instead of {wanted}" for control, wanted in declared.items()
             if seen.get(control, ("", ""))[0] != wanted]
    words += [f"{control} turned {verdict} as well ({reason[:160]})" for control, (verdict, reason) in seen.items()
              if verdict != "pass" and control not in declared and control not in fault.unwatched]
    return "; ".join(words)
