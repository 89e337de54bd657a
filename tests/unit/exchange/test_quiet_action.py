"""plugins/action/quiet_key.py: two questions, the profile's wait between them, one signed record; nothing in a dry run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golive.errors import GoliveError

from tests.fixtures.plugins import load_action

KEY_TEXT = "THE KEY"
FIRST = {"nonce.spent": "1795257720290", "key_fingerprint": "a" * 16, "venue": "kraken", "nonce_window": 0}
QUIET = {**FIRST, "nonce.spent": "1795257720291", "quiet.moved_by_others": False, "quiet.waited_s": 301.0}
VALUES = {
    "evidence_directory": "evidence", "exchange_key_credential": "vault:kv/x#key", "exchange_venue": "kraken",
    "bot_live_starters": ["bot-live.service"], "exchange_key_quiet_s": 300, "bot_nonce_unit": "us",
}  # fmt: skip


@pytest.fixture
def drill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    loaded = load_action("quiet_key")
    monkeypatch.setattr(loaded.secrets, "resolve", lambda *_: KEY_TEXT)
    monkeypatch.setattr(loaded.subject, "of", lambda *_: "sha256:" + "1" * 64)
    monkeypatch.setattr(loaded.rehearsal_signers, "key_of", lambda *_: tmp_path / "key")
    monkeypatch.setattr(loaded.envelope, "reader", lambda *_a, **_k: SimpleNamespace(read_all=lambda *_: (world.held, [])))
    world = SimpleNamespace(held=[], asked=[], rests=[], written=[], answers=[FIRST, QUIET])

    def write(directory: Path, data: bytes, key: Path, principal: str) -> Path:
        world.written.append((json.loads(data), key, principal))
        return directory / "quiet_key-1.json"

    monkeypatch.setattr(loaded.envelope, "write", write)

    def run(check: bool = False, rehearsal: bool = True, **given: Any) -> dict[str, Any]:
        action = object.__new__(loaded.ActionModule)
        action._task, action._templar, action.rest = (
            SimpleNamespace(check_mode=check, args=given),
            SimpleNamespace(template=str),
            world.rests.append,
        )
        action.validate_argument_spec = lambda *_: (None, {"issuer": "lab-drill", "key": None, "lasts_days": 90.0, **given})
        action.profile_of = lambda _joined: VALUES

        def execute(module_args: dict[str, Any], **_: Any) -> dict[str, Any]:
            world.asked.append(module_args)
            return {"facts": world.answers[len(world.asked) - 1]}

        action._execute_module, action._connection = execute, SimpleNamespace(is_pipelining_enabled=lambda: False)
        joined = SimpleNamespace(system="kraken-micro", rehearsal=rehearsal, run=SimpleNamespace(path=tmp_path))
        answer: dict[str, Any] = action.act(joined, "bot", {})
        return answer

    return SimpleNamespace(run=run, world=world)


def test_a_quiet_key_gets_a_signed_record(drill: Any) -> None:
    answer = drill.run()
    assert drill.world.rests == [300.0]
    assert [asked.get("quiet_since") for asked in drill.world.asked] == [None, FIRST["nonce.spent"]]
    assert {(asked["nonce_source"], asked["nonce_unit"]) for asked in drill.world.asked} == {("bot_stopped", "us")}
    record, _, issuer = drill.world.written[0]
    assert (record["kind"], record["payload"]["passed"], issuer) == ("drill", True, "lab-drill")
    assert KEY_TEXT not in json.dumps(record) + repr(answer)


def test_a_used_key_is_recorded_and_fails(drill: Any) -> None:
    drill.world.answers[1] = {**QUIET, "quiet.moved_by_others": True}
    with pytest.raises(GoliveError, match="somebody used"):
        drill.run()
    assert drill.world.written[0][0]["payload"]["passed"] is False


def test_a_dry_run_asks_and_signs_nothing(drill: Any) -> None:
    assert drill.run(check=True)["asked"] is False
    assert (drill.world.asked, drill.world.written, drill.world.rests) == ([], [], [])


def test_a_record_that_holds_is_not_made_twice(drill: Any) -> None:
    drill.world.held = [SimpleNamespace(id="old", subject="sha256:" + "1" * 64, payload={"name": "quiet_key", "passed": True})]
    assert drill.run()["record"] == "old"
    assert drill.world.asked == []


def test_a_first_question_that_was_not_asked_signs_nothing(drill: Any) -> None:
    drill.world.answers[0] = {"reason": "bot-live.service is active", "key_fingerprint": "a" * 16}
    with pytest.raises(GoliveError, match="could not be asked"):
        drill.run()
    assert (drill.world.written, drill.world.rests) == ([], [])


def test_production_needs_somebody_who_signs(drill: Any) -> None:
    with pytest.raises(GoliveError, match="who signs drills"):
        drill.run(rehearsal=False)
    assert drill.world.asked == []
