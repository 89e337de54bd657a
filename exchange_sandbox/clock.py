"""The exchange's own clock: runs with the world, can be frozen, stepped forward and scaled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Clock:
    """Exchange time in seconds since 1970. It never runs backwards: nonces, candles and orders rely on that."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._base_real = real()
        self._base = self._base_real
        self._scale = 1.0

    def now(self) -> float:
        """Return exchange time."""
        return self._base + (self._real() - self._base_real) * self._scale

    def real(self) -> float:
        """Return the wall clock in seconds since 1970."""
        return self._real()

    def _rebase(self) -> None:
        self._base, self._base_real = self.now(), self._real()

    def freeze(self) -> None:
        """Stop the clock where it is."""
        self.scale(0.0)

    def scale(self, factor: float) -> None:
        """Let one real second be `factor` exchange seconds (0 = frozen). Raises ValueError below 0 and above 1,000,000."""
        if not 0 <= factor <= 1_000_000:
            raise ValueError("scale must lie between 0 and 1000000")
        self._rebase()
        self._scale = factor

    def step(self, seconds: float) -> None:
        """Jump forward. Raises ValueError for a step back."""
        if not 0 <= seconds <= 366 * 86_400:
            raise ValueError("a step must lie between 0 and 31622400 seconds; the exchange clock never runs backwards")
        self._rebase()
        self._base += seconds

    def jump_to(self, moment: float) -> None:
        """Move forward to a moment in seconds since 1970."""
        self.step(moment - self.now())

    def state(self) -> dict[str, Any]:
        """Return what a restart needs: offset to the real clock and scale."""
        return {"ahead": self.now() - self._real(), "scale": self._scale, "now": self.now()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue after a restart: a frozen clock where it stood, a running one with its old offset, never before `now`."""
        self._base_real = self._real()
        frozen = float(state["scale"]) == 0.0
        self._base = float(state["now"]) if frozen else max(float(state["now"]), self._base_real + float(state["ahead"]))
        self._scale = float(state["scale"])
