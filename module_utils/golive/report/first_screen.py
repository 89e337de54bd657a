"""What must an owner know first? The verdict sentence and all that stands on the first screen, from controls already judged."""
from __future__ import annotations

from collections.abc import Iterable

from ..catalogue import SEVERITIES
from . import exposure, verdict_sentence
from .hostile import clean, moment
from .model import GRADES, Control, Finding, FirstScreen, Gate, Host
from .records import Record, Records
from .verdict_sentence import is_are, many
from .verdicts import NOT_SEEN

_WHEN_LIVE = ("kill", "step_down", "no_entries", "page")


def build(records: Records, controls: list[Control], gates: list[Gate], hosts: list[Host], reached: str | None) -> FirstScreen:
    """Return the first screen. Nothing here is more hopeful than the worst control it rests on."""
    findings = sorted((control for control in controls if control.red), key=_by_money)
    state, sentence, also = verdict_sentence.build(records, controls, gates, hosts, reached)
    earliest, setter, reason = _earliest(controls)
    return FirstScreen(
        state=state, sentence=sentence, also=also, venue=exposure.venue(records), release_changes=_release_changes(records),
        exposure=exposure.exposure(records), stop_command=exposure.stop_command(records), stop=exposure.stop(records),
        top=tuple(_finding(control) for control in findings[:5]), more_findings=max(0, len(findings) - 5),
        earliest=earliest, earliest_control=setter, earliest_reason=reason,
        rests_on=rests_on(controls), proven=proven(controls))


def _by_money(control: Control) -> tuple[int, int, int, int, str]:
    """Order by what it can cost: severity, then certain before unknown, then what the guard would do about it."""
    reaction = _WHEN_LIVE.index(control.when_live) if control.when_live in _WHEN_LIVE else len(_WHEN_LIVE)
    return (SEVERITIES.index(control.severity), 0 if control.verdict == "fail" else 1, reaction,
            0 if control.closes else 1, control.id)


def _finding(control: Control) -> Finding:
    row = next((one for one in control.rows if one.verdict == control.verdict), None)
    off = [fact for fact in row.facts if fact.holds is not True] if row else []
    return Finding(control=control.id, title=control.title, severity=control.severity, verdict=control.verdict,
                   subject=row.subject if row else "", seen=_joined((fact.name, fact.seen) for fact in off if fact.seen != NOT_SEEN),
                   wanted=_joined((fact.name, fact.wanted) for fact in off),
                   reason=control.reason, remedy=control.remedy)


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return clean(" · ".join(f"{name}: {text}" if name else text for name, text in pairs if text), 200)


def rests_on(controls: list[Control]) -> tuple[tuple[str, int], ...]:
    """Count what the verdicts rest on. `verified` is a pass without any weaker ground; a control counts in each of its tags."""
    def tagged(tag: str) -> int:
        return sum(tag in control.tags and control.verdict == "pass" for control in controls)

    def having(verdict: str) -> int:
        return sum(control.verdict == verdict for control in controls)

    return (("verified", sum(control.shown_as == "verified" for control in controls)), ("bot's word", tagged("bots_word")),
            ("attested", tagged("attested")), ("shown (scaled)", tagged("scaled")), ("waived", having("waived")),
            ("loosened", sum("loosened" in control.tags for control in controls)),
            ("not held", sum("not_held" in control.tags for control in controls)), ("red", having("fail")),
            ("undecided", having("undecided")), ("not applicable", having("not_applicable")))


def proven(controls: list[Control]) -> tuple[tuple[str, int], ...]:
    """Count how strongly the controls were seen red themselves; attestations cannot be broken by a fault and are left out."""
    automated = [control for control in controls if "attested" not in control.tags]
    return tuple((grade, sum(control.proven == grade for control in automated))
                 for grade in (*GRADES, "grade not recorded", "never"))


def _earliest(controls: list[Control]) -> tuple[str | None, str, str]:
    waiting = [control for control in controls if control.verdict == "undecided" and control.until]
    repair = sum(control.red and control.closes and control.until is None for control in controls)
    later = sum(not control.judged and control.verdict == "undecided" for control in controls)
    if not waiting:
        if repair:
            return None, "", f"No date: waiting alone helps nothing; {many(repair, 'control')} must be repaired or observed first."
        if later:
            return None, "", "No date: later phases have not been run, and how long they have to wait was not seen."
        return None, "", "Nothing in this run is waiting for time to pass."
    last = max(waiting, key=lambda control: (control.until or "", control.id))
    conditions = []
    if repair:
        conditions.append(f"only if {many(repair, 'other control')} {is_are(repair)} repaired before then")
    if later:
        conditions.append(f"{many(later, 'control')} of later phases may set a later one")
    return last.until, last.id, ("; ".join(conditions).capitalize() + "." if conditions else "")


def _release_changes(records: Records) -> str:
    """Say what differs from the release of the last ticket; silence would read as `nothing`."""
    now, ticket = records.run.get("release"), _last_ticket(records)
    if not isinstance(now, dict):
        return "The release of this run was not recorded."
    if ticket is None:
        return "No earlier ticket was seen in this run: everything in it counts as new."
    changed = sorted(name for name in {*now, *ticket} if now.get(name) != ticket.get(name))
    return ("Since the last ticket changed: " + ", ".join(clean(name, 60) for name in changed) + "." if changed
            else "Nothing changed since the last ticket.")


def _last_ticket(records: Records) -> Record | None:
    ticket = records.run.get("last_ticket")
    release = ticket.get("release") if isinstance(ticket, dict) else None
    return release if isinstance(release, dict) else None


def finished_at(records: Records) -> str | None:
    """Return when the run ended by its own record, None for a killed one."""
    return moment((records.finished or {}).get("at"))
