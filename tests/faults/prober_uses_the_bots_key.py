"""The probe was given the bot's own key: two processes, one nonce."""
from __future__ import annotations

import json

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files


def _names(world: Controller) -> tuple[str, str]:
    find = [next(name for name in world.secrets if f"/exchange/{one}#" in name) for one in ("live", "query")]
    return find[0], find[1]


def _break(world: Controller) -> None:
    live, query = _names(world)
    world.kept, world.secrets[query] = world.secrets[query], world.secrets[live]  # type: ignore[attr-defined]


def _confirm(world: Controller) -> str:
    live, query = (json.loads(world.secrets[name])["key"] for name in _names(world))
    if live != query:
        raise NotTaken("the two references hold two keys")
    return "both references hold one key id"


def _heal(world: Controller) -> None:
    world.secrets[_names(world)[1]] = world.kept  # type: ignore[attr-defined]


TRIALS = (on_files("store", _break, _confirm, _heal, "exchange.key.dedicated_per_process"),)
