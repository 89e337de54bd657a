"""What a reading means: pure decisions over the venue's word, what is remembered, and the limits. Nothing here asks or acts.

Amounts are decimals in quote currency unless said otherwise. A finding stays until a reading shows otherwise; a reading that failed
shows nothing. What the bot says of itself can add a finding and never takes one away.
"""
from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Set

from .reading import Order, Reading, Second, exits_of, exposure_of, uncovered

WORDS = ("page", "no_entries", "step_down", "kill")
#: checks for which every venue has a second endpoint that can agree; only these may kill
CONFIRMED = ("drawdown_day", "drawdown_total", "exposure", "naked_position", "foreign_order")
CHECKS = ("drawdown_day", "drawdown_total", "exposure", "positions", "order_rate", "notional_rate", "foreign_order", "naked_position",
          "far_stop", "margin_level", "decision_age", "blind", "unheard", "state_lost")
MINUTE_S = 60.0
HANDLED_MAX = 1000
ROUND_TRIP = Decimal("0.005")   # of the equity: what a position that was opened and closed between two readings may have earned


class Limits(NamedTuple):
    """The account's limits. Losses are positive amounts; `stop_distance_max`: share of the entry price, 0 = not looked at."""

    loss_day: Decimal
    loss_total: Decimal
    exposure: Decimal
    positions: int
    orders_per_minute: int
    notional_per_minute: Decimal
    client_id_prefix: str
    naked_grace_s: float
    decision_age_s: float
    blind_s: float
    unheard_s: float
    actions: Dict[str, str]
    margin_level_min: Decimal = Decimal(0)
    stop_distance_max: Decimal = Decimal(0)


class Finding(NamedTuple):
    """Something that is wrong now. `key` tells one finding from another of the same check."""

    key: str
    check: str
    text: str
    action: str


class Bot(NamedTuple):
    """What the bot's host said last: is the live unit up, and how old is its last decision (None: it did not say)."""

    running: bool
    decision_age_s: Optional[float]


class Memory(NamedTuple):
    """What must not be forgotten over a restart."""

    watch_from: float
    day: str
    day_start: Optional[Decimal]
    start: Optional[Decimal]
    equity: Optional[Decimal]
    exposure: Decimal
    seen_at: float
    naked_since: Dict[str, float]
    handled: List[str]
    killed: List[str]
    lost: bool


def fresh(now: float, *, lost: bool = False) -> Memory:
    """Return an empty memory. `lost`: there was one and it cannot be read, so the day's loss is not known."""
    return Memory(now, "", None, None, None, Decimal(0), now, {}, [], [], lost)


def dump(memory: Memory) -> Dict[str, Any]:
    """Return a memory as JSON values; amounts as decimal texts."""
    return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in memory._asdict().items()}


def load(raw: Any) -> Memory:
    """Return the memory that `dump` wrote. Raises ValueError for every other form."""
    try:
        money = {name: None if raw[name] is None else _finite(raw[name]) for name in ("day_start", "start", "equity")}
        exposure = _finite(raw["exposure"])
        since = {str(asset): float(at) for asset, at in raw["naked_since"].items()}
        return Memory(float(raw["watch_from"]), str(raw["day"]), money["day_start"], money["start"], money["equity"], exposure,
                      float(raw["seen_at"]), since, [str(one) for one in raw["handled"]], [str(one) for one in raw["killed"]],
                      bool(raw["lost"]))
    except (KeyError, TypeError, AttributeError, ArithmeticError) as exc:
        raise ValueError("not a memory of the guard: %s" % type(exc).__name__) from None


def _finite(text: Any) -> Decimal:
    value = Decimal(str(text))
    if not value.is_finite():
        raise ValueError("not a memory of the guard: an amount that is none")
    return value


def remember(memory: Memory, reading: Reading) -> Memory:
    """Return the memory after a reading. A new day starts from the last equity that was seen, also over a restart.

    A rise by more than the positions were worth is no trade's doing: money was added. The starting points rise with it, so that a
    deposit never hides a loss. Money taken out looks like a loss, which is the safe side.
    """
    equity = reading.equity
    today = time.strftime("%Y-%m-%d", time.gmtime(reading.at))
    before = equity if memory.equity is None else memory.equity
    start = before if memory.start is None else memory.start
    day_start = before if memory.day_start is None or today != memory.day else memory.day_start
    added = equity - before
    if added > max(memory.exposure, before * ROUND_TRIP):
        start, day_start = start + added, day_start + added
    naked = {key: memory.naked_since.get(key, reading.at) for key in uncovered(reading.held, reading.orders)}
    return memory._replace(day=today, day_start=day_start, start=start, equity=equity, seen_at=reading.at, naked_since=naked,
                           exposure=exposure_of(reading.held))


