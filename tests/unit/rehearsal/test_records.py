"""Records of a rehearsal: a dry run names exactly what a real run signs, and only what a control would still miss is made again."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from golive import envelope, rehearsal_signers
from golive.rehearsal import records

ROOT = Path(__file__).resolve().parents[3]
RELEASE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PAYLOAD = {"passed": True, "result": {"left": 0}, "opportunities": 3, "witness": "venue"}


@pytest.fixture
def world(tmp_path):
    (tmp_path / "signers/s").mkdir(parents=True)
    shutil.copy(ROOT / "signers/kraken-micro/roles.yml", tmp_path / "signers/s/roles.yml")
    rehearsal_signers.ensure(tmp_path, "s")
    (tmp_path / "evidence").mkdir()
    return tmp_path


def sign(root, kind="drill", name="stop", subject=RELEASE, **changes):
    return records.sign(root, "s", kind, root / "evidence", subject, {"name": name, **PAYLOAD, **changes})


def missing(root, kind="drill", names=("stop",), subject=RELEASE, controls=()):
    return records.missing(root, "s", kind, list(names), root / "evidence", subject, controls)


@pytest.mark.parametrize(("kind", "issuer"), [("drill", "lab-drill"), ("load", "lab-load")])
def test_each_kind_is_signed_by_its_own_issuer(world, kind, issuer):
    assert sign(world, kind).change()["object"] == f"evidence:{kind}/stop"
    good, bad = envelope.reader(world, "s", datetime.now(UTC), rehearsal=True).read_all(world / "evidence", kind)
    assert bad == []
    assert [(one.issuer, one.subject, one.payload["name"]) for one in good] == [(issuer, RELEASE, "stop")]


def test_what_is_there_for_this_release_is_not_missing(world):
    assert missing(world) == ["stop"]
    sign(world)
    assert missing(world) == []
    assert missing(world, subject=OTHER) == ["stop"]
    assert missing(world, kind="load") == ["stop"]


def test_a_record_that_leaves_its_control_red_is_missing(world):
    sign(world)
    control = {"probe": "drill", "ask": {"name": "stop"}, "expect": {"result.left": {"eq": 1}}, "witness": ["venue"], "severity": "high"}
    assert missing(world, controls=[control]) == ["stop"]
    assert missing(world, controls=[{**control, "ask": {"name": "other"}}]) == []
    assert missing(world, controls=[{**control, "expect": {"result.left": {"eq": 0}}, "min_opportunities": 4}]) == ["stop"]


def test_a_load_is_asked_for_by_its_profile(world):
    sign(world, "load", witness="golive")
    expect = {"result.left": {"eq": 1}}
    control = {"probe": "load_test", "ask": {"profile": "stop"}, "expect": expect, "witness": ["golive"], "severity": "high"}
    assert missing(world, "load", controls=[control]) == ["stop"]


def test_the_newest_record_counts(world):
    sign(world)
    sign(world, passed=False)
    assert missing(world) == ["stop"]


def test_the_dry_run_names_what_the_real_run_makes(world):
    sign(world)
    names = ["stop", "start"]
    dry = records.result(records.predicted(world, "s", "drill", names, world / "evidence", RELEASE, ()))
    real = records.result([*records.held("drill", names, ["start"]), sign(world, name="start")])
    assert dry["changes"] == real["changes"] != []
    assert records.result(records.predicted(world, "s", "drill", names, world / "evidence", RELEASE, ()))["changed"] is False
