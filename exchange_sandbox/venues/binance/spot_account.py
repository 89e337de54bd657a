"""Binance spot: account, trades, commissions."""

from __future__ import annotations

import zlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...positions import WALLET
from .call import SIGNED, Call, Endpoint
from .forms import spot_trade
from .gate import READ
from .wire import eight, ms

if TYPE_CHECKING:
    from ...core import Exchange

RATE = "0.00100000"


class SpotAccount:
    """Handlers under /api/v3 that tell about the account."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @cached_property
    def _assets(self) -> set[str]:
        """What the venue's spot pairs trade; it stands in every answer, with or without a balance."""
        items = self._exchange.engine.instruments.values()
        return {"USDT", *(item.base for item in items if item.venue == "binance" and item.contract is None)}

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        read, base = (READ,), "/api/v3/"
        return {
            ("GET", base + "account"): Endpoint(self.account, SIGNED, read, 20, alias="Balance"),
            ("GET", base + "account/commission"): Endpoint(self.commission, SIGNED, read, 20),
            ("GET", base + "myTrades"): Endpoint(self.trades, SIGNED, read, 20, tells_orders=True),
        }

    def account(self, call: Call) -> Any:
        """Balances. The `can*` flags are the account's, never the key's: always true."""
        account = call.account
        zero = call.flag("omitZeroBalances")
        names = sorted(self._assets.union([name for name in account.balances if not name.startswith(WALLET)]))
        return {
            "makerCommission": 10,
            "takerCommission": 10,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": RATE, "taker": RATE, "buyer": "0.00000000", "seller": "0.00000000"},
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": ms(account.ledger[-1].at if account.ledger else account.created),
            "accountType": "SPOT",
            "balances": [
                {"asset": name, "free": eight(account.available(name)), "locked": eight(account.held(name))}
                for name in names
                if not zero or account.balance(name)
            ],
            "permissions": ["SPOT"],
            "uid": _uid(account.name),
        }

    def commission(self, call: Call) -> Any:
        symbol = call.symbol()
        zero = {"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"}
        return {
            "symbol": symbol.id,
            "standardCommission": {**zero, "maker": RATE, "taker": RATE},
            "taxCommission": zero,
            "specialCommission": zero,
            "discount": {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": "0.75000000"},
        }

    def trades(self, call: Call) -> Any:
        symbol = call.symbol()
        first, order_id = call.integer("fromId"), call.text("orderId")
        start, end = call.integer("startTime"), call.integer("endTime")
        rows = [
            fill
            for fill in call.account.fills
            if fill.symbol == symbol.instrument.symbol
            and (first is None or fill.trade_id >= first)
            and (not order_id or fill.order_id == order_id)
            and (start is None or ms(fill.at) >= start)
            and (end is None or ms(fill.at) <= end)
        ]
        count = call.limit(500, 1000)
        return [spot_trade(fill) for fill in (rows[:count] if first is not None or start is not None else rows[-count:])]


def _uid(name: str) -> int:
    return zlib.crc32(name.encode())
