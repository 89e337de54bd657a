"""Somebody made the bot's credentials readable, as one does to look at them once."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab

KEY = "/etc/bot/credentials/wire_exchange_key"


def _break(world: Lab) -> None:
    world.on("bot", f"chmod 0755 /etc/bot /etc/bot/credentials && chmod 0644 {KEY}")


def _confirm(world: Lab) -> str:
    if not world.on("bot", f"setpriv --reuid 1 --regid 1 --clear-groups wc -c {KEY}", check=False).strip().startswith(tuple("123456789")):
        raise NotTaken("another user cannot read the key")
    return "the user daemon has opened the key"


def _heal(world: Lab) -> None:
    world.on("bot", f"chmod 0400 {KEY} && chmod 0700 /etc/bot/credentials && chmod 0750 /etc/bot")


TRIALS = (Fault("lab", "file", red("secrets.closed_to_others"), _break, _confirm, _heal, settle_s=10),)
