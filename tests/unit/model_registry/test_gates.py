"""Each gate alone: what it refuses, what it lets through, and that what it cannot compute is undecided."""
from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from golive import canonical
from golive.errors import Undecided
from golive.model_registry import integrity, judgement, oos_metrics, risk_checks, schema, track_record
from golive.model_registry.errors import RegistryError
from golive.model_registry.judgement import FAIL, PASS, UNDECIDED
from golive.model_registry.manifest import File, declaration

from tests.fixtures import models as m

DIGEST = "sha256:" + "a" * 64
ONNX = {"kind": "onnx", "problem": None, "archive": None}
RULE = oos_metrics.rule(m.PROFILE)
FOLD = track_record.fold(m.predictions().splitlines(keepends=True), RULE)


def declared(**changes: Any) -> Any:
    return declaration(canonical.encode({
        "format": 1, "name": "x", "model": {"format": "onnx", "files": ["model.onnx"]},
        "schema": {"features": m.FEATURES, "outputs": m.OUTPUTS},
        "training": {"from": canonical.utc(m.TRAINED[0]), "until": canonical.utc(m.TRAINED[1]), "dataset": DIGEST, "code_commit": "c" * 40,
                     "started": "2026-11-20T03:05:00Z", "ended": "2026-11-20T04:00:00Z"}, **changes}))


def asked_integrity(profile: dict[str, Any] | None = None, content: dict[str, Any] | None = None, **seen: Any) -> judgement.Judgement:
    listed = [File("candidate.json", 10, DIGEST), File("model.onnx", 1000, DIGEST)]
    looked = [integrity.Seen("candidate.json", 10, DIGEST, None),
              integrity.Seen("model.onnx", seen.get("size", 1000), seen.get("sha256", DIGEST), content or ONNX)]
    return integrity.judge({**m.PROFILE, **(profile or {})}, listed, seen.get("looked", looked), declared(), seen.get("signers", []),
                           seen.get("unsigned"))


def test_what_is_as_listed_passes_integrity() -> None:
    assert asked_integrity().verdict == PASS
    assert asked_integrity({"signed": True}, signers=["ci"]).verdict == PASS
    assert asked_integrity({"formats": ["zip"], "allow_unsafe_formats": ["pickle"]}).verdict == FAIL      # declared onnx is not allowed


BOMB = {"kind": "zip", "problem": None, "archive": {"entries": 2, "unpacked": 10**12, "unsafe": [], "broken": None}}


@pytest.mark.parametrize(("changes", "word"), [
    ({"size": 999}, "bytes"), ({"sha256": "sha256:" + "b" * 64}, "not the file"), ({"looked": []}, "missing"),
    ({"looked": [integrity.Seen("extra", 1, DIGEST, None)]}, "not in the manifest"), ({"unsigned": "changed"}, "does not hold"),
    ({"profile": {"signed": True}}, "not signed"), ({"profile": {"max_bytes": 500}}, "at most"), ({"profile": {"max_files": 1}}, "at most"),
    ({"profile": {"formats": ["json"]}}, "format"), ({"content": {"kind": "pickle", "problem": None, "archive": None}}, "runs code"),
    ({"content": {"kind": "binary", "problem": "takes tensors from outside of its file (external data)", "archive": None}}, "outside"),
    ({"content": {"kind": "program", "problem": None, "archive": None}}, "holds program"), ({"content": BOMB}, "bomb"),
    ({"content": {**BOMB, "archive": {"entries": 1, "unpacked": 1, "unsafe": ["../x"], "broken": None}}}, "outside of its folder"),
    ({"content": {**BOMB, "archive": {"entries": 10**6, "unpacked": 1, "unsafe": [], "broken": None}}}, "entries"),
    ({"content": {**BOMB, "archive": {"entries": 1, "unpacked": 1, "unsafe": [], "broken": "BadZipFile"}}}, "cannot be read")])
def test_integrity_refuses(changes: dict[str, Any], word: str) -> None:
    found = asked_integrity(**changes)
    assert found.verdict == FAIL
    assert any(word in one for one in found.problems), found.problems


