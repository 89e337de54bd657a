"""A line of the bot is marked as critically wrong."""
from __future__ import annotations

from .harness.source_breaks import committed

MARK = "# " + "FIX" + "ME: critical: the stop is placed after the entry, and not at all when the answer is lost"
TRIALS = (committed("molecule/lab/bots/kraken_micro/kraken_micro/later.py", f"{MARK}\nLATER = True\n", "source.no_critical_todo"),)
