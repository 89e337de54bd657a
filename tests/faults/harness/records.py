"""Breaks of signed records: what a drill, a load run or CI measured while the fault was on, rightly signed by its own issuer.

The record says `passed: true` all the same: the control has to turn red by the number that was measured, not by the drill's own summary.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import compiled
from .controller import KINDS, WORDS, Controller
from .fault import Fault, NotTaken, red
from .world import run


def measured(probe: str, name: str, changes: Mapping[str, Any], *controls: str, verdict: str = "fail", **more: Any) -> Fault:
    """Return the fault by which the record `name` holds these measurements."""

    def break_(world: Controller) -> None:
        world.record(probe, name, changes, **more)

    def heal(world: Controller) -> None:
        world.record(probe, name)

    return Fault("controller", "record", red(*controls, verdict=verdict), break_, lambda world: signed(world, probe, name, changes), heal,
                 beside=same_record(probe, name, controls), facts=dict(changes))


def same_record(probe: str, name: str, controls: tuple[str, ...]) -> tuple[str, ...]:
    """Return the other controls that read the same record: they must stay green."""
    return tuple(sorted(one for one, control in compiled.automated().items()
                        if control["probe"] == probe and control["ask"].get(WORDS[probe]) == name and one not in controls))


def signed(world: Controller, probe: str, name: str, changes: Mapping[str, Any]) -> str:
    """Second observation, without golive's reader: OpenSSH accepts the signature, and the text holds what was measured."""
    path = world.records[f"{probe}:{name}"]
    data = path.read_bytes()
    record = json.loads(data)
    held = {key: record["payload"]["result"].get(key) for key in changes}
    if held != dict(changes):
        raise NotTaken(f"{path.name} holds {held}")
    issuer = record["issuer"]
    run("ssh-keygen", "-Y", "verify", "-f", world.root / "signers" / compiled.SYSTEM / "rehearsal.allowed_signers", "-I", issuer,
        "-n", "golive-evidence", "-s", path.with_name(f"{path.name}.{issuer}.sig"), data=data)
    words = ", ".join(f"{name}={value}" for name, value in changes.items())
    return f"{path.name} is signed by {issuer} ({KINDS[probe]}) and holds {words or 'the change'}"


def drill(name: str, changes: Mapping[str, Any], *controls: str) -> Fault:
    """Return the fault by which a drill measured these values."""
    return measured("drill", name, changes, *controls)
