"""JUnit, metrics and OSCAL: each in its own reader's terms, and in none of them is what is not known a pass."""
from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from golive.errors import GoliveError
from golive.report import build, junit, oscal, prom
from golive.report.model import Report
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture
def suites(stopped: Report) -> Element:
    return fromstring(junit.text(stopped))


def _case(suites: Element, name: str) -> Element:
    return next(case for case in suites.iter("testcase") if case.get("name", "").startswith(f"{name}:"))


@pytest.mark.parametrize(("control", "element"), [
    ("exchange.key.no_withdraw", "failure"), ("positions.protected", "error"), ("live.slippage", "error"), ("logs.rotated", "skipped"),
    ("redis.persistence", "skipped"), ("vault", "error")])
def test_junit_tells_every_verdict_apart_from_a_pass(suites: Element, control: str, element: str) -> None:
    assert [child.tag for child in _case(suites, control)] == [element]


def test_junit_passes_say_what_they_rest_on(suites: Element) -> None:
    assert list(_case(suites, "process.running")) == []
    assert _case(suites, "owner.contract_read").findtext("system-out") == "shown as: attested"


def test_junit_counts_add_up_and_every_suite_says_rehearsal(suites: Element, stopped: Report) -> None:
    cases = list(suites.iter("testcase"))
    assert int(suites.get("tests", "")) == len(cases) == len(stopped.controls) + len(stopped.hosts)
    assert int(suites.get("errors", "")) == len(list(suites.iter("error")))
    assert all(suite.get("name", "").startswith("REHEARSAL ") for suite in suites.iter("testsuite"))


def test_junit_of_a_killed_run_has_an_error_of_its_own(runs: ModuleType, tmp_path: Path) -> None:
    suites = fromstring(junit.text(build(runs.write_killed(tmp_path))))
    error = _case(suites, "finished").find("error")
    assert error is not None
    assert "the run was killed in phase paper" in error.get("message", "")


def _samples(report: Report) -> list[Any]:
    return [sample for family in text_string_to_metric_families(prom.text(report)) for sample in family.samples]


def test_every_metric_says_system_and_rehearsal(stopped: Report) -> None:
    samples = _samples(stopped)
    assert len(samples) > 50
    assert all(sample.labels["rehearsal"] == "true" and sample.labels["system"] == "kraken-micro" for sample in samples)


def test_metrics_count_verdicts_and_a_phase_that_was_not_reached_is_a_closed_gate(stopped: Report) -> None:
    found = {(s.name, s.labels.get("verdict") or s.labels.get("phase")): s.value for s in _samples(stopped) if "control" not in s.labels}
    assert found[("golive_controls", "undecided")] == stopped.counts["controls"]["undecided"]
    assert found[("golive_gate_open", "live")] == 0
    assert found[("golive_gate_open", "preflight")] == 1


def test_killed_run_has_no_finish_time_and_says_so(runs: ModuleType, tmp_path: Path) -> None:
    names = {sample.name: sample.value for sample in _samples(build(runs.write_killed(tmp_path)))}
    assert names["golive_run_finished"] == 0
    assert "golive_run_finished_timestamp_seconds" not in names


def test_label_values_are_escaped(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.World()
    world.control('odd."quoted"\\name', "Something", "pass")
    assert any(sample.labels.get("control") == 'odd."quoted"\\name' for sample in _samples(build(world.write(tmp_path))))


def _results(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(oscal.text(report))["assessment-results"]["results"][0]
    return found


def test_oscal_of_every_kind_of_run_is_valid(runs: ModuleType, tmp_path: Path) -> None:
    killed_early = tmp_path / "4" / "kraken-micro" / runs.RUN
    killed_early.mkdir(parents=True)
    for folder in (runs.realistic().write(tmp_path / "1"), runs.live().write(tmp_path / "2"), runs.write_killed(tmp_path / "3"),
                   killed_early):
        assert _results(build(folder))["start"] == "2026-11-21T10:15:00Z"


def test_oscal_never_calls_satisfied_what_did_not_pass(stopped: Report) -> None:
    verdicts = {control.id: control.verdict for control in stopped.controls}
    findings = {finding["target"]["target-id"]: finding["target"]["status"] for finding in _results(stopped)["findings"]}
    assert {name for name, status in findings.items() if status["state"] == "satisfied"} == {
        name for name, verdict in verdicts.items() if verdict == "pass"}
    assert findings["positions.protected"]["reason"] == "not-determined"
    assert findings["positions.protected"]["remarks"].startswith("not determined: the venue did not answer")
    assert findings["live.slippage"]["remarks"] == "not determined: not reached: phase live was not run"
    assert findings["logs.rotated"] | {"remarks": ""} == {"state": "not-satisfied", "reason": "waived", "remarks": ""}


def test_oscal_excludes_what_does_not_apply_and_says_so(stopped: Report) -> None:
    selection = _results(stopped)["reviewed-controls"]["control-selections"][0]
    assert {one["control-id"] for one in selection["exclude-controls"]} == {"signoff.two_person", "redis.persistence"}
    assert "signoff.two_person" not in {one["control-id"] for one in selection["include-controls"]}


def test_oscal_rebuilt_is_the_same_and_its_uuids_are_unique(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    first = oscal.text(build(folder))
    assert first == oscal.text(build(folder))
    results = json.loads(first)["assessment-results"]["results"][0]
    uuids = [one["uuid"] for one in (*results["observations"], *results["findings"], *results["local-definitions"]["inventory-items"])]
    assert len(uuids) == len(set(uuids))


def test_oscal_variant_id_is_a_token(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.World()
    world.control("exchange.api_latency@live", "Fast enough", "pass")
    assert _results(build(world.write(tmp_path)))["findings"][0]["target"]["target-id"] == "exchange.api_latency--live"


def test_oscal_that_is_not_valid_is_refused(stopped: Report) -> None:
    data = oscal.as_data(stopped)
    data["assessment-results"]["results"][0]["findings"][0]["target"]["status"]["state"] = "maybe"
    with pytest.raises(GoliveError, match="no valid OSCAL"):
        oscal.validate(data)
