"""What the registry asks of the place where it lies: a local directory or an object store, told apart by nobody above this line.

A folder (`candidates/<hex>`) is there whole or not at all. The log only grows. The pointer changes in one step, from what the caller saw.
"""
from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

from .. import canonical
from ..audit import Chain, Head
from .errors import RegistryError

BLOCK = 1 << 20
SMALL = 64 << 20      # what is read as a whole: manifests, records, declarations; predictions and models are streamed
HALF_LINE = "half a line"     # how a leftover of the log is called
Line = Dict[str, Any]


class Entry(NamedTuple):
    """A file to be put into a folder: its name there, what it must be, and how to open it."""

    path: str
    size: int
    sha256: str
    open: Callable[[], BinaryIO]


def entry(path: str, data: bytes) -> Entry:
    """Return an entry of bytes in memory."""
    return Entry(path, len(data), canonical.digest(data), lambda: io.BytesIO(data))


def blocks(handle: BinaryIO) -> Iterator[memoryview]:
    """Yield a file in blocks, always through the same memory."""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    while True:
        count = handle.readinto(buffer)  # type: ignore[attr-defined]  # every binary file has it
        if not count:
            return
        yield view[:count]


def checked(one: Entry) -> Iterator[memoryview]:
    """Yield the blocks of an entry and raise RegistryError `changed` at the end if they were not what they must be."""
    hasher, size = hashlib.sha256(), 0
    with one.open() as handle:
        for block in blocks(handle):
            hasher.update(block)
            size += len(block)
            yield block
    found = "sha256:" + hasher.hexdigest()
    if (size, found) != (one.size, one.sha256):
        raise RegistryError("is not the file that was judged: it changed while it was copied, or on the disk", code="changed",
                            where=one.path, found="%d bytes %s" % (size, found[:19]), expected="%d bytes %s" % (one.size, one.sha256[:19]))


class Store:
    """One registry of one scope. Paths are tuples of names (`("models", "<hex>", "files", "model.onnx")`)."""

    where: str     # how people call the place

    @contextmanager
    def exclusive(self, wait_s: float) -> Iterator[None]:
        """Keep other writers away. Raises RegistryError `busy`. An object store has no lock: its conditions do the same at each write."""
        raise NotImplementedError
        yield

    def check(self) -> None:
        """Raise RegistryError `store` or `unsafe` where the place is not what a registry must lie in."""
        raise NotImplementedError

    def leftovers(self) -> List[str]:
        """Return what an interrupted run left behind, without touching it."""
        raise NotImplementedError

    def mend(self, run: str, actor: str) -> None:
        """Take the leftovers away; only inside of `exclusive`."""
        raise NotImplementedError

    def folders(self, *path: str) -> List[str]:
        """Return the complete folders in a folder, by name."""
        raise NotImplementedError

    def files(self, *path: str) -> List[str]:
        """Return all files of a folder, as relative paths; [] where there is none."""
        raise NotImplementedError

    def open(self, *path: str) -> BinaryIO:
        """Return a file, to be read and sought in. Raises RegistryError `missing`."""
        raise NotImplementedError

    @contextmanager
    def local(self, *path: str) -> Iterator[str]:
        """Give a folder of small files as a directory on this machine, to be read only."""
        raise NotImplementedError
        yield

    def add(self, entries: Sequence[Entry], *path: str) -> None:
        """Put a folder there, whole or not at all, verified while it is written. Nothing happens where it is there already."""
        raise NotImplementedError

    def remove(self, *path: str) -> None:
        """Take a folder away; a crash leaves it whole or gone."""
        raise NotImplementedError

    def pointer(self) -> Optional[bytes]:
        """Return the pointer's bytes; None before the first approval."""
        raise NotImplementedError

    def move(self, data: bytes, expected: Optional[bytes]) -> None:
        """Replace the pointer in one step. Raises RegistryError `busy` where it is not `expected` any more."""
        raise NotImplementedError

    def newest_first(self) -> Iterator[Line]:
        """Yield the lines of the log from its end, checking each line's own hash and that it follows. Cheap for the first ones."""
        raise NotImplementedError

    def chain(self) -> Chain:
        """Return the whole log after checking every line. Raises AuditError."""
        raise NotImplementedError

    def append(self, run: str, actor: str, act: str, subject: str, detail: Line) -> Head:
        """Add a line to the log, durable when this returns. Raises AuditError, or RegistryError `busy` if another was faster."""
        raise NotImplementedError

    def has(self, *path: str) -> bool:
        """Return whether a folder is there."""
        return path[-1] in self.folders(*path[:-1])

    def read(self, *path: str) -> bytes:
        """Return a small file as a whole. Raises RegistryError."""
        with self.open(*path) as handle:
            data = handle.read(SMALL + 1)
        if len(data) > SMALL:
            raise RegistryError("is larger than a file of this kind may be", code="store", where="/".join(path), found=len(data))
        return data

    def head(self) -> int:
        """Return the number of the newest line; 0 of an empty log."""
        return next((int(line["seq"]) for line in self.newest_first()), 0)
