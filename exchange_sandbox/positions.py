"""Positions of perpetual contracts, and the modes an account has chosen for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .money import ZERO

BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"
CROSS, ISOLATED = "cross", "isolated"
DEFAULT_LEVERAGE = 20
#: assets of the futures wallet are told from those of the spot wallet by this
WALLET = "um:"


@dataclass
class Position:
    """One position. `qty` is negative for a short one; `cost` is quantity times entry price, kept exactly (an average would be rounded)."""

    symbol: str
    side: str
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    #: margin set aside for it in isolated mode, in the wallet's currency
    isolated: Decimal = ZERO
    updated: float = 0.0

    @property
    def entry(self) -> Decimal:
        """Average entry price; 0 without a position."""
        return self.cost / self.qty if self.qty else ZERO

    def profit(self, price: Decimal) -> Decimal:
        """Return the unrealised profit at a price."""
        return self.qty * price - self.cost

    def to_dict(self) -> dict[str, Any]:
        """Return the journal form."""
        return {
            "symbol": self.symbol,
            "side": self.side,
            "qty": format(self.qty, "f"),
            "cost": format(self.cost, "f"),
            "isolated": format(self.isolated, "f"),
            "updated": self.updated,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Position:
        return cls(
            data["symbol"], data["side"], Decimal(data["qty"]), Decimal(data["cost"]), Decimal(data["isolated"]), float(data["updated"])
        )


@dataclass
class Futures:
    """One account's futures side."""

    #: hedge mode: separate long and short positions
    dual: bool = False
    multi_assets: bool = False
    leverage: dict[str, int] = field(default_factory=dict)
    #: symbol -> cross (the default) or isolated
    margin: dict[str, str] = field(default_factory=dict)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)

    def of(self, symbol: str, side: str) -> Position:
        """Return the position of a symbol and side, an empty one if there is none."""
        return self.positions.setdefault((symbol, side or BOTH), Position(symbol, side or BOTH))

    def open(self) -> list[Position]:
        """Return what is not empty."""
        return [item for item in self.positions.values() if item.qty]

    def net(self, symbol: str) -> Decimal:
        """Return the signed quantity of all positions of a symbol."""
        return sum((item.qty for (name, _), item in self.positions.items() if name == symbol), ZERO)

    def leverage_of(self, symbol: str) -> int:
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    def margin_of(self, symbol: str) -> str:
        return self.margin.get(symbol, CROSS)

    def modes(self) -> dict[str, Any]:
        """Return the journal form of what was chosen."""
        return {"dual": self.dual, "multi_assets": self.multi_assets, "leverage": dict(self.leverage), "margin": dict(self.margin)}

    def choose(self, modes: dict[str, Any]) -> None:
        """Take the journal form back."""
        self.dual, self.multi_assets = bool(modes["dual"]), bool(modes["multi_assets"])
        self.leverage, self.margin = dict(modes["leverage"]), dict(modes["margin"])
