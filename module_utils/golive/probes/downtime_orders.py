"""downtime_orders: which orders the venue's own history says were created inside of the daily downtime. Kraken spot."""
from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping

from ..canonical import utc
from ..errors import GoliveError, Undecided
from ..model_registry import window
from ._kraken import Kraken, Said, need
from .look import Look, Observed

WITNESS = "venue"
DEADLINE_S = 30
ASK = {
    "venue": "str; required; kraken",
    "base_url": "str; optional; https://host[:port], the venue's own is the default",
    "ca_file": "str; optional; extra CA on the looking host",
    "credential": "str; required; reference to JSON with key and secret of a key that may query",
    "window": "str; required; downtime as HH:MM-HH:MM in UTC",
    "days": "int; required; how far back",
}
FACTS = {
    "orders": "int; that were created in these days",
    "orders_in_downtime": "list of str; id and time of creation of those that were created in the downtime",
}
_PAGE, _PAGES = 50, 12   # Kraken gives 50 a page, and each page costs one of the 15 that a young account may have outstanding


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read open and closed orders. Opportunities are the orders of these days: an account that never ordered shows nothing.

    Raises Undecided where the history is longer than can be read: a part of it would prove nothing.
    """
    if ask["venue"] != "kraken":
        raise Undecided("only kraken can be asked for its orders yet")
    try:
        start, end = window.parse(str(ask["window"]))
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    since = look.now().timestamp() - int(ask["days"]) * 86400
    venue = Kraken(str(ask.get("base_url") or ""), str(ask.get("ca_file") or ""), look.rehearsal, max(1.0, look.left() - 1))
    venue.log_in(str(ask["credential"]), look.secret(str(ask["credential"])))
    try:
        found = {**_rows(venue.private("OpenOrders"), "open"), **_closed(venue, since)}
    except Said as exc:
        raise Undecided("the venue refused the question: %s" % exc.words) from None
    created = {name: float(need(row.get("opentm"), "opentm of %s" % name[:40])) for name, row in found.items()}
    recent = {name: at for name, at in created.items() if at >= since}
    inside: List[str] = []
    for name, at in sorted(recent.items(), key=lambda one: one[1]):
        moment = datetime.fromtimestamp(at, timezone.utc)
        if window.is_open(moment, start, end):
            inside.append("%s at %s" % (name[:40], utc(moment)))
    return Observed({"orders": len(recent), "orders_in_downtime": inside[:100]}, opportunities=len(recent))


def _closed(venue: Kraken, since: float) -> Dict[str, Mapping[str, Any]]:
    """Return all orders that were open or closed since; asked by number, because an order made in the downtime may be closed later."""
    found: Dict[str, Mapping[str, Any]] = {}
    for page in range(_PAGES):
        rows = _rows(venue.private("ClosedOrders", start=str(int(since) - 1), ofs=str(page * _PAGE)), "closed")
        found.update(rows)
        if len(rows) < _PAGE:
            return found
    raise Undecided("the account closed more than %d orders in these days: they cannot all be looked at" % (_PAGE * _PAGES))


def _rows(answer: Any, name: str) -> Dict[str, Mapping[str, Any]]:
    rows = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise Undecided("the venue does not tell the %s orders" % name)
    return {str(key): row for key, row in rows.items()}
