"""What can be traded and by which filters, in a form no venue owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Optional

from .money import ZERO, quantum


@dataclass(frozen=True)
class Bracket:
    """One step of a contract's leverage table: up to `cap` of notional value, at most `leverage`."""

    cap: Decimal
    leverage: int
    #: maintenance margin as a fraction of the notional, less `cum`
    maintenance: Decimal
    cum: Decimal


@dataclass(frozen=True)
class Contract:
    """What makes a perpetual: leverage brackets (rising), fee of a liquidation and the funding rate of calm hours, as fractions."""

    brackets: tuple[Bracket, ...]
    liquidation_fee: Decimal = Decimal("0.0125")
    funding_rate: Decimal = Decimal("0.0001")

    def bracket(self, notional: Decimal) -> Bracket:
        """Return the step for a notional value; beyond the last one the last counts."""
        return next((item for item in self.brackets if notional <= item.cap), self.brackets[-1])

    def maintenance(self, notional: Decimal) -> Decimal:
        """Return the maintenance margin of a position of that notional value."""
        step = self.bracket(notional)
        return max(ZERO, notional * step.maintenance - step.cum)


@dataclass(frozen=True)
class Instrument:
    """One spot pair or perpetual contract. `symbol` is the sandbox's own name (`BTC/USDT`, `binance:BTC/USDT`); venues translate it.

    A perpetual's `quote` is the wallet that its profit and fees are booked to, its `base` the contract itself (only the house owns some).
    """

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
    #: whose pair it is; an account trades at one venue
    venue: str = "kraken"
    #: the fee is taken from what is received (Binance), not always from the quote currency (Kraken)
    fee_from_received: bool = False
    #: None = spot
    contract: Optional[Contract] = None

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
