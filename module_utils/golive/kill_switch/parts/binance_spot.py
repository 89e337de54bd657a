"""A spot account at Binance: cancelled one by one, order lists (OCO) as one, because cancelling one leg cancels the list."""
from __future__ import annotations

import contextlib
import json
import time
from decimal import Decimal
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .binance_calls import Binance
from .plan import Order, Position, Rule, View
from .venue import Fill, Venue
from .words import ZERO, Gone, Silent, exact, number, text_of

SPOT_STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
DAY_MS = 86_400_000
ROWS = 1000


class SpotAccount(Venue):
    """See Venue."""

    batch, per_symbol = 1, True

    def __init__(self, asks: Binance, trades: Binance, settings: Mapping[str, Any], priced: bool, since: Optional[float]) -> None:
        self._asks, self._trades, self._priced, self._since = asks, trades, priced, since
        self._wanted: List[str] = list(settings["pairs"])
        self._shared = settings.get("account") == "shared"
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._info: Dict[str, Dict[str, Any]] = {}
        self._raw: List[Dict[str, Any]] = []
        self._unclear: Tuple[str, ...] = ()
        self._ours: Dict[str, List[int]] = {}           # symbol -> ids of the bot's own orders since the start
        self._trade_rows: Dict[str, Dict[int, Dict[str, Any]]] = {}
        self._listed: Dict[str, Dict[int, bool]] = {}   # symbol -> order id -> is part of an order list
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the open orders that are the bot's."""
        listed = self._asks.signed("GET", "/api/v3/openOrders")
        if not isinstance(listed, list):
            raise Silent("openOrders has another form than documented")
        lists = self._own_lists(listed) if self._shared else set()
        self._raw = [one for one in listed if not self._shared or self._is_ours(one) or one.get("orderListId", -1) in lists]
        self._foreign = len(listed) - len(self._raw)
        return self._orders()

    def _own_lists(self, listed: List[Dict[str, Any]]) -> Any:
        if all(one.get("orderListId", -1) == -1 for one in listed):
            return set()
        return {one["orderListId"] for one in self._asks.signed("GET", "/api/v3/openOrderList")
                if str(one.get("listClientOrderId") or "").startswith(self._prefix)}

    def _is_ours(self, raw: Mapping[str, Any]) -> bool:
        return bool(self._prefix) and str(raw.get("clientOrderId") or "").startswith(self._prefix)

    def _orders(self) -> Tuple[Order, ...]:
        single = [one for one in self._raw if one.get("orderListId", -1) == -1]
        lists: Dict[int, List[Dict[str, Any]]] = {}
        for one in self._raw:
            if one.get("orderListId", -1) != -1:
                lists.setdefault(one["orderListId"], []).append(one)
        odd = [str(one.get("orderId")) for one in self._raw if one.get("side") not in ("BUY", "SELL")]
        self._unclear = tuple(odd)
        out = [self._order(one) for one in single if str(one.get("orderId")) not in odd]
        for number_, legs in lists.items():
            buy = [leg for leg in legs if leg.get("side") == "BUY"]
            stop = [leg for leg in legs if leg.get("type") in SPOT_STOPS]
            shown = self._order((buy or stop or legs)[0])
            out.append(shown._replace(id=str(number_), service="list", stop=bool(stop) and not buy,
                                      words="order list %d of %s" % (number_, shown.symbol)))
        return tuple(out)

    def _order(self, raw: Mapping[str, Any]) -> Order:
        symbol, side = str(raw["symbol"]), str(raw["side"]).lower()
        left = max(ZERO, number(raw.get("origQty")) - number(raw.get("executedQty")))
        return Order(str(raw["orderId"]), symbol, str(self._info.get(symbol, {}).get("baseAsset") or symbol), "spot", side,
                     raw.get("type") in SPOT_STOPS, left, number(raw.get("stopPrice")), client_id=str(raw.get("clientOrderId") or ""),
                     words="%s %s %s %s" % (side, text_of(left), symbol, str(raw.get("type")).lower()))

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading."""
        names = sorted({*self._wanted, *(str(one.get("symbol")) for one in self._raw)} - set(self._info))
        if names:
            listed = self._asks.public("/api/v3/exchangeInfo", symbols=json.dumps(names, separators=(",", ":")))["symbols"]
            self._info.update({one["symbol"]: one for one in listed})
        positions = self._positions()
        symbols = sorted({one.symbol for one in positions})
        return View(self._orders(), tuple(positions), self.prices_of(symbols, self._priced),
                    {symbol: spot_rule(self._info[symbol]) for symbol in symbols}, self._unclear)

    def _positions(self) -> List[Position]:
        rows = self._asks.signed("GET", "/api/v3/account", omitZeroBalances="true")["balances"]
        balances = {row["asset"]: exact(row["free"], "free") + exact(row["locked"], "locked") for row in rows}
        symbols: Dict[str, str] = {}
        for name in [*self._wanted, *sorted(self._info)]:
            if name in self._info:
                symbols.setdefault(self._info[name]["baseAsset"], name)
        held = {base: balances.get(base, ZERO) for base in symbols}
        if self._since is not None:
            net = self._net_fills()
            held = {base: min(amount, max(ZERO, net.get(base, ZERO))) for base, amount in held.items()}
        return [Position(symbols[base], base, "spot", "long", amount) for base, amount in sorted(held.items()) if amount > 0]

    def _net_fills(self) -> Dict[str, Decimal]:
        """Return what the bot's own orders bought and did not sell again, less what the venue took of it as commission.

        A sale by an order list counts whoever placed it, because its legs carry no id of the bot's: less is then sold, never more.
        """
        net: Dict[str, Decimal] = {}
        for symbol in sorted(self._info):
            self._read_history(symbol)
            base, ours = self._info[symbol]["baseAsset"], set(self._ours.get(symbol, []))
            for row in self._trade_rows.get(symbol, {}).values():
                mine = row["orderId"] in ours
                if not mine and not (self._listed.get(symbol, {}).get(row["orderId"]) and not row["isBuyer"]):
                    continue
                amount = exact(row["qty"], "qty") * (1 if row["isBuyer"] else -1)
                fee = exact(row["commission"], "commission") if row.get("commissionAsset") == base else ZERO
                net[base] = net.get(base, ZERO) + amount - fee
        return net

    def _read_history(self, symbol: str) -> None:
        """Read orders and trades since the start, in the windows of a day that the venue takes."""
        rows = self._trade_rows.setdefault(symbol, {})
        since = int((self._since or 0.0) * 1000) if not rows else max(int(row["time"]) for row in rows.values()) - 60_000
        end = int(time.time() * 1000) + 60_000
        start = max(since, 0)
        while start <= end:
            stop = min(end, start + DAY_MS - 1)
            orders = self._asks.signed("GET", "/api/v3/allOrders", symbol=symbol, startTime=start, endTime=stop, limit=ROWS)
            trades = self._asks.signed("GET", "/api/v3/myTrades", symbol=symbol, startTime=start, endTime=stop, limit=ROWS)
            self._ours.setdefault(symbol, []).extend(one["orderId"] for one in orders if self._is_ours(one))
            self._listed.setdefault(symbol, {}).update({one["orderId"]: one.get("orderListId", -1) != -1 for one in orders})
            rows.update({int(one["id"]): one for one in trades})
            full = [page for page in (orders, trades) if len(page) >= ROWS]
            last = min((int(page[-1]["time"]) for page in full), default=stop)
            start = last if full and last > start else stop + 1

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        rows = self._asks.public("/api/v3/ticker/price", symbols=json.dumps(symbols, separators=(",", ":")))
        return {row["symbol"]: exact(row["price"], "price of %s" % row["symbol"]) for row in rows}

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel one order, or one list."""
        for one in orders:
            with contextlib.suppress(Gone):
                self._delete(one)
        return [one.id for one in orders]

    def _delete(self, order: Order) -> Any:
        if order.service == "list":
            return self._asks.signed("DELETE", "/api/v3/orderList", symbol=order.symbol, orderListId=order.id)
        return self._asks.signed("DELETE", "/api/v3/order", symbol=order.symbol, orderId=order.id)

    def claim(self, order: Order) -> Decimal:
        """Cancel one order or list; the answer says what was left of it."""
        done = self._delete(order)
        reports = done["orderReports"] if order.service == "list" else [done]
        return max(ZERO, min(exact(one["origQty"], "origQty") for one in reports)
                   - sum((exact(one["executedQty"], "executedQty") for one in reports), ZERO))

    def now(self) -> float:
        """Return the venue's clock."""
        return self._asks.now()

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop; at the market where the venue takes that for the symbol, else with a limit 5 % beyond."""
        how: Dict[str, Any] = {"type": "STOP_LOSS"}
        info = self._info[position.symbol]
        if "STOP_LOSS" not in info.get("orderTypes", ["STOP_LOSS"]):
            tick = spot_rule(info).tick
            limit = max(tick, (trigger * Decimal("0.95")) // tick * tick if tick > 0 else trigger)
            how = {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": text_of(limit)}
        self._trades.signed("POST", "/api/v3/order", until, symbol=position.symbol, side="SELL", quantity=text_of(amount),
                            stopPrice=text_of(trigger), newClientOrderId=client_id, newOrderRespType="ACK", **how)

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Sell at a limit, at once or not at all."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        done = self._trades.signed("POST", "/api/v3/order", until, symbol=position.symbol, side="SELL", type="LIMIT", timeInForce="IOC",
                                   quantity=text_of(amount), price=text_of(limit), newClientOrderId=client_id, newOrderRespType="FULL")
        quote = self._info[position.symbol].get("quoteAsset")
        fees = sum((number(one.get("commission")) for one in done.get("fills") or [] if one.get("commissionAsset") == quote), ZERO)
        return Fill(exact(done["executedQty"], "executedQty"), exact(done["cummulativeQuoteQty"], "cummulativeQuoteQty"), fees)

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Ask the venue's test of orders."""
        self._trades.signed("POST", "/api/v3/order/test", symbol=position.symbol, side="SELL", type="LIMIT", timeInForce="IOC",
                            quantity=text_of(amount), price=text_of(limit))


def spot_rule(info: Mapping[str, Any]) -> Rule:
    """Return a symbol's limits out of its filters."""
    filters = {one["filterType"]: one for one in info["filters"]}
    lot, notional = filters.get("LOT_SIZE", {}), filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return Rule(number(lot.get("minQty")), number(lot.get("stepSize")), number(filters.get("PRICE_FILTER", {}).get("tickSize")),
                number(notional.get("minNotional") or notional.get("notional")), number(lot.get("maxQty")))
