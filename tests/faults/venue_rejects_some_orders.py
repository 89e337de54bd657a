"""The venue refused a third of the orders, and for some of them no words of it are on record."""
from __future__ import annotations

from .harness.bot_breaks import LIVE
from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _refused(records: Records, now: float, since_s: float = 18) -> Records:
    found, count = [], 0
    for one in records:
        if one["kind"] == "ack" and one.get("ok") and one["ms"] > now - since_s * 1000:
            count += 1
            found.append({**one, "ok": False, "errors": []} if count % 2 else one)
        else:
            found.append(one)
    return found


TRIALS = (
    forged("wire", _refused, "ledger.order_success_rate", "ledger.order_success_rate@day1", unwatched=WINDOWS),
    forged("live", lambda records, now: _refused(records, now, 3600), "ledger.order_success_rate@live", order=8,
           unwatched=tuple(one for one in LIVE if one != "ledger.order_success_rate@live")),
)
