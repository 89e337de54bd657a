"""The gate: closed by what is red or unknown, by what nobody looked at, and by every earlier gate."""
from __future__ import annotations

from typing import Any

import pytest
from golive import gate, plan

GROUPS = {"bots": ["bot"], "outsiders": ["outside"], "guards": ["guard", "bot"], "empty": []}


def control(name: str = "a.b", **changes: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "severity": "critical", "phase": "verify", "decided_in": "before", "seen_from": "target",
            "on": "bots", "from": None, "probe": "file", "ask": {}, "expect": {"exists": {"eq": True}}, "witness": ["kernel"],
            "remedy": "operator", "how": "Do it.", "applies": True, "otherwise": "loosened", "built": True, "why": None,
            "min_opportunities": None, "attest": False, "waivable": True, "contained_by": None, "tags": [], **changes}


def observation(**changes: Any) -> dict[str, Any]:
    return {"control": "a.b", "subject": "bot", "vantage": "target", "run": "r", "facts": {"exists": True}, "witness": "kernel",
            "undecided": None, "until": None, "at": "2026-11-21T10:00:00Z", "opportunities": None, **changes}


def judged(one: dict[str, Any], observed: list[dict[str, Any]], waivers: Any = None, *, rehearsal: bool = False) -> list[dict[str, Any]]:
    controls = {one["id"]: one}
    return gate.verdicts(controls, plan.targets(controls, GROUPS), observed, "r", waivers, rehearsal=rehearsal)


def test_seen_as_wanted_opens() -> None:
    found = judged(control(), [observation()])
    assert [one["verdict"] for one in found] == ["pass"]
    assert gate.record("preflight", found, [], "t")["open"]


@pytest.mark.parametrize("observed", [[], [observation(run="another")], [observation(subject="other")], [observation(vantage="outside")],
                                      [observation(facts={})], [observation(undecided="not reached")]])
def test_what_was_not_seen_in_this_run_from_there_closes(observed: list[dict[str, Any]]) -> None:
    found = judged(control(), observed)
    assert [one["verdict"] for one in found] == ["undecided"]
    assert not gate.record("preflight", found, [], "t")["open"]


def test_an_empty_phase_is_not_open() -> None:
    assert not gate.record("preflight", [], [], "t")["open"]


@pytest.mark.parametrize("earlier", [[None], [{"open": False}]])
def test_an_earlier_gate_that_is_closed_or_missing_closes_this_one(earlier: list[Any]) -> None:
    assert not gate.record("provision", judged(control(), [observation()]), earlier, "t")["open"]


@pytest.mark.parametrize(("changes", "closes"), [
    ({"severity": "high"}, True), ({"severity": "medium"}, False), ({"decided_in": "canary"}, False), ({"decided_in": "stage"}, False)])
def test_which_undecided_controls_close(changes: dict[str, Any], closes: bool) -> None:
    assert [one["closes"] for one in judged(control(**changes), [])] == [closes]


def test_a_fail_closes_also_where_undecided_would_be_admitted() -> None:
    assert judged(control(decided_in="canary"), [observation(facts={"exists": False})])[0]["closes"]


def test_what_golive_cannot_observe_yet_is_undecided_and_closes() -> None:
    found = judged(control(built=False, why="the probe is missing", tags=["unbuilt"]), [])
    assert (found[0]["verdict"], found[0]["closes"]) == ("undecided", True)


def test_what_the_profile_switches_off_is_counted_as_loosened_or_not_held() -> None:
    assert judged(control(applies=False), [])[0]["tags"] == ["loosened"]
    assert judged(control(applies=False, otherwise="not_held"), [])[0]["tags"] == ["not_held"]


def test_compensation_that_nobody_needs_is_neither_loosened_nor_missing() -> None:
    found = judged(control(applies=False, otherwise="not_needed"), [])[0]
    assert (found["verdict"], found["tags"], found["closes"]) == ("not_applicable", [], False)


RED, UNSEEN, GREEN = [observation(facts={"exists": False})], [], [observation()]  # type: ignore[var-annotated]


