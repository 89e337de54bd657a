"""The form of a fault: break, confirm by a second observation, heal; which controls it turns red is declared before it is tried."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FAIL, UNDECIDED = "fail", "undecided"


class NotTaken(Exception):
    """The second observation does not see the break: nothing was proven, whatever the controls say."""


class NotGreen(Exception):
    """The world does not show a control green, so that its turning red would say nothing."""


@dataclass(frozen=True)
class Fault:
    """One break in one world.

    `red`: control id -> the verdict it must turn to, declared here, before any run. `break_`, `heal`: change the world;
    `confirm` returns in words what a second observation saw, or raises NotTaken. `layer`: what is broken (record, source, report,
    file, kernel, network, process, clock, venue, store, bot). `beside`: controls that read what is broken and must stay green.
    """

    world: str
    layer: str
    red: Mapping[str, str]
    break_: Callable[[Any], None]
    confirm: Callable[[Any], str]
    heal: Callable[[Any], None]
    beside: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)  # turn as well, as declared here; watched in full observations only
    unwatched: tuple[str, ...] = ()  # what they say depends on when they are asked during this break: not drawn as neighbours
    lingers: bool = False          # its effect stays in a window after healing: seen green again only at the end of the chain
    order: int = 0                 # within its world: what leaves traces comes last
    grade: str = "method"
    settle_s: float = 0.0          # how long the controls may take to turn (they are asked again until then), and to turn back
    facts: Mapping[str, Any] = field(default_factory=dict)


def red(*controls: str, verdict: str = FAIL) -> dict[str, str]:
    """Return the expected red set of controls that all turn to the same verdict."""
    return dict.fromkeys(controls, verdict)
