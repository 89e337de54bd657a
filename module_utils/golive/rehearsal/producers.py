"""Every signed record that the catalogue reads: which control asks for it, in which phase, and who makes it in a rehearsal.

`python -m golive.rehearsal.producers` writes the table of docs/how-to/drills.md; a test holds it to the catalogue and to the playbooks.
"""
from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .. import catalogue, session
from ..exchange import quiet
from . import bot_ci, drift, load, rebuild, soak
from .drills import catalogue as hosts
from .wire import run

BEGIN, END = "<!-- records -->", "<!-- /records -->"
# Probe that reads a record: (what kind of record, the word of `ask` that names it).
READ_BY = {"drill": ("drill", "name"), "load_test": ("load", "profile"), "ci": ("ci", "suite"), "attestation": ("statement", "statement")}
# Made by an action for exactly one record, or for each stage of the ramp.
SINGLE: Mapping[str, str] = {quiet.NAME: "quiet_key", rebuild.NAME: "rebuild_drill", drift.NAME: "drift_drill",
                             "ramp_stage_2": "stage_record", "ramp_stage_3": "stage_record"}
PERSON = "a person"
# What the lab's people state before signing, and what this machine can be asked about itself (`people.controller`).
STATED = "inventories/kraken-micro/group_vars/rehearsal/statements.yml"
OF_THE_MACHINE = "controller."


@dataclass(frozen=True)
class Record:
    """One signed record and the controls that read it."""

    kind: str
    name: str
    controls: tuple[str, ...]
    phases: tuple[str, ...]


def asked(folder: Path) -> list[Record]:
    """Return the records that the catalogue asks for, in the order of the phases."""
    found: dict[tuple[str, str], list[catalogue.Control]] = {}
    for one in catalogue.load(folder).controls.values():
        if one.fields["probe"] in READ_BY:
            kind, word = READ_BY[one.fields["probe"]]
            found.setdefault((kind, str(one.fields["ask"].get(word))), []).append(one)
    records = [Record(kind, name, tuple(sorted(one.id for one in controls)),
                      tuple(phase for phase in catalogue.PHASES if phase in {one.fields["phase"] for one in controls}))
               for (kind, name), controls in found.items()]
    return sorted(records, key=lambda one: (catalogue.PHASES.index(one.phases[0]), one.kind, one.name))


def action(record: Record) -> str | None:
    """Return the action that makes a record in a rehearsal, None where nobody wrote one."""
    if record.kind == "statement":
        return "attest"
    if record.kind == "ci":
        return "collect_evidence" if record.name in bot_ci.SUITES else None
    if record.kind == "load":
        return "load_drill" if record.name in load.LOADS else "soak" if record.name in soak.WINDOWS else None
    if record.name in run.known():
        return "wire_drill"
    return "drill" if record.name in hosts.DRILLS else SINGLE.get(record.name)


def playbooks(root: Path) -> dict[str, list[tuple[str, Any]]]:
    """Return for each action the playbooks that call it, with the task's arguments."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for path in sorted((root / "playbooks").rglob("*.yml")):
        for play in yaml.safe_load(path.read_text("utf-8")) or []:
            for task in [*play.get("pre_tasks", []), *play.get("tasks", [])]:
                for name, arguments in task.items():
                    found.setdefault(str(name), []).append((str(path.relative_to(root / "playbooks")), arguments))
    return found


def stated(root: Path) -> set[str]:
    """Return the statements that the lab's people make."""
    return {str(one["statement"]) for one in yaml.safe_load((root / STATED).read_text("utf-8"))["rehearsal_statements"]}


def called_in(record: Record, calls: Mapping[str, list[tuple[str, Any]]], by_people: Collection[str] = ()) -> list[str]:
    """Return the playbooks that make a record: those that call its action for it, or for everything that the action knows."""
    made = action(record)
    if record.kind == "statement":
        machine, named = record.name.startswith(OF_THE_MACHINE), record.name in by_people
        return ["preflight.yml"] if machine else ["signoff.yml"] if named else []
    return sorted({path for path, arguments in calls.get(made or "", [])
                   if not (isinstance(arguments, dict) and "names" in arguments) or record.name in arguments["names"]})


def table(root: Path) -> str:
    """Return the table as it stands in the page."""
    calls, by_people = playbooks(root), stated(root)
    rows = ["| record | asked for by | phase | made by | playbook |", "| --- | --- | --- | --- | --- |"]
    for one in asked(root / "controls"):
        controls = ", ".join(f"`{name}`" for name in one.controls)
        paths = called_in(one, calls, by_people)
        where = ", ".join(f"`{path}`" for path in paths) or "—"
        maker = PERSON if one.kind == "statement" and not paths else f"`{action(one)}`"
        rows.append(f"| {one.kind} `{one.name}` | {controls} | {', '.join(one.phases)} | {maker} | {where} |")
    return "\n".join(rows)


def page(text: str, rows: str) -> str:
    """Return a page with the table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page has not the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main() -> int:
    """Write the table into the page."""
    path = session.ROOT / "docs/how-to/drills.md"
    path.write_text(page(path.read_text("utf-8"), table(session.ROOT)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
