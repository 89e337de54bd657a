"""Candidate, validated, approved, rolled back, pruned: on a directory and on an object store, by the same tests."""
from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from golive.model_registry import names

from tests.fixtures import models as m


def objects(result: dict) -> list[tuple[str, str]]:
    return [(one["object"].split(":")[0], one["op"]) for one in result["changes"]]


def four_runs(world: m.World, action: str, **given: object) -> list[tuple[str, str]]:
    """Check, real, check, real: the first two name the same changes, the last two none."""
    predicted, real = world.do(action, check=True, **given), world.do(action, **given)
    assert predicted["changes"] == real["changes"]
    assert predicted.get("code") == real.get("code")
    for check in (True, False):
        assert world.do(action, check=check, **given)["changes"] == []
    return objects(real)


def test_every_action_does_what_its_dry_run_said_and_then_nothing(any_world: m.World) -> None:
    source = m.candidate(any_world.place / "source-0", 0)
    assert four_runs(any_world, "register", source=str(source)) == [("candidate", "create")]
    digest = any_world.must("register", source=str(source))["facts"]["candidate"]
    records_of = m.evidence(any_world.place / "evidence-0", digest)
    assert four_runs(any_world, "validate", candidate=digest, evidence=str(records_of)) == [("validation", "create")]
    first = any_world.signed(0)
    assert four_runs(any_world, "approve", **first) == [("model", "create"), ("log", "update"), ("pointer", "create")]
    second = any_world.signed(1)
    assert four_runs(any_world, "approve", **second) == [("model", "create"), ("log", "update"), ("pointer", "update")]
    assert four_runs(any_world, "rollback", reason="slippage", away_from=second["candidate"]) == [("log", "update"), ("pointer", "update")]
    assert four_runs(any_world, "rollback", reason="mended", candidate=second["candidate"]) == [("log", "update"), ("pointer", "update")]
    any_world.validated(7)
    assert four_runs(any_world, "prune", keep_candidates=0, keep_models=2) == [("candidate", "delete"), ("validations", "delete")]
    verified = any_world.must("verify")
    assert verified["problems"] == []
    assert verified["facts"]["moves"] == 4


def test_the_pointer_names_all_that_a_reader_needs(any_world: m.World) -> None:
    given = any_world.signed(0)
    any_world.must("approve", **given)
    pointer = any_world.pointer()
    assert pointer is not None
    assert pointer["digest"] == given["candidate"]
    assert pointer["validation"] == given["validation"]
    assert pointer["previous"] is None
    assert [one["person"] for one in pointer["approvals"]] == ["Anna", "Bert"]
    assert pointer["schema"]["features"][0]["name"] == "return_1h"
    assert pointer["metrics"]["trades"] > 30
    assert pointer["lineage"]["dataset"].startswith("sha256:")
    assert pointer["files"][0]["path"] == f"{names.folder(given['candidate'])}/files/model.onnx"
    assert pointer["size"] == len(m.onnx_bytes(0))


def test_a_dry_run_and_a_look_write_nothing(any_world: m.World) -> None:
    given = any_world.signed(0)
    any_world.must("approve", **given)
    other = any_world.signed(1)
    before = any_world.state()
    for action, more in (("register", {"source": str(m.candidate(any_world.place / "n", 9))}), ("approve", other),
                         ("validate", {"candidate": other["candidate"], "evidence": str(any_world.place / "evidence-1")}),
                         ("rollback", {"reason": "x", "away_from": given["candidate"]}), ("info", {}), ("verify", {}),
                         ("prune", {"keep_models": 2, "keep_candidates": 0})):
        any_world.do(action, check=True, **more)
        assert any_world.state() == before, action
    for action in ("info", "verify"):      # they only look, also when they are meant
        any_world.must(action)
        assert any_world.state() == before, action


def test_a_dry_run_judges_what_is_not_registered_yet(any_world: m.World) -> None:
    source = m.candidate(any_world.place / "source", 0)
    digest = any_world.do("register", check=True, source=str(source))["facts"]["candidate"]
    folder = m.evidence(any_world.place / "evidence", digest, rows=m.predictions(edge=-0.01))
    predicted = any_world.do("validate", check=True, candidate=digest, evidence=str(folder), source=str(source))
    any_world.must("register", source=str(source))
    real = any_world.do("validate", candidate=digest, evidence=str(folder))
    assert predicted["code"] == real["code"] == "gates"
    assert predicted["problems"] == real["problems"]
    assert predicted["changes"] == real["changes"]


