"""ledger: the trading records read again by us, line by line, never the bot's own summary of them."""
from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ..canonical import utc
from ..errors import GoliveError, Undecided
from ..ledger import chain, continuity, orders, profit, reconcile
from ._kraken import Kraken, Said
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 60
ASK = {
    "path": "str; required; ledger of hash-chained JSON lines",
    "question": "str; required; continuity, days, window, decisions, orders, trail, rate, pnl, daily_loss, compare or reconcile",
    "window_s": "number; optional; seconds back from now that count",
    "max_gap_s": "number; continuity and days; longest time without a record",
    "day_s": "number; days, pnl and daily_loss; length of a day",
    "days_wanted": "int; optional; days: while no more than time is missing the answer is undecided, with the time from which it is not",
    "bucket_s": "number; rate",
    "release": "str; optional; window and days: release that must be running (current: the one that the link leads to)",
    "with": "str; compare; ledger of the paper run",
    "url": "str; reconcile; the venue",
    "ca_file": "str; optional; reconcile",
    "credential": "str; reconcile; reference to a query-only key",
    "settle_s": "number; reconcile; younger records are left out",
}
FACTS = {
    "chain_intact": "bool; every record is there, in order, unchanged",
    "chain_broken_at": "str; the first line that is not, and why",
    "records": "int",
    "head": "str; hash of the last good record",
    "continuous_s": "number; time without a gap, up to now",
    "gaps": "int; in the window",
    "longest_gap_s": "number",
    "consecutive_days": "int; whole days without gap, with one release, configuration and mode",
    "segment_s": "number; length of that time",
    "releases": "list of str",
    "configurations": "list of str; digests of the limits",
    "changes": "int; starts with another release, configuration or mode",
    "window_open": "bool; started with all digests on record, and not ended",
    "mode": "str; paper for shadow and wire",
    "release_matches": "bool",
    "last_decision_age_s": "number",
    "orders": "int",
    "orders_failed": "int",
    "order_success_ratio": "number; accepted by the venue, of all with an answer or older than 10 s",
    "unexplained_failures": "int; without words of the venue",
    "orders_without_trail": "int; signal, risk decision, request, answer, fill",
    "holes": "list of str",
    "buckets": "int",
    "orders_per_bucket": "number; mean",
    "buckets_empty_with_signals": "int",
    "buckets_outside_sigma": "int",
    "net_profit": "decimal; quote currency, fees and open positions included",
    "net_return": "decimal; net profit over what the closed trades had cost",
    "return_per_trade_low": "number; 95 % interval",
    "return_per_trade_high": "number",
    "trades": "int; closed positions",
    "days": "int; days with records",
    "worst_day_loss": "decimal >= 0; at the lowest moment of the worst day",
    "return_inside": "bool",
    "trade_rate_inside": "bool",
    "live_trades": "int",
    "paper_trades": "int",
    "differences": "list of str",
    "venue_orders": "int; orders with executions at the venue in the window",
}
_PAGES = 40
_READINGS = 3
_FRESH_MS = 10_000
_expected: Set[str] = set()
_read_before: Dict[str, Tuple[float, chain.Chain]] = {}  # path -> when it was read (ms), and what was found


def expect(asks: List[Dict[str, Any]], _host: str) -> None:
    """Learn all questions of a plan: twenty questions to one ledger are answered from one reading of it."""
    _read_before.clear()
    _expected.clear()
    _expected.update(str(path) for ask in asks for path in (ask.get("path"), ask.get("with")) if path)


def observe(ask: Dict[str, Any], look: Look) -> Observed:
    """Read the ledger and answer one question about it."""
    question = _QUESTIONS.get(str(ask.get("question")))
    if question is None:
        raise Undecided("no such question to a ledger: %s" % str(ask.get("question"))[:40])
    now_ms = look.now().timestamp() * 1000
    # What the venue says is said now; the other questions are about the moment of the reading.
    now_ms, found = (now_ms, _read(ask["path"], now_ms)) if question is _reconcile else _reading(str(ask["path"]), now_ms)
    facts: Dict[str, Any] = {"chain_intact": found.broken is None, "records": len(found.records), "head": found.head}
    if found.broken is not None:
        facts["chain_broken_at"] = found.broken
    if not found.records and found.broken is None:
        raise Undecided("the ledger %s is empty" % ask["path"])
    try:
        more, opportunities = question(ask, found.records, now_ms, look)
    except GoliveError as exc:
        raise Undecided("the ledger %s cannot be read: %s" % (ask["path"], exc)) from None
    facts.update(more)
    return Observed(facts, opportunities=opportunities)


