"""The soak: a leak is seen, a restart is seen, and what did not last long enough is no soak."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.rehearsal import soak

MIB = 1 << 20


def samples(seconds: int, grows_mib: float = 0.0, noise_mib: float = 0.05) -> list[list[float]]:
    """One a second; `grows_mib` in all."""
    return [[100.0 + n, 7, 0, (40 + grows_mib * n / seconds + (noise_mib if n % 2 else 0)) * MIB] for n in range(seconds + 1)]


def test_a_flat_unit_stays_below_a_small_limit() -> None:
    found = soak.measured(samples(100), 100, hour_s=10)
    assert (found["passed"], found["result"]["duration_s"], found["opportunities"]) == (True, 100.0, 101)
    assert abs(found["result"]["rss_slope_upper_mb_per_h"]) < 0.02


def test_a_leak_is_seen_with_its_rate_in_hours_of_the_rehearsal() -> None:
    result = soak.measured(samples(100, grows_mib=5), 100, hour_s=10)["result"]
    assert result["rss_slope_mb_per_h"] == pytest.approx(0.5, abs=0.01)
    assert result["rss_slope_upper_mb_per_h"] > result["rss_slope_mb_per_h"]


def test_a_restart_fails_and_is_counted() -> None:
    found = samples(30)
    for one in found[20:]:
        one[1] = 8
    measured = soak.measured(found, 30, hour_s=10)
    assert (measured["passed"], measured["result"]["restarts"]) == (False, 1)


def test_the_newest_window_counts_and_is_never_shorter_than_asked() -> None:
    found = samples(100, grows_mib=0)
    found[0][3] *= 10  # long ago
    result = soak.measured(found, 19.5, hour_s=10)["result"]
    assert result["duration_s"] >= 19.5
    assert result["rss_max_mb"] < 41


@pytest.mark.parametrize("found", [[], samples(10)])
def test_too_short_is_no_soak(found: list[Any]) -> None:
    with pytest.raises(GoliveError, match="too short"):
        soak.measured(found, 20, hour_s=10)


def test_a_gap_as_long_as_the_window_does_not_make_it_shorter() -> None:
    found = [*samples(5), [200.0, 7, 0, 40 * MIB], [201.0, 7, 0, 40 * MIB]]
    assert soak.measured(found, 20, hour_s=10)["result"]["duration_s"] >= 20


def test_the_sampler_writes_what_the_kernel_counts(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho MainPID=$SOAKED\necho NRestarts=3\n")
    (tmp_path / "systemctl").chmod(0o755)
    target = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SOAKED": str(target.pid)}
    sampler = subprocess.Popen([sys.executable, "-c", soak._SAMPLE, "x.service", str(tmp_path / "out"), "0.01"], env=environment)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not ((tmp_path / "out").exists() and (tmp_path / "out").read_text().count("\n") >= 2):
            time.sleep(0.02)
    finally:
        sampler.kill()
        target.kill()
        sampler.wait()
        target.wait()
    first = json.loads((tmp_path / "out").read_text().splitlines()[0])
    assert first[1:3] == [target.pid, 3]
    assert first[3] > MIB