def test_without_confirm_nothing_moves(any_world: m.World) -> None:
    given = any_world.signed(0)
    for check in (True, False):
        refused = any_world.do("approve", check=check, **{**given, "confirm": False})
        assert refused["code"] == "usage"
        assert "confirm" in refused["msg"]
    assert any_world.pointer() is None
    any_world.must("approve", **given)      # the control: with it, it does


def test_promotion_waits_for_the_downtime_window(any_world: m.World) -> None:
    given = any_world.signed(0)
    any_world.now = m.NOON
    refused = any_world.do("approve", **given)
    assert refused["code"] == "closed"
    assert "2026-11-22T03:00:00Z" in refused["msg"]
    assert any_world.do("approve", **given, force_reason=" ")["code"] == "usage"
    forced = any_world.must("approve", **given, force_reason="the model in force leaks money")
    assert forced["changes"]
    move = any_world.must("info")["facts"]["moves"][0]
    assert (move["forced"], move["reason"]) == (True, "the model in force leaks money")


@pytest.mark.parametrize(("by", "code"), [(("anna",), "too_few"), (("anna", "anna-laptop"), "too_few"), (("anna", "carl"), "too_few"),
                                          (("anna", "bert"), None)])
def test_as_many_distinct_people_as_the_profile_asks_for(any_world: m.World, by: tuple[str, ...], code: str | None) -> None:
    digest, validation = any_world.validated(0)
    folder = m.approve(any_world.place / "approvals", digest, validation, by)
    result = any_world.do("approve", candidate=digest, validation=validation, approvals=str(folder), confirm=True)
    assert result.get("code") == code
    assert (any_world.pointer() is None) == (code is not None)


def test_an_approval_is_for_one_candidate_one_validation_one_scope(any_world: m.World) -> None:
    digest, validation = any_world.validated(0)
    other, other_validation = any_world.validated(1)
    for number, words in enumerate(((other, validation, m.SCOPE), (digest, other_validation, m.SCOPE), (digest, validation, "swing/eu"))):
        folder = m.approve(any_world.place / f"a{number}", words[0], words[1], scope=words[2])
        assert any_world.do("approve", candidate=digest, validation=validation, approvals=str(folder), confirm=True)["code"] == "unsigned"
    assert any_world.pointer() is None


