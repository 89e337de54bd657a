"""What the comparison found stands in the audit chain, because arming behind a kill rests on it; a dry run writes nothing there."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golive import acts, bundle, rundir, secrets, session, way_back
from golive.canonical import file_digest
from golive.operate import compare

from tests.fixtures.plugins import load_action


class World:
    """The action with a run of its own; the host's answer is given."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plugin = load_action("reconcile")
        self.run = rundir.RunDir.create(folder / "reports/s")
        self.action: Any = object.__new__(plugin.ActionModule)
        self.action._templar = SimpleNamespace(template=str)
        monkeypatch.setattr(session, "ROOT", folder)
        monkeypatch.setattr(session, "system_of", lambda _sources: "s")
        monkeypatch.setattr(session, "kind_of", lambda _groups: "rehearsal")
        monkeypatch.setattr(rundir, "current", lambda _reports: self.run)
        monkeypatch.setattr(secrets, "resolve", lambda *_: "key")
        monkeypatch.setattr(bundle, "script", lambda *_: b"")
        monkeypatch.setattr(session, "answers", lambda *_: [])
        monkeypatch.setattr(compare, "verdict", lambda *_: self.found)
        monkeypatch.setattr(self.action, "streamed", lambda *_: {"stdout": ""})
        monkeypatch.setattr(plugin.OperateAction.__mro__[1], "run", lambda *_: {})

    def __call__(self, differences: list[str], *, check: bool = False, instance: str = "live") -> dict[str, Any]:
        self.found = {"equal": not differences, "compared": 3, "venue_orders": 3, "differences": differences}
        arguments = {"instance": instance, "path": "/l", "url": "https://venue", "ca_file": "", "credential": "vault:kv/s#k", "settle_s": 1,
                     "window_s": 60}
        self.action._task = SimpleNamespace(args=arguments, check_mode=check)
        given = dict(arguments)
        self.action.validate_argument_spec = lambda _spec: (None, given)
        result: dict[str, Any] = self.action.run(task_vars={"inventory_hostname": "bot", "inventory_file": "x", "groups": {}})
        return result

    def lines(self) -> list[dict[str, Any]]:
        return list(acts.log_of(self.run).verify().lines)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("differences", [[], ["order A: not in the ledger", "fee of B"]])
def test_what_was_found_is_noted_with_the_digest_of_its_record(world: World, differences: list[str]) -> None:
    done = world(differences)
    assert bool(done.get("failed")) is bool(differences)
    (line,) = world.lines()
    record = world.run.path / "reconcile/bot.live.json"
    assert (line["act"], line["subject"]) == (way_back.RECONCILED, "bot")
    assert line["detail"] == {"instance": "live", "equal": not differences, "differences": len(differences),
                              "record": file_digest(str(record))}


def test_a_dry_run_notes_nothing(world: World) -> None:
    world([], check=True)
    assert not (world.run.path.parent / "audit.jsonl").exists()


def test_the_noted_line_is_what_arming_behind_a_kill_asks_for(world: World) -> None:
    before = datetime.now(UTC) - timedelta(seconds=60)
    acts.note(world.run, "arm.begin", "bot", {"ticket": "t", "epoch": 1})
    acts.note(world.run, "arm.done", "bot", {"ticket": "t"})
    epoch = int(datetime.now(UTC).timestamp())

    def missing() -> str:
        kill = way_back.unanswered(world.lines(), "bot", epoch, datetime.now(UTC))
        assert kill is not None
        return " ".join(way_back.reasons(kill, world.lines(), "bot", [], system="s", alone=False, pause_s=0, now=before))
    assert "not held against the venue" in missing()
    world([], instance="wire")
    assert "not held against the venue" in missing()
    world([])
    assert "not held against the venue" not in missing()
