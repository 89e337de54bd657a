"""A file of the run may be read by everybody on the controller."""
from __future__ import annotations

import os
import stat

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files


def _mode(world: Controller, mode: int) -> None:
    (world.run_dir / "compiled.json").chmod(mode)


def _confirm(world: Controller) -> str:
    mode = stat.S_IMODE(os.stat(world.run_dir / "compiled.json").st_mode)
    if not mode & stat.S_IROTH:
        raise NotTaken(f"the mode is {mode:04o}")
    return f"stat says {mode:04o}"


TRIALS = (on_files("file", lambda world: _mode(world, 0o644), _confirm, lambda world: _mode(world, 0o600), "report.private"),)