Answer = Tuple[Dict[str, Any], Optional[int]]


def _reading(path: str, now_ms: float) -> Tuple[float, chain.Chain]:
    """Return a reading of seconds ago for another question of the plan, or one of now, with its moment."""
    before = _read_before.get(path)
    if before is None or not before[0] <= now_ms < before[0] + _FRESH_MS:
        before = (now_ms, _read(path, now_ms))
        if path in _expected:
            _read_before[path] = before
    return before


def _read(path: str, now_ms: float) -> chain.Chain:
    try:
        with open(path, "rb") as handle:
            return chain.read(handle, int(now_ms))
    except FileNotFoundError:
        raise Undecided("there is no ledger %s" % path) from None
    except OSError as exc:
        raise Undecided("the ledger %s cannot be read: %s" % (path, exc.strerror)) from None


def _number(ask: Dict[str, Any], name: str) -> float:
    value = ask.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise Undecided("the question needs %s" % name)
    try:
        return float(value)
    except ValueError:
        raise Undecided("%s is not a number" % name) from None


def _start(ask: Dict[str, Any], now_ms: float) -> float:
    return now_ms - _number(ask, "window_s") * 1000


def _continuity(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, look: Look) -> Answer:
    facts = continuity.continuity(records, now_ms, _number(ask, "window_s"), _number(ask, "max_gap_s"))
    wanted = _number(ask, "window_s")
    missing = wanted - facts["continuous_s"]
    if missing > 0 and facts["gaps"] == 0 and facts["continuous_s"] > 0:
        raise Undecided("the ledger goes back %.0f s without a gap, %.0f s are asked for" % (facts["continuous_s"], wanted),
                        until=_later(look, missing))
    return facts, None


def _later(look: Look, seconds: float) -> str:
    return utc(look.now() + timedelta(seconds=seconds + 1))


def _days(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, look: Look) -> Answer:
    day_s, gap_s = _number(ask, "day_s"), _number(ask, "max_gap_s")
    facts = continuity.days(records, now_ms, day_s, gap_s)
    wanted = ask.get("days_wanted")
    if wanted is not None and 0 < facts["segment_s"] < float(wanted) * day_s and facts["changes"] == 0 \
            and not continuity.gaps(records, 0, now_ms, gap_s):
        raise Undecided("%d of %s days have passed" % (facts["consecutive_days"], wanted),
                        until=_later(look, float(wanted) * day_s - facts["segment_s"]))
    return facts, None


def _window(ask: Dict[str, Any], records: List[chain.Record], _now_ms: float, _look: Look) -> Answer:
    facts = continuity.window(records)
    release = facts.pop("release")
    if ask.get("release"):
        wanted = str(ask["release"])
        if wanted == "current":
            wanted = os.path.basename(os.path.realpath("/opt/bot/current"))
        facts["release_matches"] = bool(release) and release.replace("sha256:", "") == wanted.replace("sha256:", "")
    return facts, None