BOTS = m.BOT_SCHEMA
INPUTS = [{"name": one["name"], "dtype": one["dtype"]} for one in m.FEATURES]


def test_the_same_features_in_the_same_order_pass() -> None:
    assert schema.judge({"features": m.FEATURES, "outputs": m.OUTPUTS}, BOTS, INPUTS).verdict == PASS


@pytest.mark.parametrize(("features", "word"), [
    (m.FEATURES[::-1], "another order"), (m.FEATURES[:1], "lacks"), ([*m.FEATURES, {**m.FEATURES[0], "name": "z"}], "unknown"),
    ([{**m.FEATURES[0], "dtype": "float64"}, m.FEATURES[1]], "lacks"), ([{**m.FEATURES[0], "min": -0.1}, m.FEATURES[1]], "trained on"),
    ([m.FEATURES[0], {**m.FEATURES[1], "max": 0.01}], "trained on")])
def test_schema_refuses(features: list[dict[str, Any]], word: str) -> None:
    found = schema.judge({"features": features, "outputs": m.OUTPUTS}, BOTS, INPUTS)
    assert found.verdict == FAIL
    assert word in found.problems[0]


def test_what_the_runtime_found_in_the_model_beats_what_is_declared() -> None:
    mine = {"features": m.FEATURES, "outputs": m.OUTPUTS}
    assert "in the model itself" in schema.judge(mine, BOTS, INPUTS[::-1]).problems[0]
    with pytest.raises(Undecided):
        schema.judge(mine, BOTS, None)
    with pytest.raises(Undecided):
        schema.judge(mine, None, INPUTS)


def asked_metrics(profile: dict[str, Any] | None = None, fold: Any = FOLD, **window: Any) -> judgement.Judgement:
    stated = m.windows(DIGEST)
    for name, (number, value) in window.items():
        stated[number][name] = value
    return oos_metrics.judge({**m.PROFILE, **(profile or {})}, oos_metrics.windows(stated), fold, DIGEST, *m.TRAINED, {"sharpe": 99})


def test_enough_earned_on_unseen_data_passes_and_claims_count_for_nothing() -> None:
    found = asked_metrics()
    assert found.verdict == PASS
    assert found.facts["claims_differ"] == ["sharpe"]


INSIDE = canonical.utc(m.TRAINED[1] - timedelta(days=1))


@pytest.mark.parametrize(("changes", "word"), [
    ({"test_from": (2, INSIDE)}, "trained on"), ({"test_from": (1, INSIDE)}, "training period"),
    ({"train_until": (1, canonical.utc(m.TRAINED[1] + timedelta(days=12)))}, "training period"),
    ({"test_until": (0, canonical.utc(m.TRAINED[1] + timedelta(days=20)))}, "overlaps"),
    ({"train_from": (2, canonical.utc(m.TRAINED[0] - timedelta(days=9)))}, "another training period"),
    ({"model": (2, None)}, "after its training"), ({"test_until": (2, canonical.utc(m.TRAINED[1] + timedelta(days=22)))}, "outside"),
    ({"profile": {"windows_min": 4}}, "windows"), ({"profile": {"trades_min": 10**6}}, "trades"),
    ({"profile": {"sharpe_min": 10**6}}, "Sharpe"),
    ({"profile": {"hit_rate_min": 0.99}}, "hit rate"), ({"profile": {"drawdown_max": 0.0001}}, "drawdown"),
    ({"profile": {"return_min": 99}}, "return"), ({"profile": {"own_trades_min": 10**6}}, "this very model")])
def test_metrics_refuse(changes: dict[str, Any], word: str) -> None:
    found = asked_metrics(**changes)
    assert found.verdict == FAIL
    assert any(word in one for one in found.problems), found.problems


