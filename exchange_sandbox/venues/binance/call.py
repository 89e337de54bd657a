"""One request of a Binance client while it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...accounts import Account
from ...keys import Key
from ...money import parse
from ...seen import Seen
from .errors import INVALID_SYMBOL, BinanceError, malformed, missing
from .instruments import Symbol, find

if TYPE_CHECKING:
    from ...core import Exchange

#: what an endpoint asks for: nothing, a key, a signature
NONE, KEY, SIGNED = "none", "key", "signed"


@dataclass
class Call:
    """A request that was let in. `market` is binance or binance_usdm, `params` the parameters of query and body."""

    exchange: Exchange
    seen: Seen
    market: str
    params: dict[str, str]
    key: Optional[Key] = None
    owner: Optional[Account] = None

    @property
    def now(self) -> float:
        return self.seen.at

    @property
    def account(self) -> Account:
        assert self.owner is not None
        return self.owner

    def text(self, name: str, default: str = "") -> str:
        return self.params.get(name) or default

    def needed(self, name: str) -> str:
        """Return a parameter. Raises BinanceError -1102 without it."""
        value = self.params.get(name)
        if not value:
            self.seen.bad("protocol", "parameter %s is missing" % name)
            raise missing(name)
        return value

    def integer(self, name: str, default: Optional[int] = None, low: int = 0, high: int = 2**62) -> Optional[int]:
        """Return a whole number. Raises BinanceError for anything else."""
        raw = self.params.get(name)
        if raw in (None, ""):
            return default
        digits = str(raw)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and low <= int(digits) <= high):
            self.seen.bad("protocol", "%s is no whole number from %d" % (name, low))
            raise malformed(name)
        return int(digits)

    def limit(self, default: int, most: int) -> int:
        """Return the `limit` of a list; the venue cuts what is above its most."""
        value = self.integer("limit", default)
        return min(max(1, value if value is not None else default), most)

    def number(self, name: str) -> Optional[Decimal]:
        """Return a positive number, or None where it was not sent. Raises BinanceError."""
        raw = self.params.get(name)
        if raw in (None, ""):
            return None
        try:
            value = parse(raw)
        except ValueError:
            self.seen.bad("protocol", "%s is no number" % name)
            raise malformed(name) from None
        if value < 0 or not all(char in "0123456789." for char in str(raw)):
            self.seen.bad("protocol", "%s is no plain number" % name)
            raise malformed(name)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        raw = self.params.get(name)
        if raw in (None, ""):
            return default
        if str(raw).lower() not in ("true", "false"):
            self.seen.bad("protocol", "%s is neither true nor false" % name)
            raise BinanceError(-1130, "Data sent for parameter '%s' is not valid." % name)
        return str(raw).lower() == "true"

    def known(self, name: str) -> Symbol:
        """Return a symbol that this sandbox runs. Raises BinanceError -1121."""
        symbol = find(self.market, name[:32])
        if symbol is None or symbol.instrument.symbol not in self.exchange.engine.books or self.status(symbol) == "delisted":
            self.seen.bad("protocol", "unknown symbol %s" % name[:32])
            raise BinanceError(*INVALID_SYMBOL)
        return symbol

    def symbol(self) -> Symbol:
        """Return the symbol of the request. Raises BinanceError."""
        return self.known(self.needed("symbol"))

    def symbol_or_none(self) -> Optional[Symbol]:
        return self.symbol() if self.params.get("symbol") else None

    def status(self, symbol: Symbol) -> str:
        return self.exchange.markets.by_symbol[symbol.instrument.symbol].status

    def delivered(self, symbol: Symbol) -> None:
        """Remember that the caller has got market data of a symbol."""
        market = self.exchange.markets.by_symbol[symbol.instrument.symbol]
        self.exchange.judge.delivered(self.seen.source, symbol.instrument.symbol, market.as_of)


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: who may call it, what it costs and who answers."""

    handler: Callable[[Call], Any]
    security: str = NONE
    #: rights of which one is enough
    rights: tuple[str, ...] = ()
    weight: int = 1
    #: counts on the order limits
    order: bool = False
    #: names by which cruelties may mean it, beside its path
    alias: str = ""
    #: asking it tells a client what became of its orders
    tells_orders: bool = False
