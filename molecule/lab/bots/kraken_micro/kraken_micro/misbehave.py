"""What two faults do at the venue; reached in a rehearsal only."""

from __future__ import annotations

import contextlib
import logging
import random

from .errors import VenueError
from .execution import PREFIX, Intent
from .kraken_stream import Price
from .venue import Instrument, Orders

log = logging.getLogger("kraken_micro.misbehave")
EACH = 10


async def flood(orders: Orders | None, prices: dict[str, Price], instruments: dict[str, Instrument]) -> None:
    """Send many orders that no ledger knows (fault `flood_orders`)."""
    for pair, instrument in instruments.items():
        for _ in range(EACH if orders is not None and pair in prices else 0):
            assert orders is not None
            name = f"{PREFIX}f{random.getrandbits(48):012x}"
            with contextlib.suppress(VenueError):
                limit = instrument.price_up(prices[pair].bid / 2)
                await orders.add(instrument, name, "buy", "limit", instrument.minimum_volume * 3, limit)


async def leak(orders: Orders | None, intent: Intent) -> None:
    """Send an order of the dry run to the venue (fault `paper_sends_orders`)."""
    if orders is not None:
        try:
            await orders.leak(intent.instrument, intent.side, intent.volume)
        except VenueError as exc:
            log.warning("leaked order refused", extra={"reason": str(exc)[:200]})
