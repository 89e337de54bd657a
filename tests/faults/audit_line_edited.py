"""One word of the audit chain was changed afterwards."""
from __future__ import annotations

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files
from .harness.world import run


def _swap(world: Controller, old: bytes, new: bytes) -> None:
    path = world.reports / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def _confirm(world: Controller) -> str:
    if run("grep", "-c", "opened", world.reports / "audit.jsonl", check=False).strip() != "1":
        raise NotTaken("grep does not find the changed word")
    return "grep finds the changed word in one line"


TRIALS = (on_files("file", lambda world: _swap(world, b'"open"', b'"opened"'), _confirm, lambda world: _swap(world, b'"opened"', b'"open"'),
                   "audit.change_log_tamper_evident"),)
