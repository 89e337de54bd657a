"""The trading venue in the bot's words: instruments, balances, orders. Forms and fields are Kraken's."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from .errors import BotError, VenueError, VenueUnclear
from .faults import Faults
from .kraken_rest import KrakenRest
from .kraken_stream import Account, Stream
from .metrics import Metrics

log = logging.getLogger("kraken_micro.venue")

# The engine rejects an order that reaches it later than this: after it, an order that is not there will not come.
DEADLINE_S = 3.0

# Kraken writes some assets in its own way; the stream and everybody else in the usual one.
USUAL = {
    "XXBT": "BTC", "XBT": "BTC", "XETH": "ETH", "XXDG": "DOGE", "XDG": "DOGE",
    "ZUSD": "USD", "ZEUR": "EUR", "XXRP": "XRP", "XLTC": "LTC",
}  # fmt: skip


def usual(asset: str) -> str:
    """Return the usual name of an asset."""
    return USUAL.get(asset, asset)


@dataclass(frozen=True)
class Instrument:
    """How a pair is traded: names, steps, minimums."""

    pair: str
    rest_name: str
    tick: Decimal
    lot: Decimal
    minimum_volume: Decimal
    minimum_cost: Decimal

    def price_down(self, price: Decimal) -> Decimal:
        """Round a price down to the tick."""
        return price // self.tick * self.tick

    def price_up(self, price: Decimal) -> Decimal:
        """Round a price up to the tick."""
        down = self.price_down(price)
        return down if down == price else down + self.tick

    def volume_down(self, volume: Decimal) -> Decimal:
        """Round a volume down to the lot."""
        return volume.quantize(self.lot, ROUND_DOWN)

    def volume_up(self, volume: Decimal) -> Decimal:
        """Round a volume up to the lot."""
        return volume.quantize(self.lot, ROUND_UP)


@dataclass(frozen=True)
class OrderState:
    """What the venue says of an order."""

    txid: str
    client_id: str | None
    status: str  # pending, open, closed, canceled, expired
    executed: Decimal
    cost: Decimal
    fee: Decimal

    @property
    def over(self) -> bool:
        """Return whether nothing more will happen to it."""
        return self.status in ("closed", "canceled", "expired")


def parse_instruments(pairs: Any, wanted: tuple[str, ...]) -> dict[str, Instrument]:
    """Find the wanted pairs in the answer of AssetPairs. Raises BotError for a pair that is missing or not online."""
    found: dict[str, Instrument] = {}
    for name, item in dict(pairs).items():
        base, _, quote = str(item.get("wsname", "")).partition("/")
        pair = f"{usual(base)}/{usual(quote)}"
        if pair not in wanted:
            continue
        if item.get("status", "online") != "online":
            raise BotError(f"{pair}: the venue lists it as {item.get('status')!r}, expected online; take it out of trade_pairs")
        decimals = Decimal(1).scaleb(-int(item["pair_decimals"]))
        found[pair] = Instrument(
            pair=pair,
            rest_name=str(item.get("altname", name)),
            tick=Decimal(item.get("tick_size") or decimals),
            lot=Decimal(1).scaleb(-int(item["lot_decimals"])),
            minimum_volume=Decimal(item.get("ordermin") or 0),
            minimum_cost=Decimal(item.get("costmin") or 0),
        )
    missing = [pair for pair in wanted if pair not in found]
    if missing:
        raise BotError(f"{', '.join(missing)}: the venue has no such pair; correct trade_pairs")
    return found


class Balances:
    """What may be spent, from three sources in order: stream, BalanceEx, Balance. None answers: nothing is known.

    The stream's and Balance's figures do not subtract what open orders hold; BalanceEx names it (`hold_trade`).
    """

    def __init__(self, rest: KrakenRest, account: Account, stream: Stream | None, faults: Faults, metrics: Metrics) -> None:
        self._rest, self._account, self._stream, self._faults, self._metrics = rest, account, stream, faults, metrics
        self.tier = 0

    async def free(self, asset: str) -> Decimal | None:
        """Return the balance of an asset, None when no source answers. Never an old value."""
        for tier, source in enumerate((self._from_stream, self._from_balance_ex, self._from_balance), 1):
            try:
                value = await source(asset)
            except (VenueError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError) as exc:
                log.warning("balance source failed", extra={"tier": tier, "reason": f"{type(exc).__name__} {exc}"[:200]})
                continue
            if tier != self.tier:
                log.warning("balance source", extra={"tier": tier, "before": self.tier})
            self._use(tier)
            return value
        self._use(0)
        return None

    def _use(self, tier: int) -> None:
        self.tier = tier
        self._metrics.balance_tier.set(tier)

    async def _from_stream(self, asset: str) -> Decimal:
        if self._stream is None or not self._stream.connected or self._account.balances is None:
            raise VenueError("the private stream is not up")
        return self._account.balances.get(asset, Decimal(0))

    async def _from_balance_ex(self, asset: str) -> Decimal:
        if self._faults.on("balance_tier_2_broken"):
            raise VenueError("fault balance_tier_2_broken")
        answer = await self._rest.private("BalanceEx")
        total = Decimal(0)
        for name, item in answer.items():
            if usual(name.split(".")[0]) == asset and "." not in name:
                total += Decimal(item["balance"]) - Decimal(item.get("hold_trade", 0))
        return total

    async def _from_balance(self, asset: str) -> Decimal:
        answer = await self._rest.private("Balance")
        return sum((Decimal(value) for name, value in answer.items() if usual(name) == asset), Decimal(0))


class Orders:
    """Order calls of the venue; each order carries our client id."""

    def __init__(self, rest: KrakenRest, faults: Faults, clock: Callable[[], float] = time.time) -> None:
        self._rest, self._faults, self._clock = rest, faults, clock

    async def add(self, instrument: Instrument, client_id: str, side: str, order_type: str, volume: Decimal, price: Decimal | None) -> str:
        """Send an order and return the venue's id. `limit` is immediate-or-cancel; `stop-loss` rests until triggered."""
        params = {
            "pair": instrument.rest_name,
            "type": side,
            "ordertype": order_type,
            "volume": f"{float(volume):.17f}" if self._faults.on("binary_floats") else format(volume, "f"),
            "cl_ord_id": client_id,
            "oflags": "fciq",  # fees in the quote currency, so that volumes stay what was bought
        }
        if price is not None:
            params["price"] = format(price, "f")
        if order_type == "limit":
            params["timeinforce"] = "IOC"
        until = datetime.fromtimestamp(self._clock() + DEADLINE_S, UTC)
        params["deadline"] = until.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        answer = await self._rest.private("AddOrder", **params)
        try:
            return str(answer["txid"][0])
        except (KeyError, IndexError, TypeError):
            raise VenueUnclear("AddOrder answered without a txid") from None

    async def leak(self, instrument: Instrument, side: str, volume: Decimal) -> None:
        """Send an order that must not be sent (fault `paper_sends_orders`)."""
        await self._rest.unsigned("AddOrder", pair=instrument.rest_name, type=side, ordertype="market", volume=format(volume, "f"))

    async def cancel(self, txid: str) -> None:
        """Cancel one order by the venue's id."""
        await self._rest.private("CancelOrder", txid=txid)

    async def cancel_all_after(self, seconds: int) -> None:
        """Set the venue's timer that cancels every order of the account, stops too; 0 switches it off."""
        await self._rest.private("CancelAllOrdersAfter", timeout=str(seconds))

    async def find(self, client_id: str) -> OrderState | None:
        """Look for an order by our id among open and closed ones. None: the venue has answered and has no such order."""
        for name, key in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            answer = await self._rest.private(name, cl_ord_id=client_id)
            for txid, item in answer[key].items():
                if item.get("cl_ord_id") == client_id:
                    return _state(txid, item)
        return None

    async def open(self) -> list[OrderState]:
        """Return all open orders of the account."""
        answer = await self._rest.private("OpenOrders")
        return [_state(txid, item) for txid, item in answer["open"].items()]

    async def query(self, txids: list[str]) -> dict[str, OrderState]:
        """Return what the venue says of up to 50 orders."""
        if not txids:
            return {}
        answer = await self._rest.private("QueryOrders", txid=",".join(txids[:50]))
        return {txid: _state(txid, item) for txid, item in answer.items()}


def _state(txid: str, item: dict[str, Any]) -> OrderState:
    try:
        return OrderState(
            txid=txid,
            client_id=item.get("cl_ord_id"),
            status=str(item["status"]),
            executed=Decimal(item["vol_exec"]),
            cost=Decimal(item["cost"]),
            fee=Decimal(item["fee"]),
        )
    except (KeyError, TypeError, ArithmeticError):
        raise VenueError("an order without status, vol_exec, cost or fee") from None
