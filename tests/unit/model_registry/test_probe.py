"""The probe on a registry in a directory: which part is missing, a link, or somebody else's, and what a broken log leaves unsaid."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.model_registry import names
from golive.probes.model_registry import FACTS, observe

from tests.fixtures import models as m
from tests.unit.probes.fake_look import FakeLook


def asked(world: m.World, **more: Any) -> dict[str, Any]:
    found = observe({"base": str(world.base), "scope": m.SCOPE, **more}, FakeLook())  # type: ignore[arg-type]
    return found.facts


@pytest.fixture
def swing(world: m.World) -> Path:
    return m.make_root(world.base, "swing/stocks")


def test_each_part_of_its_own_is_fine(world: m.World, swing: Path) -> None:
    facts = asked(world, apart_from=[str(swing)])
    assert facts == {"parts_missing": [], "parts_linked": [], "inside_foreign_root": []}
    assert set(facts) <= set(FACTS)


def test_a_part_that_is_missing_or_a_file_is_named(world: m.World, swing: Path) -> None:
    (world.root / "shadow").rmdir()
    assert asked(world, apart_from=[str(swing)])["parts_missing"] == [str(world.root / "shadow")]
    (world.root / "shadow").write_text("")
    assert asked(world, apart_from=[str(swing)])["parts_missing"] == [str(world.root / "shadow")]


def test_a_link_is_told_from_a_link_into_another_system(world: m.World, swing: Path) -> None:
    shadow = world.root / "shadow"
    shadow.rmdir()
    (world.place / "elsewhere").mkdir()
    shadow.symlink_to(world.place / "elsewhere")
    facts = asked(world, apart_from=[str(swing)])
    assert (len(facts["parts_linked"]), facts["inside_foreign_root"]) == (1, [])
    shadow.unlink()
    shadow.symlink_to(swing / "models")
    facts = asked(world, apart_from=[str(swing)])
    assert (len(facts["parts_linked"]), len(facts["inside_foreign_root"])) == (1, 1)


def test_the_same_directory_under_two_names_is_seen_without_a_link(world: m.World, swing: Path) -> None:
    """What a bind mount does: the foreign root is named by another path, and the directory is ours."""
    (world.place / "theirs").symlink_to(world.root)      # stands for the mount: os.walk starts at the same inode
    facts = asked(world, apart_from=[str(world.place / "theirs") + "/."])
    assert facts["inside_foreign_root"] != []


def test_of_a_log_that_does_not_hold_nothing_more_is_said(world: m.World) -> None:
    world.must("approve", **world.signed(0))
    signed = {"system": "s", "signers": m.SIGNERS, "people": m.PEOPLE, "issuers": m.ISSUERS, "approvers": 2, "role": "approver"}
    good = asked(world, hash_models=True, signed=signed)
    assert (good["chain_ok"], good["models_ok"], good["approvals_ok"]) == (True, True, True)
    log = world.root / "models" / names.LOG
    log.write_bytes(log.read_bytes().replace(b'"actor":"anna"', b'"actor":"carl"'))
    broken = asked(world, hash_models=True, signed=signed)
    assert (broken["chain_ok"], broken["models_ok"], broken["approvals_ok"]) == (False, None, None)


def test_no_registry_is_undecided(world: m.World, tmp_path: Path) -> None:
    with pytest.raises(Undecided):
        observe({"base": str(tmp_path / "nowhere"), "scope": m.SCOPE, "apart_from": ["/srv"]}, FakeLook())  # type: ignore[arg-type]


def test_a_scratch_registry_counts_what_was_tried_not_what_was_refused(monkeypatch: pytest.MonkeyPatch, world: m.World) -> None:
    wide = {**m.PROFILE, "sharpe_min": -1e9, "hit_rate_min": -1, "return_min": -1e9, "drawdown_max": 1e9}
    found = observe({"base": str(world.base), "scope": m.SCOPE, "scratch": {"profile": wide, "bot_schema": m.BOT_SCHEMA, "approvers": 2}},
                    FakeLook())  # type: ignore[arg-type]
    assert found.facts["scratch.bad_refused_count"] == 3
    assert found.opportunities == 4


def test_a_deleted_judgement_or_piece_of_evidence_is_a_gate_without_a_pass(world: m.World) -> None:
    given = world.signed(0)
    world.must("approve", **given)
    assert (asked(world)["gates_missing"], asked(world)["evidence_attached"]) == ([], True)
    folder = world.root / "validations" / names.folder(given["candidate"]) / names.folder(given["validation"])
    (folder / "evidence/predictions.jsonl").unlink()
    assert (asked(world)["gates_missing"], asked(world)["evidence_attached"]) == ([], False)
    (folder / names.RECORD).unlink()
    assert (len(asked(world)["gates_missing"]), asked(world)["evidence_attached"]) == (4, False)
