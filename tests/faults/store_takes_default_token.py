"""The store takes the token `root`, as one that was started for development does."""
from __future__ import annotations

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.store_breaks import anonymous, as_root

TOKEN = "root"


def _break(world: Lab) -> None:
    with as_root(world) as client:
        client.auth.token.create(id=TOKEN, policies=["default"], ttl="30m", no_parent=True)


def _confirm(world: Lab) -> str:
    client = anonymous(world)
    client.token = TOKEN
    if not client.is_authenticated():
        raise NotTaken("the store refuses the token")
    return "the store says who the token root is"


def _heal(world: Lab) -> None:
    with as_root(world) as client:
        client.auth.token.revoke(TOKEN)


TRIALS = (Fault("lab", "store", red("secrets.default_logins_refused"), _break, _confirm, _heal, settle_s=30, order=3),)
