"""Cruelties: what can be done to a bot on demand, for how long and to whom."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Optional

from .cruelties import CATALOGUE
from .errors import BadRequest, NotFound

LONGEST_S = 7 * 86_400.0


@dataclass
class Active:
    """One cruelty in force until exchange time `until`; `account` None = everybody."""

    id: str
    name: str
    params: dict[str, Any]
    started: float
    until: float
    account: Optional[str] = None
    fired: int = 0
    #: what has to be remembered to undo it
    undo: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "params": self.params,
            "started": self.started,
            "until": self.until,
            "account": self.account,
            "fired": self.fired,
        }


class Cruelties:
    """The active cruelties; dice are seeded, so a rehearsal can be repeated."""

    def __init__(self, seed: str) -> None:
        self._rng = random.Random(seed + ":cruelty")  # noqa: S311  dice, not a secret
        self._count = 0
        self.active: dict[str, Active] = {}

    def start(self, name: str, params: Any, for_s: Any, account: Optional[str], now: float) -> Active:
        """Put a cruelty in force. Raises BadRequest for what is unknown, with the known names and defaults."""
        spec = CATALOGUE.get(name)
        if spec is None:
            raise BadRequest("unknown cruelty %r; known: %s" % (str(name)[:40], ", ".join(sorted(CATALOGUE))))
        if not isinstance(params or {}, dict):
            raise BadRequest("cruelty %s: params must be an object" % name)
        values = {key: default for key, (default, _) in spec.params.items()}
        for key, value in (params or {}).items():
            if key not in values:
                raise BadRequest("cruelty %s: unknown parameter %r; known: %s" % (name, str(key)[:40], ", ".join(values) or "none"))
            wanted = values[key]
            numeric = isinstance(wanted, (int, float)) and not isinstance(wanted, bool)
            if numeric != (isinstance(value, (int, float)) and not isinstance(value, bool)) or (
                not numeric and not isinstance(value, type(wanted))
            ):
                raise BadRequest("cruelty %s: parameter %s: expected a value like %r, found %r" % (name, key, wanted, str(value)[:40]))
            if key == "ratio" and not 0 <= value <= 1:
                raise BadRequest("cruelty %s: ratio must lie between 0 and 1, found %r" % (name, value))
            values[key] = value
        if isinstance(for_s, bool) or not isinstance(for_s, (int, float)) or not 0 < for_s <= LONGEST_S:
            raise BadRequest("cruelty %s: for_s must be exchange seconds above 0 and up to %d" % (name, LONGEST_S))
        self._count += 1
        item = Active("c%d" % self._count, name, values, now, now + for_s, account)
        self.active[item.id] = item
        return item

    def stop(self, cruelty_id: str) -> Active:
        """Take a cruelty off. Raises NotFound."""
        if cruelty_id not in self.active:
            raise NotFound("no active cruelty %r" % cruelty_id[:40])
        return self.active.pop(cruelty_id)

    def expired(self, now: float) -> list[Active]:
        """Take off and return what has run its time."""
        done = [item for item in self.active.values() if now >= item.until]
        for item in done:
            del self.active[item.id]
        return done

    def find(self, name: str, account: Optional[str]) -> Optional[Active]:
        """Return the cruelty of that name that applies to an account (or to everybody), if any."""
        if not self.active:
            return None
        return next((item for item in self.active.values() if item.name == name and item.account in (None, account)), None)

    def find_all(self, name: str, account: Optional[str]) -> list[Active]:
        """Return all cruelties of that name that apply to an account (or to everybody)."""
        return [item for item in self.active.values() if item.name == name and item.account in (None, account)]

    def strikes(self, item: Active) -> bool:
        """Roll the dice of a cruelty with a ratio, and count a hit. A `times` parameter ends it after so many hits."""
        times = item.params.get("times", 0)
        if times and item.fired >= times:
            return False
        if self._rng.random() >= item.params.get("ratio", 1.0):
            return False
        item.fired += 1
        return True

    def uniform(self, low: float, high: float) -> float:
        return self._rng.uniform(low, high)
