"""What Kraken's answers say, in the guard's terms (docs.kraken.com): pairs, balances, positions on margin, orders. Nothing here asks.

Shared by the guard and the probe exchange_account, so that both mean the same by a position and by what protects it.
"""
from __future__ import annotations

from decimal import Decimal
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .reading import ZERO, Held, Odd, Order, amount, mapping

MARGIN = " margin"     # what the key of a position on margin ends with
#: the kill switch's own, which a test holds to this: a probe is sent to hosts whole and does not carry the switch
STOP_TYPES = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")


class Pair(NamedTuple):
    """A pair: the venue's names, and the smallest order (base currency)."""

    name: str
    names: List[str]
    base: str
    quote: str
    minimum: Decimal


def pairs_of(listed: Any, wanted: List[str]) -> Dict[str, Pair]:
    """Return AssetPairs by every name of a pair. Raises Odd when a wanted pair is missing."""
    found: Dict[str, Pair] = {}
    for key, row in mapping(listed, "AssetPairs").items():
        about = mapping(row, "AssetPairs.%s" % key)
        names = [str(name) for name in (key, about.get("altname"), about.get("wsname")) if name]
        if not isinstance(about.get("base"), str) or not isinstance(about.get("quote"), str):
            raise Odd("AssetPairs.%s names no base and quote" % key)
        pair = Pair(key, names, about["base"], about["quote"], amount(about.get("ordermin"), "ordermin of %s" % key))
        found.update(dict.fromkeys(names, pair))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Odd("AssetPairs does not name %s" % ", ".join(missing))
    return found


def bases(pairs: Mapping[str, Pair]) -> Dict[str, Pair]:
    """Return the pair by which each base asset is priced."""
    return {pair.base: pair for pair in pairs.values()}


def equity_of(balances: Mapping[str, Decimal], prices: Mapping[str, Decimal], pairs: Mapping[str, Pair]) -> Decimal:
    """Return quote currency and the bot's base assets. Anything else counts as gone: it was bought with our money."""
    quotes = {pair.quote for pair in pairs.values()}
    cash = sum((balances.get(quote, ZERO) for quote in quotes), ZERO)
    return cash + sum((balances.get(base, ZERO) * prices[pair.name] for base, pair in bases(pairs).items()), ZERO)


def balances_of(answer: Any) -> Dict[str, Decimal]:
    """Return Balance as {asset: amount}. Quote currency may be negative where margin is used."""
    return {name: amount(value, "balance of %s" % name, signed=True) for name, value in mapping(answer, "Balance").items()}


def held_of(answer: Any) -> Dict[str, Dict[str, Decimal]]:
    """Return BalanceEx as {asset: {balance, hold}}: the second endpoint that says what is there, and what open orders hold of it."""
    found = {}
    for name, row in mapping(answer, "BalanceEx").items():
        about = mapping(row, "BalanceEx.%s" % name)
        found[name] = {"balance": amount(about.get("balance"), "balance of %s" % name, signed=True),
                       "hold": amount(about.get("hold_trade", "0"), "hold_trade of %s" % name)}
    return found


def margin_of(answer: Any) -> Tuple[Decimal, Optional[Decimal]]:
    """Return TradeBalance's profit of open positions, and its margin level in percent, None while none is used (`ml` is absent then)."""
    about = mapping(answer, "TradeBalance")
    level = amount(about["ml"], "ml") if about.get("ml") not in (None, "") else None
    return amount(about.get("n") or "0", "n", signed=True), level


def margins_of(answer: Mapping[str, Any], pairs: Mapping[str, Pair], prices: Mapping[str, Decimal]) -> Dict[str, Held]:
    """Return OpenPositions netted by pair, as the venue closes them."""
    size: Dict[str, Decimal] = {}
    paid: Dict[str, Decimal] = {}
    for txid, row in answer.items():
        about = mapping(row, "position %s" % txid)
        pair = pairs.get(str(about.get("pair")))
        if pair is None or about.get("type") not in ("buy", "sell"):
            raise Odd("position %s is of a pair that the guard does not know, or has no side" % txid)
        volume, cost = amount(about.get("vol"), "vol of %s" % txid), amount(about.get("cost"), "cost of %s" % txid)
        left = volume - amount(about.get("vol_closed") or "0", "vol_closed of %s" % txid)
        sign = 1 if about["type"] == "buy" else -1
        size[pair.name] = size.get(pair.name, ZERO) + sign * left
        paid[pair.name] = paid.get(pair.name, ZERO) + (sign * cost * left / volume if volume else ZERO)
    found = {}
    for name, net in size.items():
        if net:
            found[name + MARGIN] = Held(name + MARGIN, name, "long" if net > 0 else "short", abs(net), prices[name], pairs[name].minimum,
                                        paid[name] / net if paid[name] / net > 0 else None)
    return found


def order_of(txid: str, row: Any, pairs: Mapping[str, Pair]) -> Order:
    """Return an order. Raises Odd."""
    order = mapping(row, "order %s" % txid)
    about = mapping(order.get("descr"), "descr of %s" % txid)
    side, kind = about.get("type"), about.get("ordertype")
    if side not in ("buy", "sell") or not isinstance(kind, str):
        raise Odd("order %s has no side and type" % txid)
    volume, executed = amount(order.get("vol"), "vol of %s" % txid), amount(order.get("vol_exec"), "vol_exec of %s" % txid)
    margin, stop = about.get("leverage", "none") not in ("none", None), kind in STOP_TYPES
    pair = pairs.get(str(about.get("pair")))
    name = pair.name if pair else str(about.get("pair"))
    trigger = str(about.get("price") or "0")
    return Order(txid, name, name + MARGIN if margin else pair.base if pair else name, side, stop,
                 (order.get("reduce_only") is not True and not stop) if margin else side == "buy", max(ZERO, volume - executed), executed,
                 amount(order.get("cost"), "cost of %s" % txid), ZERO if trigger[:1] in "+-#" else amount(trigger, "price of %s" % txid),
                 str(order.get("cl_ord_id") or ""), float(amount(order.get("opentm") or 0, "opentm of %s" % txid)),
                 float(amount(order.get("closetm") or 0, "closetm of %s" % txid)))


def prices_of(answer: Any, pairs: Mapping[str, Pair]) -> Dict[str, Decimal]:
    """Return Ticker as {pair: last price}. Raises Odd when a pair has none."""
    found = {}
    for name, row in mapping(answer, "Ticker").items():
        last = mapping(row, "Ticker.%s" % name).get("c")
        price = amount(last[0] if isinstance(last, list) and last else None, "price of %s" % name)
        if name in pairs and price > 0:
            found[pairs[name].name] = price
    missing = sorted({pair.name for pair in pairs.values()} - set(found))
    if missing:
        raise Odd("Ticker has no price of %s" % ", ".join(missing))
    return found
