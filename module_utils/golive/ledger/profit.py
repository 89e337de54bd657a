"""What was won and lost, from the fills themselves: fees, slippage and open positions included, by day and by trade."""
from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..errors import GoliveError
from .chain import Record

ZERO = Decimal(0)
SIGMAS = 3.29  # 99.9 %, two-sided


class Mark(NamedTuple):
    """Profit and loss since the ledger began (quote currency) at a moment, open positions at the last known prices."""

    ms: int
    profit: Decimal


class Trade(NamedTuple):
    """A position from opening to closing: what it brought and what it had cost (quote currency)."""

    closed_ms: int
    profit: Decimal
    cost: Decimal
    pair: str


class Account:
    """Folds fills into positions at average cost; fees belong to the position."""

    def __init__(self) -> None:
        self.realised = ZERO
        self.volume: Dict[str, Decimal] = {}
        self.cost: Dict[str, Decimal] = {}
        self.prices: Dict[str, Decimal] = {}
        self.trades: List[Trade] = []
        self.marks: List[Mark] = []
        self._trade: Dict[str, Tuple[Decimal, Decimal]] = {}     # profit and cost of the part that was sold so far

    def take(self, record: Record) -> None:
        """Take a record in. Raises GoliveError for a fill that is none."""
        if record["kind"] == "fill":
            self._fill(record)
        elif record["kind"] == "heartbeat" and isinstance(record.get("prices"), dict):
            self.prices.update((pair, decimal(price, record)) for pair, price in record["prices"].items())
        else:
            return
        self.marks.append(Mark(record["ms"], self.profit()))

    def profit(self) -> Decimal:
        """Return realised and unrealised profit; a pair without a price counts at cost."""
        return self.realised + sum((volume * self.prices[pair] - self.cost[pair]
                                    for pair, volume in self.volume.items() if pair in self.prices), ZERO)

    def _fill(self, record: Record) -> None:
        pair, side = str(record.get("pair")), record.get("side")
        volume, price, fee = (decimal(record.get(name), record) for name in ("volume", "price", "fee"))
        if side not in ("buy", "sell") or volume <= 0 or price <= 0:
            raise GoliveError("not a fill", where="record %s" % record["seq"], expected="side, volume and price above 0")
        held, cost = self.volume.get(pair, ZERO), self.cost.get(pair, ZERO)
        if side == "buy":
            self.volume[pair], self.cost[pair] = held + volume, cost + volume * price + fee
            return
        part = cost * min(volume, held) / held if held else ZERO
        won = volume * price - fee - part
        self.realised += won
        before, cost_before = self._trade.get(pair, (ZERO, ZERO))
        if volume < held:
            self.volume[pair], self.cost[pair] = held - volume, cost - part
            self._trade[pair] = (before + won, cost_before + part)
            return
        self.volume.pop(pair, None)
        self.cost.pop(pair, None)
        self._trade.pop(pair, None)
        self.trades.append(Trade(record["ms"], before + won, cost_before + part, pair))


