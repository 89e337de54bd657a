"""Records a verdict rests on (drill, load run, CI result, ledger and venue readings): the newest one that holds, and what it says.

Each kind is issued by a key of its own: a record that the controller signed is the controller's word.
"""
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .envelope import Envelope, Reader
from .errors import Undecided

NEVER_TRUSTED = frozenset({"changed_subject", "lab_signed", "same_key", "unknown_signer", "wrong_issuer", "wrong_namespace", "wrong_role",
                           "wrong_system"})
PAYLOAD = {"name", "passed", "result", "opportunities", "witness"}
DAY_S = 86400.0


def newest(reader: Reader, directory: Path, kind: str, name: str) -> Envelope:
    """Return the newest record of a kind and name. Raises Undecided when there is none that holds; says why the newest one does not."""
    good, bad = reader.read_all(directory, kind, name)
    for envelope in good:
        if envelope.payload.get("name") == name:
            return envelope
    what = f"{kind} record {name}"
    raise Undecided(f"the {what} does not hold: {bad[-1]}" if bad else f"there is no {what}")


def forged(reader: Reader, directory: Path, kind: str, name: str) -> str | None:
    """Return why a record of this name can never be trusted (forged, changed, another's), or None."""
    _good, bad = reader.read_all(directory, kind, name)
    return next((str(one) for one in bad if one.code in NEVER_TRUSTED), None)


def facts(envelope: Envelope, subject: str, now: datetime) -> dict[str, Any]:
    """Return the facts of a record: passed, bound (to the subject asked for), age_days, age_s and `result.*`. Raises Undecided."""
    payload = envelope.payload
    result = payload.get("result")
    if set(payload) != PAYLOAD or not isinstance(payload["passed"], bool) or not isinstance(result, Mapping):
        raise Undecided(f"the record {envelope.id} does not have the form of evidence")
    if envelope.subject != subject:
        raise Undecided(f"the record {envelope.id} is about {envelope.subject[:19]}, not about the release {subject[:19]}: "
                        "it proves nothing for it")
    age = (now - envelope.issued).total_seconds()
    return {"passed": payload["passed"], "bound": True, "age_s": age, "age_days": age / DAY_S, "issuer": envelope.issuer, "id": envelope.id,
            **{f"result.{name}": value for name, value in result.items()}}
