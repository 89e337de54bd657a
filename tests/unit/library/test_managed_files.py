"""library/managed_files.py as Ansible starts it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive.sets.system import System

CANARY = "canary-7f3a-secret"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def payload(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"me:x:{os.getgid()}:\n")
    content = base64.b64encode(CANARY.encode()).decode()
    files = [{"path": "/key", "owner": "me", "group": "me", "mode": "0600", "content": content, "secret": True}]
    return {"payload": json.dumps({"files": files})}


def here(tmp_path: Path) -> dict[str, Any]:
    return {"System": lambda: System(str(tmp_path))}


def test_check_predicts_and_the_real_run_writes(run: Run, payload: dict[str, Any], tmp_path: Path) -> None:
    predicted = run("managed_files", payload, check=True, patch=here(tmp_path))
    assert not (tmp_path / "key").exists()
    real = run("managed_files", payload, check=False, patch=here(tmp_path))
    assert real["changes"] == predicted["changes"]
    assert (tmp_path / "key").read_text() == CANARY
    assert run("managed_files", payload, check=False, patch=here(tmp_path))["changed"] is False


def test_the_output_never_holds_the_secret(run: Run, payload: dict[str, Any], tmp_path: Path) -> None:
    for check in (True, False):
        text = run("managed_files", payload, check=check, patch=here(tmp_path))["text"]
        assert CANARY not in text
        assert base64.b64encode(CANARY.encode()).decode() not in text


def test_a_run_that_was_opened_as_drift_changes_nothing(run: Run, payload: dict[str, Any], tmp_path: Path) -> None:
    result = run("managed_files", {**payload, "golive_drift": True}, check=False, patch=here(tmp_path))
    assert result["failed"]
    assert "opened as drift" in result["msg"]
    assert not (tmp_path / "key").exists()
