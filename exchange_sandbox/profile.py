"""What an account declares about itself, by which the judge measures it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from .errors import BadRequest

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_NUMBERS = ("stop_within_s", "stale_s", "writer_window_s")


def check(raw: Any) -> dict[str, Any]:
    """Return the profile as given if each field is known and usable. Raises BadRequest with field, found and expected."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise BadRequest("profile: expected an object, found %s" % type(raw).__name__)
    unknown = sorted(set(raw) - {"mode", "downtime", *_NUMBERS})
    if unknown:
        raise BadRequest("profile: unknown field %s; known: mode, downtime, %s" % (", ".join(unknown), ", ".join(_NUMBERS)))
    if raw.get("mode", "live") not in ("live", "paper"):
        raise BadRequest("profile.mode: expected live or paper, found %r" % str(raw["mode"])[:40])
    for name in _NUMBERS:
        value = raw.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86_400):
            raise BadRequest("profile.%s: expected seconds between 0 and 86400, found %r" % (name, str(value)[:40]))
    downtime = raw.get("downtime") or []
    if not isinstance(downtime, list):
        raise BadRequest("profile.downtime: expected a list of {from, to, exits_allowed}")
    for window in downtime:
        if not isinstance(window, dict) or not all(_TIME.fullmatch(str(window.get(name, ""))) for name in ("from", "to")):
            raise BadRequest('profile.downtime: expected {"from": "03:00:00", "to": "05:00:00"} in UTC')
    return dict(raw)


def _seconds(text: str) -> int:
    parts = [int(part) for part in text.split(":")] + [0]
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def in_downtime(window: dict[str, Any], now: float) -> bool:
    """Tell whether exchange time lies in a daily window [from, to) UTC; a window may cross midnight."""
    moment = datetime.fromtimestamp(now, UTC)
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    start, end = _seconds(window["from"]), _seconds(window["to"])
    return start <= second < end if start <= end else second >= start or second < end
