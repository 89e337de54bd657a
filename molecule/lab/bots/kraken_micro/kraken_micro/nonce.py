"""The one source of nonces of a key: strictly rising over threads, restarts and clocks that jump back."""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .errors import BotError

# The file is ahead of what was given out by this much (µs), so that it is written seldom and a crash repeats nothing.
RESERVE_US = 1_000_000


class NonceSource:
    """Gives out microseconds since 1970, or one more than the last where the clock stands still or went back.

    The file holds a value that no nonce given out has reached. It is locked: a second process with the same file is refused,
    because two writers on one key make the venue refuse both.
    """

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time, delay_s: float = 0.0) -> None:
        self._path, self._clock, self._delay_s = Path(path), clock, delay_s
        self._lock = threading.Lock()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._holder: IO[str] = open(self._path.with_suffix(".lock"), "a", encoding="ascii")  # noqa: SIM115 (held as long as we live)
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._holder.close()
            raise BotError(f"{self._path}: another process holds this nonce source; stop it first") from None
        self._reserved = self._read()
        self._last = self._reserved
        self.given = 0

    def next(self) -> int:
        """Return the next nonce. Thread-safe. Raises OSError when the reserve cannot be written."""
        with self._lock:
            if self._delay_s:
                time.sleep(self._delay_s)
            value = max(self._last + 1, int(self._clock() * 1_000_000))
            if value >= self._reserved:
                self._reserve(value + RESERVE_US)
            self._last = value
            self.given += 1
            return value

    def close(self) -> None:
        """Give the lock back."""
        self._holder.close()

    def _read(self) -> int:
        try:
            text = self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return 0
        except (OSError, UnicodeDecodeError) as exc:
            raise BotError(f"{self._path}: the nonce file cannot be read ({exc.__class__.__name__})") from None
        if not text.isdigit():
            raise BotError(f"{self._path}: found {text[:30]!r}, expected a number; write the last nonce that the venue reports")
        return int(text)

    def _reserve(self, value: int) -> None:
        temporary = self._path.with_suffix(".tmp")
        with open(temporary, "w", encoding="ascii") as handle:
            handle.write(str(value))
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, self._path)
        self._reserved = value


class BrokenNonceSource(NonceSource):
    """Two millisecond clocks, as a bot has that signs in two places (fault `nonce_two_generators`)."""

    def next(self) -> int:
        """Return a nonce that repeats and falls."""
        self.given += 1
        return int(self._clock() * 1000) * 1000 + (0 if self.given % 2 else -5000)


def bench(path: str | Path, threads: int, seconds: float, delay_s: float = 0.0) -> dict[str, float | int]:
    """Draw nonces from several threads for some seconds and count; the file is the caller's own."""
    source = NonceSource(path, delay_s=delay_s)
    drawn: list[list[int]] = [[] for _ in range(threads)]
    end = time.monotonic() + seconds

    def draw(mine: list[int]) -> None:
        while time.monotonic() < end:
            mine.append(source.next())

    workers = [threading.Thread(target=draw, args=(mine,)) for mine in drawn]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.monotonic() - started
    source.close()
    everything = [value for mine in drawn for value in mine]
    falls = sum(1 for mine in drawn for a, b in itertools.pairwise(mine) if b <= a)
    return {
        "threads": threads,
        "seconds": round(took, 3),
        "nonces": len(everything),
        "per_second": round(len(everything) / took, 1),
        "duplicates": len(everything) - len(set(everything)),
        "not_rising": falls,
    }
