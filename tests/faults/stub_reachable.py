"""What the bot imports is a stub: it returns without doing anything, or raises NotImplementedError."""
from __future__ import annotations

from .harness.source_breaks import committed

PATH = "molecule/lab/bots/kraken_micro/kraken_micro/stops.py"
TRIALS = (
    committed(PATH, "def place_stop(position):\n    pass\n", "source.no_stubs", "source.no_stubs@not_implemented"),
    committed(PATH, "def place_stop(position):\n    raise NotImplementedError\n", "source.no_stubs", "source.no_stubs@not_implemented"),
)
