"""What the switch asks of a venue; one class for each kind of account."""
from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .plan import Order, Position, View
from .words import ZERO, Refused, Silent


class Fill(NamedTuple):
    """What an order of ours did: amount, money (quote currency) and fee (quote currency; 0 where the venue does not say at once)."""

    amount: Decimal = ZERO
    money: Decimal = ZERO
    fee: Decimal = ZERO


class Venue:
    """One account. Every call raises Refused, Gone or Silent; none repeats itself. Moments are the venue's clock."""

    #: how many ids one request cancels, whether all of a batch have to be of one symbol, and what it needs to be told about
    batch, per_symbol = 1, False

    def open_orders(self) -> Tuple[Order, ...]:
        """Return the bot's open orders: the first question, one request where the venue allows it."""
        raise NotImplementedError

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the whole reading to orders that were just asked for. Orders come first and positions second: a position that is

        opened and protected in between is then seen without its stop, and never a stop without its position.
        """
        raise NotImplementedError

    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel up to `batch` orders; return the ids that are gone. An id that was gone before counts. Refused: the whole request was."""
        raise NotImplementedError

    def claim(self, order: Order) -> Decimal:
        """Cancel one order and return what was left of it. Raises Gone when this call is not the one that cancelled it."""
        raise NotImplementedError

    def prices_of(self, symbols: List[str], needed: bool) -> Dict[str, Decimal]:
        """Return the last prices. Where nothing is to be placed they only tell what is dust, and may be missing."""
        if not symbols:
            return {}
        try:
            return self._prices(symbols)
        except (Refused, Silent):
            if needed:
                raise
            return {}

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        raise NotImplementedError

    def now(self) -> float:
        """Return the venue's clock, in seconds since 1970."""
        raise NotImplementedError

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop that makes a position smaller and can do nothing else; not after `until`."""
        raise NotImplementedError

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Trade an amount at a limit or better, at once or not at all, making the position smaller; not after `until`."""
        raise NotImplementedError

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Ask the venue whether it would take that order from this key, without placing it. Raises Refused when it would not."""
        raise NotImplementedError

    def left_alone(self) -> Dict[str, Any]:
        """Return what was seen and is not the bot's, for the report."""
        return {}
