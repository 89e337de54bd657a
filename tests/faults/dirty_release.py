"""The paper run was made by another release than the one that is installed."""
from __future__ import annotations

from .harness.ledger_breaks import Records, forged


def _other(records: Records, _now: float) -> Records:
    return [{**one, "release_digest": "sha256:" + "d" * 64} if one["kind"] == "start" else one for one in records]


TRIALS = (
    forged("shadow", _other, "paper.started"),
)