def test_a_threshold_that_the_profile_lacks_leaves_its_gate_undecided() -> None:
    for name in ("sharpe_min", "trades_min", "drawdown_max", "hit_rate_min", "embargo_s", "windows_min", "own_trades_min", "return_min"):
        profile = {key: value for key, value in m.PROFILE.items() if key != name}
        stated = oos_metrics.windows(m.windows(DIGEST))
        found = judgement.decide("OOS_METRICS", lambda p=profile, s=stated: oos_metrics.judge(p, s, FOLD, DIGEST, *m.TRAINED, {}))
        assert found.verdict == UNDECIDED, name
    for value in (None, "1", True, float("nan")):
        with pytest.raises(Undecided):
            judgement.limit({"x": value}, "x")
    with pytest.raises(Undecided, match="free"):
        oos_metrics.rule({**m.PROFILE, "fee": 0, "slippage": 0})


def canary(**changes: Any) -> dict[str, Any]:
    return {"runtime": {"uid": 998, "network": False, "unit": "u"}, "inputs": INPUTS, "cases": m.cases(**changes)}


def test_a_model_that_stays_within_its_limits_passes() -> None:
    assert risk_checks.judge(m.PROFILE, FOLD.overall, canary()).verdict == PASS


@pytest.mark.parametrize(("record", "word"), [
    (canary(nan={"action": "trade", "position": 0.1}), "nan"), (canary(stale={"position": 0.1}), "stale"),
    (canary(extreme={"position": 9}), "more than"), (canary(extreme={"output": None, "again": None, "action": "trade"}), "no number"),
    (canary(normal={"output": None, "again": None}), "gives no number"), (canary(normal={"action": "hold", "position": 0}), "dead model"),
    (canary(normal={"again": 7}), "differently"), ({**canary(), "runtime": {"uid": 0, "network": False}}, "as root"),
    ({**canary(), "runtime": {"uid": 5, "network": True}}, "network")])
def test_risk_checks_refuse(record: dict[str, Any], word: str) -> None:
    found = risk_checks.judge(m.PROFILE, FOLD.overall, record)
    assert found.verdict == FAIL
    assert any(word in one for one in found.problems), found.problems


@pytest.mark.parametrize("name", ["exposure_max", "leverage_max", "turnover_day_max"])
def test_too_much_at_stake_is_refused(name: str) -> None:
    assert risk_checks.judge({**m.PROFILE, name: 0.001}, FOLD.overall, canary()).verdict == FAIL


def test_a_worst_day_that_is_too_bad_is_refused() -> None:
    assert "worst day" in risk_checks.judge({**m.PROFILE, "worst_day_min": 0.5}, FOLD.overall, canary()).problems[0]


@pytest.mark.parametrize("record", [
    {}, {"cases": []}, {**canary(), "runtime": None}, {**canary(), "cases": m.cases()[:6]},
    {**canary(), "cases": [{**m.cases()[0], "position": float("nan")}]}, {**canary(), "cases": [{"kind": "normal"}]}])
def test_a_canary_record_that_says_too_little_is_undecided(record: dict[str, Any]) -> None:
    with pytest.raises(Undecided):
        risk_checks.judge(m.PROFILE, FOLD.overall, record)


def test_one_gate_that_was_not_asked_is_no_pass() -> None:
    good = [judgement.of(name, [], {}) for name in judgement.GATES]
    assert judgement.verdict(good) == PASS
    assert judgement.verdict(good[:3]) == UNDECIDED
    assert judgement.verdict([*good[:3], good[3]._replace(verdict=UNDECIDED)]) == UNDECIDED
    assert judgement.verdict([good[0]._replace(verdict=FAIL), *good[1:3], good[3]._replace(verdict=UNDECIDED)]) == FAIL


def test_a_declaration_says_all_and_no_more() -> None:
    base = declared()
    assert base.format == "onnx"
    odd = [{**m.FEATURES[0], "dtype": "object"}]
    for change in ({"surplus": 1}, {"schema": {"features": [], "outputs": m.OUTPUTS}}, {"model": {"format": "onnx", "files": ["../x"]}},
                   {"name": "a b"}, {"training": {}}, {"schema": {"features": odd, "outputs": m.OUTPUTS}}):
        with pytest.raises(RegistryError, match=r"candidate\.json"):
            declared(**copy.deepcopy(change))
