"""The risk limits were changed in the middle of the paper run."""
from __future__ import annotations

from .harness.ledger_breaks import Records, forged


def _changed(records: Records, now: float) -> Records:
    start = [one for one in records if one["kind"] == "start"][-1]      # of the release that runs
    place = next(number for number, one in enumerate(records) if one["ms"] > now - 40_000)
    other = {**start, "ms": records[place]["ms"], "risk_config_digest": "sha256:" + "c" * 64}
    return [*records[:place], other, *records[place:]]


TRIALS = (
    forged("shadow", _changed, "ledger.paper_days"),
)
