"""The controller's side: what a dry run predicted so far is known to later tasks, host by host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible import constants
from golive import secrets
from golive.sets.acting import Predictions, given_only, told_as_drift
from golive.sets.content_action import SecretAction

DIRECTORY = {"object": "dir:/etc/golive", "op": "create", "before": None, "after": "0755 root:root"}


def test_two_roles_that_want_the_same_predict_it_once(tmp_path: Path) -> None:
    bot = Predictions("bot", str(tmp_path))
    bot.add([DIRECTORY])
    assert bot.new([DIRECTORY, {**DIRECTORY, "object": "dir:/etc/bot"}]) == [{**DIRECTORY, "object": "dir:/etc/bot"}]


def test_another_wish_for_the_same_object_is_another_change(tmp_path: Path) -> None:
    bot = Predictions("bot", str(tmp_path))
    bot.add([DIRECTORY])
    other = {**DIRECTORY, "op": "update", "after": "0700 root:root"}
    assert bot.new([other]) == [other]


def test_hosts_do_not_see_each_others_predictions(tmp_path: Path) -> None:
    Predictions("bot", str(tmp_path)).add([DIRECTORY])
    assert Predictions("guard", str(tmp_path)).all() == []


def test_what_was_left_out_is_not_sent_and_what_is_empty_is() -> None:
    assert given_only({"a": None, "b": "", "c": [{"d": None, "e": 0}], "f": {"g": None}}) == {"b": "", "c": [{"e": 0}], "f": {}}


def test_what_stands_in_the_way_is_told_by_drift_beside_what_else_differs() -> None:
    found = told_as_drift({"failed": True, "msg": "x", "changed": False, "changes": [DIRECTORY], "problems": ["/etc/x is a link"]})
    named = [(one["object"], one["op"]) for one in found["changes"]]
    assert named == [("dir:/etc/golive", "create"), ("problem:/etc/x is a link", "blocked")]
    assert found["changed"]
    assert "failed" not in found


def test_a_module_that_failed_without_naming_a_problem_is_a_difference_too() -> None:
    found = told_as_drift({"failed": True, "msg": "/etc/x: the operating system refused", "problems": []})
    assert [one["object"] for one in found["changes"]] == ["problem:/etc/x: the operating system refused"]
    assert told_as_drift({"failed": True})["changed"]


def test_a_secret_that_a_dry_run_would_have_rotated_is_one_that_no_host_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(secrets, "resolve", lambda reference, *_: f"value of {reference}")
    action = SecretAction.__new__(SecretAction)
    action._templar = SimpleNamespace(template=None)
    Predictions.of_store().add([{"object": "vault_secret:vault:kv/x/one#token", "op": "update", "after": None}])
    ask = [action.secret(f"vault:kv/x/{name}#token", {}, dry) for name, dry in (("one", True), ("two", True), ("one", False))]
    assert ask[0] not in (b"value of vault:kv/x/one#token", action.secret("vault:kv/x/one#token", {}, True))
    assert ask[1:] == [b"value of vault:kv/x/two#token", b"value of vault:kv/x/one#token"]
    assert Predictions("controller").all() == []
