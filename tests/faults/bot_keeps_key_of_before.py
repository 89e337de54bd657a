"""The store holds a new key, and the bot was not restarted: it works with the one of before."""
from __future__ import annotations

import base64
import hashlib
import json
import os

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab
from .harness.store_breaks import as_root

PATH = "kraken-micro/exchange/wire"
REFERENCE = f"vault:kv/{PATH}#key"
HANDED = "/run/credentials/bot-wire.service/exchange_key"


def _write(world: Lab, value: str) -> None:
    with as_root(world) as client:
        client.secrets.kv.v2.create_or_update_secret(path=PATH, secret={"key": value}, mount_point="kv")
    for name in (REFERENCE, f"index:{REFERENCE}"):
        world.values.pop(name, None)


def _break(world: Lab) -> None:
    world.kept["key"] = world.value(REFERENCE)
    secret = base64.b64encode(os.urandom(64)).decode()  # not the old one backwards: the hashes know every spelling of a secret
    _write(world, json.dumps({"key": "SANDBOXrotatedByHandAndNeverMinted", "secret": secret}))


def _confirm(world: Lab) -> str:
    handed = world.on("bot", f"sha256sum {HANDED}").split()[0]
    if handed == hashlib.sha256(world.value(REFERENCE).encode()).hexdigest():
        raise NotTaken("the bot was handed what the store holds now")
    if handed != hashlib.sha256(world.kept["key"].encode()).hexdigest():
        raise NotTaken("the bot was handed something else altogether")
    return "what systemd handed over is what the store held before"


def _heal(world: Lab) -> None:
    _write(world, world.kept.pop("key"))


TRIALS = (Fault("lab", "store", red("secrets.from_store"), _break, _confirm, _heal, settle_s=10, order=3),)
