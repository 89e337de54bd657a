"""A report says what the run directory holds, and never more."""
from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from golive.errors import GoliveError
from golive.judge import VERDICTS
from golive.report.build import build
from golive.report.model import TAGS, Control, Report, worst


@pytest.mark.parametrize(("verdicts", "expected"), [
    (["pass", "fail", "undecided"], "fail"),
    (["pass", "undecided", "waived"], "undecided"),
    (["pass", "waived", "not_applicable"], "waived"),
    (["pass", "not_applicable"], "pass"),
    (["not_applicable", "not_applicable"], "not_applicable"),
    ([], "undecided"),
    (["not_applicable", "green"], "undecided"),
])
def test_worst_verdict_wins_and_nothing_is_not_known(verdicts: list[str], expected: str) -> None:
    assert worst(verdicts) == expected


def test_verdicts_sum_to_total_and_every_tag_is_counted_beside_them(stopped: Report) -> None:
    for kind in ("controls", "items"):
        counts = stopped.counts[kind]
        assert sum(counts[verdict] for verdict in VERDICTS) == counts["total"]
        assert all(counts[tag] >= 1 for tag in TAGS), counts
        assert all(counts[verdict] >= 1 for verdict in VERDICTS), counts


def test_control_of_a_phase_that_was_not_run_is_undecided(found: dict[str, Control]) -> None:
    assert found["live.slippage"].verdict == "undecided"
    assert found["live.slippage"].reason == "not reached: phase live was not run"
    assert not found["live.slippage"].red
    assert not found["live.slippage"].tags


def test_control_that_golive_cannot_observe_yet_says_so(found: dict[str, Control]) -> None:
    assert found["drift.clean"].reason == "golive cannot observe this yet: the drift timer is not built"


