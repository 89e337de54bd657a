"""The run was interrupted before phase preflight was judged: its gate is not there."""
from __future__ import annotations

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files


def _confirm(world: Controller) -> str:
    there = sorted(path.parent.name for path in world.run_dir.glob("*/gate.json"))
    if "preflight" in there:
        raise NotTaken("the gate of preflight is still there")
    return "the run holds gates of " + ", ".join(there)


TRIALS = (on_files("report", lambda world: (world.run_dir / "preflight/gate.json").unlink(), _confirm, lambda world: world.gates(),
                   "verify.preflight_run", "gate.phase_green"),)
