"""Reports of a run: every format is rebuilt from the run directory, at any time, also after a kill. Controller only."""
from __future__ import annotations

from .build import build
from .model import Report
from .write import write

__all__ = ["Report", "build", "write"]