def findings(memory: Memory, reading: Reading, limits: Limits) -> List[Finding]:
    """Return what a reading shows to be wrong; `memory` already remembers it."""
    found = [*_losses(memory, memory.equity or Decimal(0), limits), *_sizes(reading, limits), *_rates(reading, limits)]
    for txid, order in sorted(foreign(memory, reading, limits).items()):
        found.append(_finding("foreign_order:" + txid, "foreign_order", limits, "order %s (%s %s) is not the bot's"
                              % (txid, order.side, order.pair)))
    open_ = uncovered(reading.held, reading.orders)
    for key, since in sorted(memory.naked_since.items()):
        if reading.at - since >= limits.naked_grace_s:
            text = "no stop covers %s %s" % (format(open_[key].normalize(), "f"), key)
            found.append(_finding("naked_position:" + key, "naked_position", limits, text))
    found += _far_stops(reading, limits)
    if reading.margin_level is not None and reading.margin_level < limits.margin_level_min:
        found.append(_finding("margin_level", "margin_level", limits, "equity is %.1f %% of the margin, at least %s"
                              % (reading.margin_level, limits.margin_level_min)))
    return found


def _far_stops(reading: Reading, limits: Limits) -> List[Finding]:
    """Return stops that would lose more than allowed of what was paid. The price of now tells nothing of that: it moves."""
    found = []
    for key, one in sorted(reading.held.items() if limits.stop_distance_max > 0 else []):
        for stop in exits_of(one, reading.orders) if one.entry else []:
            assert one.entry is not None
            lost = (one.entry - stop.trigger if one.side == "long" else stop.trigger - one.entry) / one.entry
            if stop.trigger > 0 and lost > limits.stop_distance_max:
                text = "the stop %s of %s is %.1f %% from the entry price %s, at most %.1f %%" % (
                    stop.id, key, lost * 100, _short(one.entry), limits.stop_distance_max * 100)
                found.append(_finding("far_stop:" + stop.id, "far_stop", limits, text))
    return found


def _short(value: Decimal) -> str:
    return format(Decimal("%.8g" % value), "f")


def _finding(key: str, check: str, limits: Limits, text: str) -> Finding:
    return Finding(key, check, text, limits.actions[check])


def _losses(memory: Memory, equity: Decimal, limits: Limits) -> List[Finding]:
    found = []
    for check, key, began, most in (("drawdown_day", "drawdown_day:" + memory.day, memory.day_start, limits.loss_day),
                                    ("drawdown_total", "drawdown_total", memory.start, limits.loss_total)):
        if began is not None and began - equity >= most:
            found.append(_finding(key, check, limits, "lost %.4f of at most %s, from %.4f" % (began - equity, most, began)))
    return found


def _sizes(reading: Reading, limits: Limits) -> List[Finding]:
    found = []
    exposure = exposure_of(reading.held)
    if exposure > limits.exposure:
        found.append(_finding("exposure", "exposure", limits, "positions are worth %.4f, at most %s" % (exposure, limits.exposure)))
    count = sum(1 for one in reading.held.values() if one.size >= one.minimum)
    if count > limits.positions:
        found.append(_finding("positions", "positions", limits, "%d positions, at most %d" % (count, limits.positions)))
    return found


def _rates(reading: Reading, limits: Limits) -> List[Finding]:
    orders = {**reading.closed, **reading.orders}
    opened = sum(1 for order in orders.values() if order.opened > reading.at - MINUTE_S)
    traded = sum((order.cost for order in orders.values() if max(order.opened, order.closed) > reading.at - MINUTE_S), Decimal(0))
    found = []
    if opened > limits.orders_per_minute:
        found.append(_finding("order_rate", "order_rate", limits, "%d orders in a minute, at most %d" % (opened, limits.orders_per_minute)))
    if traded > limits.notional_per_minute:
        found.append(_finding("notional_rate", "notional_rate", limits, "traded %.4f in a minute, at most %s"
                              % (traded, limits.notional_per_minute)))
    return found


def foreign(memory: Memory, reading: Reading, limits: Limits) -> Dict[str, Order]:
    """Return the orders that are not the bot's: every open one, and those closed since the guard watches that were not dealt with."""
    past = {txid: order for txid, order in reading.closed.items() if order.opened >= memory.watch_from and txid not in memory.handled}
    return {txid: order for txid, order in {**past, **reading.orders}.items()
            if not order.client_id.startswith(limits.client_id_prefix)}


