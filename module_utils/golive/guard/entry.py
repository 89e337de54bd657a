"""What a spot position was bought at, by the fills that made it: the venue keeps no entry price of coins."""
from __future__ import annotations

from decimal import Decimal
from typing import Optional, Sequence, Tuple

ZERO = Decimal(0)


def average_entry(size: Decimal, fills: Sequence[Tuple[str, Decimal, Decimal]]) -> Optional[Decimal]:
    """Return the average price at which a long position was bought, None when the fills do not reach back to where it began.

    `fills`: (side, amount, money), the newest first. Walks back to where nothing was held, then forward: a buy averages, a sale takes its
    share of the cost with it.
    """
    left, taken = size, []
    for side, volume, money in fills:
        if left <= size / 100:      # what fees and rounding left over
            break
        taken.append((side, volume, money))
        left += volume if side == "sell" else -volume
    if size <= 0 or left > size / 100:
        return None
    held, cost = ZERO, ZERO
    for side, volume, money in reversed(taken):
        if side == "buy":
            held, cost = held + volume, cost + money
        elif held > 0:
            cost -= cost * min(volume, held) / held
            held = max(ZERO, held - volume)
    return cost / held if held > 0 else None
