"""What can be traded and by which filters, in a form no venue owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from .money import quantum


@dataclass(frozen=True)
class Instrument:
    """One spot pair. `symbol` is the sandbox's own name (`BTC/USDT`); venues translate it into theirs."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_qty: Decimal
    min_notional: Decimal
    #: decimal places of amounts in quote currency (cost and fee)
    cost_decimals: int
    #: where the generated market starts, in quote currency
    start_price: Decimal
    #: (30-day volume from, fee in percent), rising
    taker_fees: tuple[tuple[int, str], ...] = field(default=((0, "0.40"),))
    maker_fees: tuple[tuple[int, str], ...] = field(default=((0, "0.25"),))

    @property
    def price_decimals(self) -> int:
        exponent = self.tick.as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    @property
    def lot_decimals(self) -> int:
        exponent = self.lot.as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    @property
    def cost_step(self) -> Decimal:
        return quantum(self.cost_decimals)

    def fee_rate(self, maker: bool, volume: Decimal) -> Decimal:
        """Return the fee as a fraction of the cost for a 30-day volume in quote currency."""
        rate = Decimal(0)
        for limit, percent in self.maker_fees if maker else self.taker_fees:
            if volume >= limit:
                rate = Decimal(percent) / 100
        return rate
