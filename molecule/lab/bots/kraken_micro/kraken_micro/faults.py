"""Switches to misbehave, so that a control that judges the bot itself can be seen red.

They exist only in a rehearsal: the configuration refuses them elsewhere, and the bot ends at once when an answer of the
venue does not carry the sandbox's marker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import BotError

KNOWN = {
    "paper_sends_orders": "the dry run sends its orders to the venue",
    "nonce_two_generators": "nonces come from two clocks that know nothing of each other",
    "nonce_delay_ms": "each nonce takes this long",
    "client_id_per_attempt": "a retry carries a new client order id",
    "no_stop": "a position gets no protective stop",
    "ignore_price_age": "an old price does not end entries",
    "ignore_max_positions": "the number of open positions is not limited",
    "ignore_position_size": "entries are this many times the configured size",
    "forget_daily_loss": "the day's loss is kept in memory only",
    "breaker_released_by_restart": "a tripped breaker is forgotten at a restart",
    "breaker_disconnected": "a tripped breaker does not stop anything",
    "retry_for_ever": "trouble at the venue never ends live trading",
    "balance_tier_2_broken": "the second balance source raises",
    "ignore_control_files": "kill, no_entries and step_down are not read",
    "stop_deciding": "the process lives and decides nothing",
    "random_signals": "signals do not follow from the candles",
    "leak_mb_per_minute": "memory grows by this much",
    "allocate_mb": "this much memory is taken at the start",
    "open_files": "this many files are held open",
    "log_key": "the exchange key is written to the log",
    "raise_unhandled": "a worker ends with an unhandled exception",
    "skip_risk_gate": "entries are not held against any limit",
    "no_rounding": "volumes and prices are sent as they were computed",
    "binary_floats": "volumes are sent as binary fractions",
    "sign_other_bytes": "the signature is over other bytes than those that are sent",
    "key_in_query": "the key stands in the address of a request",
    "unknown_path": "an endpoint is asked that the venue does not have",
    "flood_orders": "far too many orders are sent, with ids that are in no ledger",
    "price_factor": "prices of the stream are taken in multiplied by this",
    "silent_orders": "an allowed signal is not followed by an order",
    "no_signals": "the strategy stays silent",
    "ledger_skips_requests": "order requests are missing in the ledger",
    "dashboard_without_login": "the page asks nobody who they are",
}


class Faults:
    """The active faults; empty outside a rehearsal."""

    def __init__(self, active: Mapping[str, Any]) -> None:
        unknown = sorted(set(active) - set(KNOWN))
        if unknown:
            raise BotError(f"faults: unknown {', '.join(unknown)}; known are {', '.join(sorted(KNOWN))}")
        self._active = dict(active)

    def __bool__(self) -> bool:
        return bool(self._active)

    def on(self, name: str) -> bool:
        """Return whether a fault is active."""
        return bool(self._active.get(name)) and name in KNOWN

    def number(self, name: str) -> float:
        """Return the number of a fault, 0 when it is not active."""
        return float(self._active.get(name) or 0)
