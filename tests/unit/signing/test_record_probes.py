"""What the probes of signed records say: a record that holds is facts, none or an expired one is undecided, a forged one is red."""
from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import attestation, envelope, rehearsal_signers
from golive.errors import Undecided
from golive.probes import attestation as attestation_probe
from golive.probes import drill, load_test
from golive.probes.look import Look, Observed

ROOT = Path(__file__).parents[3]
RELEASE = "sha256:" + "a" * 64
RESULT = {"name": "kill_switch", "passed": True, "result": {"stops_kept": True}, "opportunities": 3, "witness": "venue"}


class World:
    """A repository with enrolled lab signers, a run that bound a release, and the records of a test."""

    def __init__(self, root: Path) -> None:
        self.root, self.run = root, root / "run"
        self.run.mkdir()
        (self.run / "release.json").write_text(json.dumps({"artifact": RELEASE}))

    def look(self) -> Look:
        context = {"root": str(self.root), "run_dir": str(self.run), "system": "kraken-micro"}
        return Look("controller", "bot", True, {}, 1e12, context)

    def write(self, kind: str, name: str, by: str, payload: dict[str, Any], *, role: str = "drill", subject: str = RELEASE,
              ago: timedelta = timedelta(minutes=5), lasts: timedelta = timedelta(days=1), key: str | None = None) -> Path:
        data = envelope.build(kind=kind, name=name, system="kraken-micro", subject=subject, issued=datetime.now(UTC) - ago, lasts=lasts,
                              issuer=by, role=role, payload=payload)
        return envelope.write(self.root / "records", data, rehearsal_signers.key_of(self.root, "kraken-micro", key or by), by)

    def drill(self, **ask: Any) -> Observed:
        return drill.observe({"directory": "records", "name": "kill_switch", "subject": "current", **ask}, self.look())

    def attested(self, **ask: Any) -> dict[str, Any]:
        asked = {"directory": "records", "statement": "owner.checked_in", "role": "approver", "system": "kraken-micro", **ask}
        return attestation_probe.observe(asked, self.look()).facts


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("enrolled")
    shutil.copytree(ROOT / "signers/kraken-micro", root / "signers/kraken-micro",
                    ignore=shutil.ignore_patterns("rehearsal.allowed_signers"))
    rehearsal_signers.ensure(root, "kraken-micro")
    return root


@pytest.fixture
def world(enrolled: Path, tmp_path: Path) -> World:
    shutil.copytree(enrolled, tmp_path / "root")
    return World(tmp_path / "root")


def test_a_drill_that_holds_is_facts_with_its_witness_and_opportunities(world: World) -> None:
    world.write("drill", "kill_switch", "lab-drill", RESULT)
    found = world.drill()
    assert {"passed": True, "bound": True, "result.stops_kept": True}.items() <= found.facts.items()
    assert (found.witness, found.opportunities) == ("venue", 3)
    assert 0 < found.facts["age_days"] < 1


@pytest.mark.parametrize(("words", "how"), [
    ("there is no drill record", None), ("expired at", {"lasts": timedelta(minutes=1)}),
    ("proves nothing for it", {"subject": "sha256:" + "b" * 64}), ("does not say whose word", {"payload": {**RESULT, "witness": "gossip"}}),
    ("does not have the form", {"payload": {"name": "kill_switch"}}),
])
def test_no_old_foreign_or_shapeless_record_is_undecided(world: World, words: str, how: dict[str, Any] | None) -> None:
    if how is not None:
        world.write("drill", "kill_switch", "lab-drill", how.pop("payload", RESULT), **how)
    with pytest.raises(Undecided, match=words):
        world.drill()


@pytest.mark.parametrize(("by", "key"), [("lab-drill", "lab-ci"), ("lab-operator", "lab-operator"), ("lab-ci", "lab-ci")])
def test_a_record_by_another_key_a_person_or_another_issuer_is_red(world: World, by: str, key: str) -> None:
    world.write("drill", "kill_switch", by, RESULT, key=key)
    found = world.drill()
    assert (found.facts["bound"], found.facts["passed"]) == (False, False)


def test_an_edited_record_is_red(world: World) -> None:
    path = world.write("drill", "kill_switch", "lab-drill", {**RESULT, "passed": False})
    path.write_bytes(path.read_bytes().replace(b'"passed":false', b'"passed":true'))
    assert world.drill().facts["bound"] is False


def test_without_a_bound_release_nothing_is_about_it(world: World) -> None:
    world.write("drill", "kill_switch", "lab-drill", RESULT)
    (world.run / "release.json").unlink()
    with pytest.raises(Undecided, match="no release is bound to this run yet"):
        world.drill()
    assert world.drill(subject=RELEASE).facts["bound"] is True


def test_a_load_run_is_read_by_its_own_issuer_only(world: World) -> None:
    world.write("load", "soak", "lab-load", {**RESULT, "name": "soak", "result": {"duplicates": 0}}, role="load")
    found = load_test.observe({"directory": "records", "profile": "soak", "subject": "current"}, world.look())
    assert found.facts["result.duplicates"] == 0


STATED = {"statement": "owner.checked_in", "values": {"equity_seen_quote": "101.5", "positions_seen": 1}, "audit_head": "0:" + RELEASE}


def test_a_persons_statement_is_facts_with_its_values(world: World) -> None:
    world.write("attestation", "owner.checked_in", "lab-approver", STATED, role="approver")
    found = world.attested(subject="current")
    assert (found["valid"], found["values.positions_seen"], found["subject_matches"], found["people"]) == (True, 1, True, 1)
    assert world.attested(subject={"another": "thing"})["subject_matches"] is False


def test_nobody_expired_or_one_sitting_is_undecided(world: World) -> None:
    with pytest.raises(Undecided, match=r"nobody has signed owner\.checked_in"):
        world.attested()
    world.write("attestation", "owner.checked_in", "lab-approver", STATED, role="approver", lasts=timedelta(minutes=1))
    with pytest.raises(Undecided, match="expired at"):
        world.attested()
    world.write("attestation", "owner.checked_in", "lab-approver", STATED, role="approver", ago=timedelta(minutes=2))
    with pytest.raises(Undecided, match="the second is missing"):
        world.attested(sittings=True)


def test_a_forged_statement_is_red(world: World) -> None:
    world.write("attestation", "owner.checked_in", "lab-approver", STATED, role="approver", key="lab-operator")
    assert world.attested()["valid"] is False


def test_every_statement_of_the_catalogue_has_typed_values() -> None:
    asked = {line.split("statement: ")[1].split(",")[0].split("}")[0].strip()
             for path in (ROOT / "controls").glob("*.yml") for line in path.read_text().splitlines() if "statement: " in line}
    assert asked <= set(attestation.STATEMENTS)
