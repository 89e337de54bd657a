"""The rollback brings the old program back with the new configuration."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("rollback_with_position", {"release_is_previous": False}, "rollback.with_open_positions"),
    drill("rollback_with_position", {"stop_kept": False}, "rollback.with_open_positions"),
)
