"""The paper run models no fee: its profit is one that the venue would take."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead(
        "bot", "/etc/bot/shadow.json", "sed 's/\"taker_fee\": [0-9.]*/\"taker_fee\": 0/'", "grep taker_fee /etc/bot/shadow.json",
        ": 0$", "paper.fees_modelled", "backup.config",
    ),
)
