"""The live ledger begins with rows of the paper run."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file", "head -n 3 /var/lib/bot/shadow/ledger.jsonl > /var/lib/bot/live/ledger.jsonl",
        "wc -l /var/lib/bot/live/ledger.jsonl", "^3 ", "rm -f /var/lib/bot/live/ledger.jsonl", "ledger.live_starts_clean",
    ),
)
