"""The paper run stood still for some seconds."""
from __future__ import annotations

from .harness.bot_breaks import SHADOW
from .harness.host_breaks import on_host

GAP = ("ledger.paper_continuous_hours", "ledger.paper_continuous_hours@day1", "process.uptime_ratio")
# Nothing but time heals a hole in a record.
TRIALS = (
    on_host(
        "bot", "process", "systemctl stop bot-shadow; sleep 9; systemctl start bot-shadow",
        "journalctl -u bot-shadow -n 6 -o cat", "Stopped", ":", "ledger.paper_continuous_hours",
        "ledger.paper_continuous_hours@day1", "process.uptime_ratio", unwatched=tuple(one for one in SHADOW if one not in GAP),
        settle_s=200, order=8,
    ),
)
