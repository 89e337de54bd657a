"""The control files: their presence acts, whoever wrote them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from .config import Config, Paths

log = logging.getLogger("kraken_micro.controls")


@dataclass(frozen=True)
class Orders:
    """What golive, the guard or the operator want now. `size`, `max_positions` and `pairs` only ever tighten."""

    kill: bool = False
    no_entries: bool = False
    exit_only: bool = False
    size: Decimal | None = None
    max_positions: int | None = None
    pairs: frozenset[str] | None = None


def read(paths: Paths, config: Config) -> Orders:
    """Look at the control files. A directory that cannot be read ends entries: nobody could stop us through it."""
    folder = Path(paths.control_dir)
    try:
        present = {entry.name for entry in folder.iterdir()}
    except OSError:
        log.error("control directory cannot be read", extra={"path": str(folder)})
        return Orders(no_entries=True)
    exit_only = "exit_only" in present
    if paths.exit_only_file is not None:
        exit_only = exit_only or Path(paths.exit_only_file).exists()
    step = _step_down(folder / "step_down", config) if "step_down" in present else Orders()
    return Orders(
        kill="kill" in present,
        no_entries="no_entries" in present or step.no_entries,
        exit_only=exit_only,
        size=step.size,
        max_positions=step.max_positions,
        pairs=step.pairs,
    )


def _step_down(path: Path, config: Config) -> Orders:
    """Read the smaller stage from `step_down`; an empty, unreadable or widening file ends entries instead."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        size, positions = Decimal(raw["position_size_usdt"]), int(raw["max_positions"])
        pairs = frozenset(str(pair) for pair in raw["trade_pairs"])
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return Orders(no_entries=True)
    tightens = 0 < size <= config.position_size and 1 <= positions <= config.positions_allowed and pairs <= set(config.trade_pairs)
    return Orders(size=size, max_positions=positions, pairs=pairs) if tightens else Orders(no_entries=True)
