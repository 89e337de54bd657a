"""The bot writes the secret of its key into a log, in base64."""
from __future__ import annotations

import base64
import json

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab

REFERENCE = "vault:kv/kraken-micro/exchange/wire#key"
PATH = "/var/log/bot/debug.log"


def _spelled(world: Lab) -> str:
    return base64.b64encode(json.loads(world.value(REFERENCE))["secret"].encode()).decode()


def _break(world: Lab) -> None:
    # Over standard input: a secret never stands in an argument.
    world.on("bot", f"cat > {PATH}; chown bot:bot {PATH}", data=("signing with " + _spelled(world) + "\n").encode())


def _confirm(world: Lab) -> str:
    if _spelled(world) not in world.read("bot", PATH).decode():
        raise NotTaken("the file does not hold it")
    return "the file decodes to the secret that the store holds"


def _heal(world: Lab) -> None:
    world.on("bot", f"rm -f {PATH}")


TRIALS = (
    Fault("lab", "bot", red("logs.no_secrets"), _break, _confirm, _heal),
)
