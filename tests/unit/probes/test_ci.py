"""CI results: signed by CI, about the deployed commit, every critical component tested."""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pytest
from golive import envelope
from golive.errors import Undecided
from golive.probes.ci import FACTS, observe, subject
from golive.probes.look import Completed

from tests.fixtures import people as p

from .fake_look import NOW, FakeLook

ROLES = """
production:
  people: {Anna: {principals: [anna], roles: [operator]}}
  issuers: {ci: [ci-main], drill: [drill-main]}
rehearsal: {people: {}, issuers: {}}
"""
GOOD = {"failed": 0, "tests": 120, "skipped": 1, "components": {"nonce": 12, "risk": 30}}


def run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


class World:
    def __init__(self, root):
        self.root = root
        signers = root / "signers/s"
        signers.mkdir(parents=True)
        (signers / "roles.yml").write_text(ROLES)
        lines = [p.enrol(name, namespaces="golive-evidence") for name in ("ci-main", "drill-main")]
        (signers / "production.allowed_signers").write_bytes(p.signers_text(lines))
        self.git("init", "-q", "-b", "main")
        self.commit = self.change()

    def git(self, *words):
        argv = ["git", "-c", "user.name=t", "-c", "user.email=t@example.net", "-C", str(self.root), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    def change(self):
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def record(self, commit=None, by="ci-main", kind="ci", result=None, passed=True, age=60, name="all"):
        payload = {"name": name, "passed": passed, "result": GOOD if result is None else result, "opportunities": 120, "witness": "golive"}
        data = envelope.build(kind=kind, name=name, system="s", subject=subject(commit or self.commit), issued=NOW - timedelta(seconds=age),
                              lasts=timedelta(days=30), issuer=by, role="issuer", payload=payload)  # fmt: skip
        return envelope.write(self.root / "evidence", data, p.key_of(by), by)

    def look(self, **ask):
        look = FakeLook(commands={"git": run}, rehearsal=False, context={"root": str(self.root), "system": "s", "run_dir": str(self.root)})
        return observe({"directory": "evidence", "suite": "all", "commit": "HEAD", "components": ["nonce", "risk"], **ask}, look)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_signed_result_of_the_deployed_commit(world):
    world.record()
    seen = world.look()
    assert (seen.facts["bound"], seen.facts["failed"], seen.facts["components_without_tests"], seen.opportunities) == (True, 0, [], 120)
    assert seen.facts["commit"] == world.commit
    assert all(name in FACTS or name.startswith("result.") for name in seen.facts)


def test_a_result_of_another_commit_proves_nothing(world):
    world.record()
    world.change()
    with pytest.raises(Undecided, match="proves nothing"):
        world.look()


def test_failed_tests_are_counted(world):
    world.record(result={**GOOD, "failed": 2}, passed=False)
    assert world.look().facts["failed"] == 2


def test_a_component_without_a_test_that_ran_is_named(world):
    world.record(result={**GOOD, "components": {"nonce": 0}})
    assert world.look().facts["components_without_tests"] == ["nonce", "risk"]


def test_a_record_that_counts_no_components_is_undecided(world):
    world.record(result={"failed": 0})
    with pytest.raises(Undecided, match="component"):
        world.look()


def test_a_count_that_is_no_number_is_no_fact(world):
    world.record(result={**GOOD, "failed": "0"})
    assert "failed" not in world.look().facts


def test_a_result_that_somebody_else_signed_is_red(world):
    world.record(by="drill-main")
    assert world.look().facts["bound"] is False


def test_a_result_that_was_changed_after_its_signature_is_red(world):
    path = world.record(result={**GOOD, "failed": 2})
    path.write_bytes(path.read_bytes().replace(b'"failed":2', b'"failed":0'))
    assert world.look().facts["bound"] is False


def test_no_result_is_undecided(world):
    with pytest.raises(Undecided):
        world.look()


@pytest.mark.parametrize("commit", ["no-such-branch", "--all", "a;b", ""])
def test_a_commit_that_is_not_there_is_undecided(world, commit):
    world.record()
    with pytest.raises(Undecided):
        world.look(commit=commit)
