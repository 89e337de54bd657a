"""The rehearsal's CI: what it signs is what it found, about the commit it ran on."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from golive import envelope, rehearsal_signers
from golive.errors import GoliveError
from golive.evidence import newest
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
    (root / "bot").mkdir()
    (root / "bot/a.py").write_text("x = 1\n")
    git(root, "add", "readme", "bot")
    git(root, "commit", "-q", "-m", "x")
    (tmp_path / "evidence").mkdir()
    monkeypatch.setattr(
        bot_ci, "SUITES", {"all": lambda _copy: bot_ci.Result(True, 7, {"failed": 0, "tests": 7}), "silent": lambda _copy: None}
    )
    monkeypatch.setattr(bot_ci, "TESTED", {"all": ("bot",), "silent": ("bot",)})
    return root, tmp_path / "evidence"


def records(root, evidence):
    good, bad = envelope.reader(root, "s", datetime.now(UTC), rehearsal=True).read_all(evidence, "ci")
    assert bad == []
    return good


def git(root, *words):
    argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.net", "-C", str(root), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_result_is_signed_about_its_commit(world):
    root, evidence = world
    assert "passed" in bot_ci.run(root, "s", ["all"], evidence)[0].text
    good = records(root, evidence)
    assert good[0].subject == subject(git(root, "rev-parse", "HEAD"))
    assert (good[0].issuer, good[0].payload["result"]["tests"], good[0].payload["opportunities"]) == ("lab-ci", 7, 7)


def test_a_second_run_finds_its_record_and_writes_none(world):
    root, evidence = world
    bot_ci.run(root, "s", ["all"], evidence)
    before = sorted(evidence.iterdir())
    assert bot_ci.run(root, "s", ["all"], evidence)[0].op == "none"
    assert sorted(evidence.iterdir()) == before


def test_a_commit_that_changes_what_is_tested_is_run_again(world):
    root, evidence = world
    bot_ci.run(root, "s", ["all"], evidence)
    (root / "bot/a.py").write_text("x = 2\n")
    git(root, "commit", "-q", "-a", "-m", "y")
    assert bot_ci.run(root, "s", ["all"], evidence)[0].op == "create"


def test_a_commit_of_the_same_bytes_carries_the_result_with_the_time_of_the_real_run(world, monkeypatch):
    root, evidence = world
    bot_ci.run(root, "s", ["all"], evidence, now=datetime.now(UTC) - timedelta(hours=1))
    ran = records(root, evidence)[0]
    git(root, "commit", "-q", "--allow-empty", "-m", "y")
    monkeypatch.setitem(bot_ci.SUITES, "all", lambda _copy: pytest.fail("it was run again"))
    assert bot_ci.run(root, "s", ["all"], evidence)[0].op == "carry"
    carried = records(root, evidence)[0]
    assert carried.subject == subject(git(root, "rev-parse", "HEAD"))
    assert carried.payload == ran.payload
    assert carried.issued - ran.issued <= timedelta(seconds=1)


def test_of_the_records_of_one_run_the_probe_reads_the_one_about_the_newest_commit(world):
    root, evidence = world
    begin = datetime.now(UTC) - timedelta(hours=1)
    for minute in range(4):
        bot_ci.run(root, "s", ["all"], evidence, now=begin + timedelta(minutes=minute))
        git(root, "commit", "-q", "--allow-empty", "-m", str(minute))
    bot_ci.run(root, "s", ["all"], evidence)
    reader = envelope.reader(root, "s", datetime.now(UTC), rehearsal=True)
    assert newest(reader, evidence, "ci", "all").subject == subject(git(root, "rev-parse", "HEAD"))


@pytest.mark.parametrize("harm", ["changed", "added", "deleted"])
def test_a_checkout_whose_tested_files_are_not_the_commits_is_not_signed(world, harm):
    root, evidence = world
    {
        "changed": lambda: (root / "bot/a.py").write_text("x = 2\n"),
        "added": lambda: (root / "bot/b.py").write_text("x = 2\n"),
        "deleted": (root / "bot/a.py").unlink,
    }[harm]()
    with pytest.raises(GoliveError, match="differs from the commit"):
        bot_ci.run(root, "s", ["all"], evidence)
    assert list(evidence.iterdir()) == []


def test_a_checkout_that_is_dirty_elsewhere_is_signed(world):
    root, evidence = world
    (root / "readme").write_text("y")
    assert bot_ci.run(root, "s", ["all"], evidence)[0].op == "create"


def test_a_dry_run_tells_what_it_would_sign_and_writes_nothing(world):
    root, evidence = world
    assert bot_ci.run(root, "s", ["all"], evidence, dry=True)[0].op == "create"
    assert list(evidence.iterdir()) == []


def test_a_red_suite_is_signed_as_red(world, monkeypatch):
    root, evidence = world
    monkeypatch.setitem(bot_ci.SUITES, "all", lambda _copy: bot_ci.Result(False, 7, {"failed": 1, "tests": 7}))
    assert "FAILED" in bot_ci.run(root, "s", ["all"], evidence)[0].text
    assert records(root, evidence)[0].payload["passed"] is False


def test_a_suite_that_cannot_be_run_leaves_no_record(world):
    root, evidence = world
    outcome = bot_ci.run(root, "s", ["silent"], evidence)[0]
    assert outcome.op == "silent"
    assert "no record" in outcome.text
    assert list(evidence.iterdir()) == []


JUNIT = """<testsuites><testsuite>
<testcase classname="tests.unit.bot.test_risk" name="test_one"/>
<testcase classname="tests.unit.bot.test_risk" name="test_two"><failure/></testcase>
<testcase classname="tests.unit.bot.test_nonce" name="test_three"><skipped/></testcase>
</testsuite></testsuites>"""


def test_failures_and_skipped_tests_are_told_apart_by_component():
    found = bot_ci.counted(tuple(ElementTree.fromstring(JUNIT).iter("testcase")))
    assert not found.passed
    assert found.result == {"tests": 2, "failed": 1, "skipped": 1, "components": {"risk": 2, "nonce": 0}}


def test_no_test_at_all_is_no_pass():
    assert not bot_ci.counted(()).passed


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
