"""Memory grows by 60 MB an hour."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("load_test", "soak_day", {"rss_slope_upper_mb_per_h": 60}, "resources.no_memory_leak"),
    measured("load_test", "soak_extended", {"rss_slope_upper_mb_per_h": 60}, "resources.no_memory_leak@extended"),
)
