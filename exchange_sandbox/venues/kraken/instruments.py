"""Kraken's pairs and assets: names, ticks, lots, minimums, as its AssetPairs and Assets endpoints give them.

XBTUSDT is the public answer of 2025-11 to the letter. Kraken adjusts order minimums with the price (ordermin); the others are of the
same time and are refreshed by hand, so a bot must read them from AssetPairs, here as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

from ...instruments import Instrument

TAKER = (
    (0, "0.40"),
    (10_000, "0.35"),
    (50_000, "0.24"),
    (100_000, "0.22"),
    (250_000, "0.20"),
    (500_000, "0.18"),
    (1_000_000, "0.16"),
    (2_500_000, "0.14"),
    (5_000_000, "0.12"),
    (10_000_000, "0.10"),
)
MAKER = (
    (0, "0.25"),
    (10_000, "0.20"),
    (50_000, "0.14"),
    (100_000, "0.12"),
    (250_000, "0.10"),
    (500_000, "0.08"),
    (1_000_000, "0.06"),
    (2_500_000, "0.04"),
    (5_000_000, "0.02"),
    (10_000_000, "0.00"),
)


@dataclass(frozen=True)
class Pair:
    """Kraken's names for one instrument."""

    id: str
    altname: str
    wsname: str
    base: str
    quote: str
    instrument: Instrument
    #: leverages that orders on margin may ask for; none = the pair is not marginable
    leverages: tuple[int, ...] = ()


def _pair(
    pair_id: str,
    altname: str,
    base: str,
    quote: str,
    symbol: str,
    tick: str,
    lot_decimals: int,
    ordermin: str,
    cost_decimals: int,
    start: str,
    most_leverage: int = 0,
) -> Pair:
    base_symbol, quote_symbol = symbol.split("/")
    instrument = Instrument(
        symbol,
        base_symbol,
        quote_symbol,
        Decimal(tick),
        Decimal(1).scaleb(-lot_decimals),
        Decimal(ordermin),
        Decimal("0.5"),
        cost_decimals,
        Decimal(start),
        TAKER,
        MAKER,
    )
    wsname = "%s/%s" % ({"BTC": "XBT"}.get(base_symbol, base_symbol), quote_symbol)
    return Pair(pair_id, altname, wsname, base, quote, instrument, tuple(range(2, most_leverage + 1)))


PAIRS = (
    _pair("XBTUSDT", "XBTUSDT", "XXBT", "USDT", "BTC/USDT", "0.1", 8, "0.00005", 5, "86000.0", 5),
    _pair("XXBTZUSD", "XBTUSD", "XXBT", "ZUSD", "BTC/USD", "0.1", 8, "0.00005", 5, "86010.0", 5),
    _pair("ETHUSDT", "ETHUSDT", "XETH", "USDT", "ETH/USDT", "0.01", 8, "0.001", 5, "2850.00", 5),
    _pair("XRPUSDT", "XRPUSDT", "XXRP", "USDT", "XRP/USDT", "0.00001", 8, "1.65", 8, "2.05000", 3),
    _pair("SHIBUSDT", "SHIBUSDT", "SHIB", "USDT", "SHIB/USDT", "0.00000001", 5, "50000", 8, "0.00000850"),
    _pair("SOLUSDT", "SOLUSDT", "SOL", "USDT", "SOL/USDT", "0.01", 8, "0.02", 5, "132.00", 3),
)

#: Kraken's asset id -> (altname, decimals in ledgers, display decimals)
ASSETS = {
    "XXBT": ("XBT", 10, 5),
    "XETH": ("ETH", 10, 5),
    "XXRP": ("XRP", 8, 5),
    "SHIB": ("SHIB", 5, 2),
    "SOL": ("SOL", 10, 5),
    "USDT": ("USDT", 8, 4),
    "ZUSD": ("USD", 4, 2),
    "ZEUR": ("EUR", 4, 2),
}
#: the sandbox's asset name -> Kraken's asset id
ASSET_IDS = {"BTC": "XXBT", "ETH": "XETH", "XRP": "XXRP", "SHIB": "SHIB", "SOL": "SOL", "USDT": "USDT", "USD": "ZUSD", "EUR": "ZEUR"}
ASSET_NAMES = {asset_id: name for name, asset_id in ASSET_IDS.items()}

_BY_NAME: dict[str, Pair] = {}
for _item in PAIRS:
    for _name in (_item.id, _item.altname, _item.wsname, _item.instrument.symbol, _item.wsname.replace("/", "")):
        _BY_NAME[_name.upper()] = _item
BY_SYMBOL = {item.instrument.symbol: item for item in PAIRS}


def find_pair(name: str) -> Optional[Pair]:
    """Return the pair of any of Kraken's names (`XXBTZUSD`, `XBTUSD`, `XBT/USD`, `BTC/USD`), or None."""
    return _BY_NAME.get(name.upper())


def find_asset(name: str) -> Optional[str]:
    """Return Kraken's asset id of an id, altname or common name, or None."""
    upper = name.upper()
    if upper in ASSETS:
        return upper
    if upper in ASSET_IDS:
        return ASSET_IDS[upper]
    return next((asset_id for asset_id, (altname, _, _) in ASSETS.items() if altname == upper), None)
