"""The set modules without AnsiballZ: what is streamed, what comes back, and what is said when nothing does."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from golive.sets.acting import SetAction
from golive.sets.spec import MODULES

from tests.fixtures.plugins import load_action

SECRET = "hunter2-of-the-payload"
ABSENT = "/golive-there-is-no-such-directory"


class Host:
    """A task of one set module on this machine; only dry runs are asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, *, pipelining: bool = True) -> None:
        monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
        monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
        self.modules: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        self.action = object.__new__(load_action(name).ActionModule)
        self.action._templar = SimpleNamespace(template=lambda value: value)
        self.action._connection = SimpleNamespace(is_pipelining_enabled=lambda: pipelining,
                                                  _shell=SimpleNamespace(env_prefix=lambda **_: ""))
        self.action._execute_module = lambda **given: self.modules.append(given) or {"changed": False, "changes": []}
        self.action._low_level_execute_command = self._command

    def _command(self, command: str, in_data: bytes, sudoable: bool) -> dict[str, Any]:
        assert sudoable
        assert command == "/usr/bin/python3 -ISE -"
        if self.answer is not None:
            return self.answer
        done = subprocess.run([sys.executable, "-ISE", "-"], input=in_data, capture_output=True, check=False, timeout=30)
        return {"rc": done.returncode, "stdout": "welcome\n" + done.stdout.decode(), "stderr": done.stderr.decode()}

    def __call__(self, *, check: bool = True, **arguments: Any) -> dict[str, Any]:
        self.action._task = SimpleNamespace(args=arguments, environment=None, check_mode=check)
        found: dict[str, Any] = self.action.run(task_vars={"inventory_hostname": "bot"})
        return found


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    return Host(monkeypatch, tmp_path, "managed_files")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_module_and_stream_carry_out_the_same(name: str) -> None:
    """One function behind both ways, named by the action, by the module's only import of a set."""
    action: type[SetAction] = load_action(name).ActionModule
    assert name == action.MODULE
    assert callable(importlib.import_module(action.SET).perform)
    tree = ast.parse((Path(__file__).parents[3] / "library" / f"{name}.py").read_text("utf-8"))
    performs = [one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and any(two.name == "perform" for two in one.names)]
    assert performs == [f"ansible.module_utils.{action.SET}"]


def test_a_dry_run_predicts_over_the_stream(files: Host) -> None:
    found = files(directories=[{"path": ABSENT}])
    assert [(one["object"], one["op"]) for one in found["changes"]] == [(f"dir:{ABSENT}", "create")]
    assert found["changed"]
    assert not files.modules
    assert not Path(ABSENT).exists()


def test_what_stands_in_the_way_is_a_failure_in_the_hosts_words(files: Host) -> None:
    found = files(links=[{"path": "/etc", "to": ABSENT}])
    assert found["failed"]
    assert "/etc" in found["msg"]


def test_a_connection_that_cannot_stream_gets_the_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = Host(monkeypatch, tmp_path, "packages", pipelining=False)
    assert host(present=["nftables"])["changed"] is False
    assert host.modules[0]["module_name"] == "packages"
    assert host.modules[0]["module_args"] == {"present": ["nftables"], "absent": [], "sources": [], "golive_drift": False}


@pytest.mark.parametrize(("given", "said"), [
    ({"rc": 127, "stdout": "", "stderr": ""}, "there is no Python at /usr/bin/python3"),
    ({"rc": 137, "stdout": "", "stderr": ""}, "killed"),
    ({"rc": 1, "stdout": "", "stderr": "sudo: a password is required\n"}, "sudo: a password is required"),
    ({"rc": 1, "stdout": "", "stderr": f"  P = '{SECRET}'\nSyntaxError: invalid syntax\n"}, "did not finish"),
    ({"rc": 0, "stdout": "half of an answ", "stderr": ""}, "did not finish"),
])
def test_no_answer_is_a_failure_that_says_why_and_quotes_no_program(files: Host, given: dict[str, Any], said: str) -> None:
    files.answer = given
    found = files(directories=[{"path": ABSENT}])
    assert found["failed"]
    assert not found["changed"]
    assert said in found["msg"]
    assert "bot" in found["msg"]
    assert SECRET not in found["msg"]


def test_a_defect_is_named_by_its_place_and_not_by_what_was_given(files: Host) -> None:
    files.action.arguments = lambda *_: {"payload": f'{{"files": [{{"path": "/x", "content": "{SECRET}"}}]}}'}
    found = files()
    assert found["failed"]
    assert "golive has a defect: " in found["msg"]
    assert "golive.sets.managed_files:" in found["msg"]
    assert SECRET not in str(found)
