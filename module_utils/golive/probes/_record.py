"""What the probes that read signed evidence share: one record, its facts, and whose word it is."""
from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Dict

from .. import envelope, evidence, subject
from ..errors import GoliveError, Undecided
from .look import Look, Observed

WITNESSES = ("venue", "kernel", "golive", "bot")


class _Once:
    """A reader that verifies what lies there once for both questions below: each signature costs a process of ssh-keygen."""

    def __init__(self, reader: envelope.Reader) -> None:
        self.read_all = cache(reader.read_all)


def read(ask: Dict[str, Any], look: Look, kind: str, name: str, about: Any) -> Observed:
    """Return the newest record of a kind and name that holds for what it must be about; a forged one is a red, none is undecided."""
    root, now = Path(look.context["root"]), look.now()
    directory = root / ask["directory"]
    try:
        reader: Any = _Once(envelope.reader(root, ask.get("system") or str(look.context["system"]), now, rehearsal=look.rehearsal))
        reason = evidence.forged(reader, directory, kind, name)
        if reason is not None:
            return Observed({"bound": False, "passed": False, "reason": reason})
        found = evidence.newest(reader, directory, kind, name)
        facts = evidence.facts(found, subject.of(about, look.context), now)
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    witness, count = found.payload["witness"], found.payload["opportunities"]
    if witness not in WITNESSES:
        raise Undecided("the record %s does not say whose word it is" % found.id)
    return Observed(facts, witness=witness, opportunities=count if type(count) is int else None)
