"""How does the lab run a command (as root where it must), wait for a condition, and speak when either fails?"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from .errors import LabError

Say = Callable[[str], None]
"""Tells the operator one line about what happens now."""

REPOSITORY = Path(__file__).resolve().parents[3]
"""The checkout (module_utils/golive/lab/run.py lies three folders below it)."""

BOOT_DEADLINE_S = 90.0
_POLL_S = 0.1
_LAST_WORDS = 12  # lines of a failed command that are worth showing


def as_root(argv: Sequence[str]) -> list[str]:
    """The same command with root's rights: as it is for root, through sudo for others.

    Raises LabError if we are not root and there is no sudo.
    """
    if os.geteuid() == 0:
        return list(argv)
    if shutil.which("sudo") is None:
        raise LabError(f"root's rights are needed for `{argv[0]}`", found="neither root nor sudo",
                       todo="run as root, or install sudo and allow it to this user")
    return ["sudo", "--preserve-env=http_proxy,https_proxy,no_proxy", *argv]


def run(argv: Sequence[str], *, log: Path | None = None, stdout: IO[bytes] | None = None,
        env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a fixed argument list to its end and return its output (text).

    With `log`, output is appended there instead of being returned; with `stdout`, standard output goes to that file.
    Raises LabError with the command's last words if it fails or does not exist.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=stdout or subprocess.PIPE,
                              stderr=subprocess.PIPE if stdout else subprocess.STDOUT, env=environment, cwd=cwd)
    except FileNotFoundError as error:
        raise LabError(f"`{argv[0]}` is not installed", todo="run `make setup`") from error
    text = ((done.stderr if stdout else done.stdout) or b"").decode(errors="replace")
    if log is not None:
        with log.open("a", encoding="utf-8") as handle:
            handle.write(f"$ {' '.join(argv)}\n{text}")
    if done.returncode != 0:
        last = " | ".join(line.strip() for line in text.strip().splitlines()[-_LAST_WORDS:])
        raise LabError(f"`{' '.join(argv[:4])} …` failed with exit code {done.returncode}", found=last or "no output",
                       todo=f"see {log}" if log else None)
    return text


def await_condition(what: str, ready: Callable[[], bool], describe: Callable[[], str] = lambda: "no answer") -> None:
    """Return as soon as `ready()`; LabError with `describe()` if that takes longer than a slow machine's boot."""
    deadline = time.monotonic() + BOOT_DEADLINE_S
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what} is not ready after {BOOT_DEADLINE_S:.0f} s", found=describe(),
                           todo="reset the host: python -m golive.lab reset HOST")
        time.sleep(_POLL_S)
