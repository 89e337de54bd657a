"""The bot takes prices of its stream in one per cent too high."""
from __future__ import annotations

from .harness.bot_breaks import misbehaving

TRIALS = (
    misbehaving("shadow", "{\"price_factor\": 1.01}", "marketdata.crosschecked", order=6),
)