def own_findings(memory: Memory, limits: Limits, now: float, bot: Optional[Bot], heard_at: float) -> List[Finding]:
    """Return what is wrong without a new reading: blind, the bot does not decide, its host is not heard, the memory was lost."""
    found = []
    if now - memory.seen_at > limits.blind_s:
        found.append(_finding("blind", "blind", limits, "the venue has said nothing usable for %.0f s" % (now - memory.seen_at)))
    if bot is not None and bot.running and (bot.decision_age_s is None or bot.decision_age_s > limits.decision_age_s):
        said = "does not say when it decided" if bot.decision_age_s is None else "decided %.0f s ago" % bot.decision_age_s
        found.append(_finding("decision_age", "decision_age", limits, "the bot runs and %s" % said))
    if now - heard_at > limits.unheard_s:
        found.append(_finding("unheard", "unheard", limits, "the bot's host has not answered for %.0f s" % (now - heard_at)))
    if memory.lost:
        found.append(_finding("state_lost", "state_lost", limits, "the memory of earlier losses could not be read"))
    return found


def agrees(finding: Finding, second: Second, memory: Memory, reading: Reading, limits: Limits) -> bool:
    """Say whether the second endpoint shows the same. What it does not tell does not agree."""
    if finding.check == "foreign_order":
        return second.client_id is not None and not second.client_id.startswith(limits.client_id_prefix)
    if finding.check == "naked_position":
        one = reading.held.get(finding.key.partition(":")[2])
        return one is not None and second.bare is not None and second.bare > 0 and second.bare >= one.minimum
    if finding.check == "exposure":
        return second.exposure is not None and second.exposure > limits.exposure
    if second.equity is None:
        return False
    return finding.key in {one.key for one in _losses(memory, second.equity, limits)}


def carry_over(before: List[Finding], now: List[Finding], seen: bool) -> List[Finding]:
    """Return the findings that hold: those of now, and, without a reading, those that the last reading showed."""
    if seen:
        return now
    keys = {one.key for one in now}
    own = {"blind", "decision_age", "unheard", "state_lost"}
    return now + [one for one in before if one.check not in own and one.key not in keys]


class Doubt:
    """Counts on how many readings in a row a finding stood. One reading never kills, and one that shows otherwise starts anew."""

    def __init__(self) -> None:
        self._rows: Dict[str, int] = {}

    def read(self, found: List[Finding]) -> Set[str]:
        """Note one reading; return the keys that stood on two readings or more in a row."""
        self._rows = {one.key: self._rows.get(one.key, 0) + 1 for one in found}
        return {key for key, count in self._rows.items() if count >= 2}


def words(found: List[Finding]) -> List[str]:
    """Return what the bot must be told. Whatever is to be killed ends entries at first sight."""
    wanted = {one.action for one in found}
    out = ["no_entries"] if wanted & {"no_entries", "kill"} else []
    return out + (["step_down"] if "step_down" in wanted else [])


def entries(orders: Mapping[str, Order], *, shared: bool, prefix: str) -> List[Order]:
    """Return the orders that open or enlarge a position; on a shared account only the bot's."""
    return [order for _, order in sorted(orders.items()) if order.opens and (not shared or order.client_id.startswith(prefix))]


def dealt_with(memory: Memory, found: List[Finding]) -> Memory:
    """Return a memory in which the foreign orders of the findings are dealt with: closed ones are not found again."""
    ids = [one.key.partition(":")[2] for one in found if one.check == "foreign_order"]
    return memory._replace(handled=[*memory.handled, *(txid for txid in ids if txid not in memory.handled)][-HANDLED_MAX:])


class Budget:
    """The venue's call counter as we know it: rises with each call, falls by `decay` a second. The last of it is kept for an emergency."""

    def __init__(self, most: float, decay: float, reserve: float = 3.0) -> None:
        self.most, self.decay, self.reserve = most, decay, reserve
        self._value, self._at = 0.0, 0.0

    def level(self, now: float) -> float:
        """Return the counter at a moment (monotonic seconds)."""
        self._value = max(0.0, self._value - max(0.0, now - self._at) * self.decay)
        self._at = now
        return self._value

    def take(self, cost: float, now: float, *, urgent: bool = False) -> bool:
        """Count a call, or say that it cannot be afforded. Urgent calls may use the reserve."""
        if self.level(now) + cost > self.most - (0.0 if urgent else self.reserve):
            return False
        self._value += cost
        return True

    def full(self, now: float) -> None:
        """The venue said that the limit is reached: it knows better."""
        self.level(now)
        self._value = self.most
