"""One control has lost its red proof."""
from __future__ import annotations

import json

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files

LOST = "firewall.default_drop_persistent"


def _delete(world: Controller) -> None:
    path = world.proofs / "red_proofs.json"
    proofs = [one for one in json.loads(path.read_text())["proofs"] if one["control"] != LOST]
    path.write_text(json.dumps({"proofs": proofs}))


def _confirm(world: Controller) -> str:
    if LOST in (world.proofs / "red_proofs.json").read_text():
        raise NotTaken(f"the record still names {LOST}")
    return f"{LOST} stands nowhere in the record"


TRIALS = (on_files("report", _delete, _confirm, lambda world: world.prove_all(), "gate.controls_proven_red"),)
