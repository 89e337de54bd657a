"""The machine that the question is asked from: its clock, its systemd."""

from __future__ import annotations

import subprocess
from typing import Callable, Dict, List, Sequence, Tuple

from .ask import World

_SHOW = ("systemctl", "show", "--property=LoadState,ActiveState,SubState", "--")
Run = Callable[[Sequence[str]], Tuple[int, str]]


def unit_state(unit: str, run: Run) -> str:
    """Return ActiveState of a unit as systemd says it, `start-pre`, `not-found`, or "" if systemd does not answer."""
    code, text = run([*_SHOW, unit])
    if code != 0:
        return ""
    found: Dict[str, str] = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if found.get("LoadState") == "not-found":
        return "not-found"
    return "start-pre" if found.get("SubState") == "start-pre" else found.get("ActiveState", "")


def _run(argv: Sequence[str]) -> Tuple[int, str]:
    command: List[str] = list(argv)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 127, ""
    return done.returncode, done.stdout.decode("utf-8", "replace")


def here() -> World:
    """Return this machine."""
    return World(unit_state=lambda unit: unit_state(unit, _run))
