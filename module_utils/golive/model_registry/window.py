"""May a model be promoted at this moment? The bot does not trade in the downtime window, so it is changed then and only then."""
from __future__ import annotations

import re
from datetime import datetime, time, timedelta, timezone
from typing import Tuple

from ..errors import GoliveError

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")


def parse(text: str) -> Tuple[time, time]:
    """Return (start, end) of `03:00-05:00`, in UTC; the end is outside. Raises GoliveError for every other form."""
    parts = str(text).split("-")
    found = [_TIME.match(part.strip()) for part in parts]
    if len(found) != 2 or found[0] is None or found[1] is None or found[0].group() == found[1].group():
        raise GoliveError("not a downtime window", found=repr(text)[:60], expected="two UTC times such as 03:00-05:00")
    start, end = (time(int(one.group(1)), int(one.group(2))) for one in (found[0], found[1]))
    return start, end


def is_open(now: datetime, start: time, end: time) -> bool:
    """Return whether `now` lies in the window; one that ends before it starts goes over midnight."""
    clock = now.astimezone(timezone.utc).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def opens(now: datetime, start: time) -> datetime:
    """Return when the window opens next."""
    today = now.astimezone(timezone.utc).replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
