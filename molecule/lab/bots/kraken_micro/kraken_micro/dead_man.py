"""What becomes of resting orders when this bot is silent: `failsafe.on_disconnect`.

`keep_stops`: the venue's timer is off, and stops outlive the bot. `cancel_all`: the venue cancels everything when no decision has been
made for `failsafe.disconnect_timeout_s`. Kraken's timer takes stops away with the rest, so the configuration refuses `cancel_all` for a
bot that places stops, and the timer is off whenever a position is open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from .config import Failsafe
from .errors import VenueError

log = logging.getLogger("kraken_micro.dead_man")

# The timer is set anew when this share of it has run: a decision a quarter of a second would use up the key's calls.
SHARE = Decimal("0.25")


class Timer(Protocol):
    """The venue's timer."""

    async def cancel_all_after(self, seconds: int) -> None:
        """Set it; 0 switches it off. Raises VenueError."""


class DeadMan:
    """Refreshed by the decision loop and by nothing else: a process that lives and does not decide is dead."""

    def __init__(self, failsafe: Failsafe, timer: Timer, clock: Callable[[], float] = time.monotonic) -> None:
        self._after, self._cancels = int(failsafe.disconnect_timeout_s), failsafe.on_disconnect == "cancel_all"
        self._timer, self._clock = timer, clock
        self._set_at: float | None = None
        self.on: bool | None = None  # not known: a process before this one may have left the timer running

    async def decided(self, flat: bool) -> None:
        """Tell that a decision was made. A venue that does not take it is told again at the next one."""
        try:
            if not (self._cancels and flat):
                await self._off()
            elif self._set_at is None or self._clock() - self._set_at >= self._after * float(SHARE):
                self.on = None
                await self._timer.cancel_all_after(self._after)
                self.on, self._set_at = True, self._clock()
        except VenueError as exc:
            log.warning("the venue's timer was not set", extra={"reason": str(exc)[:200]})

    async def _off(self) -> None:
        if self.on is False:
            return
        self._set_at = None
        await self._timer.cancel_all_after(0)
        self.on = False
