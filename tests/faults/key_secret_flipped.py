"""The stored secret is not the one of the key: one byte differs."""
from __future__ import annotations

import base64
import json

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.venue_breaks import PREFIX, Client, deliver, restore


def _break(world: Lab) -> None:
    held = json.loads(world.value(f"{PREFIX}live#key"))
    raw = bytearray(base64.b64decode(held["secret"]))
    raw[0] ^= 1
    deliver(world, "live", {**held, "secret": base64.b64encode(bytes(raw)).decode()})


def _confirm(world: Lab) -> str:
    held = json.loads(world.values[f"{PREFIX}live#key"])
    said = Client(world, held["key"], held["secret"]).call("Balance")["error"]
    if not said:
        raise NotTaken("the venue takes it")
    return f"the venue says {said[0]}"


TRIALS = (
    Fault(
        "lab", "store", red("exchange.key.authenticates", "exchange.key.no_withdraw", "exchange.key.least_privilege"), _break,
        _confirm, lambda world: restore(world, "live"),
        unwatched=("exchange.key.ip_allowlist", "exchange.key.age_within_policy", "exchange.key.born_for_release"),
    ),
)
