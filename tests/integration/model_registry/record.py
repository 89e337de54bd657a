"""The record of red proofs of the registry's controls: which break turned which controls red, seen by which probe."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golive import bundle, canonical
from golive.rundir import write_atomic

from tests.faults.harness.trial import Outcome

RECORD = Path(__file__).resolve().parents[2] / "records/model_controls.json"


def write(outcomes: Mapping[str, Outcome], path: Path = RECORD) -> None:
    """Write what was proven in a whole chain; a break that did not show what it declares is left out, and missed by who reads it."""
    proofs = []
    for fault, one in sorted(outcomes.items()):
        if not one.proven:
            continue
        for control, (verdict, reason) in sorted(one.red.items()):
            probe = one.observations[control]["probe"] if control in one.observations else ""
            proofs.append({"fault": fault, "control": control, "verdict": verdict, "reason": reason[:200], "layer": one.declared.layer,
                           "confirmed": one.confirmed[:200], "watched": one.watched, "probe": probe,
                           "probe_digest": bundle.probe(probe).digest if probe else ""})
    body = {"about": "Each break was made on a lab host with two registries, two systems and a bot; every control was observed each time.",
            "at": canonical.utc(), "proofs": proofs}
    write_atomic(path, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


def load(path: Path = RECORD) -> dict[str, Any]:
    """Return the record."""
    return dict(json.loads(path.read_text("utf-8")))
