"""plugins/action/exchange_key_permissions.py: the store's reference becomes the key in memory; other references go through untouched."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from golive.errors import GoliveError

PATH = Path(__file__).parents[3] / "plugins/action/exchange_key_permissions.py"
REFERENCE = "vault:kv/x/exchange/live#key"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("action_exchange_key_permissions", PATH)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)

    def resolve(reference: str, *_: Any) -> str:
        if "absent" in reference:
            raise GoliveError("secret %s cannot be had: no such path" % reference)
        return "THE KEY"

    monkeypatch.setattr(loaded.secrets, "resolve", resolve)
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    sent: list[dict[str, Any]] = []

    def start(**arguments: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        action = object.__new__(loaded.ActionModule)
        action._task, action._templar = SimpleNamespace(args=arguments), SimpleNamespace(template=str)
        action._execute_module = lambda **given: sent.append(given["module_args"]) or {"verdict": "pass", "changed": False}
        return action.run(task_vars={}), sent

    return start


def test_a_reference_to_the_store_is_resolved_in_memory(run: Any) -> None:
    arguments = {"venue": "kraken", "credential": REFERENCE}
    result, sent = run(**arguments)
    assert result["verdict"] == "pass"
    assert sent == [{"venue": "kraken", "key_material": "THE KEY"}]
    assert "THE KEY" not in repr(result)
    assert arguments["credential"] == REFERENCE, "the task's own arguments stay as written"


@pytest.mark.parametrize("reference", ["sealed:/etc/x.cred", "file:/run/x", "credential:x", None, 5])
def test_other_references_name_a_place_on_the_target(run: Any, reference: Any) -> None:
    _, sent = run(venue="kraken", credential=reference)
    assert sent == [{"venue": "kraken", "credential": reference}]


def test_a_secret_that_cannot_be_had_fails_without_asking(run: Any) -> None:
    result, sent = run(venue="kraken", credential="vault:kv/absent#key")
    assert (result["failed"], result["changed"], sent) == (True, False, [])
    assert "vault:kv/absent#key" in result["msg"]


def test_a_key_that_is_named_twice_is_refused(run: Any) -> None:
    result, sent = run(venue="kraken", credential=REFERENCE, key_material={"key": "SANDBOXabc"})
    assert (result["failed"], sent) == (True, [])
    assert "SANDBOXabc" not in repr(result)
