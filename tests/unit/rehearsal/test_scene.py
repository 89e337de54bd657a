"""What a drill does to the live unit: its own numbers, its own places, and no way in which it could arm the host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.operate import incident, restart
from golive.rehearsal.drills import changing, expiry, guarding, hosts, keeping, kill, returning, run, scene
from golive.rehearsal.drills.scene import InUse

ROOT = Path(__file__).resolve().parents[3]
UNIT = """[Service]
ExecCondition=+/usr/bin/python3 -I /usr/local/lib/golive/ticket.py check
ExecStartPre=/usr/bin/python3 -I /usr/local/lib/golive/exchange_key.pyz \\
  --nonce-source file --nonce-file /var/lib/bot/live/nonce \\
  --one-line
ExecStart=/opt/bot/current/app/bin/bot run
"""


def test_what_the_unit_asks_before_its_start_is_asked_with_the_drills_numbers() -> None:
    lines = scene.asked_before(UNIT).splitlines()
    assert lines[0] == "ExecStartPre="
    assert len(lines) == 2
    assert f"--nonce-file {scene.STATE}/nonce" in lines[1]
    assert "/var/lib/bot/live" not in lines[1]
    assert lines[1].endswith("--one-line")


def test_a_unit_that_asks_nothing_is_given_nothing() -> None:
    assert scene.asked_before("[Service]\nExecStart=x\n") == "ExecStartPre="


def test_every_drop_in_takes_the_real_key_the_real_state_and_the_real_ticket_away() -> None:
    for unit in (scene.LIVE_UNIT, kill.FLOOD_UNIT, changing.RELEASE_UNIT, expiry.TICKET_UNIT):
        lines = unit.splitlines()
        assert lines.index("ExecCondition=") < lines.index("LoadCredentialEncrypted=") < lines.index("LoadCredential=")
        assert scene.BEFORE_START in unit
        real = unit.replace(expiry.ROOT, "")
        assert real.count("/etc/golive/arm") == unit.count(f"{expiry.ROOT}/etc/golive/arm")
        assert real.count("/etc/bot/live.json") == unit.count(f"{expiry.ROOT}/etc/bot/live.json")
        assert "/var/lib/bot/live" not in unit


def test_the_ticket_drill_asks_the_installed_verifier_and_no_other_place() -> None:
    conditions = [one for one in expiry.TICKET_UNIT.splitlines() if one.startswith("ExecCondition=")]
    asked = f"/usr/bin/python3 -I /usr/local/lib/golive/ticket.py --root {expiry.ROOT} check"
    assert conditions == ["ExecCondition=", f"ExecCondition=+{asked}"]
    assert f"LoadCredentialEncrypted=exchange_key:{expiry.ARM}/exchange_key.cred" in expiry.TICKET_UNIT.splitlines()
    assert expiry.ROOT.startswith("/run/")


@pytest.mark.parametrize(("module", "places"), [(restart, returning.RESTART_PLACES), (incident, returning.INCIDENT_PLACES)])
def test_the_operating_procedures_still_have_the_places_that_a_drill_moves(module: ModuleType, places: dict[str, str]) -> None:
    source = Path(str(module.__file__)).read_text("utf-8")
    for there, here in places.items():
        assert there in source
        assert (here % "live").startswith((scene.FOLDER, "/var/lib/bot/drill"))


def answering(monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """Let the host answer with a line, its nonce filled in; returns what was sent."""
    sent: list[str] = []

    def done(_self: Any, *_command: str, stdin: str = "", **_more: Any) -> Any:
        sent.append(stdin)
        nonce = stdin.rpartition('\\"nonce\\": \\"')[2].partition('\\"')[0]
        return SimpleNamespace(stdout=line.replace("NONCE", nonce), returncode=1)

    monkeypatch.setattr(hosts.Host, "run", done)
    return sent


def test_a_procedure_runs_at_the_drills_places(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = answering(monkeypatch, '--golive NONCE {"changes": []}\n')
    answer = hosts.of("bot", {}).ask(restart, {"instance": "live", "step": "halt", "check": False}, returning.RESTART_PLACES)
    assert answer == {"changes": []}
    assert f"{scene.FOLDER}/control/%s/no_entries" in sent[0]
    assert '"/run/bot/%s/no_entries"' not in sent[0]


@pytest.mark.parametrize(("line", "words"), [('--golive NONCE {"problem": "it did not stop"}', "did not stop"), ("Trace", "no answer")])
def test_what_a_procedure_could_not_do_fails_the_drill_in_its_words(monkeypatch: pytest.MonkeyPatch, line: str, words: str) -> None:
    answering(monkeypatch, line)
    with pytest.raises(GoliveError, match=words):
        hosts.of("bot", {}).ask(restart, {"step": "halt"})


def test_a_procedure_whose_places_have_changed_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = answering(monkeypatch, "")
    with pytest.raises(GoliveError, match="no such place any more"):
        hosts.of("bot", {}).ask(restart, {}, {"/run/somewhere/else": "/run/x"})
    assert sent == []


def test_a_configuration_is_changed_section_by_section() -> None:
    merged = scene.merged({"a": 1, "risk": {"x": 1, "y": 2}}, {"risk": {"y": 3}, "b": {"c": 4}})
    assert merged == {"a": 1, "risk": {"x": 1, "y": 3}, "b": {"c": 4}}


def test_machines_are_cleared_before_the_bots_host_and_the_ticket_timer_runs_again() -> None:
    told: list[tuple[str, str]] = []

    class Heard(hosts.Host):
        def run(self, *command: str, **_more: Any) -> Any:
            told.append((self.name, " ".join(command)))
            return subprocess.CompletedProcess(command, 0, "", "")

    scene.Scene(Heard("bot", "192.0.2.1", ()), {"guard": Heard("guard", "192.0.2.2", ())}, SimpleNamespace(), "", "", []).clear()  # type: ignore[arg-type]
    assert [name for name, _ in told] == ["guard", "bot"]
    assert f"systemctl start {scene.TICKET_TIMER}" in told[1][1]
    for place in (scene.FOLDER, scene.DROP_INS, scene.STATE, scene.DRILL_RELEASES):
        assert place in told[1][1]


def stop(name: str, kind: str = "stop-loss", side: str = "sell") -> dict[str, str]:
    return {"id": name, "type": kind, "side": side}


def test_only_resting_selling_stops_protect() -> None:
    opened = [stop("a"), stop("b", "limit"), stop("c", side="buy"), stop("d", "stop-loss-limit")]
    assert changing.stops({"orders": {"open": opened}}) == {"a", "d"}


@pytest.mark.parametrize("exception", [KeyError("key"), ValueError("secret-text"), TypeError("x")])
def test_an_answer_of_another_form_is_a_failed_drill_that_shows_nothing_of_it(exception: Exception) -> None:
    class Stage:
        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_exc: object) -> None:
            return None

    def drill(_scene: Any) -> Any:
        raise exception

    payload = run.measure("x", drill, Stage)
    assert payload["passed"] is False
    assert "secret-text" not in json.dumps(payload)


def test_an_account_in_use_is_no_record() -> None:
    def busy() -> Any:
        raise InUse("the live unit is trading")

    with pytest.raises(InUse):
        run.measure("x", lambda _scene: ({}, 1), busy)


class Keeper:
    """The keeper's side of a restore, as far as a drill reads it."""

    def __init__(self, records: dict[str, int], problem: str = "", fresh: bool = True) -> None:
        self.records, self.problem, self.fresh, self.fetched = records, problem, fresh, 0

    def run(self, *command: str, **_more: Any) -> Any:
        if command[0] == "systemctl":
            self.fetched += 1
        answer = {"records_match": True, "checksums_match": True, "rto_s": 0.1, "taken": "x", "files": 2, "problem": self.problem}
        shown = f"/copies/config-{self.fetched if self.fresh else 0}.manifest.json"
        return SimpleNamespace(stdout=shown if command[0] == "sh" else json.dumps(answer), returncode=0)

    def need(self, *command: str, **_more: Any) -> str:
        return json.dumps({"records": self.records}) if "manifest" in command[1] else "keeper"


