"""Drafts the ticket that people are asked to sign: everything in it is read, nothing is chosen by hand but stage, limits and time."""
from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import canonical, rundir, ticket
from .audit import Head
from .errors import GoliveError

REUSE_LEFT = timedelta(minutes=30)


def build(*, system: str, host: str, rehearsal: bool, venue: str, release: Mapping[str, str], limits: Mapping[str, Any], stage: str,
          budget: Mapping[str, Any], lasts: timedelta, now: datetime, head: Head, epoch: int, key_fingerprint: str, people: str) -> bytes:
    """Return the text of a new ticket. Raises GoliveError when it would not be one."""
    begin = now - timedelta(seconds=5)  # the host's clock may be a little behind; it allows 5 s
    content = {"format": 1, "system": system, "host": host, "rehearsal": rehearsal, "venue": venue, "release": dict(release),
               "limits": {name: plain(value) for name, value in limits.items()}, "stage": stage,
               "budget": {"loss": str(plain(budget["loss"])), "deadline": budget["deadline"], "sample": dict(budget["sample"])},
               "not_before": canonical.utc(begin), "expires": canonical.utc(begin + lasts), "nonce": secrets.token_hex(16),
               "audit_head": str(head), "epoch": epoch, "key_fingerprint": key_fingerprint, "people": people}
    try:
        data = ticket.encode(content)
        ticket.parse_ticket(data)
    except (ticket.Refused, ValueError) as exc:
        raise GoliveError(f"no ticket can be drafted: {exc}") from None
    return data


def plain(value: Any) -> Any:
    """Return a limit in its one form: a number with a fraction is written as decimal text, never as a binary one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return list(value) if isinstance(value, (list, tuple)) else value
    return value if isinstance(value, int) else format(Decimal(str(value)).normalize(), "f")


def still_good(data: bytes, wanted: Mapping[str, Any], now: datetime) -> bool:
    """Return whether an earlier ticket says the same and lasts long enough: then nobody needs to sign again."""
    try:
        old = ticket.parse_ticket(data)
    except ticket.Refused:
        return False
    same = all(old[name] == wanted[name] for name in ticket.FIELDS - {"not_before", "expires", "nonce", "audit_head", "budget"})
    return same and canonical.parse_utc(old["not_before"]) <= now and canonical.parse_utc(old["expires"]) >= now + REUSE_LEFT


def folder(reports: Path, host: str) -> Path:
    """Return where the ticket of a host waits for its signatures."""
    return reports / "tickets" / host


def file(reports: Path, host: str, data: bytes) -> Path:
    """Put a draft in place; an earlier one with its signatures moves aside and stays. Returns the folder."""
    place = folder(reports, host)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place.exists():
        place.rename(place.with_name(f"{host}.before-{secrets.token_hex(4)}"))
    place.mkdir(mode=0o700)
    rundir.write_atomic(place / "ticket.json", data)
    return place


def words(found: Mapping[str, Any]) -> str:
    """Return what a signer agrees to, in one paragraph that can be read aloud."""
    limits = ", ".join(f"{name} {'+'.join(value) if isinstance(value, list) else value}" for name, value in sorted(found["limits"].items()))
    kind = "REHEARSAL" if found["rehearsal"] else "REAL MONEY"
    return (f"{kind}: {found['system']} on {found['venue']}, host {found['host']}, stage {found['stage']}, release "
            f"{found['release']['artifact'][7:19]}, from {found['not_before']} to {found['expires']}. It may lose "
            f"{found['budget']['loss']} by {found['budget']['deadline']}. Limits: {limits}. Exchange key {found['key_fingerprint']}.")
