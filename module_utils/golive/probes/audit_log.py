"""audit_log: whether each audit device of the secret store is written, now, and has room for more. Reads times, never requests."""
from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 10
ASK = {"files": "list of str; required; the files of the store's audit devices, on its own host"}
FACTS = {
    "devices": "int; files that were asked about",
    "missing": "list of str; files that are not there",
    "silent": "list of str; files without a line, though another device has recorded something",
    "ages_s": "list of number; since the last line of each, by its own time",
    "set_back_s": "list of number; the largest step back in time that ends within the last hour, up to now: a clock that jumped",
    "lags_s": "list of number; how far the last line of each is behind that of the one that is ahead",
    "free_bytes": "list of int; room on the file system of each",
    "readable_by_others": "list of str; files that more than their owner may read",
}
_TAIL = 1 << 20
_RECENT_S = 3600


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Opportunities are the files whose last line could be read."""
    paths = [str(one) for one in ask.get("files") or []]
    if not paths:
        raise Undecided("the question names no file")
    missing = [path for path in paths if not os.path.isfile(path)]
    there = [path for path in paths if path not in missing]
    now = look.now().timestamp()
    last: List[Optional[float]] = []
    set_back: List[float] = []
    for path in there:
        times = [*_times(path), now]
        last.append(times[-2] if len(times) > 1 else None)
        set_back.append(round(max([0.0, *(a - b for a, b in zip(times, times[1:]) if b >= now - _RECENT_S)]), 3))
    known = [one for one in last if one is not None]
    silent = [path for path, one in zip(there, last) if one is None]
    # A store writes every device before it answers: where one has a line and another has none, the other could not be written.
    if silent and not known:
        raise Undecided("no audit log holds a line with a time: %s" % ", ".join(silent))
    ahead = max(known) if known else 0.0
    facts: Dict[str, Any] = {
        "devices": len(paths), "missing": missing, "silent": silent,
        "ages_s": [round(max(0.0, now - one), 3) for one in known], "lags_s": [round(ahead - one, 3) for one in known],
        "set_back_s": set_back,
        "free_bytes": [_free(path) for path in there],
        "readable_by_others": [path for path in there if os.stat(path).st_mode & 0o077],
    }  # fmt: skip
    return Observed(facts, opportunities=len(known))


def _times(path: str) -> List[float]:
    """Return the times of the last whole lines, in their order; a device on a full disk may have half a line behind them."""
    with open(path, "rb") as handle:
        handle.seek(max(0, os.path.getsize(path) - _TAIL))
        lines: List[bytes] = handle.read().split(b"\n")
    times = []
    for line in lines:
        try:
            at = str(json.loads(line)["time"])
            times.append(datetime.strptime(at[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp())
        except (ValueError, KeyError, TypeError):
            continue
    return times


def _free(path: str) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
