"""Which nonce may be spent on a key, and whether any may: a nonce too high, or one between two of a live bot's, stops the bot.

Venues with nonces (Kraken, Bitfinex, Gemini) take strictly rising numbers per key. A question in the bot's own unit while
the bot is stopped is harmless; one in a larger unit (us, ns) makes every later ms nonce of the bot invalid for ever.
"""

from __future__ import annotations

import fcntl
import os
import re
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import GoliveError

UNITS = {"ms": 10**6, "us": 10**3, "ns": 1}  # nanoseconds in one
SOURCES = ("bot_stopped", "own_key", "venue_window", "file")


class Plan(NamedTuple):
    """How the caller allows nonces to be spent.

    source: "" (not told), `bot_stopped` (the units below are seen inactive), `own_key` (no other process holds this key),
    `venue_window` (the key has a nonce window at the venue, so that a late number is still taken), `file` (the bot's own
    counter, taken and put back under its lock). unit: of the numbers: ms, us, ns.
    """

    source: str = ""
    unit: str = "ms"
    path: str = ""
    units: Tuple[str, ...] = ()
    may_be_new: bool = False  # the file at `path` is made if the bot has never counted

    def checked(self) -> Plan:
        """Return self. Raises GoliveError for words that are not known or do not go together."""
        if self.source and self.source not in SOURCES:
            raise GoliveError("unknown source of nonces", where="nonce_source", found=repr(self.source)[:40], expected=", ".join(SOURCES))
        if self.unit not in UNITS:
            raise GoliveError("unknown unit of nonces", where="nonce_unit", found=repr(self.unit)[:40], expected="ms, us or ns")
        if (self.source == "file") != bool(self.path):
            raise GoliveError("nonce_source 'file' and nonce_file belong together", where="nonce_file", todo="give both, or neither")
        if self.may_be_new and self.source != "file":
            raise GoliveError("only a nonce file can be new", where="nonce_file_may_be_new", todo="set nonce_source to file")
        if self.source == "bot_stopped" and not self.units:
            raise GoliveError(
                "'bot_stopped' has to be seen, not believed", where="bot_units", todo="name the systemd units that use this key"
            )
        return self


def unit_of(highest: int) -> str:
    """Return the unit in which a nonce of today was written (`ms`, `us`, `ns`), or "other"."""
    return {13: "ms", 16: "us", 19: "ns"}.get(len(str(highest)), "other")


def running(units: Sequence[str], state_of: Callable[[str], str]) -> Optional[str]:
    """Return a clause that names the first unit that is not surely stopped, or None.

    `state_of` gives systemd's ActiveState, but `start-pre` while ExecStartPre= runs (the bot itself has not started yet) and
    `not-found` for a unit that does not exist: a mistyped name must not read as a stopped bot.
    """
    for unit in units:
        state = state_of(unit)
        if state not in ("inactive", "failed", "start-pre"):
            return "%s is %s" % (unit, state or "in an unknown state")
    return None


def from_clock(unit: str, nanoseconds: int, last: int = 0) -> int:
    """Return the nonce of a moment in the given unit, above `last`."""
    return max(nanoseconds // UNITS[unit], last + 1)


class NonceFile:
    """The bot's own counter: a file with one decimal number, held under the bot's lock while it is raised.

    The lock is flock on the file itself and on a file beside it with the ending `.lock` if the bot keeps one: a counter that is
    replaced by renaming cannot be locked itself.
    """

    def __init__(self, path: str, unit: str, may_be_new: bool = False) -> None:
        self._path, self._unit, self._may_be_new = path, unit, may_be_new

    def take(self, nanoseconds: int) -> int:
        """Return the next nonce and keep it in the file before it is used.

        Raises GoliveError. Makes the file only if it may be new: a mistyped path must not read as a bot that has never counted.
        """
        handles: List[int] = []
        try:
            self._lock(os.path.splitext(self._path)[0] + ".lock", handles, needed=False)
            if self._may_be_new and not os.path.lexists(self._path):
                return self._make(from_clock(self._unit, nanoseconds))
            return self._raise(self._lock(self._path, handles, needed=True), nanoseconds)
        except BlockingIOError:
            raise GoliveError("the bot holds its nonce file locked", where=self._path, todo="ask again in a moment") from None
        except OSError as exc:
            raise GoliveError(
                "the bot's nonce file cannot be opened: %s" % exc.strerror,
                where=self._path,
                todo="name the file in which the bot keeps its last nonce",
            ) from None
        finally:
            for handle in handles:
                os.close(handle)

    @staticmethod
    def _lock(path: str, handles: List[int], needed: bool) -> int:
        """Open and lock a file of the bot, noted in `handles`; -1 if it is not there and not needed."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            if needed:
                raise
            return -1
        handles.append(handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle

    def _raise(self, handle: int, nanoseconds: int) -> int:
        text = os.read(handle, 64).decode("ascii", "replace").strip()
        if not re.match(r"[0-9]{1,20}\Z", text):
            raise GoliveError("the bot's nonce file does not hold one number", where=self._path)
        if unit_of(int(text)) != self._unit:
            raise GoliveError(
                "the bot counts in another unit",
                where=self._path,
                found=unit_of(int(text)),
                expected=self._unit,
                todo="set nonce_unit to the bot's own",
            )
        number = from_clock(self._unit, nanoseconds, int(text))
        line = b"%d\n" % number
        os.pwrite(handle, line, 0)  # never shorter than before: a crash between the two calls leaves a valid number
        os.ftruncate(handle, len(line))
        os.fsync(handle)
        return number

    def _make(self, number: int) -> int:
        """Make the counter, whole or not at all, for the owner of its directory: the bot writes it again."""
        owner, fresh = os.stat(os.path.dirname(self._path) or "."), self._path + ".new"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, b"%d\n" % number)
            if os.geteuid() == 0:
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fsync(handle)
            os.link(fresh, self._path)  # fails if somebody made it meanwhile
        finally:
            os.close(handle)
            os.unlink(fresh)
        return number
