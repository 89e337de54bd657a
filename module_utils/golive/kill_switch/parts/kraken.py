"""An account at Kraken: spot, and margin where the bot uses it. One list of open orders; a batch cancels 50."""
from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .kraken_calls import BATCH, Kraken
from .plan import Order, Position, Rule, View
from .venue import Fill, Venue
from .words import ZERO, Gone, Refused, Silent, exact, number, text_of

STOP_TYPES = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")
PAGE = 50


class KrakenAccount(Venue):
    """See Venue. `asks`: key that queries and cancels; `trades`: key that may place (the same, where there is only one)."""

    batch = BATCH

    def __init__(self, asks: Kraken, trades: Kraken, settings: Mapping[str, Any], priced: bool, since: Optional[float]) -> None:
        self._asks, self._trades, self._priced, self._since = asks, trades, priced, since
        self._wanted: List[str] = list(settings["pairs"])
        self._shared, self._margin = settings.get("account") == "shared", bool(settings.get("margin"))
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._pairs: Dict[str, Dict[str, Any]] = {}     # every name that the venue has for a pair -> what AssetPairs says
        self._asked: List[str] = []
        self._raw: Dict[str, Any] = {}
        self._closed: Dict[str, Any] = {}
        self._closed_to = since or 0.0
        self._ahead: Optional[float] = None
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the open orders that are the bot's: on a dedicated account all, on a shared one those with its client id prefix."""
        listed = self._asks.private("OpenOrders")["open"] or {}
        self._raw = {txid: one for txid, one in listed.items() if not self._shared or self._is_ours(one)}
        self._foreign = len(listed) - len(self._raw)
        return tuple(order for order in (self._order(txid, one) for txid, one in self._raw.items()) if order is not None)

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading; pairs are asked for once, prices only where something may be placed or sold."""
        self._learn_pairs()
        known = [self._order(txid, one) for txid, one in self._raw.items()]
        orders = tuple(one for one in known if one is not None)
        unclear = tuple(txid for txid in self._raw if self._order(txid, self._raw[txid]) is None)
        positions = self._spot() + (self._margins() if self._margin or any(one.market == "margin" for one in orders) else [])
        symbols = sorted({one.symbol for one in positions})
        rules = {symbol: _rule(self._pairs[symbol]) for symbol in symbols}
        return View(orders, tuple(positions), self.prices_of(symbols, self._priced), rules, unclear)

    def _is_ours(self, order: Any) -> bool:
        return bool(self._prefix) and isinstance(order, dict) and str(order.get("cl_ord_id") or "").startswith(self._prefix)

    def _order(self, txid: str, raw: Any) -> Optional[Order]:
        """Return an order, None for one that has another form than documented."""
        described = raw.get("descr") if isinstance(raw, dict) else None
        side = described.get("type") if isinstance(described, dict) else None
        if not isinstance(described, dict) or side not in ("buy", "sell"):
            return None
        pair = self._pairs.get(str(described.get("pair")), {})
        symbol = str(pair.get("altname") or described.get("pair"))
        margin = described.get("leverage", "none") not in ("none", None)
        stop = described.get("ordertype") in STOP_TYPES
        return Order(txid, symbol, symbol if margin else str(pair.get("base") or symbol), "margin" if margin else "spot", side, stop,
                     max(ZERO, number(raw.get("vol")) - number(raw.get("vol_exec"))), number(described.get("price")),
                     reduces=raw.get("reduce_only") is True, client_id=str(raw.get("cl_ord_id") or ""),
                     words=str(described.get("order") or "an order"))

    def _learn_pairs(self) -> None:
        named = [str((one.get("descr") or {}).get("pair")) for one in self._raw.values() if isinstance(one, dict)]
        names = [name for name in [*self._wanted, *named] if name not in self._asked]
        if not names:
            return
        listed = self._asks.public("AssetPairs", pair=",".join(sorted(set(names))))
        self._asked += names
        for key, one in listed.items():
            self._pairs.update({name: one for name in (key, one.get("altname"), one.get("wsname")) if name})

    def _symbols(self) -> Dict[str, str]:
        """Return {base asset: the pair that it is sold by}: the first of the settings."""
        found: Dict[str, str] = {}
        for name in [*self._wanted, *self._asked]:
            pair = self._pairs.get(name)
            if pair is not None:
                found.setdefault(str(pair["base"]), str(pair["altname"]))
        return found

    def _spot(self) -> List[Position]:
        balances = self._asks.private("Balance")
        if not isinstance(balances, dict):
            raise Silent("Balance has another form than documented")
        symbols = self._symbols()
        held = {base: exact(balances.get(base, "0"), "balance of %s" % base) for base in symbols}
        if self._since is not None:
            ours = self._net_fills()
            held = {base: min(amount, max(ZERO, ours.get(base, ZERO))) for base, amount in held.items()}
        return [Position(symbols[base], base, "spot", "long", amount) for base, amount in sorted(held.items()) if amount > 0]

    def _net_fills(self) -> Dict[str, Decimal]:
        """Return what the bot's own orders bought and did not sell again, by base asset. Only what is provably the bot's may be sold."""
        self._read_closed()
        net: Dict[str, Decimal] = {}
        for one in {**self._raw, **self._closed}.values():
            if not self._is_ours(one) or (one["descr"].get("leverage", "none") not in ("none", None)):
                continue
            pair = self._pairs.get(str(one["descr"].get("pair")))
            done = exact(one.get("vol_exec"), "vol_exec")
            if pair is None or not done:
                continue
            fee = exact(one.get("fee") or "0", "fee") if "fcib" in str(one.get("oflags")) else ZERO
            net[pair["base"]] = net.get(pair["base"], ZERO) + (done if one["descr"]["type"] == "buy" else -done) - fee
        return net

    def _read_closed(self) -> None:
        found: Dict[str, Any] = {}
        while True:
            page = self._asks.private("ClosedOrders", start=int(self._closed_to) - 1, ofs=len(found))["closed"]
            found.update(page)
            if len(page) < PAGE:
                break
        self._closed.update(found)
        named = {str(one["descr"].get("pair")) for one in found.values() if self._is_ours(one)}
        if named - set(self._pairs):
            listed = self._asks.public("AssetPairs", pair=",".join(sorted(named)))
            for key, one in listed.items():
                self._pairs.update({name: one for name in (key, one.get("altname"), one.get("wsname")) if name})
                self._asked.append(key)
        closes = [float(number(one.get("closetm"))) for one in found.values()]
        self._closed_to = max([self._closed_to, *(moment - 60 for moment in closes)])

    def _margins(self) -> List[Position]:
        """Return margin positions; the venue nets them per pair, so on a shared account those of the bot's pairs are the bot's."""
        sums: Dict[str, Decimal] = {}
        leverage: Dict[str, str] = {}
        mine = {str(self._pairs[name]["altname"]) for name in self._wanted if name in self._pairs}
        for one in (self._asks.private("OpenPositions") or {}).values():
            pair = self._pairs.get(str(one.get("pair")))
            if pair is None:
                pair = self._asks.public("AssetPairs", pair=str(one.get("pair")))[str(one.get("pair"))]
                self._pairs.update({str(one.get("pair")): pair, str(pair["altname"]): pair})
            name = str(pair["altname"])
            if self._shared and name not in mine:
                continue
            left = exact(one.get("vol"), "vol") - exact(one.get("vol_closed") or "0", "vol_closed")
            sums[name] = sums.get(name, ZERO) + (left if one.get("type") == "buy" else -left)
            cost, margin = number(one.get("cost")), number(one.get("margin"))
            leverage[name] = str(max(2, round(cost / margin))) if margin > 0 else "2"
        return [Position(name, name, "margin", "long" if size > 0 else "short", abs(size), leverage=leverage[name])
                for name, size in sorted(sums.items()) if size]

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        found = {}
        for name, row in self._asks.public("Ticker", pair=",".join(symbols)).items():
            pair = self._pairs.get(name)
            found[str(pair["altname"]) if pair else name] = exact(row["c"][0], "price of %s" % name)
        return found

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel by id."""
        ids = [one.id for one in orders]
        try:
            if len(ids) == 1:
                self._asks.private("CancelOrder", txid=ids[0])
            else:
                self._asks.private("CancelOrderBatch", orders=ids)
        except Gone:
            pass
        return ids

    def claim(self, order: Order) -> Decimal:
        """Cancel one order by id; what is left of it is asked for afterwards, because it may have been filled in part meanwhile."""
        done = self._asks.private("CancelOrder", txid=order.id)
        if int(done.get("count") or 0) < 1:
            raise Gone("EOrder:Unknown order")
        raw = self._asks.private("QueryOrders", txid=order.id)[order.id]
        if raw.get("status") != "canceled":
            raise Silent("the cancelled order reads %s" % raw.get("status"))
        return max(ZERO, exact(raw.get("vol"), "vol") - exact(raw.get("vol_exec"), "vol_exec"))

    def now(self) -> float:
        """Return the venue's clock; asked once, then told by the difference."""
        if self._ahead is None:
            self._ahead = float(self._asks.public("Time")["unixtime"]) + 0.5 - time.time()     # whole seconds are told, the rest is guessed
        return time.time() + self._ahead

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop-loss at the market behind the trigger."""
        self._add(position, amount, client_id, until, ordertype="stop-loss", price=text_of(trigger))

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Place a limit order that fills at once or goes; return what it did."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        txid = self._add(position, amount, client_id[:18], until, ordertype="limit", price=text_of(limit), timeinforce="IOC")
        raw = self._asks.private("QueryOrders", txid=txid)[txid]
        return Fill(exact(raw.get("vol_exec"), "vol_exec"), exact(raw.get("cost"), "cost"), number(raw.get("fee")))

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Validate only."""
        self._trades.private("AddOrder", pair=position.symbol, type=position.exit_side, ordertype="limit", price=text_of(limit),
                             volume=text_of(amount), timeinforce="IOC", validate="true")

    def _add(self, position: Position, amount: Decimal, client_id: str, until: Optional[float], **how: str) -> str:
        fields: Dict[str, Any] = {"pair": position.symbol, "type": position.exit_side, "volume": text_of(amount), **how}
        if client_id:
            fields["cl_ord_id"] = client_id
        if position.market == "margin":
            fields.update(leverage=position.leverage, reduce_only="true")
        if until is not None:
            if until - self.now() < 2:      # the venue takes no deadline that is nearer
                raise Refused("too late for this order")
            fields["deadline"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until)) + ".%03dZ" % (until % 1 * 1000)
        return str(self._trades.private("AddOrder", **fields)["txid"][0])


def _rule(pair: Mapping[str, Any]) -> Rule:
    lot = Decimal(1).scaleb(-int(pair.get("lot_decimals") or 0))
    tick = number(pair.get("tick_size")) or Decimal(1).scaleb(-int(pair.get("pair_decimals") or 0))
    return Rule(number(pair.get("ordermin", "0")), lot, tick, number(pair.get("costmin", "0")))
