"""A seeded slice of the two long runs, other requests each day; the whole runs are records (tests/unit/…/test_records.py)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from .long_runs import run


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["fuzz", "good"])
def test_a_slice_of_the_long_run_is_green(tmp_path: Path, name: str) -> None:
    record = run(name, 2_000, int(datetime.now(UTC).strftime("%Y%m%d")), tmp_path)
    assert record["passed"], record
    assert record["requests"] >= 2_000
