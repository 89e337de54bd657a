"""The first screen: nothing on it is more hopeful than the worst control it rests on."""
from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from golive.report.build import build
from golive.report.model import Report


def test_verdict_sentence_counts_what_can_lose_money(stopped: Report) -> None:
    assert stopped.first.state == "stopped"
    assert stopped.first.sentence == "Must not go live: 1 thing can lose money now, 1 more could not be checked."
    assert stopped.first.also == ("2 more controls of high weight are red or not known. 1 host was not reached or failed. "
                                  "2 controls were not judged in this run.")


def test_top_five_are_in_the_order_of_money(stopped: Report) -> None:
    assert [one.control for one in stopped.first.top] == [
        "exchange.key.no_withdraw", "positions.protected", "firewall.default_drop", "ledger.paper_continuous_hours", "logs.quiet"]
    assert stopped.first.more_findings == 0


def test_what_is_certain_comes_before_what_is_not_known_and_then_what_the_guard_would_do(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.World()
    for name, verdict, reaction in (("a.unknown", "undecided", "kill"), ("b.page", "fail", "page"), ("c.kill", "fail", "kill")):
        world.control(name, name, verdict, severity="critical", when_live=reaction)
    assert [one.control for one in build(world.write(tmp_path)).first.top] == ["c.kill", "b.page", "a.unknown"]


def test_finding_says_seen_wanted_who_and_how(stopped: Report) -> None:
    one = stopped.first.top[0]
    assert one.seen == "rights.withdraw: yes"
    assert one.wanted == "rights.withdraw: no"
    assert one.remedy.fixed_by == "the operator, by hand"
    assert one.remedy.how.startswith("Recreate the key")


def test_fixed_by_and_contained_by_are_told_apart(stopped: Report) -> None:
    one = next(one for one in stopped.first.top if one.control == "positions.protected")
    assert one.remedy.fixed_by == "the bot's developers"
    assert one.remedy.contained_by == "playbooks/operate/kill_switch.yml"


def test_controls_that_were_not_reached_are_no_findings(stopped: Report) -> None:
    assert "live.slippage" not in [one.control for one in stopped.first.top]


def test_earliest_date_names_its_control_and_what_else_stands_in_the_way(stopped: Report) -> None:
    assert stopped.first.earliest == "2026-11-22T10:15:00Z"
    assert stopped.first.earliest_control == "ledger.paper_continuous_hours"
    assert stopped.first.earliest_reason.startswith("Only if 3 other controls are repaired before then")


def test_there_is_no_date_while_only_repair_helps(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    for one in world.judged["paper"]:
        one["until"] = None
    first = build(world.write(tmp_path)).first
    assert first.earliest is None
    assert "waiting alone helps nothing" in first.earliest_reason


def test_exposure_is_the_venues_word_and_what_was_not_seen_says_so(stopped: Report) -> None:
    seen = {one.label: one for one in stopped.first.exposure}
    assert (seen["Equity"].value, seen["Equity"].witness) == ("104.20", "venue")
    assert seen["Positions without a stop"].alarming
    assert seen["Foreign orders"].value is None
    assert stopped.first.venue.value == "api.venue.example, certified by Lab CA"


def test_account_of_the_wire_half_is_not_shown_as_exposure(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.World()
    world.control("some.thing", "Something", "pass")
    world.observe("paper", "bot", control="wire.account", probe="exchange_account", facts={"equity": "1000000"})
    assert all(one.value is None for one in build(world.write(tmp_path)).first.exposure)


def test_how_to_stop_names_command_phone_and_last_drill(stopped: Report) -> None:
    assert stopped.first.stop_command == "ansible-playbook playbooks/operate/kill_switch.yml -i inventories/kraken-micro/lab.yml"
    facts = {one.label: one.value for one in stopped.first.stop}
    assert facts["Age of the last drill"] == "2.50 days"
    assert facts["Seconds to no entry orders"] == "1.84 s"
    assert facts["From a phone"].startswith("Console app")
    assert facts["Seconds to the final state"] is None


def test_release_says_what_changed_since_the_last_ticket(stopped: Report, runs: ModuleType, tmp_path: Path) -> None:
    assert stopped.first.release_changes == "Since the last ticket changed: artifact."
    world = runs.live()
    assert "No earlier ticket was seen" in build(world.write(tmp_path / "live")).first.release_changes


def test_live_sentence_says_stage_case_and_age_or_that_they_were_not_seen(runs: ModuleType, tmp_path: Path) -> None:
    first = build(runs.live().write(tmp_path)).first
    assert first.state == "live"
    assert first.sentence == "Live (REHEARSAL), stage 1 of 2 (day1), worst day lost 3.20 of 10.0 allowed; bot last decided 4 s ago."


def test_live_sentence_without_its_facts_says_so(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    del world.observed["operate"]
    world.observed["live"]["bot"][-1]["facts"]["stage"] = ""
    assert build(world.write(tmp_path)).first.sentence == (
        "Live (REHEARSAL), stage not seen in this run, its worst day not seen in this run; "
        "the bot's last decision was not seen in this run.")


@pytest.mark.parametrize(("running", "words"), [(False, "the live unit does not run"), (None, "no probe looked for the live unit")])
def test_open_gates_alone_are_not_live(runs: ModuleType, tmp_path: Path, running: bool | None, words: str) -> None:
    world = runs.live()
    world.observed["live"]["bot"][-1]["facts"]["unit_running"] = running
    first = build(world.write(tmp_path)).first
    assert first.state == "stopped"
    assert first.sentence == f"Not live: every gate is open, but {words}."


def test_control_without_a_red_proof_is_tagged_by_what_the_run_found(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    world.observe("signoff", "controller", control="evidence.proofs", probe="report", facts={"unproven": ["some.verify"]})
    found = {control.id: control for control in build(world.write(tmp_path)).controls}
    assert (found["some.verify"].proven, found["some.verify"].tags) == ("never", ("unproven",))
    assert found["some.paper"].tags == ()


def test_the_grade_of_a_red_proof_is_the_one_that_the_run_found(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    world.observe("signoff", "controller", control="evidence.proofs", probe="report",
                  facts={"unproven": [], "grades": {"some.verify": "method", "some.paper": "a lie"}})
    built = build(world.write(tmp_path))
    found = {control.id: control.proven for control in built.controls}
    assert (found["some.verify"], found["some.paper"]) == ("method", "grade not recorded")
    assert dict(built.first.proven)["method"] == 1


def test_live_with_a_red_critical_control_is_not_called_well(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    world.control("orders.none_foreign", "No foreign orders", "fail", severity="critical", phase="operate")
    first = build(world.write(tmp_path)).first
    assert first.state == "live_red"
    assert first.sentence.startswith("Live (REHEARSAL), but 1 thing can lose money now.")


def test_unreachable_host_is_never_silent_in_a_live_sentence(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    world.hosts.append({"host": "guard", "status": "unreachable", "phase": "operate", "task": "Observe", "text": "timed out",
                        "at": runs.stamp(40)})
    first = build(world.write(tmp_path)).first
    assert first.state == "live_red"
    assert "1 host was not reached" in first.also


def test_canary_control_that_the_gate_admits_does_not_stop_the_sentence(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.live()
    world.control("live.slippage", "Fills cost what was assumed", "undecided", severity="critical", phase="live", closes=False,
                  decided_in="canary")
    assert build(world.write(tmp_path)).first.state == "live"


def test_dry_run_says_what_would_change_and_shouts_if_something_did(runs: ModuleType, tmp_path: Path) -> None:
    world = runs.realistic()
    world.mode = "check"
    for change in world.changes:
        change["check"] = True
    first = build(world.write(tmp_path / "a")).first
    assert first.sentence.startswith("Dry run: 3 changes would be made, none was made.")
    assert first.also.startswith("It would not go live: 1 thing can lose money now")
    world.changes[0]["check"] = False
    assert "1 WERE MADE" in build(world.write(tmp_path / "b")).first.sentence


def test_rests_on_counts_a_weaker_pass_as_what_it_is(stopped: Report) -> None:
    rests = dict(stopped.first.rests_on)
    assert rests["verified"] == 2          # process.running and dns.resolvers; the five weaker passes are counted as what they are
    assert (rests["bot's word"], rests["attested"], rests["shown (scaled)"], rests["loosened"], rests["not held"]) == (1, 1, 1, 2, 1)


def test_rehearsal_is_said_and_unknown_is_not_taken_for_real(stopped: Report) -> None:
    assert stopped.banner == "REHEARSAL"
