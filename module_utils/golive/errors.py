"""The one exception family of golive: every error is one sentence that says what to do."""
from __future__ import annotations

from typing import Any, Optional


class GoliveError(Exception):
    """Something is wrong with what was given to us or what we found.

    `str()` is one clear sentence: what, where, found, expected, what to do. It never holds a secret; whoever raises it
    passes only names, paths, digests and redacted words of the other side.
    """

    def __init__(self, what: str, *, where: Optional[str] = None, found: Any = None, expected: Any = None,
                 todo: Optional[str] = None) -> None:
        self.what, self.where, self.found, self.expected, self.todo = what, where, found, expected, todo
        text = what if where is None else "%s: %s" % (where, what)
        if found is not None:
            text += ", found %s" % (found,)
        if expected is not None:
            text += ", expected %s" % (expected,)
        if todo is not None:
            text += "; %s" % (todo,)
        super().__init__(text)


class CompileError(GoliveError):
    """The catalogue, a checklist or the profile cannot be compiled; `where` is file:line."""


class Undecided(Exception):
    """A probe could not know. Not an error: its own verdict, and it closes the gate.

    `until` is the UTC time (`2026-11-21T10:15:00Z`) from which asking again can help, where a window has to pass.
    """

    def __init__(self, reason: str, until: Optional[str] = None) -> None:
        super().__init__(reason)
        self.reason, self.until = reason, until
