"""What holds for every test: hypothesis judges results, never the speed of a loaded machine."""
from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("golive", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("golive")
