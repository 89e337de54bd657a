"""Two audit devices: one that stopped, one that fills up, one that is gone."""

from __future__ import annotations

import json

import pytest
from golive.errors import Undecided
from golive.probes.audit_log import FACTS, observe

from .fake_look import FakeLook


def log(folder, name, *times, tail=""):
    path = folder / name
    path.write_text("".join(json.dumps({"time": f"2026-11-21T{at}.123456789Z", "type": "request"}) + "\n" for at in times) + tail)
    path.chmod(0o600)
    return str(path)


def seen(*paths):
    return observe({"files": list(paths)}, FakeLook())


def test_two_devices_that_are_written_have_no_lag(tmp_path):
    found = seen(log(tmp_path, "a", "11:59:00", "11:59:50"), log(tmp_path, "b", "11:59:50"))
    assert (found.facts["ages_s"], found.facts["lags_s"], found.facts["missing"]) == ([10.0, 10.0], [0.0, 0.0], [])
    assert found.opportunities == 2
    assert set(found.facts) <= set(FACTS)
    assert all(one > 0 for one in found.facts["free_bytes"])


def test_a_device_that_stopped_lags_behind_the_other_one(tmp_path):
    found = seen(log(tmp_path, "a", "11:00:00", tail='{"time": "2026-11-21T11:59'), log(tmp_path, "b", "11:59:00"))
    assert found.facts["lags_s"] == [3540.0, 0.0]


def test_lines_of_a_clock_that_had_jumped_are_no_young_lines(tmp_path):
    found = seen(log(tmp_path, "a", "11:59:00", "14:00:00"), log(tmp_path, "b", "14:00:00", "11:59:50"))
    assert (found.facts["ages_s"], found.facts["set_back_s"]) == ([0.0, 10.0], [7200.0, 7210.0])


def test_a_clock_that_was_put_right_long_ago_or_lines_a_moment_out_of_order_are_no_jump(tmp_path):
    found = seen(log(tmp_path, "a", "10:30:00", "09:00:00", "11:59:00"), log(tmp_path, "b", "11:59:01", "11:59:00"))
    assert found.facts["set_back_s"] == [0.0, 1.0]


def test_a_device_that_is_gone_is_named(tmp_path):
    assert seen(log(tmp_path, "a", "11:59:00"), str(tmp_path / "gone")).facts["missing"] == [str(tmp_path / "gone")]


def test_a_log_that_others_may_read_is_named(tmp_path):
    path = log(tmp_path, "a", "11:59:00")
    (tmp_path / "a").chmod(0o640)
    assert seen(path).facts["readable_by_others"] == [path]


def test_a_device_without_a_line_beside_one_that_is_written_is_silent(tmp_path):
    found = seen(log(tmp_path, "a", "11:59:00"), log(tmp_path, "b", tail='{"time": "2026-11-21T11:59'))
    assert found.facts["silent"] == [str(tmp_path / "b")]
    assert (len(found.facts["free_bytes"]), found.opportunities) == (2, 1)


def test_only_empty_logs_and_no_question_are_undecided(tmp_path):
    with pytest.raises(Undecided, match="no audit log holds a line"):
        seen(log(tmp_path, "a"), log(tmp_path, "b"))
    with pytest.raises(Undecided, match="names no file"):
        observe({"files": []}, FakeLook())
