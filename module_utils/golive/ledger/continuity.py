"""Did it run without a gap, for how many days, with which release and limits?"""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from .chain import Record, since

PAPER_MODES = ("shadow", "wire", "paper")


def gaps(records: List[Record], start_ms: float, now_ms: float, max_gap_s: float) -> List[float]:
    """Return the lengths (s) of all times without any record that are longer than `max_gap_s`, up to now."""
    times = [record["ms"] for record in since(records, start_ms)] + [now_ms]
    begin = [max(start_ms, records[0]["ms"])] if records else []
    pairs = zip(begin + times, times)
    return [round((b - a) / 1000, 3) for a, b in pairs if (b - a) / 1000 > max_gap_s]


def running_since(records: List[Record], now_ms: float, max_gap_s: float) -> Optional[float]:
    """Return the time (ms) since which records follow each other without a gap up to now, None when there is a gap now."""
    begin: Optional[float] = None
    for record in reversed(records):
        if ((now_ms if begin is None else begin) - record["ms"]) / 1000 > max_gap_s:
            break
        begin = record["ms"]
    return begin


def continuity(records: List[Record], now_ms: float, window_s: float, max_gap_s: float) -> Dict[str, Any]:
    """Return how long it has been running up to now, and the gaps within the window."""
    found = gaps(records, now_ms - window_s * 1000, now_ms, max_gap_s)
    start = running_since(records, now_ms, max_gap_s)
    return {
        "continuous_s": 0.0 if start is None else round((now_ms - start) / 1000, 3),
        "gaps": len(found),
        "longest_gap_s": max(found, default=0.0),
    }


def identity(start: Record) -> Dict[str, Any]:
    """Return what must stay the same for paper evidence: release, limits, whole configuration, mode."""
    return {name: start.get(name) for name in ("release_digest", "risk_config_digest", "config_digest", "mode")}


def segment(records: List[Record], now_ms: float, max_gap_s: float) -> List[Record]:
    """Return the records of the latest time without a gap and without a change of release, configuration or mode."""
    begin = running_since(records, now_ms, max_gap_s)
    if begin is None:
        return []
    starts = [record for record in records if record["kind"] == "start"]
    if not starts:
        return []
    for earlier, later in zip(starts, starts[1:]):
        if identity(earlier) != identity(later):
            begin = max(begin, later["ms"])
    return since(records, begin)


def days(records: List[Record], now_ms: float, day_s: float, max_gap_s: float) -> Dict[str, Any]:
    """Return how many whole days lie in the latest unchanged segment, and with what."""
    same = segment(records, now_ms, max_gap_s)
    starts = [record for record in records if record["kind"] == "start"]
    latest = starts[-1] if starts else {}
    seconds = (now_ms - same[0]["ms"]) / 1000 if same else 0.0
    return {
        "consecutive_days": int(seconds // day_s) if day_s > 0 else 0,
        "segment_s": round(seconds, 3),
        "segment_started_ms": same[0]["ms"] if same else None,
        "releases": [str(latest["release_digest"])] if latest.get("release_digest") else [],
        "configurations": [str(latest["risk_config_digest"])] if latest.get("risk_config_digest") else [],
        "changes": sum(identity(a) != identity(b) for a, b in zip(starts, starts[1:])),
        "paper": latest.get("mode") in PAPER_MODES,
    }


def window(records: List[Record]) -> Dict[str, Any]:
    """Return whether an evidence window is open: started, not ended, with release and digests on record."""
    starts = [record for record in records if record["kind"] == "start"]
    if not starts:
        return {"window_open": False, "mode": "none", "release": ""}
    last = starts[-1]
    ended = any(record["kind"] in ("stop", "kill") and record["seq"] > last["seq"] for record in records)
    complete = all(last.get(name) for name in ("release_digest", "config_digest", "risk_config_digest"))
    mode = "paper" if last.get("mode") in PAPER_MODES else str(last.get("mode"))
    return {"window_open": complete and not ended, "mode": mode, "release": str(last.get("release_digest") or ""),
            "opened_ms": last["ms"]}


def last_decision_ms(records: List[Record]) -> Optional[int]:
    """Return when the bot decided last, as its newest heartbeat says; None without one since the last start."""
    for record in reversed(records):
        if record["kind"] == "heartbeat":
            moment = record.get("last_decision_ms")
            return moment if type(moment) is int else None
        if record["kind"] == "start":
            return None
    return None
