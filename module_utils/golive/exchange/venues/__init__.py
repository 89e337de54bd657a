"""Which venues there are. A venue is one file here plus one line in `load`, and its fixtures in tests/unit/exchange/fixtures.

The imports stand inside the function because a check needs one venue only, and spelled out because Ansible finds what it
must send to a target by reading import statements.
"""

from __future__ import annotations

from typing import Tuple, Type

from ...errors import GoliveError
from ..model import Venue

NAMES: Tuple[str, ...] = (
    "kraken",
    "kraken_futures",
    "binance",
    "binance_usdm",
    "bybit",
    "okx",
    "kucoin",
    "bitget",
    "gate",
    "htx",
    "mexc",
    "coinbase",
    "bitfinex",
    "gemini",
    "deribit",
    "cryptocom",
    "bitstamp",
)


def load(name: str) -> Type[Venue]:  # noqa: PLR0911, PLR0912 (one branch a venue)
    """Return the class of a venue. Raises GoliveError for a name that is not in NAMES."""
    # ruff: noqa: PLC0415 (one venue a check)
    if name == "kraken":
        from .kraken import Kraken

        return Kraken
    if name == "kraken_futures":
        from .kraken_futures import KrakenFutures

        return KrakenFutures
    if name == "binance":
        from .binance import Binance

        return Binance
    if name == "binance_usdm":
        from .binance import BinanceUsdm

        return BinanceUsdm
    if name == "bybit":
        from .bybit import Bybit

        return Bybit
    if name == "okx":
        from .okx import Okx

        return Okx
    if name == "kucoin":
        from .kucoin import Kucoin

        return Kucoin
    if name == "bitget":
        from .bitget import Bitget

        return Bitget
    if name == "gate":
        from .gate import Gate

        return Gate
    if name == "htx":
        from .htx import Htx

        return Htx
    if name == "mexc":
        from .mexc import Mexc

        return Mexc
    if name == "coinbase":
        from .coinbase import Coinbase

        return Coinbase
    if name == "bitfinex":
        from .bitfinex import Bitfinex

        return Bitfinex
    if name == "gemini":
        from .gemini import Gemini

        return Gemini
    if name == "deribit":
        from .deribit import Deribit

        return Deribit
    if name == "cryptocom":
        from .unaskable import Cryptocom

        return Cryptocom
    if name == "bitstamp":
        from .unaskable import Bitstamp

        return Bitstamp
    raise GoliveError("this venue is not known", where="venue", found=repr(name)[:40], expected=", ".join(NAMES))
