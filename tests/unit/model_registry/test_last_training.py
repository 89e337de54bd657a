"""The training that tests on a lab host hand in: over, within the downtime, and younger than a day, whatever the hour they run at."""
from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from golive.canonical import parse_utc

from tests.integration.model_registry.conftest import last_training

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
EVIDENCE, SUITE = timedelta(minutes=5), timedelta(minutes=55)  # how old the evidence about it is, how long the tests may look at it


@pytest.mark.parametrize("hour", range(24))
def test_it_is_over_before_its_evidence_and_of_the_last_day_until_the_tests_are_over(hour: int) -> None:
    for minute in range(60):
        now = MIDNIGHT + timedelta(hours=hour, minutes=minute)
        began, ended = (parse_utc(last_training(now)[word]) for word in ("started", "ended"))
        assert began < ended <= now - EVIDENCE
        assert now + SUITE - ended <= timedelta(days=1)
        assert all(time(3) <= one.time() < time(5) for one in (began, ended))
