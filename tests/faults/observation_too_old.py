"""A critical observation is older than the minutes that may lie between looking and arming."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from golive.canonical import utc

from .harness.run_breaks import verdict_is

OLD = utc(datetime.now(UTC) - timedelta(hours=1))
TRIALS = (verdict_is("firewall.default_drop_persistent", {"at": OLD}, "arming.observed_just_before",
                     beside=("gate.phase_green", "verify.preflight_run", "gate.performance_targets")),)
