"""A real model of scikit-learn, written as ONNX, asked through onnxruntime: judged and promoted without ever being loaded by us."""
from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import onnx
import pytest
from golive import canonical

from tests.fixtures import models as m

onnxruntime = pytest.importorskip("onnxruntime")


def market(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and outcomes of a market in which the first feature says something about the next return."""
    features = np.column_stack([rng.normal(0, 0.1, count), rng.uniform(0, 0.05, count)]).astype(np.float32)
    return features, 0.05 * features[:, 0] + rng.normal(0, 0.003, count)


def trained(seed: int) -> bytes:
    """Return the ONNX bytes of a small regressor."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingRegressor

    features, outcome = market(np.random.default_rng(seed), 400)
    model = GradientBoostingRegressor(n_estimators=20, max_depth=2, random_state=seed).fit(features, 100 * outcome)
    data: bytes = to_onnx(model, features[:1], target_opset=17).SerializeToString()
    return data


@pytest.fixture(scope="module")
def model() -> bytes:
    return trained(1)


def rows(session: object, rng: np.random.Generator) -> bytes:
    """Return recorded predictions of the model on data that it was not trained on."""
    lines, name = [], session.get_inputs()[0].name  # type: ignore[attr-defined]
    for number in range(3):
        start = m.TRAINED[1] + timedelta(days=10 * number + 1)
        features, outcome = market(rng, 60)
        guess = session.run(None, {name: features})[0].ravel()  # type: ignore[attr-defined]
        for bar in range(60):
            lines.append({"at": canonical.utc(start + timedelta(hours=4 * bar)), "symbol": "XBTUSD", "window": number,
                          "prediction": float(guess[bar]), "outcome": float(outcome[bar])})
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def test_a_real_model_goes_all_the_way(world: m.World, model: bytes) -> None:
    onnx.checker.check_model(onnx.load_model_from_string(model))
    source = m.candidate(world.place / "source", files={"model.onnx": model})
    digest = world.must("register", source=str(source))["facts"]["candidate"]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    profile = {**m.PROFILE, "enter_at": 0.3}
    name = session.get_inputs()[0].name
    cases = []
    for kind in ("normal", "extreme"):
        for number in range(3):
            value = np.array([[0.2 if kind == "normal" else 1e30, 0.01 * number]], dtype=np.float32)
            once, again = (float(session.run(None, {name: value})[0].ravel()[0]) for _ in range(2))
            trades = kind == "normal" and abs(once) >= profile["enter_at"]
            cases.append({"kind": kind, "output": once, "again": again, "action": "trade" if trades else "hold",
                          "position": 0.1 if trades else 0})
    cases += [one for one in m.cases() if one["kind"] in ("nan", "stale")]
    folder = m.evidence(world.place / "evidence", digest, rows=rows(session, np.random.default_rng(5)), canary={"cases": cases})
    judged = world.must("validate", candidate=digest, evidence=str(folder), profile=profile)
    assert judged["facts"]["verdict"] == "pass"
    signed = m.approve(world.place / "approvals", digest, judged["facts"]["validation"])
    world.must("approve", candidate=digest, validation=judged["facts"]["validation"], approvals=str(signed), confirm=True, profile=profile)
    pointer = world.pointer()
    assert pointer is not None
    loaded = (world.root / "models" / pointer["files"][0]["path"]).read_bytes()
    assert loaded == model
    assert onnxruntime.InferenceSession(loaded, providers=["CPUExecutionProvider"]).get_inputs()[0].shape[-1] == 2


def test_a_real_model_that_keeps_its_tensors_outside_is_refused(world: m.World) -> None:
    """Made by the onnx library itself; it would load fine, and read whatever file it names."""
    weights = onnx.numpy_helper.from_array(np.ones((2, 1), dtype=np.float32), "w")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [onnx.helper.make_tensor_value_info("x", 1, [1, 2])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 1])], [weights])
    whole = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    inside = whole.SerializeToString()
    for tensor in whole.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "../../../etc/passwd")
        tensor.ClearField("raw_data")
    verdicts = []
    for number, data in enumerate((inside, whole.SerializeToString())):
        source = m.candidate(world.place / f"s{number}", files={"model.onnx": data})
        digest = world.must("register", source=str(source))["facts"]["candidate"]
        judged = world.do("validate", candidate=digest, evidence=str(m.evidence(world.place / f"e{number}", digest)))
        verdicts.append(judged["facts"]["gates"]["INTEGRITY"])
    assert verdicts == ["pass", "fail"]
