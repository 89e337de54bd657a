"""Binance's symbols: ticks, lots, minimums and leverage brackets, as its exchangeInfo and leverageBracket answers give them.

The venue changes these with the price; a bot must read them from exchangeInfo, here as there. Values of 2025-11.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

from ...instruments import Bracket, Contract, Instrument
from ...positions import WALLET

SPOT, USDM = "binance", "binance_usdm"


@dataclass(frozen=True)
class Symbol:
    """One symbol as the venue names it. `market` is binance or binance_usdm; both have a BTCUSDT."""

    id: str
    market: str
    base: str
    quote: str
    instrument: Instrument
    max_qty: Decimal
    max_market_qty: Decimal

    @property
    def contract(self) -> bool:
        return self.market == USDM


def _spot(base: str, quote: str, tick: str, lot: str, max_qty: str, max_market: str, start: str) -> Symbol:
    instrument = Instrument(
        "binance:%s/%s" % (base, quote),
        base,
        quote,
        Decimal(tick),
        Decimal(lot),
        Decimal(lot),
        Decimal(5),
        8,
        Decimal(start),
        ((0, "0.10"),),
        ((0, "0.10"),),
        venue="binance",
        fee_from_received=True,
    )
    return Symbol(base + quote, SPOT, base, quote, instrument, Decimal(max_qty), Decimal(max_market))


def _brackets(*rows: tuple[int, int, str]) -> tuple[Bracket, ...]:
    """Rows (notional cap, leverage, maintenance rate); `cum` keeps the maintenance margin continuous at each cap."""
    out: list[Bracket] = []
    floor, cum, before = Decimal(0), Decimal(0), Decimal(0)
    for cap, leverage, rate in rows:
        step = Decimal(rate)
        cum += floor * (step - before)
        out.append(Bracket(Decimal(cap), leverage, step, cum))
        floor, before = Decimal(cap), step
    return tuple(out)


def _perpetual(base: str, tick: str, lot: str, notional: str, start: str, max_qty: str, max_market: str, top: int, scale: int) -> Symbol:
    rows = (
        (50_000 * scale, top, "0.0040"),
        (250_000 * scale, top * 4 // 5, "0.0050"),
        (1_000_000 * scale, 50, "0.0100"),
        (10_000_000 * scale, 20, "0.0250"),
        (100_000_000 * scale, 5, "0.1000"),
        (500_000_000 * scale, 1, "0.5000"),
    )
    instrument = Instrument(
        "binance_usdm:%s/USDT:USDT" % base,
        "%s%sUSDT" % (WALLET, base),
        WALLET + "USDT",
        Decimal(tick),
        Decimal(lot),
        Decimal(lot),
        Decimal(notional),
        8,
        Decimal(start),
        ((0, "0.05"),),
        ((0, "0.02"),),
        venue="binance",
        contract=Contract(_brackets(*rows)),
    )
    return Symbol(base + "USDT", USDM, base, "USDT", instrument, Decimal(max_qty), Decimal(max_market))


SYMBOLS = (
    _spot("BTC", "USDT", "0.01", "0.00001", "9000", "120", "86000.00"),
    _spot("ETH", "USDT", "0.01", "0.0001", "9000", "3000", "2850.00"),
    _spot("SOL", "USDT", "0.01", "0.001", "90000", "20000", "132.00"),
    _spot("XRP", "USDT", "0.0001", "0.1", "9222449", "900000", "2.0500"),
    _perpetual("BTC", "0.10", "0.001", "50", "86000.0", "1000", "120", 125, 6),
    _perpetual("ETH", "0.01", "0.001", "20", "2850.00", "10000", "2000", 125, 4),
    _perpetual("SOL", "0.0100", "0.01", "5", "132.00", "1000000", "5000", 100, 1),
    _perpetual("XRP", "0.0001", "0.1", "5", "2.0500", "10000000", "2000000", 75, 1),
)
_BY_NAME = {(item.market, item.id): item for item in SYMBOLS}
BY_SYMBOL = {item.instrument.symbol: item for item in SYMBOLS}
#: coins of the wallet endpoints: (name, decimals on chain)
COINS = {"BTC": "Bitcoin", "ETH": "Ethereum", "SOL": "Solana", "XRP": "Ripple", "USDT": "TetherUS"}


def find(market: str, name: str) -> Optional[Symbol]:
    """Return a symbol of a market (`binance`, `binance_usdm`) by the venue's name, or None."""
    return _BY_NAME.get((market, name))


def by_name(name: str) -> Optional[Symbol]:
    """Return a symbol by a name that says which market: `binance:BTCUSDT`, `binance_usdm:BTCUSDT`, or the sandbox's own."""
    market, _, rest = name.partition(":")
    return find(market, rest) or BY_SYMBOL.get(name)
