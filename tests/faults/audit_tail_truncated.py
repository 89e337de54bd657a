"""The last lines of the audit chain were cut away: what is left is a valid chain, but the head that the guard keeps is not on it."""
from __future__ import annotations

from .harness.controller import Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files
from .harness.world import run


def _cut(world: Controller) -> None:
    path = world.reports / "audit.jsonl"
    whole = path.read_bytes()
    (world.root / "audit.whole").write_bytes(whole)
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))


def _confirm(world: Controller) -> str:
    lines = run("wc", "-l", world.reports / "audit.jsonl").split()[0]
    if lines != "2":
        raise NotTaken(f"wc counts {lines} lines")
    return "wc counts 2 lines of 3"


def _heal(world: Controller) -> None:
    (world.root / "audit.whole").replace(world.reports / "audit.jsonl")


TRIALS = (on_files("file", _cut, _confirm, _heal, "audit.change_log_tamper_evident"),)
