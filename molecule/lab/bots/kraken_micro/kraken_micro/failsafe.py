"""When the venue is in such trouble that live trading has to end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from .config import Failsafe


class VenueHealth:
    """Counts how calls ended. A venue that is silent for long, or that flaps, is in trouble.

    Public and private calls count apart: prices that still come do not help a bot whose orders get no answer.
    """

    def __init__(self, limits: Failsafe, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._bad_since: dict[str, float] = {}
        self._calls: deque[tuple[float, bool]] = deque(maxlen=10_000)
        self.last_reason = ""

    def good(self, scope: str) -> None:
        """The venue answered a call of this scope (public, private)."""
        self._bad_since.pop(scope, None)
        self._calls.append((self._clock(), True))

    def bad(self, scope: str, reason: str) -> None:
        """The venue gave no usable answer."""
        now = self._clock()
        self._bad_since.setdefault(scope, now)
        self._calls.append((now, False))
        self.last_reason = reason[:200]

    def trouble(self) -> str | None:
        """Return why live trading must end, None while it may go on."""
        now, limits = self._clock(), self._limits
        for scope, since in self._bad_since.items():
            if now - since >= float(limits.after_s):
                return f"no good answer to {scope} calls for {now - since:.0f} s, last: {self.last_reason}"
        while self._calls and self._calls[0][0] < now - float(limits.window_s):
            self._calls.popleft()
        bad = sum(1 for _at, good in self._calls if not good)
        if len(self._calls) >= limits.min_calls and bad / len(self._calls) >= float(limits.max_error_ratio):
            return f"{bad} of {len(self._calls)} calls failed within {limits.window_s} s, last: {self.last_reason}"
        return None
