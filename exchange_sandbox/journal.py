"""The append-only journal: what was acknowledged is on disk before the answer leaves.

One line is one atomic step (a list of facts). Lines are collected while an fsync is running, so that one fsync serves all requests
that came meanwhile. A torn last line (kill -9 while writing) was never acknowledged and is dropped.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import SandboxError
from .fastjson import dumps

Facts = list[dict[str, Any]]
#: seconds between the end of a write and the next: a hand-over to the writing thread costs as much as a request, and what comes meanwhile
#: shares one. Who comes after a pause does not wait.
GATHER_S = 0.002


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
                rest = handle.read(1)
                if rest:
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
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self._fd).st_size
        self._pending: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._flusher: asyncio.Task[None] | None = None
        self.failed: str | None = None
        #: time of the loop before which no further write begins
        self._next = 0.0
        #: something was appended that must be on disk before its answer leaves
        self.urgent = False

    def append(self, facts: Facts, urgent: bool = True) -> None:
        """Queue a step; it is durable after the next `commit()`."""
        if facts:
            self.urgent = self.urgent or urgent
            self._pending.append(dumps(facts) + b"\n")

    async def commit(self) -> None:
        """Return when everything appended so far is on disk. Raises SandboxError when the disk refuses."""
        if not self._pending and not self._waiters:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
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
                if waiter.cancelled():
                    continue
                if self.failed:
                    waiter.set_exception(SandboxError("the journal cannot be written: %s" % self.failed))
                else:
                    waiter.set_result(None)

    def _write(self, data: bytes) -> None:
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        # All that is needed to read the data again (the file's length, too) is written, only its times are not.
        os.fdatasync(self._fd)

    @property
    def idle(self) -> bool:
        """Nothing is queued and nobody waits."""
        return not self._pending and not self._waiters and (self._flusher is None or self._flusher.done())

    def close(self) -> None:
        """Write what is pending and close."""
        data, self._pending = b"".join(self._pending), []
        if data:
            self._write(data)
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
