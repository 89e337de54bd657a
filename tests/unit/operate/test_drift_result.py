"""The result of a scheduled run: only a closed report that says what the process said is an answer; everything else is red."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.operate import drift_result

BEGAN = 1795255200.0  # 2026-11-21T10:00:00Z
RUN = "20261121T100005Z-abcdef"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "reports").mkdir()
    settings = {"system": "s", "reports": str(tmp_path / "reports"), "state": str(tmp_path / "state.json"),
                "metrics": str(tmp_path / "drift.prom")}
    (tmp_path / "drift.json").write_text(json.dumps(settings))
    return tmp_path


def ran(place: Path, *, code: int | None = 0, mode: str = "drift", run: str = RUN, started: str = "2026-11-21T10:00:05Z",
        reported: bool = True) -> None:
    folder = place / "reports" / run
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"run": run, "mode": mode, "started": started}))
    if code is not None:
        (folder / "finished.json").write_text(json.dumps({"at": "2026-11-21T10:01:00Z", "result": "told", "exit": code}))
    if reported:
        (folder / "report.json").write_text("{}")


def ended(status: str = "0", code: str = "exited") -> dict[str, str]:
    return {"EXIT_CODE": code, "EXIT_STATUS": status}


def outcome(place: Path, environment: dict[str, str]) -> str:
    return drift_result.judged(str(place / "reports"), BEGAN, environment)[0]


@pytest.mark.parametrize(("code", "word"), [(0, "clean"), (2, "red"), (4, "unreached")])
def test_a_closed_report_that_agrees_with_the_exit_code_is_the_answer(place: Path, code: int, word: str) -> None:
    ran(place, code=code)
    assert outcome(place, ended(str(code))) == word


def test_nothing_was_opened(place: Path) -> None:
    assert outcome(place, ended("0")) == "could_not_tell"
    assert outcome(place, {}) == "could_not_tell"


@pytest.mark.parametrize("changes", [
    {"code": None}, {"reported": False}, {"mode": "real"}, {"mode": "check"}, {"started": "2026-11-21T09:59:59Z"}, {"started": "soon"},
    {"code": 2}, {"code": 4}, {"code": 7}])
def test_a_run_that_is_open_old_another_or_says_something_else_is_none(place: Path, changes: dict[str, Any]) -> None:
    ran(place, **changes)
    assert outcome(place, ended("0")) == "could_not_tell"


@pytest.mark.parametrize("environment", [ended("9", "killed"), ended("15", "killed"), ended("1"), {}])
def test_a_clean_report_of_a_process_that_died_proves_nothing(place: Path, environment: dict[str, str]) -> None:
    ran(place)
    assert outcome(place, environment) == "could_not_tell"


def test_damaged_records_are_no_answer(place: Path) -> None:
    ran(place)
    (place / "reports" / RUN / "finished.json").write_text("{half")
    assert outcome(place, ended()) == "could_not_tell"


def turn(place: Path, *words: str, environment: dict[str, str] | None = None) -> int:
    return drift_result.main([*words, str(place / "drift.json")], environment or {})


def test_the_unit_is_failed_and_the_metric_red_unless_clean(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [BEGAN]
    monkeypatch.setattr(drift_result.time, "time", lambda: now[0])
    assert turn(place, "begin") == 0
    ran(place)
    now[0] += 90
    assert turn(place, "end", environment=ended()) == 0
    text = (place / "drift.prom").read_text()
    assert 'golive_drift_red{system="s"} 0' in text
    assert 'golive_drift_outcome{system="s",outcome="clean"} 1' in text

    now[0] += 86400
    assert turn(place, "begin") == 0
    assert turn(place, "end", environment=ended()) == 1  # exit 0 and no run: Ansible matched no host, or the lock was taken
    text = (place / "drift.prom").read_text()
    assert 'golive_drift_red{system="s"} 1' in text
    assert 'golive_drift_outcome{system="s",outcome="could_not_tell"} 1' in text
    assert f'golive_drift_clean_at_timestamp_seconds{{system="s"}} {BEGAN + 90:.3f}' in text  # when it last was, is kept


@pytest.mark.parametrize("words", [[], ["end"], ["other", "x"], ["end", "/nowhere.json"]])
def test_wrong_words_are_no_result(words: list[str]) -> None:
    assert drift_result.main(words, {}) == 64
