"""Are these the records that were written, all of them, in their order? The hash chain and the times of a ledger."""
from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from ..canonical import encode
from ..errors import GoliveError

GENESIS = "0" * 64
Record = Dict[str, Any]
# A clock that is set back by more than this (ms) makes times worthless as evidence.
_SETBACK_MS = 2000
_AHEAD_MS = 5000


class Chain(NamedTuple):
    """The records up to the first break. `broken` says where and why, None: whole. `head` is the last good hash."""

    records: List[Record]
    broken: Optional[str]
    head: str


def read(lines: Iterable[bytes], now_ms: int) -> Chain:
    """Check each line: JSON object, number, link to the one before, own hash, a time that does not fall or lie ahead.

    A last line without a line end is being written just now and is left out.
    """
    records: List[Record] = []
    head, last_ms = GENESIS, 0
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        reason, record = _check(line, head, len(records) + 1, last_ms, now_ms)
        if record is None:
            return Chain(records, "line %d: %s" % (number, reason), head)
        records.append(record)
        head, last_ms = record["hash"], max(last_ms, record["ms"])
    return Chain(records, None, head)


def _check(line: bytes, head: str, seq: int, last_ms: int, now_ms: int) -> Any:
    """Return (reason, None) or ("", record)."""
    try:
        record = json.loads(line.decode("utf-8"))
        own = hashlib.sha256(encode({key: value for key, value in record.items() if key != "hash"})).hexdigest()
    except (ValueError, RecursionError, AttributeError, GoliveError):
        return "is no record", None
    moment = record.get("ms")
    reasons = (
        (not isinstance(record.get("kind"), str), "has no kind"),
        (type(record.get("seq")) is not int or record["seq"] != seq, "has number %r where %d follows" % (record.get("seq"), seq)),
        (record.get("prev") != head, "does not follow the record before it"),
        (record.get("hash") != own, "was changed after it was written"),
        (type(moment) is not int or not last_ms - _SETBACK_MS <= moment <= now_ms + _AHEAD_MS,
         "has a time that does not follow the one before, or lies ahead of now"),
    )
    reason = next((text for wrong, text in reasons if wrong), "")
    return (reason, None) if reason else ("", record)


def since(records: List[Record], start_ms: float) -> List[Record]:
    """Return the records that are not older than a moment."""
    return [record for record in records if record["ms"] >= start_ms]