def test_observed_but_not_judged_is_undecided(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    world.gateless.add("verify")
    found = {control.id: control for control in build(world.write(tmp_path)).controls}
    assert found["process.running"].verdict == "undecided"
    assert "observed but not judged" in found["process.running"].reason


def test_control_that_its_gate_forgot_is_undecided(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    world.judged["verify"] = [one for one in world.judged["verify"] if one["control"] != "process.running"]
    found = {control.id: control for control in build(world.write(tmp_path)).controls}
    assert found["process.running"].verdict == "undecided"
    assert found["process.running"].reason == "the gate of phase verify holds no verdict for it"


def test_surviving_host_does_not_speak_for_the_one_without_a_verdict(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    run = json.loads((folder / "run.json").read_text())
    run["groups"]["bots"].append("bot2")
    (folder / "run.json").write_text(json.dumps(run))
    found = {control.id: control for control in build(folder).controls}
    assert found["process.running"].verdict == "undecided"
    assert "no gate of this run holds a verdict for this host" in found["process.running"].reason


def test_one_red_host_makes_the_control_red_and_is_named(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    record = next(one for one in world.judged["verify"] if one["control"] == "process.running")
    for subject in ("bot2", "bot3"):
        world.judged["verify"].append({**record, "subject": subject, "verdict": "fail", "reason": "it stopped"})
    control = next(one for one in build(world.write(tmp_path)).controls if one.id == "process.running")
    assert control.verdict == "fail"
    assert "bot2: it stopped; bot3: it stopped" in control.reason


def test_two_seeing_hosts_do_not_overwrite_each_other(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    record = next(one for one in world.judged["verify"] if one["control"] == "firewall.default_drop")
    world.judged["verify"].append({**record, "host": "guard", "verdict": "pass"})
    control = next(one for one in build(world.write(tmp_path)).controls if one.id == "firewall.default_drop")
    assert control.verdict == "fail"
    assert len(control.rows) == 2


def test_later_gate_replaces_what_it_judged_again(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    record = next(one for one in world.judged["verify"] if one["control"] == "process.running")
    world.judged.setdefault("paper", []).append({**record, "verdict": "fail", "reason": "it stopped", "closes": True})
    control = next(one for one in build(world.write(tmp_path)).controls if one.id == "process.running")
    assert control.verdict == "fail"
    assert control.rows[0].phase == "paper"


def test_word_that_is_no_verdict_is_undecided(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    next(one for one in world.judged["verify"] if one["control"] == "process.running")["verdict"] = "passed"
    control = next(one for one in build(world.write(tmp_path)).controls if one.id == "process.running")
    assert control.verdict == "undecided"
    assert "passed" in control.reason


def test_line_is_green_only_when_all_its_controls_are(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    line = next(one for one in world.sections["The machine"] if one["controls"] == ["process.running"])
    line["controls"] = ["process.running", "logs.rotated", "redis.persistence"]
    items = {item.text: item for item in build(world.write(tmp_path)).items}
    assert items["The bot is up"].verdict == "waived"
    line["controls"].append("firewall.default_drop")
    (tmp_path / "again").mkdir()
    items = {item.text: item for item in build(world.write(tmp_path / "again")).items}
    assert items["The bot is up"].verdict == "fail"


def test_context_line_takes_the_verdict_of_the_lines_that_carry_it(stopped: Report) -> None:
    by_seed = {seed: item for item in stopped.items for seed in item.seed}
    assert by_seed["kraken-micro-900"].verdict == by_seed["kraken-micro-007"].verdict == "pass"


@pytest.mark.parametrize("carriers", [["kraken-micro-900"], ["kraken-micro-999"], []])
def test_line_carried_by_itself_by_nobody_or_by_an_unknown_line_is_undecided(
        runs: ModuleType, tmp_path: Path, carriers: list[str]) -> None:
    world = runs.realistic()
    world.sections["Live"][-1]["carried_by"] = carriers
    items = {item.text: item for item in build(world.write(tmp_path)).items}
    assert items["Performance targets are met"].verdict == "undecided"


def test_line_whose_control_is_unknown_is_undecided(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    world.sections["Live"][-1].update(controls=["no.such_control"], carried_by=[])
    items = {item.text: item for item in build(world.write(tmp_path)).items}
    assert items["Performance targets are met"].verdict == "undecided"


def test_unreachable_host_stands_in_the_report_with_the_words_of_ssh(stopped: Report) -> None:
    hosts = {host.name: host for host in stopped.hosts}
    assert hosts["vault"].state == "unreachable"
    assert hosts["vault"].text.startswith("ssh: connect to host")
    assert hosts["bot"].state == "answered"
    assert hosts["venue"].state == "not contacted"


@pytest.mark.parametrize("phase", ["preflight", "deploy", "paper", "live"])
def test_killed_run_says_where_and_when_and_is_never_green(runs: ModuleType, tmp_path: Path, phase: str) -> None:
    report = build(runs.write_killed(tmp_path, phase))
    assert report.first.state == "killed"
    assert report.first.sentence.startswith(f"Could not tell: the run was killed in phase {phase} at 2026-11-21T10:")
    assert report.finished is None
    assert report.gates[-1].open is None
    assert any("changes.jsonl line 4 is half-written" in problem for problem in report.problems)
    assert len(report.changes) == 3


def test_run_that_broke_off_on_a_failed_host_says_which_and_why(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    world.finished = None
    world.hosts = [{"host": "bot", "status": "failed", "phase": "The release runs", "task": "bot : Start it", "at": runs.stamp(44),
                    "text": "no space left on the device"}]
    first = build(world.write(tmp_path)).first
    assert first.state == "killed"
    assert first.sentence == "Could not tell: the run broke off at 2026-11-21T10:44:00Z because 1 host failed."
    assert first.also.startswith("Host bot, in task bot : Start it: no space left on the device.")


def test_run_killed_before_its_first_record_still_has_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "kraken-micro" / "20261121T101500Z-3f9a1c"
    folder.mkdir(parents=True)
    report = build(folder)
    assert (report.system, report.run, report.rehearsal) == ("kraken-micro", folder.name, None)
    assert report.first.sentence.startswith("Could not tell: the run was killed")
    assert report.banner == "NOT KNOWN IF REAL"


@pytest.mark.parametrize("name", ["run.json", "profile.json", "compiled.json", "verify/gate.json", "verify/bot.json", "finished.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"verdicts": 7, "open": "yes", "controls": [], "checklist": {}}'])
def test_damaged_record_never_raises_and_never_makes_a_verdict_better(
        runs: ModuleType, tmp_path: Path, name: str, content: str) -> None:
    folder = runs.realistic().write(tmp_path)
    before = {control.id: control.verdict for control in build(folder).controls}
    (folder / name).write_text(content)
    report = build(folder)
    after = {control.id: control.verdict for control in report.controls}
    order = ("fail", "undecided", "waived", "pass", "not_applicable")
    assert all(after[i] in ("undecided", before[i]) or order.index(after[i]) <= order.index(before[i]) for i in after)
    assert report.first.state != "live"


def test_directory_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="not a run directory"):
        build(tmp_path)
    with pytest.raises(GoliveError, match="there is no such run"):
        build(tmp_path / "nothing")


def test_compiled_catalogue_that_was_edited_after_the_run_is_told(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    path = folder / "compiled.json"
    path.write_text(path.read_text().replace('"critical"', '"low"'))
    assert any("changed after the run froze it" in problem for problem in build(folder).problems)


def test_building_reads_only_the_run_directory_and_changes_nothing(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    assert build(folder) == build(folder)
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
