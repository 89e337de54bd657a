"""Does the ledger say what the venue says? Executions by order: volume, cost and fee; and what is held."""
from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Dict, List, NamedTuple, Optional

from .chain import Record
from .profit import ZERO, decimal, text


class Sum(NamedTuple):
    """What was executed of one order."""

    volume: Decimal
    cost: Decimal
    fee: Decimal


# Prices in the ledger are averages over the executions of an order, so sums may differ by rounding (quote currency).
_TOLERANCE = Decimal("1E-6")
_OLD_NAMES = {"BTC": "XXBT", "DOGE": "XXDG"}  # of Kraken's assets that have an X before them, those with another name besides


def of_ledger(records: List[Record], start_ms: float, end_ms: float) -> Dict[str, Sum]:
    """Return the executions that the ledger has, by the venue's order id; simulated ones are no executions."""
    found: Dict[str, Sum] = {}
    for record in records:
        if record["kind"] == "fill" and not record.get("simulated") and start_ms <= record["ms"] <= end_ms:
            volume, price, fee = (decimal(record.get(name), record) for name in ("volume", "price", "fee"))
            old = found.get(str(record.get("txid")), Sum(ZERO, ZERO, ZERO))
            found[str(record.get("txid"))] = Sum(old.volume + volume, old.cost + volume * price, old.fee + fee)
    return found


def differences(ledger: Dict[str, Sum], venue: Dict[str, Sum]) -> List[str]:
    """Return in words what differs between the two sides."""
    found = []
    for name in sorted(set(ledger) | set(venue)):
        ours, theirs = ledger.get(name), venue.get(name)
        if ours is None:
            found.append("%s: executed at the venue and not in the ledger" % name)
        elif theirs is None:
            found.append("%s: in the ledger and not at the venue" % name)
        else:
            for what, a, b in zip(Sum._fields, ours, theirs):
                if abs(a - b) > max(_TOLERANCE, abs(b) * Decimal("1E-9")):
                    found.append("%s: %s %s in the ledger, %s at the venue" % (name, what, text(a), text(b)))
    return found


def missing_holdings(records: List[Record], balances: Dict[str, Decimal], trades: Optional[Dict[str, Any]] = None,
                     settled_ms: float = math.inf) -> List[str]:
    """Return the positions that the ledger holds and the account does not.

    A stop that fires at the venue takes the position at once, and the ledger knows when the bot has asked next. So what was executed
    after `settled_ms` is taken from the venue's trades (Kraken's TradesHistory), and a fill that is as young and that the venue does
    not have is left to the next comparison.
    """
    venue = sorted((trades or {}).items(), key=lambda item: float(item[1]["time"]))
    young = {str(trade.get("ordertxid")) for _name, trade in venue if float(trade["time"]) * 1000 > settled_ms}
    known = {str(trade.get("ordertxid")) for _name, trade in venue}
    held: Dict[str, Decimal] = {}
    for record in records:
        if record["kind"] == "fill" and not record.get("simulated"):
            order, pair = str(record.get("txid")), str(record.get("pair"))
            held.setdefault(pair, ZERO)
            if order not in young and (order in known or record["ms"] <= settled_ms):
                _move(held, pair, record.get("side"), decimal(record.get("volume"), record))
    pairs = {name: pair for pair in held for name in _names(pair)}
    for name, trade in venue:
        if str(trade.get("ordertxid")) in young and trade.get("pair") in pairs:
            _move(held, pairs[trade["pair"]], trade.get("type"), decimal(trade.get("vol"), {"seq": name}))
    return ["%s: %s in the ledger, %s in the account" % (pair, text(volume), text(_balance(pair, balances)))
            for pair, volume in sorted(held.items()) if volume > _balance(pair, balances)]


def _move(held: Dict[str, Decimal], pair: str, side: Any, volume: Decimal) -> None:
    held[pair] = max(ZERO, held[pair] + (volume if side == "buy" else -volume))


def _names(pair: str) -> List[str]:
    """Return how TradesHistory may call a pair: BTC/USD is XXBTZUSD, BTC/USDT is XBTUSDT, SHIB/USDT is SHIBUSDT."""
    base, _slash, quote = pair.partition("/")
    old = _OLD_NAMES.get(base, "X" + base)
    return [first + last for first in (base, old, old[1:]) for last in (quote, "Z" + quote)]


def _balance(pair: str, balances: Dict[str, Decimal]) -> Decimal:
    """Return what the account holds of a pair's base. Kraken's Balance calls its oldest assets XXBT, XETH, XXRP (docs.kraken.com, REST)."""
    base = pair.partition("/")[0]
    return balances.get(base, balances.get(_OLD_NAMES.get(base, "X" + base), ZERO))


def of_trades(trades: Dict[str, Any], start_ms: float, end_ms: float) -> Dict[str, Sum]:
    """Return the executions of Kraken's TradesHistory by order. Raises GoliveError for a trade that is none."""
    found: Dict[str, Sum] = {}
    for name, trade in trades.items():
        record = {"seq": name}
        moment = decimal(trade.get("time"), record) * 1000
        if start_ms <= moment <= end_ms:
            volume, cost, fee = (decimal(trade.get(key), record) for key in ("vol", "cost", "fee"))
            old = found.get(str(trade.get("ordertxid")), Sum(ZERO, ZERO, ZERO))
            found[str(trade.get("ordertxid"))] = Sum(old.volume + volume, old.cost + cost, old.fee + fee)
    return found
