"""The generated reference price of one pair: seeded, with documented properties, and patterns on demand.

Without a pattern the logarithm of the price is an Ornstein-Uhlenbeck process around a fixed level: it returns to the level with
half-life `half_life_s` and swings with standard deviation `deviation`. A mean-reverting bot whose entry threshold exceeds the
round-trip fee has a positive expectation in it, one that follows trends has not.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, Optional

from .recording import Recording

PATTERNS = ("calm", "trend", "jump", "freeze", "flat", "random_walk", "dip")


@dataclass
class Pattern:
    """What the price does instead of calm swinging, until exchange time `until`."""

    name: str
    until: float
    params: dict[str, float]
    started: float


class Generator:
    """Price path of one pair, in steps of `tick_s` exchange seconds."""

    def __init__(self, seed: str, start: float, tick_s: float, half_life_s: float, deviation: float) -> None:
        self._rng = random.Random(seed)  # noqa: S311  a market, not a secret
        self._seed, self._steps = seed, 0
        self.tick_s, self.half_life_s, self.deviation = tick_s, half_life_s, deviation
        self.level = math.log(start)
        self.x = 0.0
        self.pattern: Optional[Pattern] = None
        self._recording: Optional[Recording] = None
        self._origin = 0.0

    def replay(self, recording: Recording, now: float) -> None:
        """Follow a recording from now on instead of the seed; patterns, jumps and cruelties still work on top of it."""
        self._recording, self._origin = recording, now
        self.level, self.x = math.log(recording.first), 0.0

    def price(self) -> float:
        return math.exp(self.level + self.x)

    @property
    def frozen(self) -> bool:
        return self.pattern is not None and self.pattern.name == "freeze"

    def step(self, now: float) -> float:
        """Advance by one tick and return the price."""
        self._steps += 1
        pattern = self.pattern
        if pattern is not None and now >= pattern.until:
            self._end_pattern()
            pattern = None
        noise = self._rng.gauss(0.0, 1.0)
        if pattern is None or pattern.name == "calm":
            self._calm(noise, now)
        elif pattern.name == "trend":
            self.level += math.log1p(pattern.params["pct_per_min"] / 100) * self.tick_s / 60
            self._swing(noise, self.deviation * pattern.params.get("noise", 0.2))
        elif pattern.name == "random_walk":
            self.level += noise * pattern.params["pct_per_sqrt_min"] / 100 * math.sqrt(self.tick_s / 60)
        elif pattern.name == "dip":
            self._dip(pattern, now)
        return self.price()

    def _calm(self, noise: float, now: float) -> None:
        if self._recording is None:
            self._swing(noise, self.deviation)
        else:
            self.x = math.log(self._recording.price(max(0.0, now - self._origin)) / self._recording.first)

    def _swing(self, noise: float, deviation: float) -> None:
        keep = math.exp(-math.log(2) * self.tick_s / self.half_life_s)
        self.x = self.x * keep + noise * deviation * math.sqrt(1 - keep * keep)

    def _dip(self, pattern: Pattern, now: float) -> None:
        """Fall linearly by `pct` until half time, recover until the end: one clear entry and one clear exit."""
        span = max(pattern.until - pattern.started, self.tick_s)
        phase = min(1.0, max(0.0, (now - pattern.started) / span))
        depth = 1 - abs(2 * phase - 1)
        self.x = math.log1p(-pattern.params["pct"] / 100 * depth)

    def _end_pattern(self) -> None:
        if self.pattern is not None and self.pattern.name == "dip":
            self.x = 0.0
        self.pattern = None

    def start_pattern(self, name: str, now: float, for_s: float, params: dict[str, float]) -> None:
        """Begin a pattern. Raises ValueError for an unknown name or parameter values that make no price."""
        if name not in PATTERNS:
            raise ValueError("unknown pattern %r; known: %s" % (name[:40], ", ".join(PATTERNS)))
        if name == "jump":
            self.shift(params.get("pct", 5.0))
            return
        defaults = {"trend": {"pct_per_min": 1.0}, "random_walk": {"pct_per_sqrt_min": 1.0}, "dip": {"pct": 5.0}}.get(name, {})
        values = {**defaults, **params}
        if name == "dip" and not 0 < values["pct"] < 100:
            raise ValueError("dip needs 0 < pct < 100")
        if name == "trend" and values["pct_per_min"] <= -100:
            raise ValueError("trend needs pct_per_min > -100")
        self.pattern = Pattern(name, now + for_s, values, now)

    def shift(self, pct: float) -> None:
        """Move the level at once by a percentage of the price."""
        if pct <= -100:
            raise ValueError("a price cannot fall by 100 percent or more")
        self.level += math.log1p(pct / 100)

    def set_price(self, price: float) -> None:
        """Make this the price and the level to return to."""
        self.level, self.x = math.log(price), 0.0

    def state(self) -> dict[str, Any]:
        """Return what a restart needs. Not the dice themselves: they would be most of the journal."""
        return {"level": self.level, "x": self.x, "origin": self._origin, "steps": self._steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a price; the dice are those of the seed at that step."""
        self.level, self.x = float(state["level"]), float(state["x"])
        self._origin, self._steps = float(state["origin"]), int(state["steps"])
        self._rng = random.Random("%s:%d" % (self._seed, self._steps))  # noqa: S311  a market, not a secret
