"""Scenario files: what happens to the market and to bots, and when, written down so that a rehearsal can be repeated.

    {"steps": [{"at_s": 5, "cruelty": {"name": "http_5xx", "params": {"ratio": 0.3}, "for_s": 60, "account": "mybot"}},
               {"at_s": 20, "pattern": {"pair": "SHIBUSDT", "name": "dip", "for_s": 30, "params": {"pct": 4}}},
               {"at_s": 60, "price": {"pair": "SHIBUSDT", "price": "0.000009"}},
               {"at_s": 90, "clock": {"scale": 10}},
               {"at_s": 95, "stop": "http_5xx"}]}

`at_s` counts exchange seconds from the start of the scenario. Everything is checked before the first step is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .cruelties import CATALOGUE
from .errors import BadRequest, NotFound, SandboxError
from .generator import PATTERNS
from .money import parse

if TYPE_CHECKING:
    from .core import Exchange

MOST_STEPS, LONGEST_S = 1_000, 7 * 86_400.0
ACTS: dict[str, tuple[str, ...]] = {
    "cruelty": ("name", "params", "for_s", "account"),
    "pattern": ("pair", "name", "for_s", "params"),
    "price": ("pair", "price"),
    "clock": ("scale", "step_s"),
}


@dataclass(frozen=True)
class Step:
    """One act, `at` in exchange seconds after the start."""

    at: float
    act: str
    body: Any


def _number(value: Any, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise BadRequest("%s: expected a number from %g to %g, found %r" % (where, low, high, str(value)[:40]))
    return float(value)


def check(raw: Any) -> list[Step]:
    """Return the steps in their order. Raises BadRequest with place, found and expected."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= MOST_STEPS:
        raise BadRequest("steps: expected a list of 1 to %d steps" % MOST_STEPS)
    steps = []
    for index, item in enumerate(raw):
        where = "steps[%d]" % index
        acts = sorted(set(item) - {"at_s"}) if isinstance(item, dict) else []
        if len(acts) != 1 or acts[0] not in (*ACTS, "stop"):
            raise BadRequest("%s: expected at_s and one of %s, stop; found %s" % (where, ", ".join(ACTS), ", ".join(acts)[:60] or "none"))
        act, body = acts[0], item[acts[0]]
        at = _number(item.get("at_s"), where + ".at_s", 0, LONGEST_S)
        if act == "stop":
            if body not in CATALOGUE:
                raise BadRequest("%s.stop: unknown cruelty %r" % (where, str(body)[:40]))
        elif not isinstance(body, dict) or set(body) - set(ACTS[act]):
            raise BadRequest("%s.%s: expected an object with %s" % (where, act, ", ".join(ACTS[act])))
        elif act == "cruelty" and body.get("name") not in CATALOGUE:
            raise BadRequest("%s.cruelty.name: unknown cruelty %r" % (where, str(body.get("name"))[:40]))
        elif act == "pattern" and body.get("name") not in PATTERNS:
            raise BadRequest("%s.pattern.name: expected one of %s" % (where, ", ".join(PATTERNS)))
        steps.append(Step(at, act, body))
    return sorted(steps, key=lambda step: step.at)


def read(path: Path) -> list[Step]:
    """Read a scenario file. Raises SandboxError."""
    try:
        data = json.loads(path.read_bytes())
        return check(data.get("steps") if isinstance(data, dict) else None)
    except OSError as exc:
        raise SandboxError("%s: the scenario cannot be read: %s" % (path, exc.strerror)) from None
    except ValueError as exc:
        raise SandboxError("%s: not JSON: %s" % (path, exc)) from None
    except BadRequest as exc:
        raise SandboxError("%s: %s" % (path, exc)) from None


class Scenario:
    """Takes the steps when they are due."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._acts: dict[str, Callable[[Any], None]] = {
            "cruelty": self._cruelty,
            "pattern": self._pattern,
            "price": self._price,
            "clock": self._clock,
            "stop": self._stop,
        }
        self.started: Optional[float] = None
        self.steps: list[Step] = []
        #: what could not be done, in one sentence each
        self.problems: list[str] = []
        self.done = 0

    def start(self, steps: list[Step]) -> None:
        """Begin now; a scenario that runs is replaced."""
        self.started, self.steps, self.done, self.problems = self._exchange.clock.now(), steps, 0, []

    def stop(self) -> None:
        """Take no further step; what is in force stays until its own end."""
        self.steps = self.steps[: self.done]

    def beat(self, now: float) -> None:
        """Take the steps that are due."""
        while self.started is not None and self.done < len(self.steps) and now >= self.started + self.steps[self.done].at:
            step = self.steps[self.done]
            self.done += 1
            try:
                self._acts[step.act](step.body)
            except (BadRequest, NotFound, ValueError) as exc:
                self.problems.append("step %d (%s at %g s): %s" % (self.done, step.act, step.at, exc))

    def report(self) -> dict[str, Any]:
        """Return how far it is."""
        rest = [{"at_s": step.at, step.act: step.body} for step in self.steps[self.done :]]
        return {"started": self.started, "done": self.done, "left": rest, "problems": self.problems}

    # -- acts ----------------------------------------------------------------------------------------------------------

    def _cruelty(self, body: dict[str, Any]) -> None:
        account = body.get("account")
        if account is not None and account not in self._exchange.engine.accounts:
            raise NotFound("no account %r" % str(account)[:63])
        self._exchange.start_cruelty(str(body["name"]), body.get("params"), body.get("for_s", 60), account)

    def _stop(self, name: str) -> None:
        for item in [item for item in self._exchange.cruelties.active.values() if item.name == name]:
            self._exchange.stop_cruelty(item.id)

    def _market(self, body: dict[str, Any]) -> Any:
        symbol = self._exchange.symbol_of(str(body.get("pair", ""))[:40])
        if symbol is None:
            raise NotFound("no pair %r" % str(body.get("pair"))[:40])
        return self._exchange.markets.by_symbol[symbol]

    def _pattern(self, body: dict[str, Any]) -> None:
        market, now = self._market(body), self._exchange.clock.now()
        params = {str(name): _number(value, "params.%s" % name, -1e6, 1e6) for name, value in (body.get("params") or {}).items()}
        market.generator.start_pattern(str(body["name"]), now, _number(body.get("for_s", 60), "for_s", 0.001, LONGEST_S), params)
        market.refresh(now)

    def _price(self, body: dict[str, Any]) -> None:
        market, price = self._market(body), parse(body.get("price"))
        if price <= 0:
            raise BadRequest("price: expected a number above 0")
        market.generator.set_price(float(price))
        market.refresh(self._exchange.clock.now())

    def _clock(self, body: dict[str, Any]) -> None:
        if "step_s" in body:
            self._exchange.clock.step(_number(body["step_s"], "step_s", 0, 366 * 86_400))
        if "scale" in body:
            self._exchange.clock.scale(_number(body["scale"], "scale", 0, 1e6))
