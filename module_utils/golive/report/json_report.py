"""How is a report written as JSON? The shape is `schema/report.schema.json`; what does not fit it is not written."""
from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import GoliveError
from .model import Control, Report

_SCHEMA = Path(__file__).parent / "schema" / "report.schema.json"


def as_data(report: Report) -> dict[str, Any]:
    """Return the report as plain data: exactly the eleven top-level names of the schema."""
    return {
        "system": report.system,
        "run": report.run,
        "release": report.release,
        "rehearsal": report.rehearsal,
        "started": report.started,
        "finished": report.finished,
        "reached_phase": report.reached_phase,
        "summary": _summary(report),
        "controls": [_control(control) for control in report.controls],
        "items": [_plain(item) for item in report.items],
        "changes": [_plain(change) for change in report.changes],
    }


def text(report: Report) -> str:
    """Return the JSON text. Raises GoliveError where it does not fit the schema: a broken report must not look like one."""
    data = as_data(report)
    validate(data)
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def validate(data: Any) -> None:
    """Raise GoliveError with place and reason where `data` does not fit the schema."""
    import jsonschema  # noqa: PLC0415 (only who writes a report pays for it)

    error = jsonschema.exceptions.best_match(_validator().iter_errors(data))
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path) or "top level"
        raise GoliveError("the report does not fit its schema", where=f"report.json {place}", found=error.message[:200])


@cache
def _validator() -> Any:
    import jsonschema  # noqa: PLC0415

    return jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text("utf-8")))


def _summary(report: Report) -> dict[str, Any]:
    first = report.first
    return {
        "state": first.state,
        "sentence": first.sentence,
        "also": first.also,
        "mode": report.mode,
        "result": report.result,
        "exit": report.exit,
        "shared": report.shared,
        "controls": report.counts["controls"],
        "items": report.counts["items"],
        "rests_on": dict(first.rests_on),
        "proven": dict(first.proven),
        "gates": [_plain(gate) for gate in report.gates],
        "hosts": [_plain(host) for host in report.hosts],
        "venue": _plain(first.venue),
        "release_changes": first.release_changes,
        "exposure": [_plain(one) for one in first.exposure],
        "stop": {"command": first.stop_command, "facts": [_plain(one) for one in first.stop]},
        "top": [_plain(one) for one in first.top],
        "more_findings": first.more_findings,
        "earliest": {"at": first.earliest, "control": first.earliest_control, "reason": first.earliest_reason},
        "problems": list(report.problems),
    }


def _control(control: Control) -> dict[str, Any]:
    data = _plain(control)
    data["observations"] = data.pop("rows")
    return data


def _plain(thing: Any) -> dict[str, Any]:
    return {name: _listed(value) for name, value in asdict(thing).items()}


def _listed(value: Any) -> Any:
    """Return tuples as lists, at any depth: what is checked is what a reader of the file gets."""
    if isinstance(value, dict):
        return {name: _listed(one) for name, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, (list, tuple)) else value
