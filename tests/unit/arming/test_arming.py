"""The gate is a precondition of the act: whatever walks around it, edits it or ages it, arming is refused and the reason is named."""
from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from golive import arming, audit, canonical, epoch
from golive.arming import BEFORE_ARMING, Record, Wish

from tests.fixtures import people as p

RUN = "20261121T115000Z-abcdef"
AT = "2026-11-21T11:58:00Z"
GROUPS = {"rehearsal": [], "production": ["bot", "controller"], "bots": ["bot"], "kill_machines": ["guard"]}
CONTROLS = {"a.b": {"id": "a.b", "drift": True, "severity": "critical"}, "wire.x": {"id": "wire.x", "drift": False, "severity": "critical"}}
SUBJECT = {name: p.make_ticket()["release"][name] for name in ("artifact", "tree", "config")}


def verdict(control: str = "a.b", **changes: Any) -> dict[str, Any]:
    return {"control": control, "subject": "bot", "vantage": "target", "host": "bot", "severity": "critical", "verdict": "pass", "at": AT,
            "closes": False, **changes}


def chain_of(entries: list[tuple[str, str, str, dict[str, Any]]], at: str = AT) -> audit.Chain:
    lines, prev = b"", audit.GENESIS
    for seq, (run, act, subject, detail) in enumerate(entries, start=1):
        line = {"seq": seq, "at": at, "run": run, "actor": "anna", "act": act, "subject": subject, "detail": detail, "prev": prev}
        prev = line["hash"] = audit.line_hash(line)
        lines += canonical.encode(line) + b"\n"
    return audit.check(lines)


def world() -> tuple[Record, Wish]:
    profile = {"values": {"signoff_people": "pair", "risk": 1}, "scaled": {}}
    gates = {phase: {"phase": phase, "open": True, "at": AT, "verdicts": [verdict()], "closing": []} for phase in BEFORE_ARMING}
    digests = {phase: canonical.digest(phase.encode()) for phase in BEFORE_ARMING}
    chain = chain_of([("earlier", "arm.begin", "bot", {}), *((RUN, "gate", phase, {"digest": digests[phase]}) for phase in BEFORE_ARMING)])
    frozen = {"profile": canonical.digest(profile), "catalogue": canonical.digest(CONTROLS), "checklist": canonical.digest([]),
              "golive": "sha256:" + "9" * 64}
    ticket = p.make_ticket(release={**frozen, **SUBJECT}, audit_head=f"1:{chain.lines[0]['hash']}")
    record = Record({"run": RUN, "system": "s", "mode": "real", "rehearsal": False, "started": AT, "release": frozen, "groups": GROUPS,
                     "extra_vars": [], "shadowing": []}, profile, {"controls": CONTROLS, "checklist": []}, SUBJECT, gates, digests,
                    {phase: [verdict()] for phase in BEFORE_ARMING}, None, chain)
    return record, Wish(RUN, "s", "bot", GROUPS, ticket, "pair")


def told(record: Record, wish: Wish, **how: Any) -> str:
    return " | ".join(arming.reasons(record, wish, p.NOW, **how))


def test_a_whole_open_fresh_run_may_arm() -> None:
    record, wish = world()
    assert arming.reasons(record, wish, p.NOW) == []


@pytest.mark.parametrize(("phase", "changes", "again"), [
    ("deploy", {}, ["deploy"]), ("deploy", {"severity": "high"}, []), ("deploy", {"control": "wire.x"}, []),
    ("deploy", {"verdict": "not_applicable"}, []), ("deploy", {"at": None}, ["deploy"]), ("live", {}, [])])
def test_phases_with_a_critical_observation_older_than_half_of_what_arming_admits_are_observed_again(
        phase: str, changes: dict[str, Any], again: list[str]) -> None:
    record, _ = world()
    old = verdict(**{"at": "2026-11-21T11:54:30Z", **changes})
    gates = {**record.gates, phase: {"verdicts": [verdict(), old]}}
    assert arming.aged(gates, CONTROLS, p.NOW) == again
    assert arming.aged(record.gates, CONTROLS, p.NOW) == []


def info(**changes: Any) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (replace(record, info={**record.info, **changes}), wish)


def gate(phase: str, change: dict[str, Any] | None) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    def spoil(record: Record, wish: Wish) -> tuple[Record, Wish]:
        changed = None if change is None else {**(record.gates[phase] or {}), **change}
        return replace(record, gates={**record.gates, phase: changed}), wish

    return spoil


def rejudged(phase: str, *verdicts: dict[str, Any]) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (replace(record, rejudged={**record.rejudged, phase: list(verdicts)}), wish)


def with_record(**changes: Any) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (replace(record, **changes), wish)


def with_wish(**changes: Any) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (record, replace(wish, **changes))


def ticket(**changes: Any) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (record, replace(wish, ticket={**wish.ticket, **changes}))


def released(**changes: Any) -> Callable[[Record, Wish], tuple[Record, Wish]]:
    return lambda record, wish: (record, replace(wish, ticket={**wish.ticket, "release": {**wish.ticket["release"], **changes}}))


OTHER = "sha256:" + "f" * 64


