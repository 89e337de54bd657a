"""Whose turn it is to place and to sell on spot, by the venue's clock.

Spot knows no reduce-only: two switches, or two pulls on one machine, could sell the same coins twice, and then the owner's. So time is
cut into slots by the venue's clock, one machine each in turn, and whatever it sends in its slot carries a deadline within it.
The venue refuses what comes late, so a machine that reads in its own slot sees all that the others have done. On one machine the pulls
tell each other by a lock of the kernel's on a directory, which nobody waits for and which ends with the process.
"""
from __future__ import annotations

import fcntl
import os
from typing import Any, Callable, Dict, Optional

from .settings import TURN

MARGIN_S = 1.0              # between the slots: what the clocks may be apart
WORTH_S = 2.0               # less time than this is not worth beginning


class Turn:
    """This machine's turn."""

    def __init__(self, settings: Dict[str, Any], now: Callable[[], float], say: Callable[[str], None]) -> None:
        given = {**TURN, **(settings.get("turn") or {})}
        self._rank, self._of, self._slot = int(given["rank"]), int(given["of"]), float(given["slot_s"])
        self._now, self._say, self._directory = now, say, str(settings["epoch_directory"])
        self._lock: Optional[int] = None

    def until(self) -> Optional[float]:
        """Return when this turn ends, None when it is not our turn."""
        now = self._now()
        slot = int(now // self._slot)
        begin, end = slot * self._slot + MARGIN_S, (slot + 1) * self._slot - MARGIN_S
        if self._of == 1:
            begin, end = now, now + self._slot - MARGIN_S
        if slot % self._of != self._rank and self._of > 1:
            return None
        return end if begin <= now <= end - WORTH_S and self._alone() else None

    def _alone(self) -> bool:
        """Say whether no other pull of this machine acts; the first keeps the right until it ends."""
        if self._lock is not None:
            return True
        try:
            handle = os.open(self._directory, os.O_RDONLY)
        except OSError:
            return True         # no directory, no second pull that could have locked it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            self._say("another pull on this machine places and sells; this one watches")
            return False
        self._lock = handle
        return True
