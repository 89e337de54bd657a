"""What one question to a venue came to, and the flat facts that everybody (module, probe, command) reads from it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ..canonical import utc
from .model import IMPLIED_BY, NEVER, NO_RIGHT, NONCE, NOT_AUTHENTICATED, KeyReport
from .nonce import UNITS, unit_of

CLOCKS_DIFFER = timedelta(seconds=60)  # a key made a moment ago may lie in the future of a host whose clock is behind
NEVER_DAYS = 36500  # what `days_left` says where the venue says "never", so that one comparison serves both


class Outcome(NamedTuple):
    """Either a report, or a reason why there is none. Nothing in it is secret.

    refusal: a kind of model.py, or `bad_form`, `fence`, `nonce_not_allowed`, `transport`; None with a report.
    """

    venue: str
    market: str
    environment: str
    rehearsal: bool
    key_fingerprint: str
    as_of: datetime
    report: Optional[KeyReport] = None
    refusal: Optional[str] = None
    reason: str = ""
    until: Optional[datetime] = None
    venue_host: str = ""
    resolved_address: str = ""
    tls_issuer: str = ""
    attempts: int = 0
    nonce_spent: Optional[int] = None
    quiet_since: Optional[int] = None
    clock_offset_s: Optional[float] = None
    mistaken: str = ""  # what the caller said about the key and the venue denies

    @property
    def authenticates(self) -> Optional[bool]:
        """Whether the venue took the signature: True, False, or None where it did not come to that."""
        if self.report is not None or self.refusal == NO_RIGHT:
            return True
        return False if self.refusal in NOT_AUTHENTICATED else None


def granted(report: KeyReport) -> List[str]:
    """Return the rights that were given with the key: true, and neither inseparable from nor implied by another one."""
    held = [name for name, value in report.rights.items() if value]
    return [name for name in held if name not in report.inseparable and IMPLIED_BY.get(name) not in held]


def facts(outcome: Outcome, now: datetime, egress: Optional[Sequence[str]] = None) -> Dict[str, Any]:
    """Return the flat facts. What is not known is absent, so that no comparison can take it for an answer.

    `rights.granted` is present only when every right is known: with an unknown one "only these" cannot be said.
    `egress` are the addresses that this host is seen with outside, or None if nobody looked.
    """
    found: Dict[str, Any] = {
        "venue": outcome.venue,
        "market": outcome.market,
        "environment": "rehearsal" if outcome.rehearsal else outcome.environment,
        "key_fingerprint": outcome.key_fingerprint,
        "as_of": utc(outcome.as_of),
        "attempts": outcome.attempts,
        "authenticates": outcome.authenticates,
        "venue_host": outcome.venue_host,
        "tls_issuer": outcome.tls_issuer,
        "resolved_address": outcome.resolved_address,
        "clock_offset_s": outcome.clock_offset_s,
        "refusal": outcome.refusal,
        "reason": outcome.reason or None,
        "until": None if outcome.until is None else utc(outcome.until),
        "nonce.spent": None if outcome.nonce_spent is None else str(outcome.nonce_spent),
        "egress.list": None if egress is None else list(egress),
    }
    if outcome.quiet_since is not None:
        found.update(_quiet_facts(outcome))
    if outcome.report is not None:
        found.update(_report_facts(outcome.report, now, egress))
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _quiet_facts(outcome: Outcome) -> Dict[str, Any]:
    """Return whether anybody used the key since the nonce that was spent then: its successor was taken, or refused as too low."""
    since = outcome.quiet_since or 0
    found: Dict[str, Any] = {
        "quiet.moved_by_others": {True: False, False: True if outcome.refusal == NONCE else None}[outcome.report is not None]
    }
    unit = unit_of(since)
    if unit in UNITS:
        found["quiet.waited_s"] = round(outcome.as_of.timestamp() - since * UNITS[unit] / 1e9, 1)
    return found


def _report_facts(report: KeyReport, now: datetime, egress: Optional[Sequence[str]]) -> Dict[str, Any]:
    unknown = [name for name, value in report.rights.items() if value is None]
    held = granted(report)
    found: Dict[str, Any] = {"rights." + name: value for name, value in report.rights.items() if value is not None}
    found.update(
        {
            "rights.unknown": unknown,
            "rights.unrecognised": list(report.unrecognised),
            "rights.inseparable": list(report.inseparable),
            "rights.native": list(report.native),
            "rights.granted_at_least": held,
            "notes": list(report.notes),
            "rights.granted": held if not unknown and not report.unrecognised else None,
            "ip.state": report.ip.state,
            "ip.list": list(report.ip.entries) if report.ip.state in ("listed", "open") else None,
            "ip.restricted": {"listed": True, "restricted": True, "open": False}.get(report.ip.state),
            "ip.equals_egress": equals(report, egress),
            "sub_account": report.sub_account,
            "active": report.active,
            "created": _time(report.created),
            "modified": _time(report.modified),
            "last_used": _time(report.last_used),
            "expires": report.expires if isinstance(report.expires, str) else _time(report.expires),
            "age_days": age_days(report, now),
            "days_left": days_left(report, now),
            "nonce_window": report.nonce_window,
        }
    )
    if report.highest_nonce is not None:
        found["nonce.unit"] = unit_of(report.highest_nonce)
    return found


def equals(report: KeyReport, egress: Optional[Sequence[str]]) -> Optional[bool]:
    """Return whether the allow-list is exactly the addresses we are seen with; None where either is not known."""
    if report.ip.state == "open":
        return False
    if egress is None or not egress or report.ip.state != "listed":
        return None
    return set(report.ip.entries) == set(egress)


def age_days(report: KeyReport, now: datetime) -> Optional[float]:
    """Return the key's age in days, None if unknown or said to lie in the future."""
    if report.created is None or report.created > now + CLOCKS_DIFFER:
        return None
    return round(max(0.0, (now - report.created).total_seconds() / 86400), 2)


def days_left(report: KeyReport, now: datetime) -> Optional[float]:
    """Return the days until the key expires (negative when past), NEVER_DAYS for a key that does not, None if unknown."""
    if report.days_left is not None:
        return report.days_left
    if report.expires == NEVER:
        return NEVER_DAYS
    if not isinstance(report.expires, datetime):
        return None
    return round((report.expires - now).total_seconds() / 86400, 2)


def _time(moment: Optional[datetime]) -> Optional[str]:
    return None if moment is None else utc(moment.astimezone(timezone.utc))
