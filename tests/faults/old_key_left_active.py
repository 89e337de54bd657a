"""The rotated key still works."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("rotate_exchange_key", {"old_key_refused": False}, "secrets.rotation_drilled"),
)
