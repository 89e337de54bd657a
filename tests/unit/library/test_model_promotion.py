"""The module as Ansible runs it: one JSON answer, refusals in one sentence, options equal to what is documented."""
from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from golive.model_registry import task

from tests.fixtures import models as m

LIBRARY = Path(__file__).parents[3] / "library/model_promotion.py"


def given(world: m.World, action: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in world.given(action, **more).items() if value is not None}


def test_it_registers_and_says_what(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    world = m.World(tmp_path)
    source = m.candidate(tmp_path / "source")
    for check, changed in ((True, True), (False, True), (True, False), (False, False)):
        found = run("model_promotion", given(world, "register", source=str(source)), check=check)
        assert found["changed"] is changed
        assert not found.get("failed")


def test_a_refusal_is_one_sentence_and_a_word(run: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    found = run("model_promotion", given(m.World(tmp_path), "approve", candidate="sha256:" + "0" * 64, validation="sha256:" + "0" * 64))
    assert found["failed"] is True
    assert found["code"] == "missing"
    assert "no such candidate" in found["msg"]
    assert "Traceback" not in found["text"]


def test_the_documentation_names_every_option_with_its_default() -> None:
    constants = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(LIBRARY.read_text()).body  # type: ignore[attr-defined]
                 if isinstance(node, ast.Assign)}
    documented = yaml.safe_load(constants["DOCUMENTATION"])["options"]
    assert set(documented) == set(task.SPEC)
    for name, spec in task.SPEC.items():
        assert documented[name]["type"] == spec["type"], name
        assert documented[name].get("default") == spec.get("default"), name
        assert bool(documented[name].get("required")) == bool(spec.get("required")), name
    assert set(documented["store"]["suboptions"]) == set(task.SPEC["store"]["options"])