def test_an_expired_or_altered_approval_counts_for_nothing(any_world: m.World) -> None:
    digest, validation = any_world.validated(0)
    folder = m.approve(any_world.place / "old", digest, validation, issued=m.NIGHT - timedelta(days=3), lasts=timedelta(days=1))
    refused = any_world.do("approve", candidate=digest, validation=validation, approvals=str(folder), confirm=True)
    assert refused["code"] == "unsigned"
    assert "expired" in refused["msg"]
    good = m.approve(any_world.place / "good", digest, validation)
    path = next(good.glob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"approver"', b'"operator"'))
    assert any_world.do("approve", candidate=digest, validation=validation, approvals=str(good), confirm=True)["code"] == "unsigned"


def test_a_changed_profile_voids_what_was_signed(any_world: m.World) -> None:
    given = any_world.signed(0)
    refused = any_world.do("approve", **given, profile={**m.PROFILE, "trades_min": 31})
    assert refused["code"] == "gates"
    assert "validate again" in refused["msg"]
    assert any_world.pointer() is None


def test_a_model_that_fails_its_gates_is_kept_as_a_failure_and_never_promoted(any_world: m.World) -> None:
    source = m.candidate(any_world.place / "source", 0)
    digest = any_world.must("register", source=str(source))["facts"]["candidate"]
    folder = m.evidence(any_world.place / "evidence", digest, rows=m.predictions(edge=-0.01))
    judged = any_world.do("validate", candidate=digest, evidence=str(folder))
    assert judged["facts"]["gates"]["OOS_METRICS"] == "fail"
    validation = judged["facts"]["validation"]
    signed = m.approve(any_world.place / "approvals", digest, validation)
    refused = any_world.do("approve", candidate=digest, validation=validation, approvals=str(signed), confirm=True)
    assert refused["code"] == "gates"
    assert "OOS_METRICS fail" in refused["msg"]
    assert any_world.pointer() is None


def test_rollback_refuses_a_model_that_was_damaged_since(any_world: m.World) -> None:
    first, second = any_world.signed(0), any_world.signed(1)
    any_world.must("approve", **first)
    any_world.must("approve", **second)
    model = ("models", names.folder(first["candidate"]), "files", "model.onnx")
    any_world.put_raw(any_world.raw(*model)[:-1] + b"\xff", *model)
    before = any_world.pointer()
    for check in (True, False):
        refused = any_world.do("rollback", check=check, reason="slow", away_from=second["candidate"])
        assert refused["code"] == "gates"
        assert "INTEGRITY" in refused["msg"]
        assert refused["changes"] == []
    assert any_world.pointer() == before
    assert any("MODELS" in one for one in any_world.do("verify")["problems"])


def test_an_approval_is_used_once(any_world: m.World) -> None:
    first, second = any_world.signed(0), any_world.signed(1)
    any_world.must("approve", **first)
    any_world.must("approve", **second)
    any_world.must("rollback", reason="it lost money", away_from=second["candidate"])
    for check in (True, False):
        refused = any_world.do("approve", check=check, **second)      # a loop that repeats its last promotion must not bring it back
        assert refused["code"] == "used"
    m.approve(any_world.place / "again", second["candidate"], second["validation"], issued=m.NIGHT - timedelta(minutes=1))
    any_world.must("approve", **{**second, "approvals": str(any_world.place / "again")})


def test_rollback_needs_a_reason_and_one_target(any_world: m.World) -> None:
    first, second = any_world.signed(0), any_world.signed(1)
    any_world.must("approve", **first)
    assert any_world.do("rollback", reason="x", away_from=first["candidate"])["code"] == "missing"
    any_world.must("approve", **second)
    assert any_world.do("rollback", reason=" ", away_from=second["candidate"])["code"] == "usage"
    assert any_world.do("rollback", reason="x")["code"] == "usage"
    assert any_world.do("rollback", reason="x", candidate="sha256:" + "0" * 64)["code"] == "missing"
    done = any_world.must("rollback", reason="loses on Sundays", candidate=first["candidate"], actor="bert")
    move = any_world.must("info")["facts"]["moves"][0]
    assert (move["act"], move["actor"], move["digest"]) == ("model.rollback", "bert", first["candidate"])
    assert move["reason"] == "loses on Sundays"
    assert done["facts"]["previous"] == second["candidate"]


def test_a_model_that_retention_took_away_says_so(any_world: m.World) -> None:
    chosen = [any_world.signed(seed) for seed in range(3)]
    for one in chosen:
        any_world.must("approve", **one)
    any_world.must("prune", keep_models=2, keep_candidates=5)
    assert any_world.do("rollback", reason="x", candidate=chosen[0]["candidate"])["code"] == "pruned"
    assert any_world.must("verify")["problems"] == []
    assert any_world.do("prune", keep_models=1, keep_candidates=5)["code"] == "usage"


def test_a_pointer_moved_by_hand_is_seen_and_only_a_rollback_mends_it(any_world: m.World) -> None:
    first, second = any_world.signed(0), any_world.signed(1)
    any_world.must("approve", **first)
    pointer = ("models", names.POINTER)
    any_world.put_raw(any_world.raw(*pointer).replace(b'"format":1', b'"format":2'), *pointer)
    assert any("POINTER" in one for one in any_world.do("verify")["problems"])
    assert any_world.do("approve", **second)["code"] == "pointer"
    mended = any_world.must("rollback", reason="moved by hand", candidate=first["candidate"])
    assert mended["changes"]
    assert any_world.must("verify")["problems"] == []
    assert any_world.pointer()["digest"] == first["candidate"]  # type: ignore[index]


def test_a_clock_that_went_backwards_stops_a_promotion_not_a_rollback(any_world: m.World) -> None:
    first, second = any_world.signed(0), any_world.signed(1)
    any_world.now = m.NIGHT + timedelta(minutes=30)
    any_world.must("approve", **first)
    any_world.now = m.NIGHT
    assert any_world.do("approve", **second)["code"] == "clock"
    any_world.now = m.NIGHT + timedelta(minutes=40)
    any_world.must("approve", **second)
    any_world.now = m.NIGHT - timedelta(days=30)
    any_world.must("rollback", reason="x", away_from=second["candidate"])
    assert any_world.must("verify")["problems"] == []


def test_a_run_opened_as_drift_changes_nothing(any_world: m.World) -> None:
    given = any_world.signed(0)
    assert any_world.do("approve", **given, golive_drift=True)["code"] == "usage"
    assert any_world.do("approve", check=True, **given, golive_drift=True)["changes"]
    assert any_world.pointer() is None


def test_a_registry_behind_a_link_is_refused(world: m.World, tmp_path: Path) -> None:
    world.signed(0)
    models = world.root / "models"
    models.rename(tmp_path / "swing")
    models.symlink_to(tmp_path / "swing")
    assert world.do("info")["code"] == "unsafe"
    models.unlink()
    (tmp_path / "swing").rename(models)
    world.must("info")
    (tmp_path / "through").symlink_to(world.base)
    assert world.do("info", store={"path": str(tmp_path / "through")})["code"] == "unsafe"
