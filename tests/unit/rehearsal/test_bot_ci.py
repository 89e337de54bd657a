"""The rehearsal's CI: what it signs is what it found, about the commit it ran on."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from golive import envelope, rehearsal_signers
from golive.errors import GoliveError
from golive.probes.ci import subject
from golive.rehearsal import bot_ci

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def world(tmp_path, monkeypatch):
    root = tmp_path / "repository"
    (root / "signers/s").mkdir(parents=True)
    shutil.copy(ROOT / "signers/kraken-micro/roles.yml", root / "signers/s/roles.yml")
    rehearsal_signers.ensure(root, "s")
    git(root, "init", "-q", "-b", "main")
    (root / "readme").write_text("x")
    git(root, "add", "readme")
    git(root, "commit", "-q", "-m", "x")
    (tmp_path / "evidence").mkdir()
    monkeypatch.setattr(
        bot_ci, "SUITES", {"all": lambda _copy: bot_ci.Result(True, 7, {"failed": 0, "tests": 7}), "silent": lambda _copy: None}
    )
    return root, tmp_path / "evidence"


def git(root, *words):
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.net", "-C", str(root), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_result_is_signed_about_its_commit(world):
    root, evidence = world
    assert "passed" in bot_ci.run(root, "s", ["all"], evidence)[0]
    good, bad = envelope.reader(root, "s", datetime.now(UTC), rehearsal=True).read_all(evidence, "ci")
    assert bad == []
    assert good[0].subject == subject(git(root, "rev-parse", "HEAD"))
    assert (good[0].issuer, good[0].payload["result"]["tests"], good[0].payload["opportunities"]) == ("lab-ci", 7, 7)


def test_a_second_run_finds_its_record_and_writes_none(world):
    root, evidence = world
    bot_ci.run(root, "s", ["all"], evidence)
    before = sorted(evidence.iterdir())
    assert "there is a record" in bot_ci.run(root, "s", ["all"], evidence)[0]
    assert sorted(evidence.iterdir()) == before


def test_a_new_commit_is_run_again(world):
    root, evidence = world
    bot_ci.run(root, "s", ["all"], evidence)
    git(root, "commit", "-q", "--allow-empty", "-m", "y")
    assert "signed" in bot_ci.run(root, "s", ["all"], evidence)[0]


def test_a_suite_that_cannot_be_run_leaves_no_record(world):
    root, evidence = world
    assert "no record" in bot_ci.run(root, "s", ["silent"], evidence)[0]
    assert list(evidence.iterdir()) == []


def test_without_a_repository_it_says_so(world, tmp_path):
    root, evidence = world
    with pytest.raises(GoliveError, match="history"):
        bot_ci.run(tmp_path, "s", ["all"], evidence)
    assert root.is_dir()


def test_everything_that_the_release_is_made_of_is_looked_at():
    versions = bot_ci.locked(ROOT)
    assert {"aiohttp", "prometheus-client", "yarl", "multidict"} <= set(versions)


@pytest.mark.parametrize(("version", "found"), [("3.9.1", True), ("3.9.2", False), ("3.10.0", False), ("3.13.2", False)])
def test_an_advisory_counts_until_it_is_fixed(version, found):
    advisory = {"package": "aiohttp", "fixed_in": "3.9.2", "id": "CVE-2024-23334", "severity": "high"}
    assert bool(bot_ci.judged({"aiohttp": version}, [advisory])) is found


def test_an_advisory_of_another_package_or_a_lower_severity_does_not_count():
    advisories = [
        {"package": "other", "fixed_in": "9", "id": "a", "severity": "high"},
        {"package": "aiohttp", "fixed_in": "9", "id": "b", "severity": "low"},
    ]
    assert bot_ci.judged({"aiohttp": "3.9.1"}, advisories) == []


def test_the_snapshot_has_its_form():
    snapshot = json.loads((ROOT / bot_ci.ADVISORIES).read_text("utf-8"))
    assert all(set(one) == {"package", "fixed_in", "id", "severity"} for one in snapshot["advisories"])


def test_an_eval_on_input_is_a_high_finding_and_an_assert_is_not(tmp_path):
    folder = tmp_path / bot_ci.BOT
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("def f(x):\n    assert x\n    return eval(x)\n")
    found = bot_ci._sast(tmp_path)
    assert (found.passed, found.result["findings_high"], found.result["findings_low"]) == (False, 1, 1)
    assert found.result["findings"] == ["a.py:3 S307"]