def decimal(value: Any, record: Record) -> Decimal:
    """Return a number of a record. Raises GoliveError for what is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise GoliveError("not a number", where="record %s" % record.get("seq"), found=repr(value)[:40])
    return number


def fold(records: List[Record]) -> Account:
    """Return the account after all records."""
    account = Account()
    for record in records:
        account.take(record)
    return account


def worst_day(account: Account, start_ms: float, day_s: float) -> Tuple[Decimal, int]:
    """Return the largest loss of a day (>= 0) at its lowest moment, and how many days have marks. UTC days for day_s 86400."""
    day_ms = day_s * 1000
    worst, days = ZERO, set()
    at_start = previous = ZERO
    current: Optional[int] = None
    for mark in account.marks:
        day = int(mark.ms // day_ms)
        if day != current:
            current, at_start = day, previous
        previous = mark.profit
        if mark.ms >= start_ms:
            days.add(day)
            worst = max(worst, at_start - mark.profit)
    return worst, len(days)


def pnl(records: List[Record], start_ms: float, day_s: float) -> Dict[str, Any]:
    """Return net profit and return of the window with a 95 % interval per trade, and the worst day."""
    account = fold(records)
    before = [mark.profit for mark in account.marks if mark.ms < start_ms]
    now = account.marks[-1].profit if account.marks else ZERO
    net = now - (before[-1] if before else ZERO)
    trades = [trade for trade in account.trades if trade.closed_ms >= start_ms]
    loss, days = worst_day(account, start_ms, day_s)
    invested = sum((trade.cost for trade in trades), ZERO)
    low, high = interval(returns(trades))
    facts: Dict[str, Any] = {
        "net_profit": text(net), "trades": len(trades), "days": days, "worst_day_loss": text(loss),
        "return_per_trade_low": low, "return_per_trade_high": high,
    }
    if invested > 0:
        facts["net_return"] = text(net / invested)
    return facts


def returns(trades: List[Trade]) -> List[float]:
    """Return profit over cost of each trade."""
    return [float(trade.profit / trade.cost) for trade in trades if trade.cost > 0]


def interval(values: List[float]) -> Tuple[Optional[float], Optional[float]]:
    """Return the 95 % interval of the mean (normal; too narrow below some 30 values), None below two values."""
    if len(values) < 2:
        return None, None
    mean = sum(values) / len(values)
    half = SIGMAS * math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1) / len(values))
    return round(mean - half, 8), round(mean + half, 8)


def entries_from(live: List[Record], start_ms: float) -> Optional[float]:
    """Return when entries were first possible: golive holds them until the gate of phase live has opened, and that is no idleness.

    A bot whose heartbeat names no `halts` could trade from its first record on. None where entries were held all the time.
    """
    told = [one for one in live if one["kind"] == "heartbeat" and isinstance(one.get("halts"), list)]
    if not told:
        return max(start_ms, float(live[0]["ms"]))
    first = next((float(one["ms"]) for one in told if "no_entries" not in one["halts"]), None)
    return None if first is None else max(start_ms, first)


def compare(live: List[Record], paper: List[Record], start_ms: float, now_ms: float) -> Dict[str, Any]:
    """Return whether return and rate of live trades lie where the paper run lets expect them (99.9 %: it is asked at every look, and
    at 95 % every twentieth look would be red for no reason).

    Doing nothing is not calm: no trade lies below the rate of any paper run that traded. Paper trades every pair of the ramp, live
    those of its stage: what is compared are the pairs whose prices the live bot wrote down all the time, all where it writes none.
    """
    followed = [set(one["prices"]) for one in live
                if one["kind"] == "heartbeat" and one["ms"] >= start_ms and isinstance(one.get("prices"), dict) and one["prices"]]
    pairs = set.intersection(*followed) if followed else None
    of_live = [trade for trade in fold(live).trades if trade.closed_ms >= start_ms and (pairs is None or trade.pair in pairs)]
    of_paper = [trade for trade in fold(paper).trades if pairs is None or trade.pair in pairs]
    facts: Dict[str, Any] = {"live_trades": len(of_live), "paper_trades": len(of_paper)}
    if len(of_paper) < 2 or not live:
        return facts
    began = entries_from(live, start_ms)
    hours = (paper[-1]["ms"] - paper[0]["ms"]) / 3.6e6
    live_hours = (now_ms - began) / 3.6e6 if began is not None else 0
    if hours > 0 and live_hours > 0:
        expected = len(of_paper) / hours * live_hours
        facts["trades_expected"] = round(expected, 2)
        facts["trade_rate_inside"] = abs(len(of_live) - expected) <= SIGMAS * math.sqrt(expected + expected * expected / len(of_paper))
    values, paper_values = returns(of_live), returns(of_paper)
    if values and len(paper_values) >= 2:
        mean = sum(paper_values) / len(paper_values)
        variance = sum((one - mean) ** 2 for one in paper_values) / (len(paper_values) - 1)
        half = SIGMAS * math.sqrt(variance / len(values) + variance / len(paper_values))
        seen = sum(values) / len(values)
        facts.update(live_return=round(seen, 8), paper_return=round(mean, 8), return_inside=abs(seen - mean) <= half)
    return facts


def text(value: Decimal) -> str:
    """Return a decimal without exponent and trailing zeros."""
    return format(value.quantize(Decimal("1E-8")).normalize() + 0, "f")
