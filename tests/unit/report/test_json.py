"""report.json: exactly the promised shape, refused when broken, private, whole."""
from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from golive import rundir
from golive.errors import GoliveError
from golive.report import build, json_report, write
from golive.report.__main__ import main
from golive.report.model import Report


def test_top_level_is_exactly_as_promised(stopped: Report) -> None:
    data = json.loads(json_report.text(stopped))
    assert list(data) == ["system", "run", "release", "rehearsal", "started", "finished", "reached_phase", "summary", "controls",
                          "items", "changes"]


def test_runs_of_every_kind_fit_the_schema(runs: ModuleType, tmp_path: Path) -> None:
    for number, folder in enumerate((runs.realistic().write(tmp_path / "0"), runs.live().write(tmp_path / "1"),
                                     runs.write_killed(tmp_path / "2"), runs.write_killed(tmp_path / "3", "preflight"))):
        json_report.validate(json.loads(json_report.text(build(folder)))), number


def _broken(data: dict[str, Any], what: str) -> None:
    match what:
        case "surplus name":
            data["extra"] = 1
        case "missing name":
            del data["release"]
        case "unknown verdict":
            data["controls"][0]["verdict"] = "green"
        case "unknown tag":
            data["items"][0]["tags"] = ["gold"]
        case "time in no zone":
            data["started"] = "2026-11-21 10:15"
        case "negative count":
            data["summary"]["controls"]["pass"] = -1
        case "empty sentence":
            data["summary"]["sentence"] = ""


@pytest.mark.parametrize("what", ["surplus name", "missing name", "unknown verdict", "unknown tag", "time in no zone",
                                  "negative count", "empty sentence"])
def test_schema_refuses(stopped: Report, what: str) -> None:
    data = json.loads(json_report.text(stopped))
    _broken(data, what)
    with pytest.raises(GoliveError, match="does not fit its schema"):
        json_report.validate(data)


def test_report_that_does_not_fit_is_not_written_and_the_old_one_stays(stopped: Report, tmp_path: Path) -> None:
    write(stopped, tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(GoliveError):
        write(replace(stopped, reached_phase="heaven"), tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before


def test_every_file_is_readable_by_its_owner_only(stopped: Report, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        written = write(stopped, tmp_path / "new")
    finally:
        os.umask(old)
    assert written
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in written)


def test_writing_twice_gives_the_same_bytes(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    first = {path.name: path.read_bytes() for path in write(build(folder), folder)}
    assert first == {path.name: path.read_bytes() for path in write(build(folder), folder)}


def test_command_rebuilds_the_reports_of_a_killed_run(runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.write_killed(tmp_path)
    (folder.parent / "latest").symlink_to(folder.name)
    assert main(["latest", "--reports", str(tmp_path)]) == 0
    assert "Could not tell: the run was killed in phase paper" in " ".join(capsys.readouterr().out.split())
    assert (folder / "report.json").exists()


def test_run_that_is_going_on_is_not_called_killed(runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.write_killed(tmp_path)
    held = rundir.lock(folder.parent, {"run": folder.name, "pid": os.getpid()})
    try:
        assert main([str(folder)]) == 0
    finally:
        os.close(held)
    assert "Could not tell yet: the run is going on, in phase paper" in " ".join(capsys.readouterr().out.split())
    assert main([str(folder)]) == 0
    assert "the run was killed in phase paper" in " ".join(capsys.readouterr().out.split())


def test_command_says_in_one_sentence_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latest", "--reports", str(tmp_path)]) == 2
    assert main([str(tmp_path)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert all(line.startswith("golive.report: ") for line in told)


def test_latest_of_two_systems_asks_which(runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for system in ("a-system", "b-system"):
        world = runs.realistic()
        world.system = system
        folder = world.write(tmp_path)
        (folder.parent / "latest").symlink_to(folder.name)
    assert main(["latest", "--reports", str(tmp_path)]) == 2
    assert "say which with --system" in capsys.readouterr().err
    assert main(["latest", "--reports", str(tmp_path), "--system", "b-system", "--quiet"]) == 0
