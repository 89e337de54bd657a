"""The actions drill, wire_drill and load_drill: only in a rehearsal, about one release; a dry run names what the real one signs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golive import rehearsal_signers, session
from golive.errors import GoliveError
from golive.rehearsal import records

from tests.fixtures.plugins import load_action

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "a" * 64
VARIABLES = {"bot_release_sha256": DIGEST, "bot_release_archive": "/cache/bot.tar.gz"}
# The name of each action, what it runs, and one name that it knows.
ACTIONS = [("drill", "stays_off", "drill"), ("wire_drill", "wire_lost_answer", "drill"), ("load_drill", "nonce_generation", "load")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "signers/s").mkdir(parents=True)
    shutil.copy(ROOT / "signers/kraken-micro/roles.yml", tmp_path / "signers/s/roles.yml")
    rehearsal_signers.ensure(tmp_path, "s")
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(session, "ROOT", tmp_path)

    def run(name: str, *names: str, check: bool = False, rehearsal: bool = True, bound: str | None = DIGEST) -> dict[str, Any]:
        loaded = load_action(name)
        kind = loaded.ActionModule.kind

        def produce(root: Path, system: str, wanted: list[str], directory: Path, *more: Any) -> list[records.Outcome]:
            about = next(one for one in more if isinstance(one, str))
            todo = records.missing(root, system, kind, wanted, directory, about, ())
            payload = {"passed": True, "result": {}, "opportunities": 1, "witness": "venue"}
            return [records.sign(root, system, kind, directory, about, {"name": one, **payload}) for one in todo]

        monkeypatch.setattr(loaded.load if name == "load_drill" else loaded.run, "run", produce)
        if bound is None:
            (tmp_path / "run/release.json").unlink(missing_ok=True)
        else:
            (tmp_path / "run/release.json").write_text(json.dumps({"artifact": f"sha256:{bound}"}))
        action = object.__new__(loaded.ActionModule)
        action._task, action._templar = SimpleNamespace(check_mode=check, args={}), SimpleNamespace(template=str)
        action.validate_argument_spec = lambda *_: (None, {"names": list(names)})
        action.profile_of = lambda _joined: {"evidence_directory": "evidence"}
        run_dir = SimpleNamespace(path=tmp_path / "run", need=lambda _name: {"controls": {}})
        answer: dict[str, Any] = action.act(SimpleNamespace(system="s", rehearsal=rehearsal, run=run_dir), "controller", VARIABLES)
        return answer

    return run


@pytest.mark.parametrize(("action", "name", "kind"), ACTIONS)
def test_check_real_check_real(world: Any, action: str, name: str, kind: str) -> None:
    dry, real, after, again = (world(action, name, check=check) for check in (True, False, True, False))
    assert dry["changes"] == real["changes"] == [{"object": f"evidence:{kind}/{name}", "op": "create", "before": None, "after": None}]
    assert (after["changed"], again["changed"]) == (False, False)


@pytest.mark.parametrize(("action", "name", "_kind"), ACTIONS)
def test_bare_hosts_and_an_old_release_change_nothing_in_what_a_dry_run_names(world: Any, action: str, name: str, _kind: str) -> None:
    world(action, name)
    assert world(action, name, check=True, bound=None)["changed"] is False
    assert world(action, name, check=True, bound="b" * 64)["changed"] is False


@pytest.mark.parametrize(("action", "name", "_kind"), ACTIONS)
def test_nothing_is_drilled_outside_a_rehearsal(world: Any, action: str, name: str, _kind: str) -> None:
    for check in (True, False):
        with pytest.raises(GoliveError, match="only rehearsals"):
            world(action, name, rehearsal=False, check=check)


@pytest.mark.parametrize(("action", "name", "_kind"), ACTIONS)
def test_another_release_than_the_inventorys_is_not_drilled(world: Any, action: str, name: str, _kind: str) -> None:
    with pytest.raises(GoliveError, match="not the one that the hosts hold"):
        world(action, name, bound="b" * 64)


@pytest.mark.parametrize(("action", "_name", "_kind"), ACTIONS)
def test_a_name_that_nobody_wrote_is_told_in_the_dry_run_already(world: Any, action: str, _name: str, _kind: str) -> None:
    with pytest.raises(GoliveError, match="made_up"):
        world(action, "made_up", check=True)


def test_only_what_runs_on_the_hosts_needs_their_release(world: Any) -> None:
    with pytest.raises(GoliveError, match="up to deploy"):
        world("drill", "stays_off", bound=None)
    assert world("wire_drill", "wire_lost_answer", bound=None)["changed"] is True
    assert world("load_drill", "nonce_generation", bound=None)["changed"] is True
