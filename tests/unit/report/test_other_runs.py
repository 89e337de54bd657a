"""Drift runs, and records as the real gate writes them."""
from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from golive import gate, plan
from golive.report import build, html, json_report
from golive.report.model import Report


def _drift(runs: ModuleType, root: Path, verdicts: dict[str, str], *, changes: int = 0) -> Report:
    """Write and build a scheduled run: one folder `drift` that asks across the phases."""
    world = runs.World(mode="drift", last_phase="preflight", finished={"at": runs.stamp(45), "result": "clean", "exit": 0})
    for name, verdict in verdicts.items():
        world.control(name, name, verdict, severity="critical" if name.startswith("money") else "low")
    world.control("live.slippage", "Not asked by drift", phase="live")
    world.controls["live.slippage"]["drift"] = False
    world.changes = [{"host": "bot", "object": f"file:/{number}", "op": "update", "check": True, "at": runs.stamp(16)}
                     for number in range(changes)]
    folder: Path = world.write(root)
    records = world.judged["verify"]
    (folder / "preflight" / "gate.json").unlink()
    (folder / "preflight" / "bot.json").unlink()
    (folder / "preflight" / "plan.bot.json").unlink()
    (folder / "preflight").rmdir()
    runs.put(folder / "drift" / "bot.json", {"observations": []})
    runs.put(folder / "drift" / "gate.json", {"phase": "drift", "open": True, "at": runs.stamp(30), "verdicts": records, "closing": []})
    return build(folder)


def test_drift_run_in_which_all_holds_says_so_and_what_it_did_not_ask(runs: ModuleType, tmp_path: Path) -> None:
    report = _drift(runs, tmp_path, {"money.safe": "pass", "log.small": "pass"})
    assert report.first.state == "no_drift"
    assert report.first.sentence == "No drift: all that was asked holds, and no managed object differs from code."
    assert report.first.also == "1 control was not judged in this run."
    found = {control.id: control for control in report.controls}
    assert found["live.slippage"].reason == "not asked: a drift run does not ask this"
    assert report.reached_phase == "drift"
    json_report.text(report)
    assert "No drift" in html.text(report)


@pytest.mark.parametrize(("verdicts", "changes", "sentence"), [
    ({"money.safe": "fail"}, 0, "Drift: 1 thing can lose money now."),
    ({"money.safe": "undecided"}, 0, "Drift: 1 thing that can lose money could not be checked."),
    ({"log.small": "fail"}, 0, "Drift: reality is not as it must be."),
    ({"log.small": "pass"}, 2, "Drift: reality is not as it must be.")])
def test_drift_of_any_kind_is_drift(runs: ModuleType, tmp_path: Path, verdicts: dict[str, str], changes: int, sentence: str) -> None:
    report = _drift(runs, tmp_path, verdicts, changes=changes)
    assert report.first.state == "drift"
    assert report.first.sentence == sentence
    assert not changes or "2 managed objects differ from code." in report.first.also


def test_records_of_the_real_gate_are_understood(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.World(last_phase="verify")
    for name, switch in (("a.pass", True), ("b.fail", True), ("c.unseen", True), ("d.off", False)):
        world.control(name, name, severity="high")
        world.controls[name].update(applies=switch, otherwise="loosened", min_opportunities=None)
    folder: Path = world.write(tmp_path)
    frozen: dict[str, Any] = json.loads((folder / "compiled.json").read_text())["controls"]
    observed = [{"control": name, "subject": "bot", "vantage": "target", "host": "bot", "probe": "process", "at": runs.stamp(20),
                 "facts": {"state": state}, "witness": "kernel", "undecided": None, "until": None, "opportunities": 1}
                for name, state in (("a.pass", "good"), ("b.fail", "bad"))]
    judged = gate.verdicts(frozen, plan.targets(frozen, {"bots": ["bot"]}), observed, runs.RUN)
    runs.put(folder / "verify" / "gate.json", gate.record("verify", judged, [], runs.stamp(30)))
    found = {control.id: control for control in build(folder).controls}
    assert {name: control.verdict for name, control in found.items()} == {
        "a.pass": "pass", "b.fail": "fail", "c.unseen": "undecided", "d.off": "not_applicable"}
    assert found["b.fail"].rows[0].facts[0].holds is False
    assert found["b.fail"].closes
    assert found["d.off"].tags == ("loosened",)
