"""The actions soak, drift_drill, rebuild_drill and log_burst: four runs each, prediction equals reality, nothing outside a rehearsal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golive import rehearsal_signers, session
from golive.errors import GoliveError
from golive.rehearsal import drift, rebuild

from tests.fixtures.plugins import load_action

ROOT = Path(__file__).resolve().parents[3]
RELEASE = "a" * 64
MIB = 1 << 20


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    (tmp_path / "signers/s").mkdir(parents=True)
    shutil.copy(ROOT / "signers/kraken-micro/roles.yml", tmp_path / "signers/s/roles.yml")
    rehearsal_signers.ensure(tmp_path, "s")
    run = tmp_path / "reports/s/20261121T100000Z-aaaaaa"
    run.mkdir(parents=True)
    (run / "release.json").write_text(json.dumps({"artifact": f"sha256:{RELEASE}"}))
    monkeypatch.setattr(session, "ROOT", tmp_path)

    def call(name: str, given: dict[str, Any], *, check: bool = False, rehearsal: bool = True, **patches: Any) -> dict[str, Any]:
        loaded = load_action(name)
        for part, functions in patches.items():
            for one, function in functions.items():
                monkeypatch.setattr(getattr(loaded, part), one, function)
        action = object.__new__(loaded.ActionModule)
        action._task, action._templar = SimpleNamespace(check_mode=check, args={}), SimpleNamespace(template=str)
        action.validate_argument_spec = lambda *_: (None, given)
        action.profile_of = lambda _joined: {"evidence_directory": "evidence", "day_s": 20.0, "paper_continuous_s": 100.0, "hour_s": 10.0}
        joined = SimpleNamespace(system="s", rehearsal=rehearsal, run=SimpleNamespace(path=run, need=lambda _name: {"controls": {}}))
        variables = {"bot_release_sha256": RELEASE, "hostvars": {"bot": {}}, "groups": {"targets": ["bot"]}}
        answer: dict[str, Any] = action.act(joined, "bot", variables)
        return answer

    call.run = run  # type: ignore[attr-defined]
    return call


def objects(answer: dict[str, Any]) -> list[str]:
    return [one["object"] for one in answer["changes"]]


class Sampler:
    """The soak's sampler on a host: samples come as fast as they are asked for."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.taken = 0

    def functions(self) -> dict[str, Any]:
        def begin(*_arguments: Any) -> bool:
            self.begun += 1
            return True

        def samples(_bot: Any) -> list[list[float]]:
            self.taken += 60
            return [[float(n), 7, 0, 40 * MIB] for n in range(self.taken)]

        return {"begin": begin, "samples": samples, "end": lambda _bot: setattr(self, "ended", self.ended + 1)}


def test_a_soak_is_begun_collected_signed_and_not_begun_again(act: Any) -> None:
    sampler = Sampler()
    given = {"unit": "bot-wire.service", "step": "begin"}
    collect = {**given, "step": "collect"}
    dry = [act("soak", one, check=True, soak=sampler.functions()) for one in (given, collect)]
    assert sampler.begun == sampler.ended == 0
    assert objects(act("soak", given, soak=sampler.functions())) == []
    assert sampler.begun == 1
    twice = {"wait_for": lambda question, *_a, **_k: [question(), question()][-1]}
    real = act("soak", collect, soak=sampler.functions(), hosts=twice)
    assert objects(dry[1]) == objects(real) == ["evidence:load/soak_day", "evidence:load/soak_extended"]
    before = sampler.begun
    for one, check in ((given, True), (given, False), (collect, True), (collect, False)):
        assert objects(act("soak", one, check=check, soak=sampler.functions())) == []
    assert sampler.begun == before
    assert sampler.ended >= 1


def test_a_drift_is_put_there_judged_healed_and_not_put_there_again(act: Any) -> None:
    told: list[str] = []
    host = {"inject": lambda _bot: told.append("inject"), "heal": lambda _bot: told.append("heal"), "injected": lambda _bot: True}
    steps = [{"step": "inject"}, {"step": "judge"}]
    dry = [act("drift_drill", one, check=True, drift=host) for one in steps]
    assert told == []
    assert act("drift_drill", steps[0], drift=host)["begun"] is True
    (act.run / "changes.jsonl").write_text(json.dumps({"host": "bot", "object": drift.OBJECT, "op": "update", "check": True}) + "\n")
    real = act("drift_drill", steps[1], drift=host)
    assert objects(dry[1]) == objects(real) == [f"evidence:drill/{drift.NAME}"]
    assert told == ["inject", "heal"]
    assert act("drift_drill", steps[0], drift=host)["begun"] is False
    assert objects(act("drift_drill", steps[1], check=True, drift=host)) == objects(act("drift_drill", steps[1], drift=host)) == []
    assert told == ["inject", "heal"]


def test_a_drift_is_taken_away_also_when_the_judging_fails(act: Any) -> None:
    told: list[str] = []

    def unreachable(_bot: Any) -> bool:
        raise GoliveError("the host was not reached")

    with pytest.raises(GoliveError, match="not reached"):
        act("drift_drill", {"step": "judge"}, drift={"injected": unreachable, "heal": lambda _bot: told.append("heal")})
    assert told == ["heal"]


def built(run: Path, *, check: bool) -> None:
    made = (("dir:/etc/golive", "create"), ("package:x", "install"))
    lines = [{"host": "bot", "object": name, "op": op, "check": check} for name, op in made]
    (run / "changes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))


def test_a_rebuild_is_predicted_where_hosts_would_be_found_bare_and_signed_once(act: Any) -> None:
    built(act.run, check=True)
    dry = act("rebuild_drill", {"names": []}, check=True)
    built(act.run, check=False)
    (act.run / "run.json").write_text(json.dumps({"mode": "real", "started": "2026-11-21T10:00:00Z", "run": act.run.name}))
    (act.run / "paper").mkdir()
    (act.run / "paper/gate.json").write_text(json.dumps({"open": True, "at": "2026-11-21T10:06:00Z", "verdicts": []}))
    real = act("rebuild_drill", {"names": []})
    assert objects(dry) == objects(real) == [f"evidence:drill/{rebuild.NAME}"]
    assert objects(act("rebuild_drill", {"names": []}, check=True)) == objects(act("rebuild_drill", {"names": []})) == []


def test_without_bare_hosts_no_rebuild_is_predicted_and_none_signed(act: Any) -> None:
    assert objects(act("rebuild_drill", {"names": []}, check=True)) == []
    answer = act("rebuild_drill", {"names": []})
    assert objects(answer) == []
    assert "reset the lab's hosts" in answer["told"][0]


def test_a_burst_is_written_once(act: Any) -> None:
    there: list[str] = []
    part = {"rotated": lambda *_a: bool(there), "burst": lambda *_a: there.append("x") or "seen"}
    given = {"path": "/var/log/bot/wire.log", "limit": 10, "user": "bot"}
    dry, real, after, again = (act("log_burst", given, check=check, burst=part) for check in (True, False, True, False))
    assert objects(dry) == objects(real) == ["burst:/var/log/bot/wire.log"]
    assert objects(after) == objects(again) == []
    assert there == ["x"]


@pytest.mark.parametrize(("name", "given"), [
    ("soak", {"unit": "u", "step": "collect"}), ("drift_drill", {"step": "inject"}), ("rebuild_drill", {}),
    ("log_burst", {"path": "/x", "limit": 1, "user": "bot"})])  # fmt: skip
def test_nothing_of_it_outside_a_rehearsal(act: Any, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(GoliveError, match=r"rehearsal|production"):
        act(name, given, rehearsal=False)
