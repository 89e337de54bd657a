"""What the venue says of one account, in one reading. What is not as documented raises Odd: unknown is never zero."""
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

STOPS = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")


class Odd(Exception):
    """The venue's answer has another form than documented; says which part."""


class Pair(NamedTuple):
    """A pair that the bot may trade: the venue's names, and the smallest order (base currency)."""

    name: str
    names: List[str]
    base: str
    quote: str
    minimum: Decimal


class Order(NamedTuple):
    """An order at the venue; amounts in base currency, `cost` in quote currency, times in unix seconds (0 = not told)."""

    txid: str
    pair: str
    side: str
    kind: str
    left: Decimal
    cost: Decimal
    price: Decimal
    client_id: str
    opened: float
    closed: float
    margin: bool


class Reading(NamedTuple):
    """One look at the account: balances by the venue's asset name, open and recently closed orders, last prices by pair.

    `margin_level`: equity in percent of the margin that is used, where the guard is to watch it and margin is used.
    """

    at: float
    balances: Dict[str, Decimal]
    orders: Dict[str, Order]
    prices: Dict[str, Decimal]
    closed: Dict[str, Order]
    margin_level: Optional[Decimal] = None


def amount(value: Any, what: str) -> Decimal:
    """Return a venue's decimal text. Raises Odd for everything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Odd("%s is no number" % what)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Odd("%s is no number" % what) from None
    if not found.is_finite() or found < 0:
        raise Odd("%s is no amount" % what)
    return found


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Odd("%s is no object" % what)
    return value


def pairs_of(listed: Any, wanted: List[str]) -> Dict[str, Pair]:
    """Return AssetPairs by every name of a pair. Raises Odd when a wanted pair is missing."""
    found: Dict[str, Pair] = {}
    for key, row in _mapping(listed, "AssetPairs").items():
        about = _mapping(row, "AssetPairs.%s" % key)
        names = [str(name) for name in (key, about.get("altname"), about.get("wsname")) if name]
        if not isinstance(about.get("base"), str) or not isinstance(about.get("quote"), str):
            raise Odd("AssetPairs.%s names no base and quote" % key)
        pair = Pair(key, names, about["base"], about["quote"], amount(about.get("ordermin"), "ordermin of %s" % key))
        found.update(dict.fromkeys(names, pair))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Odd("AssetPairs does not name %s" % ", ".join(missing))
    return found


def balances_of(answer: Any) -> Dict[str, Decimal]:
    """Return Balance as {asset: amount}."""
    return {name: amount(value, "balance of %s" % name) for name, value in _mapping(answer, "Balance").items()}


def held_of(answer: Any) -> Dict[str, Dict[str, Decimal]]:
    """Return BalanceEx as {asset: {balance, hold}}: the second endpoint that says what is there, and what open orders hold of it."""
    found = {}
    for name, row in _mapping(answer, "BalanceEx").items():
        about = _mapping(row, "BalanceEx.%s" % name)
        found[name] = {"balance": amount(about.get("balance"), "balance of %s" % name),
                       "hold": amount(about.get("hold_trade", "0"), "hold_trade of %s" % name)}
    return found


def margin_of(answer: Any) -> Optional[Decimal]:
    """Return the margin level of TradeBalance in percent, None while no margin is used (docs.kraken.com: `ml` is absent then)."""
    about = _mapping(answer, "TradeBalance")
    return amount(about["ml"], "ml") if "ml" in about else None


def orders_of(answer: Any, part: Optional[str]) -> Dict[str, Order]:
    """Return the orders of OpenOrders (`open`), ClosedOrders (`closed`) or QueryOrders (None)."""
    rows = _mapping(answer, "orders")
    if part is not None:
        if part not in rows:
            raise Odd("the answer has no %s orders" % part)
        rows = _mapping(rows[part], part)
    return {txid: _order(txid, row) for txid, row in rows.items()}


def _order(txid: str, row: Any) -> Order:
    order = _mapping(row, "order %s" % txid)
    about = _mapping(order.get("descr"), "descr of %s" % txid)
    side, kind = about.get("type"), about.get("ordertype")
    if side not in ("buy", "sell") or not isinstance(kind, str):
        raise Odd("order %s has no side and type" % txid)
    volume, executed = amount(order.get("vol"), "vol of %s" % txid), amount(order.get("vol_exec"), "vol_exec of %s" % txid)
    return Order(txid, str(about.get("pair")), side, kind, max(Decimal(0), volume - executed),
                 amount(order.get("cost"), "cost of %s" % txid), amount(about.get("price") or "0", "price of %s" % txid),
                 str(order.get("cl_ord_id") or ""),
                 float(amount(order.get("opentm") or 0, "opentm of %s" % txid)),
                 float(amount(order.get("closetm") or 0, "closetm of %s" % txid)), about.get("leverage", "none") not in ("none", None))


def prices_of(answer: Any, pairs: Mapping[str, Pair]) -> Dict[str, Decimal]:
    """Return Ticker as {pair: last price}. Raises Odd when a pair has none."""
    found = {}
    for name, row in _mapping(answer, "Ticker").items():
        last = _mapping(row, "Ticker.%s" % name).get("c")
        price = amount(last[0] if isinstance(last, list) and last else None, "price of %s" % name)
        if name in pairs and price > 0:
            found[pairs[name].name] = price
    missing = sorted({pair.name for pair in pairs.values()} - set(found))
    if missing:
        raise Odd("Ticker has no price of %s" % ", ".join(missing))
    return found
