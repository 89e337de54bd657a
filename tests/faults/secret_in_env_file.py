"""The profile was changed: one key comes from an environment file instead of the store."""
from __future__ import annotations

from golive.store import backends

from .harness.controller import Controller
from .harness.fault import Fault, NotTaken, red

CONTROL = "secrets.backend"
PLACE = "env_file:/etc/bot/secrets.env#KRAKEN_API_SECRET"


def _break(world: Controller) -> None:
    references = list(world.catalogue()[CONTROL]["ask"]["references"])
    world.asked[CONTROL] = {"references": [*references[1:], PLACE]}


def _confirm(world: Controller) -> str:
    named = world.catalogue()[CONTROL]["ask"]["references"]
    lacks = sorted(backends.BACKENDS["env_file"].lacks)
    if PLACE not in named or "encryption" not in lacks:
        raise NotTaken("no reference of the question names an environment file")
    return f"the question names one, which gives no {', no '.join(lacks)}"


TRIALS = (Fault("controller", "record", red(CONTROL), _break, _confirm, lambda world: world.asked.clear()),)
