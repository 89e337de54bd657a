"""The venue's clock and the host's differ by a minute."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty(
        "clock_skew", {"seconds": 60}, "exchange.clock_offset_to_venue", settle_s=20, order=3,
        unwatched=("paper.setup_valid", "marketdata.crosschecked"),
    ),
)
