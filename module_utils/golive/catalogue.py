"""The catalogue: reads controls/*.yml and says, with file and line, what is wrong with a control before anything runs."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import bundle, operators, yaml_marks
from .errors import CompileError, GoliveError

PHASES = ("preflight", "provision", "deploy", "verify", "paper", "signoff", "live", "operate")
SEVERITIES = ("critical", "high", "medium", "low")
WITNESSES = ("venue", "kernel", "golive", "bot", "person")
CHOICES: dict[str, tuple[Any, ...]] = {
    "severity": SEVERITIES,
    "phase": PHASES,
    "decided_in": ("before", "canary", "stage"),
    "when_live": ("page", "no_entries", "step_down", "kill"),
    "seen_from": ("target", "controller", "outside", "peer"),
    "drift": (True, False, "when_free"),
    "otherwise": ("loosened", "not_held", "not_needed"),
    "in_rehearsal": ("closes", "counted"),
    "opening": (True, False),
}
DEFAULTS: dict[str, Any] = {"decided_in": "before", "drift": True, "waivable": True, "on": "bots", "from": None, "ask": {},
                            "min_opportunities": None, "attest": False, "applies": True, "otherwise": "loosened",
                            "in_rehearsal": "closes", "opening": False, "built": True, "why": None, "contained_by": None, "note": None,
                            "systems": None, "tags": []}
REQUIRED = ("title", "severity", "phase", "seen_from", "probe", "expect", "witness", "remedy", "how")
FIELDS = frozenset(REQUIRED) | frozenset(DEFAULTS) | frozenset({"when_live", "faults", "variants"})
VARIANT_FIELDS = frozenset({"phase", "ask", "expect", "min_opportunities", "decided_in", "title", "severity", "when_live", "note",
                            "built", "why", "drift", "seen_from", "on", "from", "witness"})
_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_REMEDY = re.compile(r"roles/[a-z_]+|playbooks/(operate/|drills/)?[a-z_]+\.yml|operator|bot")


@dataclass(frozen=True)
class Control:
    """One control as written: `fields` with defaults filled in, `where` = file:line of its id. Variants are controls too."""

    id: str
    fields: dict[str, Any]
    where: str
    document: yaml_marks.Document = field(repr=False)
    path: tuple[str, ...]

    def at(self, *path: str | int) -> str:
        """Return file:line of a place inside this control."""
        return self.document.where(*self.path, *path)


@dataclass
class Catalogue:
    """All controls by id, and everything that is wrong with them."""

    controls: dict[str, Control] = field(default_factory=dict)
    errors: list[CompileError] = field(default_factory=list)


def load(folder: Path) -> Catalogue:
    """Read every file of the catalogue. Errors are collected, not raised, so that a reader sees all of them at once."""
    catalogue = Catalogue()
    paths = sorted(folder.glob("*.yml"))
    if not paths:
        catalogue.errors.append(CompileError("no control is here", where=f"{folder.name}/", expected="controls/<subject>.yml"))
    for path in paths:
        try:
            document = yaml_marks.load(path, f"{folder.name}/{path.name}")
            if not isinstance(document.data, dict):
                raise CompileError("expected a mapping from control id to control", where=document.file)
        except CompileError as exc:
            catalogue.errors.append(exc)
            continue
        for name, raw in document.data.items():
            _add(catalogue, str(name), raw, document)
    return catalogue


def _add(catalogue: Catalogue, name: str, raw: Any, document: yaml_marks.Document) -> None:
    where = document.where(name)
    if not _ID.fullmatch(name):
        catalogue.errors.append(CompileError(f"{name!r} is not a control id", where=where, expected="subject.property"))
    elif not isinstance(raw, dict):
        catalogue.errors.append(CompileError(f"{name} is empty", where=where, expected="a mapping"))
    elif name in catalogue.controls:
        catalogue.errors.append(CompileError(f"{name} stands twice", where=where, found=f"first at {catalogue.controls[name].where}"))
    else:
        main = Control(name, {**DEFAULTS, **raw}, where, document, (name,))
        _register(catalogue, main)
        variants = raw.get("variants") or {}
        if not isinstance(variants, dict):
            catalogue.errors.append(CompileError(f"{name}: variants is not a mapping", where=main.at("variants")))
            return
        for window, changes in variants.items():
            _register(catalogue, _variant(main, str(window), changes if isinstance(changes, dict) else {}, catalogue))


def _variant(main: Control, window: str, changes: dict[str, Any], catalogue: Catalogue) -> Control:
    surplus = sorted(set(changes) - VARIANT_FIELDS)
    where = main.at("variants", window)
    if surplus:
        catalogue.errors.append(CompileError(f"{main.id}@{window} changes {', '.join(surplus)}", where=where,
                                             expected="only " + " ".join(sorted(VARIANT_FIELDS))))
    fields = {**main.fields, **changes}
    for merged in ("ask", "expect"):
        if isinstance(changes.get(merged), dict) and isinstance(main.fields.get(merged), dict):
            fields[merged] = {**main.fields[merged], **changes[merged]}
    fields.pop("variants", None)
    return Control(f"{main.id}@{window}", fields, where, main.document, (*main.path, "variants", window))


def _register(catalogue: Catalogue, control: Control) -> None:
    catalogue.controls[control.id] = control
    for problem in _problems(control):
        catalogue.errors.append(problem)


def _problems(control: Control) -> list[CompileError]:
    fields, found = control.fields, []

    def wrong(what: str, *path: str, **more: Any) -> None:
        found.append(CompileError(f"{control.id}: {what}", where=control.at(*path), **more))

    for name in sorted(set(fields) - FIELDS):
        wrong(f"unknown field {name}", name, expected="one of " + " ".join(sorted(FIELDS)))
    for name in REQUIRED:
        if fields.get(name) in (None, "", {}, []):
            wrong(f"{name} is missing")
    for name, allowed in CHOICES.items():
        if fields.get(name) is not None and fields[name] not in allowed:
            wrong(f"{name} is {fields[name]!r}", name, expected="one of " + " ".join(map(str, allowed)))
    if fields["systems"] is not None and not (isinstance(fields["systems"], list) and fields["systems"]
                                              and all(isinstance(one, str) for one in fields["systems"])):
        wrong(f"systems is {fields['systems']!r}", "systems", expected="a list of systems, or nothing for all")
    if not _REMEDY.fullmatch(str(fields.get("remedy", ""))):
        wrong(f"remedy is {fields.get('remedy')!r}", "remedy", expected="roles/… playbooks/… operator or bot")
    if not fields["attest"] and not fields.get("faults"):
        wrong("has no fault: a control that was never seen red is a tick", todo="name its deliberate break under faults")
    if fields["seen_from"] == "peer" and not fields["from"]:
        wrong("is seen from a peer but does not say from which group", todo="add from: <group>")
    if not fields["built"] and not fields["why"]:
        wrong("is not built and does not say why", todo="add why: …")
    found += _witness_problems(control) + _probe_problems(control)
    return found


def _witness_problems(control: Control) -> list[CompileError]:
    witness = control.fields.get("witness")
    if not isinstance(witness, list) or not set(witness) <= set(WITNESSES):
        return [CompileError(f"{control.id}: witness is {witness!r}", where=control.at("witness"),
                             expected="a list of " + " ".join(WITNESSES))]
    if control.fields.get("severity") == "critical" and set(witness) == {"bot"}:
        return [CompileError(f"{control.id}: is critical and rests on the bot's word alone", where=control.at("witness"),
                             todo="name a second witness")]
    return []


def _probe_problems(control: Control) -> list[CompileError]:
    fields = control.fields
    if not fields["built"]:
        return []
    name = fields.get("probe")
    if name not in bundle.probe_names():
        return [CompileError(f"{control.id}: unknown probe {name!r}", where=control.at("probe"),
                             expected="one of " + " ".join(bundle.probe_names()))]
    try:
        probe = bundle.probe(str(name))
    except GoliveError as exc:
        return [CompileError(f"{control.id}: {exc}", where=control.at("probe"))]
    found = []
    ask = fields["ask"] if isinstance(fields["ask"], dict) else {}
    for key in sorted(set(ask) - set(probe.ask)):
        found.append(CompileError(f"{control.id}: probe {name} takes no {key!r}", where=control.at("ask", key),
                                  expected="one of " + " ".join(sorted(probe.ask))))
    for key, doc in probe.ask.items():
        if "required" in doc and key not in ask:
            found.append(CompileError(f"{control.id}: probe {name} needs {key}", where=control.at("ask"), expected=doc))
    for fact in fields["expect"] if isinstance(fields["expect"], dict) else []:
        if not declared(fact, probe.facts):
            found.append(CompileError(f"{control.id}: probe {name} never returns {fact!r}", where=control.at("expect", fact),
                                      expected="one of " + " ".join(sorted(probe.facts))))
    if probe.executor == "local" and fields["seen_from"] != "controller":
        found.append(CompileError(f"{control.id}: probe {name} looks from the controller", where=control.at("seen_from"),
                                  found=fields["seen_from"], expected="controller"))
    return found


def declared(fact: str, facts: dict[str, str]) -> bool:
    """Return whether a probe declares a fact, by its name or by a family such as `rights.*`."""
    return fact in facts or any(known.endswith("*") and fact.startswith(known[:-1]) for known in facts)


def literal_numbers(expect: Any, fact: str = "") -> list[Any]:
    """Return the numbers that stand in an expectation itself: thresholds belong to the profile (0, 1 and HTTP status apart)."""
    if isinstance(expect, dict):
        return [n for key, one in expect.items() for n in literal_numbers(one, key if key not in operators.OPERATORS else fact)]
    if isinstance(expect, list):
        return [n for one in expect for n in literal_numbers(one, fact)]
    is_number = isinstance(expect, (int, float)) and not isinstance(expect, bool)
    return [expect] if is_number and expect not in (0, 1) and not fact.endswith("status") else []
