"""Which verdict has each control, and each line of the list? Joins what the gates recorded; pure."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import operators, wording
from ..catalogue import SEVERITIES
from ..errors import GoliveError, Undecided
from ..judge import VERDICTS
from .hostile import clean, moment, words
from .model import GRADES, TAGS, Control, Fact, Item, Remedy, Row, shown_as, worst
from .records import FOLDERS, Record, Records

NOT_SEEN = "not seen"
_WHEN_LIVE = {"no_entries": "the guard, once live: no new entries", "step_down": "the guard, once live: steps down",
              "kill": "the guard, once live: pulls the kill switch"}


def controls(records: Records) -> list[Control]:
    """Return every control of the compiled catalogue, and any that a gate judged beside it, in catalogue order."""
    known: dict[str, Record] = {}
    compiled = records.compiled.get("controls")
    for control_id, control in (compiled.items() if isinstance(compiled, dict) else ()):
        known[control_id] = control if isinstance(control, dict) else {}
    rows, extra = _rows(records)
    unproven, grades = _unproven(records), _grades(records)
    for control_id, fields in extra.items():
        known.setdefault(control_id, fields)
    return [_control(control_id, fields, rows.get(control_id, []), records, unproven, grades.get(control_id, ""))
            for control_id, fields in known.items()]


def _rows(records: Records) -> tuple[dict[str, list[Row]], dict[str, Record]]:
    """Return the newest row for each control, subject and vantage: a later gate judged again what it lists."""
    newest: dict[str, dict[tuple[str, str, str], Row]] = {}
    fields: dict[str, Record] = {}
    for phase in FOLDERS:
        gate = (records.phases[phase].gate if phase in records.phases else None) or {}
        verdicts = gate.get("verdicts")
        for verdict in verdicts if isinstance(verdicts, list) else []:
            if not isinstance(verdict, dict) or not isinstance(verdict.get("control"), str):
                continue
            row = _row(verdict, phase)
            newest.setdefault(verdict["control"], {})[(row.subject, row.vantage, row.host)] = row
            fields[verdict["control"]] = verdict
    return {control_id: list(found.values()) for control_id, found in newest.items()}, fields


def _row(verdict: Record, phase: str) -> Row:
    word, reason = verdict.get("verdict"), clean(verdict.get("reason") or "")
    if word not in VERDICTS:
        word, reason = "undecided", f"the gate recorded a verdict that is none: {clean(word, 60)}"
    return Row(
        subject=clean(verdict.get("subject") or "", 120), vantage=clean(verdict.get("vantage") or "", 120),
        host=clean(verdict.get("host") or "", 120), phase=phase,
        verdict=word, reason=reason, facts=_facts(verdict.get("seen"), verdict.get("wanted")),
        witness=clean(verdict.get("witness") or "", 40),
        opportunities="" if verdict.get("opportunities") is None else clean(verdict["opportunities"], 40),
        at=moment(verdict.get("at")), until=moment(verdict.get("until")),
        tags=tuple(tag for tag in TAGS if tag in words(verdict.get("tags"))), closes=verdict.get("closes") is True)


def _facts(seen: Any, wanted: Any) -> tuple[Fact, ...]:
    """Return each fact that the expectation names, and any other that was shown; a fact that was not seen does not hold."""
    if not isinstance(seen, dict) or not isinstance(wanted, dict):
        return (Fact("", _text(seen), _text(wanted), None),) if seen or wanted else ()
    return tuple(Fact(name=clean(name, 80), seen=clean(wording.said(seen[name]), 240) if name in seen else NOT_SEEN,
                      wanted=clean(wording.wanted(wanted[name]), 240) if name in wanted else "",
                      holds=_holds(seen.get(name), wanted[name]) if name in wanted and name in seen else None)
                 for name in {**wanted, **seen})


def _holds(seen: Any, tests: Any) -> bool | None:
    try:
        return bool(operators.check_all(seen, tests))
    except (GoliveError, Undecided, AttributeError, KeyError, TypeError):
        return None


def _text(value: Any) -> str:
    return "" if value is None or value == {} else clean(wording.said(value))


def _unjudged(fields: Record, records: Records) -> str:
    """Say why no gate of this run decided a control."""
    phase = str(fields.get("phase"))
    if "unbuilt" in words(fields.get("tags")):
        return clean(f"golive cannot observe this yet: {fields.get('why') or 'no reason given'}")
    if "drift" in records.phases and phase not in records.phases:
        return "not asked: a drift run does not ask this" if fields.get("drift") is False else "the drift run left no verdict for it"
    found = records.phases.get(phase)
    if found is None:
        return f"not reached: phase {clean(phase, 40)} was not run"
    if found.gate is None:
        return f"observed but not judged: the gate of phase {phase} left no record"
    return f"the gate of phase {phase} holds no verdict for it"


def _missing_subjects(fields: Record, rows: list[Row], records: Records) -> list[Row]:
    """Return an undecided row for each host that the control is about and no verdict names: the survivors do not speak for it."""
    if not rows or any(not row.subject for row in rows):
        return []
    groups = records.groups
    members = groups.get(str(fields.get("on")))
    judged = {row.subject for row in rows}
    return [Row(subject=host, vantage="", host="", phase=rows[-1].phase, verdict="undecided",
                reason="no gate of this run holds a verdict for this host", closes=True)
            for host in words(members) if host not in judged]


def _unproven(records: Records) -> frozenset[str]:
    """Return the controls that this run found without a red proof that counts (probe `report`)."""
    return frozenset(name for kept in records.phases.values() for one in kept.observations
                     if one.get("probe") == "report" and isinstance(one.get("facts"), dict) for name in words(one["facts"].get("unproven")))


def _grades(records: Records) -> dict[str, str]:
    """Return the grade of the red proof that this run found for each control (probe `report`)."""
    return {str(name): str(grade) for kept in records.phases.values() for one in kept.observations
            if one.get("probe") == "report" and isinstance(one.get("facts"), dict)
            for name, grade in (one["facts"].get("grades") or {}).items() if isinstance(one["facts"].get("grades"), dict)}


def _control(control_id: str, fields: Record, rows: list[Row], records: Records, unproven: frozenset[str], grade: str) -> Control:
    rows = rows + _missing_subjects(fields, rows, records)
    verdict = worst(row.verdict for row in rows)
    deciding = [row for row in rows if row.verdict == verdict]
    # A tag says what a verdict rests on; a control that nobody judged rests on nothing.
    said = {*words(fields.get("tags")), *(["unproven"] if control_id in unproven else [])}
    tags = tuple(tag for tag in TAGS if any(tag in row.tags for row in rows) or (rows and tag in said))
    severity = fields.get("severity") if fields.get("severity") in SEVERITIES else "critical"
    return Control(
        id=clean(control_id, 120), title=clean(fields.get("title") or control_id, 200), severity=str(severity),
        phase=clean(fields.get("phase") or "", 40), verdict=verdict, shown_as=shown_as(verdict, tags),
        reason=_reason(deciding) if rows else _unjudged(fields, records), tags=tags, rows=tuple(rows),
        remedy=remedy(fields), probe=clean(fields.get("probe") or "", 60), seen_from=clean(fields.get("seen_from") or "", 40),
        when_live=clean(fields.get("when_live") or "", 40), waivable=fields.get("waivable") is True,
        until=max((row.until for row in deciding if row.until), default=None) if verdict == "undecided" else None,
        proven=_proven(grade, tags), closes=any(row.closes for row in rows), judged=bool(rows))


def _reason(deciding: list[Row]) -> str:
    told = list(dict.fromkeys(f"{row.subject}: {row.reason}" if len(deciding) > 1 and row.subject else row.reason
                              for row in deciding))
    return clean("; ".join(told))


def _proven(grade: str, tags: tuple[str, ...]) -> str:
    """Return how strongly the control was seen red: a grade, `never`, or `grade not recorded`."""
    if "unproven" in tags:
        return "never"
    return grade if grade in GRADES else "grade not recorded"


def remedy(fields: Mapping[str, Any]) -> Remedy:
    """Tell apart who repairs the cause and what only contains the damage."""
    who = clean(fields.get("remedy") or "", 120)
    how = clean(fields.get("how") or "")
    fixed = {"operator": "the operator, by hand", "bot": "the bot's developers", "": "nobody named"}.get(who, who)
    contained = clean(fields.get("contained_by") or "", 120) or _WHEN_LIVE.get(str(fields.get("when_live")), "")
    return Remedy(who=who, how=how, fixed_by=fixed, contained_by=contained)


def items(records: Records, found: list[Control]) -> list[Item]:
    """Return the lines of the list; a line without own controls takes the verdict of the lines that carry it."""
    by_id = {control.id: control for control in found}
    lines: list[tuple[str, Record]] = []
    checklist = records.compiled.get("checklist")
    for section in checklist if isinstance(checklist, list) else []:
        if not isinstance(section, dict) or not isinstance(section.get("items"), list):
            continue
        lines += [(clean(section.get("section") or "", 200), line) for line in section["items"] if isinstance(line, dict)]
    by_seed = {seed: line for _, line in lines for seed in words(line.get("seed"))}

    def proof(line: Record, passed: frozenset[str]) -> tuple[list[str], set[str]]:
        """Return verdicts and tags a line rests on; a circle of carriers proves nothing."""
        verdicts: list[str] = []
        tags: set[str] = set()
        for control_id in words(line.get("controls")):
            control = by_id.get(control_id)
            verdicts.append(control.verdict if control else "undecided")
            tags.update(control.tags if control else ())
        for seed in words(line.get("carried_by")):
            carrier = by_seed.get(seed)
            if carrier is None or seed in passed:
                verdicts.append("undecided")
                continue
            deeper, more = proof(carrier, passed | {seed})
            verdicts.append(worst(deeper))
            tags |= more
        return verdicts, tags

    result = []
    for section_name, line in lines:
        verdicts, tags = proof(line, frozenset(words(line.get("seed"))))
        ordered = tuple(tag for tag in TAGS if tag in tags)
        verdict = worst(verdicts)
        result.append(Item(
            section=section_name, text=clean(line.get("text") or "", 1000), seed=tuple(words(line.get("seed"))),
            controls=tuple(words(line.get("controls"))), carried_by=tuple(words(line.get("carried_by"))),
            verdict=verdict, shown_as=shown_as(verdict, ordered), tags=ordered))
    return result
