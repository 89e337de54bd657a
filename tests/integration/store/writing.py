"""A writer that goes on whatever happens to a store, and knows which of its writes were acknowledged."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import hvac
from golive.errors import GoliveError
from golive.store import client

from .conftest import await_that


@dataclass
class Writer:
    """Writes `<folder>/write-1`, `-2`, … one after the other; `acknowledged` holds the numbers of which the store said that it has them."""

    connect: Callable[[], hvac.Client]
    folder: str
    acknowledged: list[int] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def more(self, count: int, seconds: float) -> int:
        """Wait for so many further acknowledged writes; return how many there were before."""
        before = len(self.acknowledged)
        await_that(lambda: len(self.acknowledged) >= before + count, seconds)
        return before

    def lost(self, reader: hvac.Client) -> list[int]:
        """Return the acknowledged writes that a reader does not find."""
        return [number for number in self.acknowledged if not self._is_there(reader, number)]

    def _is_there(self, reader: hvac.Client, number: int) -> bool:
        path = f"{self.folder}/write-{number}"
        return client.exists(reader, path) and client.read_field(reader, path, "n") == str(number)

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                client.write_secret(self.connect(), f"{self.folder}/write-{number}", {"n": str(number)})
            except (GoliveError, client.VaultError, client.requests.exceptions.RequestException):
                continue    # not acknowledged: it may or may not be there
            self.acknowledged.append(number)


@contextmanager
def writing(connect: Callable[[], hvac.Client], folder: str) -> Iterator[Writer]:
    """Write in the background until the block ends."""
    writer = Writer(connect, folder)
    thread = threading.Thread(target=writer._write)
    thread.start()
    try:
        yield writer
    finally:
        writer._stop.set()
        thread.join()
