"""What does a report say? The values that every format is written from; `build` is the only way to make them."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..judge import VERDICTS

TAGS = ("attested", "bots_word", "scaled", "loosened", "not_held", "unproven")
GRADES = ("here", "adapter", "method")

_WORST_FIRST = ("fail", "undecided", "waived", "pass")


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of several verdicts: fail > undecided > waived > pass; `not_applicable` only if all are.

    Nothing at all is `undecided`: what was not judged is not known.
    """
    found = set(verdicts)
    if found == {"not_applicable"}:
        return "not_applicable"
    return next((word for word in _WORST_FIRST if word in found), "undecided")


@dataclass(frozen=True)
class Fact:
    """One fact that a control asks for: as seen, as wanted, and whether it holds (None: it could not be compared)."""

    name: str
    seen: str
    wanted: str
    holds: bool | None


@dataclass(frozen=True)
class Row:
    """One verdict: a control, about one subject, seen from one vantage by one host. Texts are already cleaned."""

    subject: str
    vantage: str
    host: str
    phase: str
    verdict: str
    reason: str
    facts: tuple[Fact, ...] = ()
    witness: str = ""
    opportunities: str = ""
    at: str | None = None
    until: str | None = None
    tags: tuple[str, ...] = ()
    closes: bool = False


@dataclass(frozen=True)
class Remedy:
    """Who can turn a red control green, and what only limits the damage until then."""

    who: str
    how: str
    fixed_by: str
    contained_by: str


@dataclass(frozen=True)
class Control:
    """A control with the worst of its rows. `judged` is False where no gate of this run decided it."""

    id: str
    title: str
    severity: str
    phase: str
    verdict: str
    shown_as: str
    reason: str
    tags: tuple[str, ...]
    rows: tuple[Row, ...]
    remedy: Remedy
    probe: str
    seen_from: str
    when_live: str
    waivable: bool
    until: str | None
    proven: str
    closes: bool
    judged: bool
    waiver: str = ""

    @property
    def red(self) -> bool:
        """Tell whether somebody looked and it is not good: fail, or undecided although it was judged."""
        return self.verdict == "fail" or (self.verdict == "undecided" and self.judged)


@dataclass(frozen=True)
class Item:
    """One line of the list in the list's own words."""

    section: str
    text: str
    seed: tuple[str, ...]
    controls: tuple[str, ...]
    carried_by: tuple[str, ...]
    verdict: str
    shown_as: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One change as the recorder saw it; `check` means predicted, not made."""

    host: str
    task: str
    role: str
    object: str
    op: str
    before: str
    after: str
    check: bool
    at: str | None


@dataclass(frozen=True)
class Host:
    """One host of the inventory: `answered`, `unreachable`, `failed` or `not contacted`."""

    name: str
    groups: tuple[str, ...]
    state: str
    text: str = ""
    phase: str = ""
    task: str = ""
    at: str | None = None


@dataclass(frozen=True)
class Gate:
    """What a gate decided; `open` is None where a phase was observed and no gate judged it."""

    phase: str
    open: bool | None
    at: str | None
    closing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sighting:
    """One fact shown on the first screen: value in words, who says so and when; `value` None: not seen in this run."""

    label: str
    value: str | None
    witness: str = ""
    at: str | None = None
    alarming: bool = False


@dataclass(frozen=True)
class Finding:
    """One of the top five: what is wrong, most money first."""

    control: str
    title: str
    severity: str
    verdict: str
    subject: str
    seen: str
    wanted: str
    reason: str
    remedy: Remedy

    @property
    def told(self) -> str:
        """Return what was seen, or for what could not be seen the reason."""
        return self.seen if self.verdict == "fail" and self.seen else self.reason


@dataclass(frozen=True)
class FirstScreen:
    """What an owner reads before anything else."""

    state: str
    sentence: str
    also: str
    venue: Sighting
    release_changes: str
    exposure: tuple[Sighting, ...]
    stop_command: str
    stop: tuple[Sighting, ...]
    top: tuple[Finding, ...]
    more_findings: int
    earliest: str | None
    earliest_control: str
    earliest_reason: str
    rests_on: tuple[tuple[str, int], ...]
    proven: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Report:
    """A whole report of one run. Times are UTC texts; money stays the decimal text that the probe gave."""

    system: str
    run: str
    release: dict[str, str]
    rehearsal: bool | None
    mode: str
    started: str | None
    finished: str | None
    result: str | None
    exit: int | None
    reached_phase: str | None
    last_at: str | None
    controls: tuple[Control, ...]
    items: tuple[Item, ...]
    changes: tuple[Change, ...]
    hosts: tuple[Host, ...]
    gates: tuple[Gate, ...]
    first: FirstScreen
    problems: tuple[str, ...] = ()
    shared: bool = False
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def banner(self) -> str:
        """Return the word that stands on every page: REAL, REHEARSAL, or that it is not known."""
        return {True: "REHEARSAL", False: "REAL"}.get(self.rehearsal, "NOT KNOWN IF REAL")  # type: ignore[arg-type]


def shown_as(verdict: str, tags: Iterable[str]) -> str:
    """Return the words for a reader: a pass says what it rests on, so that no tag can be overlooked."""
    if verdict != "pass":
        if verdict == "not_applicable" and "not_held" in tags:
            return "not held"
        return {"fail": "red", "undecided": "not known", "waived": "waived", "not_applicable": "does not apply"}[verdict]
    for tag, text in (("scaled", "shown (scaled)"), ("attested", "attested"), ("bots_word", "bot's word"),
                      ("loosened", "loosened"), ("not_held", "not held")):
        if tag in tags:
            return text
    return "verified"


def count(things: Iterable[Control] | Iterable[Item]) -> dict[str, int]:
    """Count the five verdicts (they sum to `total`) and beside them the tags."""
    counts = dict.fromkeys((*VERDICTS, "total", *TAGS), 0)
    for thing in things:
        counts[thing.verdict] += 1
        counts["total"] += 1
        for tag in set(thing.tags) & set(TAGS):
            counts[tag] += 1
    return counts
