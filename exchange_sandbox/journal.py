"""The append-only journal: what was acknowledged is on disk before the answer leaves.

One line is one atomic step (a list of facts). Lines are collected while an fsync is running, so that one fsync serves all requests
that came meanwhile. A torn last line (kill -9 while writing) was never acknowledged and is dropped.

The file is longer than what it holds: zeros are written ahead. A write that makes a file longer has to wait for the file system's own
journal, and there for whatever others have written; one into blocks that are there waits for these blocks only (p99 of 0.3 ms instead of 7
beside a writing neighbour).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import SandboxError
from .fastjson import dumps

Facts = list[dict[str, Any]]
#: is told that what it waited for is on disk, or why it is not
Waiter = Callable[[SandboxError | None], None]
#: seconds between the end of a write and the next: a hand-over to the writing thread costs as much as a request, and what comes meanwhile
#: shares one. Who comes after a pause does not wait.
GATHER_S = 0.002
#: bytes of zeros written ahead at a time
AHEAD = 1_000_000


def read(path: Path) -> Iterator[Facts]:
    """Yield the steps of a journal. A torn last line is cut off the file; damage before it raises SandboxError."""
    if not path.exists():
        return
    good = 0
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                if not line.endswith(b"\n"):
                    raise ValueError
                facts = json.loads(line)
            except ValueError:
                # A whole line behind what cannot be read was acknowledged once; zeros are what was written ahead.
                hole = line.find(b"\0")
                if b"\n" in line[hole:] + handle.read() if hole >= 0 else handle.read(1):
                    raise SandboxError(
                        "journal %s is damaged at line %d; restore it or move it away to start empty" % (path, number)
                    ) from None
                os.truncate(path, good)
                return
            good += len(line)
            yield facts


class Journal:
    """Writer with group commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        #: bytes of facts, and of the file
        self.size = self._ahead = os.fstat(self._fd).st_size
        self._lock = threading.Lock()
        self._closed = False
        self._pending: list[bytes] = []
        self._waiters: list[Waiter] = []
        self._flusher: asyncio.Task[None] | None = None
        self.failed: str | None = None
        #: time of the loop before which no further write begins
        self._next = 0.0
        #: something was appended that must be on disk before its answer leaves
        self.urgent = False
        self._extension: asyncio.Future[None] | None = None
        self._extend(False)

    def append(self, facts: Facts, urgent: bool = True) -> None:
        """Queue a step; it is durable after the next `commit()`."""
        if facts:
            self.urgent = self.urgent or urgent
            self._pending.append(dumps(facts) + b"\n")

    def then(self, waiter: Waiter) -> None:
        """Call back when everything appended so far is on disk, with the error when the disk refuses."""
        if not self._pending and not self._waiters:
            waiter(None)
            return
        self._waiters.append(waiter)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    async def commit(self) -> None:
        """Return when everything appended so far is on disk. Raises SandboxError when the disk refuses."""
        if not self._pending and not self._waiters:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: SandboxError | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(None)

        self.then(done)
        await future

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiters:
            gather = self._next - loop.time()
            if gather > 0:
                await asyncio.sleep(gather)
            data, self._pending = b"".join(self._pending), []
            waiters, self._waiters = self._waiters, []
            self.urgent = False
            try:
                await loop.run_in_executor(None, self._write, data)
            except OSError as exc:
                self.failed = exc.strerror or "write failed"
            self._next = loop.time() + GATHER_S
            for waiter in waiters:
                # One by one from the loop: what fails in one of them is not the others' matter.
                loop.call_soon(waiter, SandboxError("the journal cannot be written: %s" % self.failed) if self.failed else None)

            if self._ahead - self.size < AHEAD // 2 and (self._extension is None or self._extension.done()):
                self._extension = loop.run_in_executor(None, self._extend, True)

    def _write(self, data: bytes) -> None:
        if self.size + len(data) > self._ahead:
            # Zeros and facts are never written to the same place: what lies behind `_ahead` is written under the lock.
            with self._lock:
                self._put(data)
                self._ahead = max(self._ahead, self.size)
        else:
            self._put(data)

    def _put(self, data: bytes) -> None:
        view, at = memoryview(data), self.size
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written
        # All that is needed to read the data again (the file's length, too) is written, only its times are not.
        os.fdatasync(self._fd)
        self.size = at

    def _extend(self, sync: bool) -> None:
        """Write zeros ahead. A disk that has no room for them may still have some for the next facts."""
        with self._lock, contextlib.suppress(OSError):
            if not self._closed and self._ahead - self.size < AHEAD:
                self._ahead += os.pwrite(self._fd, bytes(AHEAD), self._ahead)
                if sync:
                    os.fdatasync(self._fd)

    @property
    def idle(self) -> bool:
        """Nothing is queued and nobody waits."""
        return not self._pending and not self._waiters and (self._flusher is None or self._flusher.done())

    def close(self) -> None:
        """Write what is pending, take back what was written ahead, and close."""
        data, self._pending = b"".join(self._pending), []
        with self._lock:
            self._closed = True
            if data:
                self._put(data)
            os.ftruncate(self._fd, self.size)
            os.close(self._fd)


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file so that a reader or a crash sees the old or the new content, never half of it."""
    temporary = path.with_name(path.name + ".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
