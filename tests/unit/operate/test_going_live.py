"""Going live: nothing that is missing is waited away, and the connection is counted by the kernel."""
from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from golive.operate import going_live

SAID = {"pid": 7, "instance": "live", "effective_mode": "live", "controls": {"exit_only": False}, "reconciled": True, "stage": "day1"}


def test_a_live_bot_misses_nothing() -> None:
    assert going_live.missing_of(7, SAID, 1) == []


@pytest.mark.parametrize(("pid", "changes", "connections", "words"), [
    (0, {}, 1, "does not run"), (8, {}, 1, "another process"), (7, {"effective_mode": "paper"}, 1, "mode paper"),
    (7, {"instance": "wire"}, 1, "instance wire"), (7, {"controls": {"exit_only": True}}, 1, "exit-only"),
    (7, {"controls": None}, 1, "exit-only"), (7, {"reconciled": False}, 1, "agreed"), (7, {}, 0, "no connection")])
def test_each_thing_that_is_missing_is_named(pid: int, changes: dict[str, Any], connections: int, words: str) -> None:
    missing = going_live.missing_of(pid, {**SAID, **changes}, connections)
    assert len(missing) == 1
    assert words in missing[0]


def test_a_bot_that_does_not_come_up_is_told_with_what_was_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(going_live, "running", lambda _unit: 7)
    monkeypatch.setattr(going_live, "health", lambda _url: None)
    with pytest.raises(going_live.Problem, match=r"bot-live.service is not live after 0 s: it gives no answer"):
        going_live.awaited("bot-live.service", "http://x", 443, 0)


def test_it_waits_until_the_condition_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([None, {**SAID, "reconciled": False}, SAID])
    monkeypatch.setattr(going_live, "PAUSE_S", 0)
    monkeypatch.setattr(going_live, "running", lambda _unit: 7)
    monkeypatch.setattr(going_live, "health", lambda _url: next(answers))
    monkeypatch.setattr(going_live, "venue_connections", lambda _pid, _port: 1)
    assert going_live.awaited("bot-live.service", "http://x", 443, 60)["stage"] == "day1"


def test_connections_are_counted_as_the_kernel_lists_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert going_live.venue_connections(os.getpid(), port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            assert going_live.venue_connections(os.getpid(), port) == 1
        assert going_live.venue_connections(os.getpid(), port) == 0


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return what systemd would say; its control directory is a folder of the test."""
    state = {"pid": 0}
    monkeypatch.setattr(going_live, "CONTROL", str(tmp_path / "no_entries"))
    monkeypatch.setattr(going_live, "running", lambda _unit: state["pid"])
    return state


def ops(answer: dict[str, Any]) -> list[str]:
    return [one["op"] for one in answer["changes"]]


def hold(check: bool = False, watched: tuple[str, ...] = (), foreseen: bool = False) -> dict[str, Any]:
    return going_live.hold({"unit": "u", "check": check, "watched": list(watched), "foreseen": foreseen})


def release(check: bool = False, held: bool = False) -> dict[str, Any]:
    return going_live.release({"unit": "u", "check": check, "held": held})


def test_entries_end_before_the_start_and_begin_after_the_gate(unit: dict[str, int]) -> None:
    predicted = hold(check=True)
    assert [ops(predicted), ops(release(check=True, held=predicted["held"]))] == [["create"], ["delete"]]
    assert not os.path.exists(going_live.CONTROL)
    assert ops(hold()) == ["create"]
    assert ops(hold()) == []
    unit["pid"] = os.getpid()
    assert os.path.exists(going_live.CONTROL)
    assert ops(release()) == ["delete"]
    assert [ops(one) for one in (hold(True), release(True), hold(), release())] == [[], [], [], []]
    assert not os.path.exists(going_live.CONTROL)


def test_a_bot_that_runs_what_is_no_longer_on_disk_is_held_and_started_anew(unit: dict[str, int], tmp_path: Path,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    called = list[list[str]]()
    monkeypatch.setattr(going_live.subprocess, "run", lambda argv, **_how: called.append(argv) or type("D", (), {"returncode": 0}))
    config = tmp_path / "live.json"
    config.write_text("{}")
    unit["pid"] = os.getpid()
    monkeypatch.setattr(going_live, "started", lambda _pid: config.stat().st_ctime + 5)
    assert ops(hold(watched=(str(config), str(tmp_path / "absent")))) == []
    monkeypatch.setattr(going_live, "started", lambda _pid: config.stat().st_ctime - 5)
    assert ops(hold(check=True, watched=(str(config),))) == ["create", "restart"]
    assert (called, os.path.exists(going_live.CONTROL)) == ([], False)
    assert ops(hold(watched=(str(config),))) == ["create", "restart"]
    assert (called, os.path.exists(going_live.CONTROL)) == ([["systemctl", "restart", "u"]], True)


def test_a_dry_run_foresees_the_restart_by_a_file_that_is_not_written_yet(unit: dict[str, int]) -> None:
    unit["pid"] = os.getpid()
    assert ops(hold(check=True, foreseen=True)) == ["create", "restart"]


def test_the_start_of_a_process_is_the_kernels() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        assert abs(going_live.started(child.pid) - os.stat(f"/proc/{child.pid}").st_ctime) < 60
        assert going_live.started(child.pid) > going_live.started(1) - 1
    finally:
        child.kill()
        child.wait()


def test_what_somebody_else_stopped_stays_stopped(unit: dict[str, int]) -> None:
    Path(going_live.CONTROL).write_text("guard\n")
    assert ops(hold()) == []
    assert release() == {"changes": [], "kept": True}
    assert Path(going_live.CONTROL).read_text() == "guard\n"


def test_a_run_that_broke_off_behind_the_start_is_released_by_the_next_one(unit: dict[str, int]) -> None:
    hold()
    unit["pid"] = os.getpid()
    assert ops(release(check=True)) == ["delete"]
    assert ops(release()) == ["delete"]
