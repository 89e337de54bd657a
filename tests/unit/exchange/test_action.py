"""plugins/action/exchange_key_permissions.py: the store's reference becomes the key in memory; the question is streamed."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.action import ActionBase
from golive.errors import GoliveError

from tests.fixtures.plugins import load_action

REFERENCE = "vault:kv/x/exchange/live#key"
MATERIAL = {"key": "SANDBOXx0001", "secret": base64.b64encode(b"secret42" * 8).decode()}


class Action:
    """The plugin in a world of its own: what it sends as a module, and what it streams to this Python."""

    def __init__(self, loaded: Any, *, pipelining: bool) -> None:
        self.modules: list[dict[str, Any]] = []
        self.commands: list[str] = []
        self.answer: dict[str, Any] | None = None  # instead of running what is streamed
        self.action = object.__new__(loaded.ActionModule)
        self.action._templar = SimpleNamespace(template=str)
        self.action._connection = SimpleNamespace(
            is_pipelining_enabled=lambda: pipelining, _shell=SimpleNamespace(env_prefix=lambda **_: "NAME=value")
        )
        self.action._execute_module = lambda **given: self.modules.append(given["module_args"]) or {"verdict": "pass", "changed": False}
        self.action._low_level_execute_command = self._command

    def _command(self, command: str, in_data: bytes, sudoable: bool) -> dict[str, Any]:
        assert sudoable
        self.commands.append(command)
        if self.answer is not None:
            return self.answer
        done = subprocess.run([sys.executable, "-ISE", "-"], input=in_data, capture_output=True, check=False, timeout=30)
        self.said = (done.stdout + done.stderr).decode()
        return {"rc": done.returncode, "stdout": "welcome to this host\n" + done.stdout.decode(), "stderr": done.stderr.decode()}

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        self.action._task = SimpleNamespace(args=arguments, environment=None)
        result: dict[str, Any] = self.action.run(task_vars={"inventory_hostname": "bot", "ansible_python_interpreter": "/opt/python"})
        return result


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    plugin = load_action("exchange_key_permissions")

    def resolve(reference: str, *_: Any) -> str:
        if "absent" in reference:
            raise GoliveError("secret %s cannot be had: no such path" % reference)
        return "THE KEY"

    monkeypatch.setattr(plugin.secrets, "resolve", resolve)
    monkeypatch.setattr(ActionBase, "run", lambda *_a, **_k: {})
    return plugin


@pytest.fixture
def sends(loaded: Any) -> Action:
    return Action(loaded, pipelining=False)


@pytest.fixture
def streams(loaded: Any) -> Action:
    return Action(loaded, pipelining=True)


def test_a_reference_to_the_store_is_resolved_in_memory(sends: Action) -> None:
    arguments = {"venue": "kraken", "credential": REFERENCE}
    result = sends(**arguments)
    assert result["verdict"] == "pass"
    assert sends.modules == [{"venue": "kraken", "key_material": "THE KEY"}]
    assert "THE KEY" not in repr(result)
    assert arguments["credential"] == REFERENCE, "the task's own arguments stay as written"


@pytest.mark.parametrize("reference", ["sealed:/etc/x.cred", "file:/run/x", "credential:x", None, 5])
def test_other_references_name_a_place_on_the_target(sends: Action, reference: Any) -> None:
    sends(venue="kraken", credential=reference)
    assert sends.modules == [{"venue": "kraken", "credential": reference}]


def test_a_secret_that_cannot_be_had_fails_without_asking(streams: Action) -> None:
    result = streams(venue="kraken", credential="vault:kv/absent#key")
    assert (result["failed"], result["changed"], streams.commands) == (True, False, [])
    assert "vault:kv/absent#key" in result["msg"]


def test_a_key_that_is_named_twice_is_refused(streams: Action) -> None:
    result = streams(venue="kraken", credential=REFERENCE, key_material={"key": "SANDBOXabc"})
    assert (result["failed"], streams.commands) == (True, [])
    assert "SANDBOXabc" not in repr(result)


def test_where_a_connection_streams_no_module_is_sent(streams: Action) -> None:
    result = streams(venue="kraken", rehearsal=True, key_material=MATERIAL)
    assert (streams.modules, streams.commands) == ([], ["NAME=value /opt/python -ISE -"])
    assert (result["verdict"], result["failed"], result["changed"], result["changes"]) == ("undecided", True, False, [])
    assert "nonce_source" in result["undecided"][0]
    assert MATERIAL["secret"] not in streams.said + repr(result)
    assert streams(venue="kraken", rehearsal=True, key_material=MATERIAL, enforce=False).get("failed") is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"venue": None}, "venue"),
        ({"key_material": None}, "credential"),
        ({"credential": "file:/run/x"}, "key_material"),
        ({"timeout": "soon"}, "timeout"),
        ({"nonce_source": "sometimes"}, "nonce_source"),
        ({"ip_allowlist": {"match": "equal"}}, "match"),
        ({"surprise": 1}, "surprise"),
        ({"venue": "krakn"}, "venue"),  # from here on the host says it
        ({"ca_file": "/no/such/ca.pem"}, "/no/such/ca.pem"),
        ({"key_material": {"key": "SANDBOXx0001", "kQH5HW": "SANDBOXyyyy"}}, "key_material"),
        ({"key_material": None, "credential": "file:/no/such/file"}, "/no/such/file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_that_names_the_option(streams: Action, arguments: dict[str, Any], named: str) -> None:
    given = {"venue": "kraken", "rehearsal": True, "key_material": MATERIAL, "nonce_source": "own_key", **arguments}
    result = streams(**{name: value for name, value in given.items() if value is not None})
    assert result["failed"]
    assert named in result["msg"]
    assert len(result["msg"].splitlines()) == 1
    assert "Traceback" not in repr(result)
    assert not any(word in repr(result) for word in ("kQH5HW", "SANDBOXx0001", MATERIAL["secret"]))


def test_a_path_is_expanded_on_the_host(streams: Action) -> None:
    result = streams(venue="kraken", rehearsal=True, key_material=MATERIAL, ca_file="~/no/such/ca.pem")
    assert str(Path.home() / "no/such/ca.pem") in result["msg"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"rc": 127, "stdout": "", "stderr": ""}, "no Python at /opt/python"),
        ({"rc": 137, "stdout": "", "stderr": ""}, "killed"),
        ({"rc": 1, "stdout": "--golive 0000 " + json.dumps([{"verdict": "pass"}]), "stderr": "Traceback"}, "did not finish"),
    ],
)
def test_an_answer_that_is_not_there_is_no_verdict(streams: Action, answer: dict[str, Any], words: str) -> None:
    streams.answer = answer
    result = streams(venue="kraken", rehearsal=True, key_material=MATERIAL)
    assert result["failed"]
    assert "verdict" not in result
    assert words in result["msg"]
    assert result["msg"].startswith("bot: ")
