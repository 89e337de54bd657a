"""Is this host ready for paper trading? Every component is tried; what cannot be tried is not operational."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import diagnose, ledger
from .config import Config
from .errors import BotError


def report(config: Config) -> dict[str, Any]:
    """Return each component with `operational` and, where it is not, why; read-only but for one temporary file."""
    sections = diagnose.report(config, "api")["sections"]
    checks: dict[str, Callable[[], None]] = {
        "config": lambda: None,  # it was loaded, or we would not be here
        "state_directory": lambda: _writable(Path(config.paths.state_dir)),
        "log_directory": lambda: _writable(Path(config.paths.log_file).parent),
        "control_directory": lambda: _readable(Path(config.paths.control_dir)),
        "ledger": lambda: _ledger(Path(config.paths.state_dir) / "ledger.jsonl"),
        "venue_rest": lambda: _venue(sections["venue_status"]),
        "venue_clock": lambda: _clock(sections["clock_skew"]),
        "bot": lambda: _answered(sections["bot"]),
    }
    components = {name: _try(check) for name, check in checks.items()}
    failed = [name for name, one in components.items() if not one["operational"]]
    return {
        "operational": not failed,
        "instance": config.instance,
        "mode": config.mode,
        "components": len(components),
        "failed": len(failed),
        "failed_names": failed,
        "details": components,
    }


def _try(check: Callable[[], None]) -> dict[str, Any]:
    try:
        check()
    except (BotError, OSError) as exc:
        return {"operational": False, "why": f"{exc}"[:200]}
    return {"operational": True, "why": None}


def _writable(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as handle:
        handle.write(b"x")
        os.fsync(handle.fileno())


def _readable(folder: Path) -> None:
    list(folder.iterdir())


def _ledger(path: Path) -> None:
    if path.exists():
        for _record in ledger.read(path):
            pass


def _answered(section: dict[str, Any]) -> None:
    if section["state"] != "answered":
        raise BotError(section["why"])


def _venue(section: dict[str, Any]) -> None:
    _answered(section)
    if section["status"] != "online":
        raise BotError(f"the venue says {section['status']}")


def _clock(section: dict[str, Any]) -> None:
    _answered(section)
    if abs(section["seconds"]) > 2:
        raise BotError(f"our clock is {section['seconds']} s away from the venue's; synchronise it")
