"""Writing an act down before it happens: in the system's audit chain, and a copy of the line in the run's directory."""
from __future__ import annotations

import contextlib
import getpass
from pathlib import Path
from typing import Any

from .audit import AuditLog, Chain, Head
from .rundir import RunDir, append_line

AUDIT = "audit.jsonl"


def log_of(run: RunDir) -> AuditLog:
    """Return the audit chain of the system that a run belongs to."""
    return AuditLog(str(run.path.parent / AUDIT))


def note(run: RunDir, act: str, subject: str, detail: dict[str, Any] | None = None) -> Head:
    """Write an act down and return the new head. Raises AuditError when it is not safely on disk: then the act must not happen."""
    log = log_of(run)
    head = log.append(run=run.run, actor=actor(), act=act, subject=subject, detail=detail)
    copy_lines(run, log.verify())
    return head


def copy_lines(run: RunDir, chain: Chain) -> None:
    """Keep the run's own lines beside its other records: what a crash left out is made good at the next act."""
    path: Path = run.path / AUDIT
    have = {line.get("seq") for line in run.lines(AUDIT)}
    for line in chain.lines:
        if line["run"] == run.run and line["seq"] not in have:
            append_line(path, line)


def mend(run: RunDir) -> Head | None:
    """Take away a half-written last line that a crash left, and write that down. None where the chain ends well."""
    return log_of(run).repair(run=run.run, actor=actor())


def actor() -> str:
    """Return who started the run, by the name of the account."""
    with contextlib.suppress(OSError, KeyError):
        return getpass.getuser()
    return "unknown"
