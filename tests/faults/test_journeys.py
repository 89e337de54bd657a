"""The campaigns on whole journeys are themselves proven: crashes can be replayed, a prediction that is not true is not called so."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from golive.rundir import RunDir

from .journeys import canary_runs, crash, driving, leaks, predicted, state, untouched

GOOD: dict[str, Any] = {"not done": [], "not predicted": [], "check exit": 0, "check failed": [],
                        "managed objects changed by the check": [],
                        "files written during the check": []}


def test_crashes_are_spread_over_the_whole_journey_and_replayable() -> None:
    drawn = crash.crashes("s", 20)
    assert drawn == crash.crashes("s", 20)
    assert drawn != crash.crashes("t", 20)
    numbers = [one["task"] for one in drawn if isinstance(one["task"], int)]
    assert numbers == sorted(numbers)
    assert drawn[0]["kind"] == "boundary"
    assert numbers[-1] > 0.9 * crash.TASKS
    assert {one["kind"] for one in crash.crashes("s", len(crash.KINDS))} == set(crash.KINDS)
    for seed in "abcdef":
        assert all(one["task"] <= crash.TASKS * 0.6 for one in crash.crashes(seed, 14) if one["kind"] == "disk full")


def test_every_act_that_moves_money_is_died_at() -> None:
    drawn = crash.crashes("s", 7)
    assert [one["task"] for one in drawn[7:]] == list(crash.MONEY)
    assert {one["kind"] for one in drawn[7:]} <= {"boundary", "controller"}


@pytest.mark.parametrize(("name", "value"), [
    ("not done", ["x"]), ("not predicted", ["x"]), ("check exit", 2), ("check failed", ["x"]),
    ("managed objects changed by the check", ["x"]), ("files written during the check", ["bot /etc/passwd"])])
def test_a_prediction_is_true_only_when_nothing_is_missing_added_failed_or_touched(name: str, value: Any) -> None:
    assert predicted.good(GOOD)
    assert not predicted.good({**GOOD, name: value})


def ended(tmp_path: Path, name: str, tasks: list[str], changes: int, code: int) -> driving.Ended:
    run = RunDir(tmp_path / name)
    boundaries = [{"number": number, "task": task, "play": "p", "run": name, "changes": min(number - 1, changes)}
                  for number, task in enumerate(tasks, 1)]
    return driving.Ended(code, "", run, len(tasks), 0.0, boundaries)


def test_a_crash_is_found_again_in_the_dry_run_by_its_occurrence_and_not_by_its_number(tmp_path: Path) -> None:
    check = ended(tmp_path, "check", ["Open", "File", "Only in a dry run", "File", "Gate", "File"], 6, 0)
    real = ended(tmp_path, "real", ["Open", "File", "File"], 2, -9)
    assert predicted.came_to(real) == 3
    assert predicted.place_in(check, real, 3) == (4, 4)
    assert check.recorded_by(4) == 3


def test_a_crash_in_a_task_that_the_dry_run_never_came_to_lies_between_those_that_both_have(tmp_path: Path) -> None:
    check = ended(tmp_path, "check", ["Open", "File", "Gate"], 6, 0)
    real = ended(tmp_path, "real", ["Open", "File", "Drill", "Gate", "Live"], 2, -9)
    assert predicted.place_in(check, real, 3) == (2, 3)
    assert predicted.place_in(check, real, 5) == (3, 4)


def test_a_closed_gate_is_where_a_run_ended_and_an_end_is_an_end(tmp_path: Path) -> None:
    assert predicted.came_to(ended(tmp_path, "r", ["Open", "Gate", "File", "Gate", "Report"], 1, 2)) == 4
    assert predicted.came_to(ended(tmp_path, "r", ["Open", "Gate"], 1, 0)) is None


def test_what_is_written_counts_unless_it_is_left_out_on_that_host_with_a_reason() -> None:
    assert untouched.counted(["bot /etc/passwd", "venue /opt/x"]) == ["bot /etc/passwd", "venue /opt/x"]
    assert untouched.counted(["bot /var/lib/bot/wire/nonce", "guard /var/log/journal/x"]) == []
    assert untouched.counted(["guard /var/lib/bot/wire/nonce"]) != []
    assert untouched.counted(["venue /etc/apt/sources.list", "guard /var/backups/golive-bot/config-20261122T060941Z.tar.gz.age"]) == []
    assert len(untouched.counted(["venue /etc/apt/apt.conf.d/90golive", "guard /var/backups/golive-bot/x", "bot /var/backups/x"])) == 3
    assert all(untouched.EXCLUDED.values())


def test_two_states_differ_where_one_of_them_lacks_an_object_or_a_fact() -> None:
    one = {"bot": {"file:/a": {"mode": "0o644"}, "file:/b": {"mode": "0o644"}}}
    assert state.different(one, one) == []
    assert len(state.different(one, {"bot": {"file:/a": {"mode": "0o600"}}})) == 2
    assert state.state_digest(one) != state.state_digest({"bot": {}})


def test_canaries_of_every_shape_are_handed_to_what_succeeds_and_to_what_fails() -> None:
    shapes = canary_runs.shapes("s")
    assert {"quotes", "newlines", "unicode", "yaml", "jinja", "large"} <= set(shapes)
    assert shapes == canary_runs.shapes("s")
    tasks = [task for play in canary_runs.play(shapes) for task in play["tasks"]]
    failing = [one for one in tasks if one.get("ignore_errors")]
    assert len(failing) >= 4 * len(shapes)
    written = str(tasks)
    assert all(canary_runs.reference(name) in written and value not in written for name, value in shapes.items())


def test_a_canary_is_meant_to_be_where_it_was_delivered_and_nowhere_else() -> None:
    def meant(place: str) -> bool:
        import re

        return any(re.search(pattern, place) for pattern in leaks.MEANT)

    assert meant("bot: files!var/lib/golive-canary/yaml: kraken-micro/canary/yaml#value (plain)")
    assert not meant("bot: files!var/lib/golive-canary/yaml: kraken-micro/exchange/live#key.secret (plain)")
    assert not meant("bot: files!var/lib/other/yaml: kraken-micro/canary/yaml#value (plain)")
    assert not meant("bot: journal: kraken-micro/canary/yaml#value (plain)")


def test_a_crash_campaign_that_was_broken_off_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "RECORD", tmp_path / "record.json")
    row = {**crash.crashes("s", 7)[0], "happened": True, "exit": -9, "audit chain": "whole, 3 lines", "traceback": False,
           "objects changed before": 0, "runs": 1}
    kept = {"rows": [row, {**row, "happened": False}], "as_it_is": False, "seed": "s", "bound": "sha256:0"}
    body = crash.written(kept, crash.counted(kept), [], whole=False)
    assert json.loads((tmp_path / "record.json").read_text()) == body
    assert body["whole"] is False
    assert body["figures"]["crashes"] == body["figures"]["of them: boundary"] == 1
    assert [word for word in ("did not happen", "was not compared") if any(word in note for note in body["notes"])] == [
        "did not happen", "was not compared"]


@pytest.mark.parametrize(("spoil", "code"), [("", 0), ("gate", 2), ("host", 2), ("dry", 2), ("early", 2)])
def test_a_run_that_was_not_watched_came_to_its_end_only_when_its_records_say_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str, code: int) -> None:
    run = RunDir(tmp_path / "r")
    for phase in driving.PHASES[:-1] if spoil == "early" else driving.PHASES:
        (run.path / phase).mkdir(parents=True)
        run.write(f"{phase}/gate.json", {"open": not (spoil == "gate" and phase == "paper")})
    run.write("run.json", {"mode": "check" if spoil == "dry" else "real"})
    if spoil == "host":
        (run.path / "hosts.jsonl").write_text('{"host": "bot", "status": "failed", "task": "t", "text": "x"}\n')
    (tmp_path / "latest").symlink_to("r")
    monkeypatch.setattr(driving, "reports_of", lambda _: tmp_path)
    assert driving.newest().code == code


def test_a_crash_strikes_at_the_task_that_the_callback_counts_also_where_ansible_does_not_name_it(tmp_path: Path) -> None:
    file = tmp_path / "boundaries.jsonl"
    file.write_text("".join(json.dumps({"number": number, "task": f"t{number}"}) + "\n" for number in range(1, 6)) + '{"number": 6')
    with subprocess.Popen(["sleep", "60"], text=True) as process:
        struck: list[Any] = []
        for at in (3, 5, "t2"):
            driving.strike(process, file, at, 0.0, struck.append)
        assert struck == [process] * 3
        process.kill()
    driving.strike(process, file, 3, 0.0, struck.append)
    assert struck == [process] * 3
