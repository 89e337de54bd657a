"""All drills on the hosts of the rehearsal, by the name that controls ask for."""
from __future__ import annotations

from collections.abc import Mapping

from . import bot, changing, expiry, guarding, keeping, kill, returning, tickets
from .run import Drill

DRILLS: Mapping[str, Drill] = {**kill.DRILLS, **tickets.DRILLS, **bot.DRILLS, **expiry.DRILLS, **returning.DRILLS,
                               **changing.DRILLS, **keeping.DRILLS, **guarding.DRILLS}
