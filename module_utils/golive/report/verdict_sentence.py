"""What is the verdict, in one sentence? Nothing it says is more hopeful than the worst control it rests on."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import exposure
from .model import Control, Gate, Host
from .records import FOLDERS, Records

Verdict = tuple[str, str, str]
"""State word (see the schema), the sentence, and what else has to be known."""


@dataclass(frozen=True)
class _Weighed:
    """The controls by what they mean for the sentence."""

    money: list[Control]
    closing: list[Control]
    waiting: list[Control]
    red: int
    unjudged: int
    missing_hosts: int

    @property
    def lower(self) -> int:
        """Return how many are red or not known and neither lose money nor close a gate."""
        return self.red - len(self.money) - len(self.closing)

    @property
    def also(self) -> list[str]:
        """Return what else has to be known."""
        parts = []
        if self.closing:
            number = len(self.closing)
            parts.append(f"{many(number, 'more control' if self.money else 'control')} of high weight {is_are(number)} red or not known")
        if self.missing_hosts:
            parts.append(f"{many(self.missing_hosts, 'host')} {was_were(self.missing_hosts)} not reached or failed")
        if self.unjudged:
            parts.append(f"{many(self.unjudged, 'control')} {was_were(self.unjudged)} not judged in this run")
        return parts


def build(records: Records, controls: list[Control], gates: list[Gate], hosts: list[Host], reached: str | None) -> Verdict:
    """Return state, sentence and what else has to be known."""
    weighed = _weigh(controls, hosts)
    if records.finished is None:
        return _unfinished(records, weighed, hosts, reached)
    if not controls or records.run.get("started") is None:
        return "unknown", "Could not tell: the run left no readable record of what was to be observed.", ""
    if records.run.get("mode") == "check":
        return _dry_run(records, weighed)
    if records.run.get("mode") == "drift":
        return _drift(records, weighed)
    gates_open, trading = _live_gate_open(gates), exposure.trades_live(records)
    if trading:
        return _live(records, weighed, clean_gates=gates_open)
    seen = "no probe looked for the live unit" if trading is None else "the live unit does not run"
    return _not_live(weighed, f"every gate is open, but {seen}" if gates_open else f"this run ended in phase {reached or 'preflight'}")


def _unfinished(records: Records, weighed: _Weighed, hosts: list[Host], reached: str | None) -> Verdict:
    """A run without an end is going on, was killed, or broke off because a host failed after all that was observed."""
    known = [f"known until then: {_money(weighed.money)}"] if weighed.money else []
    if records.running:
        where = f"in phase {reached}" if reached else "before its first observation"
        sentence = f"Could not tell yet: the run is going on, {where}, last seen at {records.last_at or 'an unknown time'}."
        return "running", sentence, _sentences(known)
    trouble = [host for host in hosts if host.state in ("unreachable", "failed")]
    broke_at = max((host.at for host in trouble if host.at), default=None)
    if broke_at and broke_at >= (records.observed_at or ""):
        first = trouble[0]
        what = f"host {first.name}, in task {first.task or 'without a name'}: {first.text.rstrip('.')}"
        sentence = f"Could not tell: the run broke off at {broke_at} because {many(len(trouble), 'host')} failed."
        return "killed", sentence, _sentences([what, *known])
    where = f"in phase {reached}" if reached else "before anything was observed"
    return "killed", f"Could not tell: the run was killed {where} at {records.last_at or 'an unknown time'}.", _sentences(known)


def _weigh(controls: list[Control], hosts: list[Host]) -> _Weighed:
    """A critical control costs money when it is red, or unknown where the gate does not admit that yet."""
    money = [c for c in controls if c.red and c.severity == "critical" and (c.verdict == "fail" or c.closes)]
    return _Weighed(money=money, closing=[c for c in controls if c.red and c.closes and c not in money],
                    waiting=[c for c in controls if c.verdict == "undecided" and c.until], red=sum(c.red for c in controls),
                    unjudged=sum(not c.judged for c in controls),
                    missing_hosts=sum(host.state in ("unreachable", "failed") for host in hosts))


def _live(records: Records, weighed: _Weighed, *, clean_gates: bool) -> Verdict:
    word = "Live" + {True: " (REHEARSAL)", False: ""}.get(records.rehearsal, " (not known if real)")  # type: ignore[arg-type]
    if weighed.money or weighed.closing or weighed.missing_hosts or not clean_gates:
        what = _money(weighed.money) if weighed.money else "not everything that must hold was seen to hold"
        return "live_red", f"{word}, but {what}.", _sentences(weighed.also)
    stage = exposure.stage(records) or "stage not seen in this run"
    case = exposure.worst_case(records) or "its worst day not seen in this run"
    age = exposure.decided_ago(records) or "the bot's last decision was not seen in this run"
    return "live", f"{word}, {stage}, {case}; {age}.", _sentences([*weighed.also, *_lower(weighed)])


def _not_live(weighed: _Weighed, otherwise: str) -> Verdict:
    also = _sentences(weighed.also)
    if weighed.money:
        return "stopped", f"Must not go live: {_money(weighed.money)}.", also
    if weighed.closing or weighed.missing_hosts:
        return "stopped", "Must not go live: not everything that must hold was seen to hold.", also
    if weighed.waiting:
        return "waiting", f"Not live yet: {many(len(weighed.waiting), 'control')} must still wait for time to pass.", also
    return "stopped", f"Not live: {otherwise}.", also


def _drift(records: Records, weighed: _Weighed) -> Verdict:
    """A drift run asks part of the list again and compares hosts with code; it opens nothing."""
    differ = len(records.changes)
    code = [f"{many(differ, 'managed object')} {'differs' if differ == 1 else 'differ'} from code"] if differ else []
    also = _sentences([*weighed.also, *_lower(weighed), *code])
    if weighed.money:
        return "drift", f"Drift: {_money(weighed.money)}.", also
    if weighed.closing or weighed.missing_hosts or differ or weighed.lower:
        return "drift", "Drift: reality is not as it must be.", also
    return "no_drift", "No drift: all that was asked holds, and no managed object differs from code.", also


def _dry_run(records: Records, weighed: _Weighed) -> Verdict:
    predicted = sum(line.get("check") is True for line in records.changes)
    made = len(records.changes) - predicted
    text = f"Dry run: {many(predicted, 'change')} would be made" + (f", but {made} WERE MADE" if made else ", none was made")
    return "dry_run", f"{text}.", _sentences(
        [*([f"it would not go live: {_money(weighed.money)}"] if weighed.money else []), *weighed.also])


def _lower(weighed: _Weighed) -> list[str]:
    return [f"{many(weighed.lower, 'control')} of lower weight {is_are(weighed.lower)} red or not known"] if weighed.lower else []


def _live_gate_open(gates: list[Gate]) -> bool:
    """Tell whether the gate of `live` opened, and none in or after it is closed or left no record."""
    after = [gate for gate in gates if FOLDERS.index(gate.phase) >= FOLDERS.index("live")]
    return any(gate.phase == "live" for gate in after) and all(gate.open is True for gate in after)


def _money(money: list[Control]) -> str:
    failed = sum(c.verdict == "fail" for c in money)
    unknown = len(money) - failed
    if not failed:
        return f"{many(unknown, 'thing')} that can lose money could not be checked"
    return f"{many(failed, 'thing')} can lose money now" + (f", {unknown} more could not be checked" if unknown else "")


def _sentences(parts: Iterable[str]) -> str:
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)


def many(number: int, noun: str) -> str:
    """Return `1 control`, `3 controls`, `2 more controls`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def is_are(number: int) -> str:
    """Return the verb for a count."""
    return "is" if number == 1 else "are"


def was_were(number: int) -> str:
    """Return the verb for a count, in the past."""
    return "was" if number == 1 else "were"