@pytest.mark.parametrize(("words", "spoil"), [
    ("would walk around a gate", with_wish(flags=("--start-at-task",))),
    ("would walk around a gate", with_wish(flags=("--limit", "--tags"))),
    ("-e overrides profile variables: risk; write", info(shadowing=["risk"], extra_vars=["risk"])),
    ("and run.json hides it", info(extra_vars=["risk"])),
    ("only a real run may arm", info(mode="check")),
    ("only a real run may arm", info(mode="drift")),
    ("the directory was copied", info(run="20261120T000000Z-000000")),
    ("of system t", info(system="t")),
    ("the run is closed", with_record(finished={"at": AT, "result": "gate paper is closed", "exit": 2})),
    ("not the one this run was opened with", with_wish(groups={**GROUPS, "kill_machines": []})),
    ("not in the group bots", with_wish(host="venue")),
    ("does not say rightly", info(rehearsal=True)),
    ("longer ago than", info(started="2026-11-21T02:00:00Z")),
    ("in the future", info(started="2026-11-21T13:00:00Z")),
    ("a time that is not known", info(started=None)),
    ("phase paper was not judged", gate("paper", None)),
    ("the gate of phase paper is closed", gate("paper", {"open": False})),
    ("the gate of phase paper is closed", gate("paper", {"phase": "preflight"})),
    ("phase paper was judged at 2026-11-21T01:00:00Z, longer ago", gate("paper", {"at": "2026-11-21T01:00:00Z"})),
    ("gives other verdicts", rejudged("paper", verdict(verdict="fail", closes=True))),
    ("a.b on bot is fail", rejudged("paper", verdict(verdict="fail", closes=True))),
    ("a.b on bot is undecided", rejudged("paper", verdict(verdict="undecided", closes=True))),
    ("gives other verdicts", rejudged("paper")),
    ("edited or replaced", with_record(gate_digests={**dict.fromkeys(BEFORE_ARMING, OTHER)})),
    ("profile.json is not the profile", with_record(profile={"values": {"risk": 9}, "scaled": {}})),
    ("does not hold the catalogue", with_record(compiled={"controls": {}, "checklist": []})),
    ("does not hold the checklist", with_record(compiled={"controls": CONTROLS, "checklist": [1]})),
    ("lacks profile.json", with_record(profile=None)),
    ("lacks release.json", with_record(subject=None)),
    ("the golive is", released(golive=OTHER)),
    ("the profile is", released(profile=OTHER)),
    ("the artifact is", released(artifact=OTHER)),
    ("the model is not named, the ticket was signed for", released(model=OTHER)),
    ("the profile asks for 'solo'", with_wish(mode="solo")),
    ("the ticket is of a rehearsal", ticket(rehearsal=True)),
    ("the chain was not read", with_record(chain=None, chain_problem="the chain was not read")),
    ("was cut: the ticket was signed at line 99", ticket(audit_head="99:" + OTHER)),
    ("written anew: its line 1", ticket(audit_head="1:" + OTHER)),
    ("it was set back", with_record(chain=chain_of([("earlier", "x", "bot", {})], at="2026-11-21T14:00:00Z"))),
])
def test_each_way_around_the_gate_is_refused_and_named(words: str, spoil: Callable[[Record, Wish], tuple[Record, Wish]]) -> None:
    record, wish = spoil(*copy.deepcopy(world()))
    assert words in told(record, wish)


def test_a_critical_read_only_control_must_have_been_seen_within_ten_minutes_a_stimulus_need_not() -> None:
    record, wish = world()
    old = "2026-11-21T11:40:00Z"

    def seen(*verdicts: dict[str, Any]) -> Record:
        return replace(record, rejudged={**record.rejudged, **{phase: list(verdicts) for phase in BEFORE_ARMING}},
                       gates={phase: {**gate, "verdicts": list(verdicts)} for phase, gate in record.gates.items() if gate})

    assert "a.b on bot was observed at 2026-11-21T11:40:00Z, longer ago than 600 s" in told(seen(verdict(at=old)), wish)
    assert "a.b on bot was observed" in told(seen(verdict(at=None)), wish)
    assert told(seen(verdict("wire.x", at=old)), wish) == ""
    again = replace(seen(verdict(at=old)), rejudged={**seen(verdict(at=old)).rejudged, "signoff": [verdict()]})
    assert "was observed" not in told(again, wish), "the newest look counts"


def test_a_gate_noted_by_another_run_does_not_count() -> None:
    record, wish = world()
    assert record.chain is not None
    entries = [("other-run", line["act"], line["subject"], line["detail"]) for line in record.chain.lines]
    foreign = replace(record, chain=chain_of(entries))
    assert "edited or replaced" in told(foreign, wish)


# --- kill machines --------------------------------------------------------------------------------------------------

def test_a_higher_epoch_on_one_kill_machine_refuses_and_silence_of_all_refuses() -> None:
    assert epoch.reasons(3, {"guard": 3, "outside": 2}) == []
    assert epoch.reasons(3, {"guard": None, "outside": 3}) == []
    assert "guard is at epoch 4" in epoch.reasons(3, {"guard": 4, "outside": 3})[0]
    assert "nobody could say stop" in epoch.reasons(3, {"guard": None, "outside": None})[0]
    assert "none is in the inventory" in epoch.reasons(3, {})[0]


def test_the_epoch_is_read_out_of_a_talkative_login() -> None:
    assert epoch.parse("Welcome\nepoch 12\n") == 12
    assert epoch.parse("Welcome\nepoch soon\n") is None
    assert epoch.highest({"a": None, "b": 4}) == 4
