"""One system's list in its own order and wording: every line of the seed stands here once and names the controls that prove it."""
from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import yaml_marks
from .errors import CompileError


@dataclass(frozen=True)
class Item:
    """A line of the list. A context line has no controls of its own; the seed lines in `carried_by` prove it."""

    text: str
    seed: tuple[str, ...]
    controls: tuple[str, ...]
    carried_by: tuple[str, ...]
    where: str


@dataclass
class Checklist:
    """Sections in order, each with its items, and everything that is wrong with them."""

    sections: list[tuple[str, list[Item]]] = field(default_factory=list)
    errors: list[CompileError] = field(default_factory=list)

    def items(self) -> list[Item]:
        """Return all items in the order of the list."""
        return [item for _section, items in self.sections for item in items]

    def plain(self) -> list[dict[str, Any]]:
        """Return the checklist as it is frozen into a run."""
        return [{"section": section, "items": [{"text": item.text, "seed": list(item.seed), "controls": list(item.controls),
                                                "carried_by": list(item.carried_by)} for item in items]}
                for section, items in self.sections]


def load(path: Path, seeds: Path | None = None) -> Checklist:
    """Read a checklist and hold it against the numbered lines of its seed (TSV with a column `id`)."""
    checklist = Checklist()
    try:
        document = yaml_marks.load(path, f"{path.parent.name}/{path.name}")
    except CompileError as exc:
        checklist.errors.append(exc)
        return checklist
    for index, section in enumerate(document.data if isinstance(document.data, list) else []):
        if not isinstance(section, dict) or not isinstance(section.get("items"), list):
            checklist.errors.append(CompileError("not a section", where=document.where(index), expected="section: and items:"))
            continue
        items = [_item(raw, document.where(index, "items", at), checklist) for at, raw in enumerate(section["items"])]
        checklist.sections.append((str(section.get("section", "")), items))
    if not checklist.sections and not checklist.errors:
        checklist.errors.append(CompileError("the list is empty", where=document.file, expected="a list of sections"))
    if seeds is not None:
        checklist.errors += _against_seed(checklist, seeds, document.file)
    return checklist


def _item(raw: Any, where: str, checklist: Checklist) -> Item:
    raw = raw if isinstance(raw, dict) else {}
    surplus = sorted(set(raw) - {"text", "seed", "controls", "carried_by"})
    item = Item(str(raw.get("text") or ""), _names(raw.get("seed")), _names(raw.get("controls")), _names(raw.get("carried_by")), where)
    if surplus:
        checklist.errors.append(CompileError(f"unknown field {surplus[0]}", where=where, expected="text seed controls carried_by"))
    if not item.text:
        checklist.errors.append(CompileError("the item has no text", where=where))
    if not item.controls and not item.carried_by:
        checklist.errors.append(CompileError(f"item {item.text[:60]!r} has no control", where=where,
                                             todo="name the controls that prove it, or carried_by"))
    return item


def _names(raw: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in raw) if isinstance(raw, list) else ()


def _against_seed(checklist: Checklist, seeds: Path, file: str) -> list[CompileError]:
    with seeds.open(encoding="utf-8", newline="") as handle:
        wanted = [row["id"] for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)]
    errors: list[CompileError] = []
    first: dict[str, str] = {}
    for item in checklist.items():
        for seed in item.seed:
            if seed in first:
                errors.append(CompileError(f"seed line {seed} stands twice", where=item.where, found=f"first at {first[seed]}"))
            elif seed not in wanted:
                errors.append(CompileError(f"there is no seed line {seed}", where=item.where))
            first.setdefault(seed, item.where)
        for seed in item.carried_by:
            if seed not in wanted:
                errors.append(CompileError(f"there is no seed line {seed}", where=item.where))
    missing = [seed for seed in wanted if seed not in first]
    if missing:
        errors.append(CompileError("seed lines are missing", where=file, found=", ".join(missing), todo="add an item for each"))
    return errors
