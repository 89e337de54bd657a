"""What became of each order, does each have its trail, and is the rate of trading steady?"""
from __future__ import annotations

import math
from typing import Any, Dict, List, NamedTuple

from .chain import Record

# An answer may take this long (ms) before its absence means anything.
SETTLE_MS = 10_000


class Told(NamedTuple):
    """All records about one client order id, in their order."""

    client_id: str
    requests: List[Record]
    acks: List[Record]
    fills: List[Record]

    @property
    def first_ms(self) -> int:
        """Return when it was first told of."""
        return int((self.requests + self.acks + self.fills)[0]["ms"])

    @property
    def accepted(self) -> bool:
        """Return whether the venue took it in the end."""
        return bool(self.acks) and self.acks[-1].get("ok") is True


def by_order(records: List[Record]) -> Dict[str, Told]:
    """Return what the ledger tells of each order; a cancellation is no order."""
    orders: Dict[str, Told] = {}
    for record in records:
        if record["kind"] not in ("request", "ack", "fill") or record.get("action") == "cancel":
            continue
        name = str(record.get("client_id"))
        told = orders.setdefault(name, Told(name, [], [], []))
        {"request": told.requests, "ack": told.acks, "fill": told.fills}[record["kind"]].append(record)
    return orders


def success(records: List[Record], start_ms: float, now_ms: float) -> Dict[str, Any]:
    """Return the ratio of orders that the venue took, and the failures for which no words of the venue are on record."""
    orders = [told for told in by_order(records).values() if told.first_ms >= start_ms]
    settled = [told for told in orders if told.acks or told.first_ms < now_ms - SETTLE_MS]
    good = sum(told.accepted for told in settled)
    unexplained = [told.client_id for told in settled if not told.accepted and not (told.acks and told.acks[-1].get("errors"))]
    facts: Dict[str, Any] = {"orders": len(settled), "orders_failed": len(settled) - good, "unexplained_failures": len(unexplained)}
    if settled:
        facts["order_success_ratio"] = round(good / len(settled), 6)
    return facts


def trail(records: List[Record], start_ms: float, now_ms: float) -> Dict[str, Any]:
    """Return the orders whose chain signal → risk decision → request → answer → fill has a hole."""
    signals: Dict[str, int] = {}
    allowed: Dict[str, int] = {}
    for record in records:
        if record["kind"] == "signal":
            signals.setdefault(str(record.get("signal")), record["seq"])
        elif record["kind"] == "risk" and record.get("allowed") is True:
            allowed.setdefault(str(record.get("signal")), record["seq"])
    holes, counted = [], 0
    for told in by_order(records).values():
        if told.first_ms < start_ms:
            continue
        counted += 1
        reason = _hole(told, signals, allowed, now_ms)
        if reason:
            holes.append("%s: %s" % (told.client_id, reason))
    return {"orders": counted, "orders_without_trail": len(holes), "holes": holes[:50]}


def _hole(told: Told, signals: Dict[str, int], allowed: Dict[str, int], now_ms: float) -> str:
    if not told.requests:
        return "was answered or filled and never requested"
    request = told.requests[0]
    signal, seq = str(request.get("signal")), request["seq"]
    reasons = (
        (signals.get(signal, seq) >= seq, "has no signal before it"),
        (allowed.get(signal, seq) >= seq, "has no risk decision that allowed it"),
        (any(fill["seq"] < seq for fill in told.fills), "was filled before it was requested"),
        (not told.acks and request["ms"] < now_ms - SETTLE_MS, "has no answer"),
        (bool(told.fills) and not told.accepted, "was filled and never accepted"),
    )
    return next((text for wrong, text in reasons if wrong), "")


def rate(records: List[Record], now_ms: float, window_s: float, bucket_s: float) -> Dict[str, Any]:
    """Return the whole buckets of the window without an order although a signal was allowed, and those outside mean ± 3 sigma."""
    bucket_ms = bucket_s * 1000
    first = max(now_ms - window_s * 1000, float(records[0]["ms"]) if records else now_ms)
    count = int((now_ms - first) // bucket_ms) if bucket_ms > 0 else 0
    orders, wanted = [0] * count, [0] * count
    for record in records:
        # Whole buckets back from now: a bucket that has only begun says nothing.
        index = count - 1 - int((now_ms - record["ms"]) // bucket_ms) if count else -1
        if index < 0 or record["ms"] < first:
            continue
        if record["kind"] == "request" and record.get("action") == "entry":
            orders[index] += 1
        elif record["kind"] == "risk" and record.get("allowed") is True:
            wanted[index] += 1
    mean = sum(orders) / count if count else 0.0
    sigma = math.sqrt(sum((one - mean) ** 2 for one in orders) / count) if count else 0.0
    return {
        "buckets": count,
        "orders_per_bucket": round(mean, 3),
        "buckets_empty_with_signals": sum(1 for n, want in zip(orders, wanted) if want and not n),
        "buckets_outside_sigma": sum(1 for n in orders if abs(n - mean) > 3 * max(sigma, math.sqrt(mean))),
    }
