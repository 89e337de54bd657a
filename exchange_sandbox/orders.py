"""Orders, fills and refusals as the engine knows them; plain data that can be written to the journal and read back."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, Optional

from .money import ZERO

#: still able to trade
OPEN_STATES = ("pending", "open")
BUY, SELL = "buy", "sell"
#: flags of an order that the venue sends for an account whose margin is used up
LIQUIDATION = "liquidation"
#: order types that wait for a trigger price
STOP_TYPES = ("stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit", "trailing-stop", "trailing-stop-limit")


MOST_AMENDS = 100
_DECIMALS = ("qty", "limit_price", "stop_price", "trail", "filled", "cost", "fee", "fee_exact", "held", "trail_rate", "activation")


class Refusal(Exception):
    """The engine does not take the order; `code` is venue-neutral, each venue has its own words for it."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


@dataclass
class Order:
    """One order. Prices in quote currency, quantities in base currency, times in seconds since 1970 of the exchange clock."""

    id: str
    account: str
    symbol: str
    side: str
    type: str
    qty: Decimal
    limit_price: Optional[Decimal] = None
    stop_price: Optional[Decimal] = None
    #: "last" or "index"
    trigger: str = "last"
    #: distance of a trailing stop in quote currency; the stop price follows the market by it
    trail: Optional[Decimal] = None
    #: GTC, IOC, FOK, GTD
    tif: str = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    expire_at: Optional[float] = None
    created: float = 0.0
    closed: Optional[float] = None
    #: new (not taken yet), pending (waits for its trigger), open, closed (filled), canceled, expired
    status: str = "new"
    reason: str = ""
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    #: the fee before rounding
    fee_exact: Decimal = ZERO
    held: Decimal = ZERO
    client_id: Optional[str] = None
    user_ref: Optional[int] = None
    flags: str = "fciq"
    #: self-trade prevention: cancel-newest, cancel-oldest, cancel-both
    stp: str = "cancel-newest"
    #: a conditional close order to create for what is filled: {ordertype, price, price2}
    close: Optional[dict[str, str]] = None
    #: the order that this one closes
    parent: Optional[str] = None
    #: rises with each loss of queue priority; time priority after a restart
    seq: int = 0
    triggered: bool = False
    #: LONG, SHORT or BOTH: which position of a perpetual the order is about
    position_side: str = ""
    #: orders of one list: as soon as one of them trades or triggers, the other ends
    list_id: Optional[str] = None
    #: a trailing stop whose distance is a fraction of the best price, and the price from which it follows
    trail_rate: Optional[Decimal] = None
    activation: Optional[Decimal] = None
    #: the quantity is the whole position at the moment of the trigger
    close_position: bool = False
    #: of a spot pair: the order is on margin, and opens positions with this leverage; 0 = paid with what is there
    leverage: int = 0
    #: its terms as placed and after each change, once it was changed; the newest MOST_AMENDS
    amends: list[dict[str, Any]] = field(default_factory=list)

    def note_amend(self, amend_id: str, kind: str, at: float) -> None:
        """Remember the terms that hold now."""
        limit, stop = (None if value is None else format(value, "f") for value in (self.limit_price, self.stop_price))
        terms = {"qty": format(self.qty, "f"), "remaining": format(self.remaining, "f"), "limit_price": limit, "trigger_price": stop}
        self.amends = [*self.amends, {"id": amend_id, "kind": kind, "at": at, **terms}][-MOST_AMENDS:]

    @property
    def remaining(self) -> Decimal:
        return self.qty - self.filled

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATES

    @property
    def is_stop(self) -> bool:
        return self.type in STOP_TYPES

    @property
    def executes_at_market(self) -> bool:
        return self.type in ("market", "stop-loss", "take-profit", "trailing-stop")

    def to_dict(self) -> dict[str, Any]:
        """Return the journal form: decimals as strings."""
        out = dict(self.__dict__)
        for name in _DECIMALS:
            value = out[name]
            if value is not None:
                text = str(value)
                # An exponent is what tells the two forms apart; str is the faster one.
                out[name] = format(value, "f") if "E" in text else text
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Order:
        """Read the journal form back."""
        values = dict(data)
        for name in _DECIMALS:
            if values.get(name) is not None:
                values[name] = Decimal(values[name])
        return cls(**values)


@dataclass(frozen=True)
class Fill:
    """One execution from one order's side."""

    id: str
    trade_id: int
    order_id: str
    account: str
    symbol: str
    side: str
    type: str
    price: Decimal
    qty: Decimal
    cost: Decimal
    fee: Decimal
    maker: bool
    at: float
    #: empty = the instrument's quote currency
    fee_asset: str = ""
    #: of a perpetual: profit of what the fill closed, quantity that it opened, and which position it is about
    realized: Decimal = ZERO
    opened: Decimal = ZERO
    position_side: str = ""
    #: of a spot pair: the order was on margin
    leverage: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {item.name: format(value, "f") if isinstance(value := getattr(self, item.name), Decimal) else value for item in fields(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Fill:
        values = dict(data)
        for name in ("price", "qty", "cost", "fee", "realized", "opened"):
            if name in values:
                values[name] = Decimal(values[name])
        return cls(**values)