def restored(keeper: Any, monkeypatch: pytest.MonkeyPatch, machine: str = "bot") -> Any:
    monkeypatch.setattr(hosts.time, "sleep", lambda _s: None)
    monkeypatch.setattr(keeping, "wait_for", lambda question, what, **_more: hosts.wait_for(question, what, 0, 0))
    bot = SimpleNamespace(need=lambda *_command: machine)
    variables = {"backup_keeper": "guard", "backup_copy_directory": "/copies"}
    return keeping.restore(SimpleNamespace(bot=bot, machines={"guard": keeper}, variables=variables))  # type: ignore[arg-type]


def test_a_restore_counts_its_records_and_needs_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    result, records = restored(Keeper({"/var/lib/bot/wire/ledger.jsonl": 7}), monkeypatch)
    assert (records, result["other_host"]) == (7, True)
    assert restored(Keeper({"a": 1}), monkeypatch, machine="keeper")[0]["other_host"] is False


@pytest.mark.parametrize(("keeper", "words"), [(Keeper({}), "no record"), (Keeper({"a": 1}, problem="age cannot open it"), "age cannot")])
def test_a_restore_of_nothing_or_of_what_does_not_open_fails(monkeypatch: pytest.MonkeyPatch, keeper: Any, words: str) -> None:
    with pytest.raises(GoliveError, match=words):
        restored(keeper, monkeypatch)


def test_an_old_backup_is_not_taken_for_the_one_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(hosts.NotSeen, match="fetched"):
        restored(Keeper({"a": 1}, fresh=False), monkeypatch)


def test_a_stimulus_that_is_not_acted_on_is_named() -> None:
    missed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guarding, "wait_for", lambda question, what, **_more: hosts.wait_for(question, what, 0, 0))
        assert guarding._seen(missed, "foreign_order", lambda: False) is None
        assert guarding._seen(missed, "exposure", lambda: 0.7) == 0.7
    assert missed == ["foreign_order"]
