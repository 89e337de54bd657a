"""What people state by signature: which statements there are, what each must say in typed values, and whether it holds now.

A statement names values, not a screenshot's digest, and carries a head of the audit chain: it cannot have been signed earlier.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .envelope import Envelope, Reader
from .operators import number
from .signing import SigningError

BOOL, NUMBER, TEXT = "bool", "number", "text"
STATEMENTS: dict[str, dict[str, str]] = {
    "controller.disk_encrypted": {"encrypted": BOOL, "method": TEXT},
    "controller.logins_known": {"people_with_login": NUMBER, "all_known": BOOL},
    "controller.updated": {"pending_security_updates": NUMBER},
    "kill.cause": {"cause": TEXT, "changed": TEXT, "differences_explained": NUMBER},
    "kill_switch.card": {"printed": BOOL, "read_on_phone": BOOL, "words_on_card": TEXT},
    "model.approved": {"candidate": TEXT, "validation": TEXT, "scope": TEXT},
    "owner.checked_in": {"equity_seen_quote": NUMBER, "positions_seen": NUMBER},
    "review.daily": {"profit_and_loss_quote": NUMBER, "alerts_read": NUMBER, "drift_read": BOOL},
    "review.weekly": {"profit_and_loss_quote": NUMBER, "paper_compared": BOOL},
    "risk.parameters_reviewed": {"worst_day_quote": NUMBER},
    "risk.portfolio_exposure": {"total_exposure_quote": NUMBER},
    "signoff.solo": {"worst_loss_quote": NUMBER},
    "venue.console_safe": {"two_factor": BOOL, "hardware_key": BOOL, "sessions_reviewed": BOOL},
    "venue.maintenance_read": {"next_maintenance": TEXT},
    "venue.record_kept": {"last_export": TEXT},
    "venue.withdrawal_lock": {"two_factor": BOOL, "address_book_locked": BOOL, "settings_lock": BOOL},
    "watch.round": {"equity_seen_quote": NUMBER, "open_orders_seen": NUMBER},
}


@dataclass(frozen=True)
class Found:
    """Attestations of one statement, newest first, and why others do not count."""

    good: list[Envelope]
    bad: list[SigningError]


def find(reader: Reader, directory: Path, statement: str, role: str) -> Found:
    """Return the attestations of a statement that hold now for a role."""
    if statement not in STATEMENTS:
        raise SigningError("no such statement", found=statement, expected=", ".join(sorted(STATEMENTS)), code="unknown_statement")
    envelopes, bad = reader.read_all(directory, "attestation", statement)
    good: list[Envelope] = []
    for envelope in envelopes:
        if envelope.payload.get("statement") != statement:
            continue
        try:
            check(envelope, role)
            good.append(envelope)
        except SigningError as exc:
            bad.append(exc)
    return Found(good, bad)


def check(envelope: Envelope, role: str) -> None:
    """Refuse an attestation of another role, or one that lacks a value or gives it in a wrong type."""
    where = f"{envelope.id}.json"
    if envelope.role != role:
        raise SigningError("was signed in another role", where=where, found=envelope.role, expected=role, code="wrong_role")
    payload = envelope.payload
    if set(payload) != {"statement", "values", "audit_head"} or not isinstance(payload["values"], dict):
        raise SigningError("does not state statement, values and audit_head", where=where, code="malformed")
    check_values(str(payload["statement"]), payload["values"], where)


def check_values(statement: str, values: Mapping[str, Any], where: str) -> None:
    """Refuse values that are missing, unknown or of a wrong type."""
    wanted = STATEMENTS[statement]
    if set(values) != set(wanted):
        raise SigningError("states other values than this statement asks for", where=where, found=", ".join(sorted(values)) or "none",
                           expected=", ".join(sorted(wanted)), code="malformed")
    for name, kind in wanted.items():
        value = values[name]
        right = {BOOL: isinstance(value, bool), NUMBER: number(value) is not None, TEXT: isinstance(value, str) and bool(value.strip())}
        if not right[kind]:
            raise SigningError(f"{name} is not a {kind}", where=where, found=repr(value)[:60], code="malformed")


def sittings_apart_s(envelopes: list[Envelope]) -> float | None:
    """Return the seconds between the first and the last sitting over the same subject by the same person, or None for one sitting."""
    newest = envelopes[0]
    same = [one for one in envelopes if one.subject == newest.subject and one.issuer == newest.issuer]
    return (newest.issued - same[-1].issued).total_seconds() if len(same) > 1 else None


def series(envelopes: list[Envelope], now: datetime) -> tuple[float, float]:
    """Return how long a series of rounds covers and its longest gap, both in seconds, the time since the last round included."""
    times = sorted(one.issued for one in envelopes)
    gaps = [(later - earlier).total_seconds() for earlier, later in zip([*times], [*times[1:], now])]
    return (now - times[0]).total_seconds(), max(gaps)
