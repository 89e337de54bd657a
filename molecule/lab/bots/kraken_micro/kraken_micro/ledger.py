"""The trading ledger: one JSON object a line, each bound to the one before by its hash."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from .errors import BotError

GENESIS = "0" * 64
# Records that money hangs on are on the disk before anything follows from them.
DURABLE = {"start", "signal", "risk", "request", "ack", "fill", "mode", "breaker", "kill", "released", "stop"}


def encode(value: dict[str, Any]) -> bytes:
    """Return canonical JSON: sorted keys, no blanks, decimals as strings."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_text)
    return text.encode()


def record_hash(record: dict[str, Any]) -> str:
    """Return the hash of a record: sha256 of its canonical form without `hash`."""
    return hashlib.sha256(encode({k: v for k, v in record.items() if k != "hash"})).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in a ledger")


class Ledger:
    """Appends records `{seq, at, ms, kind, …, prev, hash}`; `at` is UTC, `ms` milliseconds since 1970.

    A line that a crash left half-written is moved aside at the next start, and the ledger says so in a record.
    """

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.path, self._clock = Path(path), clock
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise BotError(f"{self.path}: another process writes this ledger; stop it first") from None
        self.seq, self.head = 0, GENESIS
        self._listeners: list[Callable[[dict[str, Any]], None]] = []
        torn = self._cut_torn_tail()
        self._resume()
        if torn:
            self.append("recovered", torn_bytes=torn)

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Call `listener` with each record after it was written."""
        self._listeners.append(listener)

    def append(self, kind: str, /, **data: Any) -> dict[str, Any]:
        """Write one record and return it. Raises OSError when it cannot be written: nothing may follow then."""
        now = self._clock()
        record = {
            **data,
            "seq": self.seq + 1,
            "at": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ms": int(now * 1000),
            "kind": kind,
            "prev": self.head,
        }
        record["hash"] = record_hash(record)
        line = encode(record) + b"\n"
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(f"{self.path}: only {written} of {len(line)} bytes could be written")
        if kind in DURABLE:
            os.fsync(self._fd)
        self.seq, self.head = record["seq"], record["hash"]
        written_record: dict[str, Any] = json.loads(line)  # what listeners see is what a later start will read
        for listener in self._listeners:
            listener(written_record)
        return written_record

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the records as they were written, checking the chain. Raises BotError at the first break."""
        yield from read(self.path)

    def close(self) -> None:
        """Put everything on the disk and give the lock back."""
        os.fsync(self._fd)
        os.close(self._fd)

    def _cut_torn_tail(self) -> int:
        size = os.fstat(self._fd).st_size
        tail = b""
        position = size
        while position > 0 and b"\n" not in tail:
            step = min(65536, position)
            position -= step
            tail = os.pread(self._fd, step, position) + tail
        keep = position + tail.rfind(b"\n") + 1
        torn = tail[tail.rfind(b"\n") + 1 :]
        if torn:
            self.path.with_suffix(f".torn-{int(self._clock())}").write_bytes(torn)
            os.ftruncate(self._fd, keep)
            os.fsync(self._fd)
        return len(torn)

    def _resume(self) -> None:
        """Continue after the last record; the whole chain is checked by whoever folds it (`read`)."""
        size = os.fstat(self._fd).st_size
        if size == 0:
            return
        start = max(0, size - 65536)
        lines = os.pread(self._fd, size - start, start).splitlines()
        try:
            last = json.loads(lines[-1])
            self.seq, self.head = int(last["seq"]), str(last["hash"])
        except (ValueError, KeyError, TypeError, IndexError):
            raise BotError(f"{self.path}: the last line is no record; keep the file and call the operator") from None


def read(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a ledger file, checking the chain. Raises BotError at the first break."""
    head, seq = GENESIS, 0
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                record = json.loads(line)
                good = record["prev"] == head and record["seq"] == seq + 1 and record_hash(record) == record["hash"]
            except (ValueError, KeyError, TypeError):
                good = False
            if not good:
                raise BotError(f"{path}:{number}: the ledger's chain is broken; keep the file and call the operator")
            head, seq = record["hash"], record["seq"]
            yield record
