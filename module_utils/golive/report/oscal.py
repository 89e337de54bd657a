"""What does an auditor's tool read? OSCAL assessment results; what was not determined is never satisfied."""
from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any

from ..errors import GoliveError
from .model import Control, Report, Row

NAMESPACE = uuid.UUID("6f2b0f5e-6f0a-5c43-9d3c-2f8e9f6f7a11")
"""All our UUIDs are uuid5 of this and the run id: rebuilding a report gives the same file."""
_STATUS = {"pass": ("satisfied", "pass"), "fail": ("not-satisfied", "fail"), "undecided": ("not-satisfied", "not-determined"),
           "waived": ("not-satisfied", "waived")}
_METHOD = {"attestation": "INTERVIEW"}


def text(report: Report) -> str:
    """Return the JSON. Raises GoliveError where it is no valid OSCAL."""
    data = as_data(report)
    validate(data)
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def validate(data: dict[str, Any]) -> None:
    """Raise GoliveError where the models of compliance-trestle, made from NIST's schema, refuse the data."""
    from pydantic import ValidationError  # noqa: PLC0415 (half a second that only this format needs)
    from trestle.oscal.assessment_results import Model  # noqa: PLC0415

    try:
        Model.model_validate(data)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise GoliveError("the report is no valid OSCAL", where="oscal.json " + "/".join(str(part) for part in first["loc"]),
                          found=str(first["msg"])[:200]) from None


def as_data(report: Report) -> dict[str, Any]:
    """Return the assessment results of one run."""
    from trestle.oscal import OSCAL_VERSION  # noqa: PLC0415

    start = report.started or _start_of(report.run)
    plan = _uuid(report, "catalogue")
    return {"assessment-results": {
        "uuid": _uuid(report, "report"),
        "metadata": {
            "title": f"{report.banner}: go-live of {report.system}, run {report.run}",
            "last-modified": report.finished or report.last_at or start,
            "version": report.run,
            "oscal-version": OSCAL_VERSION,
            "props": _props({"rehearsal": "unknown" if report.rehearsal is None else str(report.rehearsal).lower(),
                             "mode": report.mode, "state": report.first.state}),
        },
        "import-ap": {"href": f"#{plan}", "remarks": "The catalogue and checklist that the run froze before it looked."},
        "results": [_result(report, start)],
        "back-matter": {"resources": [{"uuid": plan, "title": "compiled.json of this run",
                                       "description": "Controls and checklist as this run judged by them: "
                                       + (report.release.get("catalogue") or "digest not recorded")}]},
    }}


def _result(report: Report, start: str) -> dict[str, Any]:
    applying = [control for control in report.controls if control.verdict != "not_applicable"]
    absent = [control for control in report.controls if control.verdict == "not_applicable"]
    selection: dict[str, Any] = {"include-controls": [{"control-id": _token(control.id)} for control in applying]} if applying \
        else {"include-all": {}}
    if absent:
        selection["exclude-controls"] = [{"control-id": _token(control.id)} for control in absent]
        selection["remarks"] = "Excluded controls were found not to apply to this system."
    rows = [(control, row) for control in report.controls for row in control.rows]
    hosts = sorted({host.name for host in report.hosts} | {row.subject for _, row in rows if row.subject})
    observations = [_observation(report, control, row, start) for control, row in rows]
    findings = [_finding(report, control) for control in applying]
    return {
        "uuid": _uuid(report, "result"),
        "title": f"{report.banner}: {report.system}",
        "description": " ".join(one for one in (report.first.sentence, report.first.also) if one),
        "start": start,
        **({"end": report.finished} if report.finished else {}),
        **({"local-definitions": {"inventory-items": [{"uuid": _uuid(report, "host", host), "description": host} for host in hosts]}}
           if hosts else {}),
        "reviewed-controls": {"control-selections": [selection]},
        **({"observations": observations} if observations else {}),
        **({"findings": findings} if findings else {}),
    }


def _finding(report: Report, control: Control) -> dict[str, Any]:
    state, reason = _STATUS[control.verdict]
    told = f"not determined: {control.reason}" if control.verdict == "undecided" else control.reason
    related = [{"observation-uuid": _row_uuid(report, control, row)} for row in control.rows]
    return {
        "uuid": _uuid(report, "finding", control.id),
        "title": control.title,
        "description": f"{control.shown_as}: {told}",
        "props": _props({"control": control.id, "severity": control.severity, "phase": control.phase, "verdict": control.verdict,
                         "seen-red": control.proven, **{f"tag-{tag.replace('_', '-')}": "true" for tag in control.tags}}),
        "target": {"type": "objective-id", "target-id": _token(control.id),
                   "status": {"state": state, "reason": reason, "remarks": told or "no reason was recorded"}},
        **({"related-observations": related} if related else {}),
        **({"remarks": f"Fixed by {control.remedy.fixed_by}: {control.remedy.how}"} if state != "satisfied" else {}),
    }


def _observation(report: Report, control: Control, row: Row, start: str) -> dict[str, Any]:
    facts = "; ".join(f"{fact.name} {fact.seen} (wanted {fact.wanted or 'nothing of it'})" for fact in row.facts)
    return {
        "uuid": _row_uuid(report, control, row),
        "title": control.title,
        "description": facts or row.reason or "nothing was seen",
        "methods": [_METHOD.get(control.probe, "TEST")],
        "types": ["control-objective"],
        "props": _props({"verdict": row.verdict, "phase": row.phase, "witness": row.witness, "vantage": row.vantage, "seen-by": row.host,
                         "opportunities": row.opportunities, "collected-known": str(row.at is not None).lower()}),
        **({"subjects": [{"subject-uuid": _uuid(report, "host", row.subject), "type": "inventory-item"}]} if row.subject else {}),
        "collected": row.at or report.last_at or start,
        **({"remarks": row.reason} if row.reason else {}),
    }


def _props(values: dict[str, str]) -> list[dict[str, str]]:
    """Return properties; OSCAL knows no empty value, so what was not recorded is left out."""
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _row_uuid(report: Report, control: Control, row: Row) -> str:
    return _uuid(report, "observation", control.id, row.phase, row.subject, row.vantage, row.host)


def _uuid(report: Report, *parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "\n".join((report.system, report.run, *parts))))


def _token(control_id: str) -> str:
    """Return a control id as an OSCAL token: letters, digits, dot, dash, underscore; a variant's @ becomes two dashes."""
    token = re.sub(r"[^A-Za-z0-9._-]", "_", control_id.replace("@", "--"))
    return token if re.match(r"[A-Za-z_]", token) else f"_{token}"


def _start_of(run: str) -> str:
    """Return the start that the run id itself names, for a run that was killed before it wrote one."""
    try:
        moment = datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        moment = datetime.fromtimestamp(0, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