@pytest.mark.parametrize(("observed", "verdict"), [(RED, "fail"), (UNSEEN, "undecided")])
def test_what_a_rehearsal_counts_is_told_as_unproven_and_closes_only_production(observed: list[Any], verdict: str) -> None:
    counted = control(in_rehearsal="counted")
    here, there = judged(counted, observed, rehearsal=True), judged(counted, observed)
    assert [(one["verdict"], one["closes"], one["tags"]) for one in here] == [(verdict, False, ["unproven"])]
    assert [(one["verdict"], one["closes"], one["tags"]) for one in there] == [(verdict, True, [])]
    assert gate.record("preflight", here, [], "t")["open"]
    assert not gate.record("preflight", there, [], "t")["open"]


def test_a_rehearsal_forgives_nothing_else() -> None:
    for observed in (RED, UNSEEN):
        assert judged(control(in_rehearsal="closes"), observed, rehearsal=True)[0]["closes"]
    assert judged(control(in_rehearsal="counted"), GREEN, rehearsal=True)[0]["tags"] == []


WAIVER = {"a.b": {"expires": "2026-11-22T00:00:00Z", "approver": "ada", "reason": "known"}}


def test_a_waiver_covers_a_fail_and_never_what_could_not_be_looked_at() -> None:
    red = observation(facts={"exists": False})
    assert judged(control(), [red], WAIVER)[0]["verdict"] == "waived"
    assert judged(control(), [], WAIVER)[0]["verdict"] == "undecided"
    assert judged(control(waivable=False), [red], WAIVER)[0]["verdict"] == "fail"


def test_an_attestation_is_shown_as_attested_and_the_bots_word_as_the_bots() -> None:
    attested = judged(control(attest=True, witness=["person"]), [observation(witness="person")])
    assert attested[0]["tags"] == ["attested"]
    said = judged(control(severity="high", witness=["bot"]), [observation(witness="bot")])
    assert said[0]["tags"] == ["bots_word"]


def test_a_plan_belongs_to_the_host_that_looks() -> None:
    controls = {"a.b": control(seen_from="outside"), "c.d": control("c.d", seen_from="peer", **{"from": "guards"}),
                "e.f": control("e.f", seen_from="controller", on="controller")}
    found = {(one.control, one.subject, one.host) for one in plan.targets(controls, GROUPS)}
    assert found == {("a.b", "bot", "outside"), ("c.d", "bot", "guard"), ("e.f", "controller", "controller")}


@pytest.mark.parametrize("host", ["bot", "guard", "outside", "controller", "stranger"])
def test_the_targets_of_one_host_are_its_part_of_all(host: str) -> None:
    controls = {"a.a": control("a.a"), "a.b": control(seen_from="outside"), "c.d": control("c.d", seen_from="peer", **{"from": "guards"}),
                "e.f": control("e.f", seen_from="controller", on="controller"), "g.h": control("g.h", seen_from="controller")}
    assert plan.targets(controls, GROUPS, host) == [one for one in plan.targets(controls, GROUPS) if one.host == host]


def test_a_group_without_hosts_is_an_error_not_an_empty_plan() -> None:
    with pytest.raises(Exception, match="no host is in group empty"):
        plan.targets({"a.b": control(on="empty")}, GROUPS)


def test_equal_questions_are_asked_once_and_the_answer_serves_both() -> None:
    controls = {name: control(name, ask={"path": "/x"}) for name in ("a.b", "c.d")}
    wanted = plan.targets(controls, GROUPS)
    made = plan.build("r", "verify", "bot", wanted, controls, {}, rehearsal=True)
    assert len(made["probes"]) == 1
    answers = {"p0": {"facts": {"exists": True, "undeclared": "x"}, "at": "2026-11-21T10:00:00Z"}}
    found = plan.observations(made, answers, "missing", "now")
    assert [one["control"] for one in found] == ["a.b", "c.d"]
    assert found[0]["facts"] == {"exists": True}


@pytest.mark.parametrize("answer", [None, [], "text", {"facts": "no dict"}, {"facts": None, "undecided": None}])
def test_a_hostile_answer_never_becomes_a_pass(answer: Any) -> None:
    controls = {"a.b": control(ask={"path": "/x"})}
    wanted = plan.targets(controls, GROUPS)
    made = plan.build("r", "verify", "bot", wanted, controls, {}, rehearsal=True)
    observed = plan.observations(made, {"p0": answer}, "missing", "2026-11-21T10:00:00Z")
    assert judged(controls["a.b"], observed)[0]["verdict"] == "undecided"
