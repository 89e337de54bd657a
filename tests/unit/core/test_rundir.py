"""The run lock: one holder, named to the next; whatever lies in its place is refused in one sentence."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from golive import rundir
from golive.errors import GoliveError


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    held = rundir.lock(tmp_path, {"pid": 4711, "run": "20261121T000000Z-000000"})
    with pytest.raises(GoliveError, match=r"run 20261121T000000Z-000000 \(process 4711\)"):
        rundir.lock(tmp_path, {"pid": 1, "run": "x"})
    os.close(held)
    os.close(rundir.lock(tmp_path, {"pid": 1, "run": "x"}))


def test_a_link_in_the_place_of_the_lock_is_refused_and_what_it_leads_to_is_untouched(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("not a lock")
    (tmp_path / rundir.LOCK).symlink_to("other")
    with pytest.raises(GoliveError, match="the run lock cannot be opened"):
        rundir.lock(tmp_path, {"pid": 1, "run": "x"})
    with pytest.raises(GoliveError, match="the run lock cannot be read"):
        rundir.current(tmp_path)
    assert (tmp_path / "other").read_text() == "not a lock"


def test_no_run_is_found_where_nothing_holds_the_lock(tmp_path: Path) -> None:
    os.close(rundir.lock(tmp_path, {"pid": 1, "run": "x"}))
    with pytest.raises(GoliveError, match="no run holds the lock"):
        rundir.current(tmp_path)
