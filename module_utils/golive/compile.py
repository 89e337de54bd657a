"""Compiles catalogue, checklist and profile into what one run judges by; `python -m golive.compile --system S` says what is wrong.

The result is plain data: profile values resolved, expectations checked, every problem reported with file and line at once.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import canonical, catalogue, checklist, operators, profile
from .errors import CompileError, GoliveError

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("title", "severity", "phase", "decided_in", "when_live", "seen_from", "on", "from", "probe", "witness", "remedy", "how",
        "contained_by", "drift", "waivable", "attest", "otherwise", "in_rehearsal", "opening", "built", "why", "note", "min_opportunities")


class CompileErrors(GoliveError):
    """All that is wrong with the catalogue, checklist and profile of a system, one line each."""

    def __init__(self, errors: list[CompileError]) -> None:
        self.errors = errors
        Exception.__init__(self, "\n".join(str(error) for error in errors))


@dataclass(frozen=True)
class Compiled:
    """Controls by id and the checklist, as frozen into `compiled.json`."""

    system: str
    controls: dict[str, dict[str, Any]]
    items: list[dict[str, Any]]

    def plain(self) -> dict[str, Any]:
        """Return what is written into the run directory."""
        body = {"system": self.system, "controls": self.controls, "checklist": self.items}
        return {**body, "digest": canonical.digest(body)}


def needed_variables(root: Path = ROOT) -> set[str]:
    """Return the names of all profile variables that the catalogue refers to."""
    return set().union(*(profile.references([c.fields.get("ask"), c.fields.get("expect"), c.fields.get("min_opportunities"),
                                             c.fields.get("applies")]) for c in catalogue.load(root / "controls").controls.values()))


def compile_system(system: str, bound: profile.Profile, root: Path = ROOT) -> Compiled:
    """Return what a run of this system judges by. Raises CompileErrors with everything that is wrong."""
    known = catalogue.load(root / "controls")
    listed = checklist.load(root / "checklists" / f"{system}.yml", root / "checklists" / "seeds" / f"{system}.tsv")
    errors = [*known.errors, *listed.errors]
    for item in listed.items():
        for name in item.controls:
            if name not in known.controls:
                errors.append(CompileError(f"there is no control {name}", where=item.where, todo="write it in controls/"))
            elif not is_for(known.controls[name], system):
                errors.append(CompileError(f"{name} is not for this system", where=item.where, todo=f"add {system} to its systems"))
    controls: dict[str, dict[str, Any]] = {}
    for name, control in sorted(known.controls.items()):
        if not is_for(control, system):
            continue
        try:
            controls[name] = _resolved(control, bound)
        except CompileError as exc:
            errors.append(exc)
    if errors:
        raise CompileErrors(sorted(errors, key=lambda error: _place(error.where)))
    return Compiled(system, controls, listed.plain())


def is_for(control: catalogue.Control, system: str) -> bool:
    """Return whether a control is part of a system's catalogue: all are, except those that name other systems."""
    return not control.fields["systems"] or system in control.fields["systems"]


def _place(where: str | None) -> tuple[str, int]:
    file, _, line = (where or "").rpartition(":")
    return (file, int(line)) if line.isdigit() else (where or "", 0)


def _resolved(control: catalogue.Control, bound: profile.Profile) -> dict[str, Any]:
    fields = control.fields
    literal = catalogue.literal_numbers(fields.get("expect"))
    if literal:
        raise CompileError(f"{control.id}: holds a number of its own", where=control.at("expect"), found=literal[0],
                           todo="move it into the profile and refer to it as $name")

    def take(name: str, values: Mapping[str, Any] = bound.values) -> Any:
        try:
            return profile.resolve(fields[name], values)
        except GoliveError as exc:
            raise CompileError(f"{control.id}: {exc}", where=control.at(name)) from None

    expect: dict[str, Any] = {}
    for fact, tests in dict(take("expect")).items():
        try:
            expect[fact] = operators.validate(tests)
        except GoliveError as exc:
            raise CompileError(f"{control.id}: {fact}: {exc}", where=control.at("expect", fact)) from None
    used = profile.references([fields["ask"], fields["expect"], fields["min_opportunities"]])
    tags = sorted({*fields["tags"], *(["scaled"] if used & set(bound.scaled) else []), *([] if fields["built"] else ["unbuilt"])})
    return {**{name: fields.get(name) for name in KEPT}, "id": control.id, "where": control.where, "ask": take("ask"), "expect": expect,
            "min_opportunities": take("min_opportunities"), "applies": take("applies"), "faults": list(fields.get("faults") or []),
            "when_live": fields.get("when_live") or ("no_entries" if fields["severity"] == "critical" else "page"), "tags": tags}


def main(arguments: list[str] | None = None) -> int:
    """Compile a system from the files alone and print what is wrong, one line each; 0 good, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m golive.compile", description=__doc__)
    parser.add_argument("--system", required=True)
    parser.add_argument("--group", choices=("rehearsal", "production"), default="rehearsal")
    parser.add_argument("--root", type=Path, default=ROOT)
    chosen = parser.parse_args(arguments)
    try:
        values = profile.from_files(chosen.root / "inventories" / chosen.system, chosen.group)
        bound = profile.freeze({name: value for name, value in values.items() if not (isinstance(value, str) and "{{" in value)},
                               rehearsal=chosen.group == "rehearsal")
        compiled = compile_system(chosen.system, bound, chosen.root)
    except GoliveError as exc:
        print(exc, file=sys.stderr)
        return 2
    lines = sum(len(section["items"]) for section in compiled.items)
    unbuilt = sum("unbuilt" in control["tags"] for control in compiled.controls.values())
    print(f"{chosen.system}: {lines} lines, {len(compiled.controls)} controls ({unbuilt} not built yet)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
