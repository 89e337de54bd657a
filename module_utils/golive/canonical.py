"""The one byte form of things that are digested or signed, and the one form of a time."""
from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any, Optional, Union

from .errors import GoliveError

_UTC_FORM = "%Y-%m-%dT%H:%M:%SZ"


def encode(value: Any) -> bytes:
    """Return canonical JSON: UTF-8, sorted keys, no blanks. Raises GoliveError for NaN, bytes and other non-JSON."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError) as exc:
        raise GoliveError("cannot be written as canonical JSON: %s" % exc) from None


def digest(value: Any) -> str:
    """Return `sha256:<64 hex>` over bytes as they are, over anything else in canonical JSON."""
    data = value if isinstance(value, bytes) else encode(value)
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_digest(path: str) -> str:
    """Return `sha256:<64 hex>` of a file's content, read in constant memory. Raises OSError."""
    hasher = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            hasher.update(block)
    return "sha256:" + hasher.hexdigest()


def fingerprint(public_key_id: str) -> str:
    """Return the 16 hex digits by which golive names an exchange key (its public id, never the secret)."""
    return hashlib.sha256(public_key_id.encode("utf-8")).hexdigest()[:16]


def utc(moment: Optional[datetime] = None) -> str:
    """Return a moment (default: now) as `2026-11-21T10:15:00Z`. A naive datetime is refused: its zone is unknown."""
    moment = datetime.now(timezone.utc) if moment is None else moment
    if moment.tzinfo is None:
        raise GoliveError("a time without a zone was given", found=moment.isoformat(), todo="give it in UTC")
    return moment.astimezone(timezone.utc).strftime(_UTC_FORM)


def parse_utc(text: Union[str, Any]) -> datetime:
    """Return the moment written as `2026-11-21T10:15:00Z`. Raises GoliveError for every other form."""
    try:
        return datetime.strptime(text, _UTC_FORM).replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        raise GoliveError("not a UTC time", found=repr(text)[:60], expected="2026-11-21T10:15:00Z") from None