def _decisions(_ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    last = continuity.last_decision_ms(records)
    if last is None:
        raise Undecided("the bot has not written down a decision since its last start")
    return {"last_decision_age_s": round(max(0.0, (now_ms - last) / 1000), 3)}, None


def _orders(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    facts = orders.success(records, _start(ask, now_ms), now_ms)
    return facts, facts["orders"]


def _trail(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    facts = orders.trail(records, _start(ask, now_ms), now_ms)
    return facts, facts["orders"]


def _rate(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    facts = orders.rate(records, now_ms, _number(ask, "window_s"), _number(ask, "bucket_s"))
    return facts, facts["buckets"]


def _pnl(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    facts = profit.pnl(records, _start(ask, now_ms), _number(ask, "day_s"))
    return facts, facts["trades"]


def _daily_loss(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    facts = profit.pnl(records, _start(ask, now_ms), _number(ask, "day_s"))
    return facts, facts["days"]


def _compare(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, _look: Look) -> Answer:
    _moment, paper = _reading(str(ask.get("with")), now_ms)
    if paper.broken is not None:
        raise Undecided("the paper ledger is broken: %s" % paper.broken)
    facts = profit.compare(records, paper.records, _start(ask, now_ms), now_ms)
    if facts["paper_trades"] < 2:
        raise Undecided("the paper run has %d closed trades: nothing to compare with" % facts["paper_trades"])
    return facts, facts["live_trades"] if facts["live_trades"] else facts["paper_trades"]


def _reconcile(ask: Dict[str, Any], records: List[chain.Record], now_ms: float, look: Look) -> Answer:
    start, settle = _start(ask, now_ms), _number(ask, "settle_s") * 1000
    start = max(start, float(records[0]["ms"]))
    venue = Kraken(str(ask.get("url") or ""), str(ask.get("ca_file") or ""), look.rehearsal, max(1.0, look.left() - 1))
    venue.log_in(str(ask.get("credential")), look.secret(str(ask.get("credential"))))
    try:
        trades, balances = _still(venue, start)
    except Said as exc:
        raise Undecided("the venue refused the question: %s" % exc.words) from None
    end = now_ms - settle
    theirs = reconcile.of_trades(trades, start, end)
    # An order is compared as a whole: one whose executions began before or ended after the window is left to the next run.
    all_theirs, all_ours = reconcile.of_trades(trades, 0, now_ms + settle), reconcile.of_ledger(records, 0, now_ms + settle)
    settled = {name for name, one in theirs.items() if all_theirs[name] == one}
    ours = set(reconcile.of_ledger(records, start, end))
    compared = settled | (ours - set(all_theirs))
    found = reconcile.differences({name: all_ours[name] for name in compared if name in all_ours},
                                  {name: all_theirs[name] for name in compared if name in all_theirs})
    amounts = {name: profit.decimal(value, {"seq": name}) for name, value in balances.items()}
    found += reconcile.missing_holdings(records, amounts, trades, end)
    return {"differences": found, "venue_orders": len(theirs)}, len(compared)


def _still(venue: Kraken, start_ms: float) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Return executions and balances of one moment. Raises Said, Undecided where the account moves all the time."""
    before = venue.private("Balance")
    for _reading in range(_READINGS):
        trades, after = _trades(venue, start_ms), venue.private("Balance")
        if before == after:
            return trades, after
        before = after
    raise Undecided("the balances of the account changed during each of %d readings" % _READINGS)


def _trades(venue: Kraken, start_ms: float) -> Dict[str, Any]:
    """Return all executions since a moment, page by page. Raises Said, Undecided.

    Pages begin with the newest: one that comes meanwhile pushes the others on, and is itself not found. Whoever asks sees by the balances
    that it came, and reads again.
    """
    trades: Dict[str, Any] = {}
    for _page in range(_PAGES):
        answer = venue.private("TradesHistory", start=str(int(start_ms / 1000)), ofs=str(len(trades)))
        page = answer.get("trades") if isinstance(answer, dict) else None
        if not isinstance(page, dict):
            raise Undecided("TradesHistory of the venue has no trades field")
        known = len(trades)
        trades.update(page)
        if len(trades) == known or len(trades) >= int(answer.get("count", len(trades))):
            return trades
    raise Undecided("the venue has more than %d pages of trades in this window" % _PAGES)


_QUESTIONS: Dict[str, Callable[[Dict[str, Any], List[chain.Record], float, Look], Answer]] = {
    "continuity": _continuity, "days": _days, "window": _window, "decisions": _decisions, "orders": _orders, "trail": _trail,
    "rate": _rate, "pnl": _pnl, "daily_loss": _daily_loss, "compare": _compare, "reconcile": _reconcile,
}
