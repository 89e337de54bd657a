"""What is the verdict, in one sentence? Nothing it says is more hopeful than the worst control it rests on."""
from __future__ import annotations

from dataclasses import dataclass, replace

from . import exposure
from .model import Control, Gate, Host
from .records import FOLDERS, Records


@dataclass(frozen=True)
class _Weighed:
    """The controls by what they mean for the sentence."""

    money: list[Control]
    closing: list[Control]
    waiting: list[Control]
    unjudged: int
    missing_hosts: int
    red: int

    @property
    def tail(self) -> str:
        """Return what else has to be known, as sentences after the verdict; empty where there is nothing."""
        parts = []
        if self.closing:
            number = len(self.closing)
            parts.append(f"{many(number, 'more control' if self.money else 'control')} of high weight {is_are(number)} red or not known")
        if self.missing_hosts:
            parts.append(f"{many(self.missing_hosts, 'host')} {was_were(self.missing_hosts)} not reached or failed")
        if self.unjudged:
            parts.append(f"{many(self.unjudged, 'control')} {was_were(self.unjudged)} not judged in this run")
        return "".join(f" {part[0].upper()}{part[1:]}." for part in parts)


def build(records: Records, controls: list[Control], gates: list[Gate], hosts: list[Host], reached: str | None) -> tuple[str, str]:
    """Return a state word (see the schema) and the sentence."""
    weighed = _weigh(controls, hosts)
    if records.finished is None:
        known = f" Known until then: {_money(weighed.money)}." if weighed.money else ""
        return "killed", (f"Could not tell: the run was killed in phase {reached or 'preflight, before anything was observed,'} "
                          f"at {records.last_at or 'an unknown time'}.{known}")
    if not controls or records.run.get("started") is None:
        return "unknown", "Could not tell: the run left no readable record of what was to be observed."
    if records.run.get("mode") == "check":
        return "dry_run", _dry_run(records, weighed)
    if records.run.get("mode") == "drift":
        return _drift(records, weighed)
    live_gate = _live_gate_open(gates)
    if live_gate or exposure.switched_to_live(records):
        return _live(records, weighed, clean_gates=live_gate)
    return _not_live(weighed, reached)


def _weigh(controls: list[Control], hosts: list[Host]) -> _Weighed:
    """A critical control costs money when it is red, or unknown where the gate does not admit that yet."""
    money = [c for c in controls if c.red and c.severity == "critical" and (c.verdict == "fail" or c.closes)]
    return _Weighed(money=money, closing=[c for c in controls if c.red and c.closes and c not in money],
                    waiting=[c for c in controls if c.verdict == "undecided" and c.until], unjudged=sum(not c.judged for c in controls),
                    missing_hosts=sum(host.state in ("unreachable", "failed") for host in hosts),
                    red=sum(c.red for c in controls))


def _live(records: Records, weighed: _Weighed, *, clean_gates: bool) -> tuple[str, str]:
    word = "Live" + {True: " (REHEARSAL)", False: ""}.get(records.run.get("rehearsal"), " (not known if real)")  # type: ignore[arg-type]
    if weighed.money or weighed.closing or weighed.missing_hosts or not clean_gates:
        what = _money(weighed.money) if weighed.money else "not everything that must hold was seen to hold"
        return "live_red", f"{word}, but {what}.{weighed.tail}"
    stage = exposure.stage(records) or "stage not seen in this run"
    case = exposure.worst_case(records) or "worst case today not seen in this run"
    age = exposure.decided_ago(records) or "the bot's last decision was not seen in this run"
    return "live", f"{word}, {stage}, {case}; {age}."


def _not_live(weighed: _Weighed, reached: str | None) -> tuple[str, str]:
    if weighed.money:
        return "stopped", f"Must not go live: {_money(weighed.money)}.{weighed.tail}"
    if weighed.closing or weighed.missing_hosts:
        return "stopped", f"Must not go live.{weighed.tail}"
    if weighed.waiting:
        return "waiting", f"Not live yet: {many(len(weighed.waiting), 'control')} must still wait for time to pass.{weighed.tail}"
    return "stopped", f"Not live: this run ended in phase {reached or 'preflight'}.{weighed.tail}"


def _live_gate_open(gates: list[Gate]) -> bool:
    """Tell whether the gate of `live` opened, and none in or after it is closed or left no record."""
    after = [gate for gate in gates if FOLDERS.index(gate.phase) >= FOLDERS.index("live")]
    return any(gate.phase == "live" for gate in after) and all(gate.open is True for gate in after)


def _money(money: list[Control]) -> str:
    failed = sum(c.verdict == "fail" for c in money)
    unknown = len(money) - failed
    if failed and unknown:
        return f"{many(failed, 'thing')} can lose money now, and of {unknown} more it is not known"
    if failed:
        return f"{many(failed, 'thing')} can lose money now"
    return f"of {many(unknown, 'thing')} that can lose money it is not known whether {'it is' if unknown == 1 else 'they are'} in order"


def _drift(records: Records, weighed: _Weighed) -> tuple[str, str]:
    """A drift run asks part of the list again and compares hosts with code; it opens nothing."""
    asked = replace(weighed, unjudged=0)
    differ = len(records.changes)
    code = f" {many(differ, 'managed object')} {'differs' if differ == 1 else 'differ'} from code." if differ else ""
    others = weighed.red - len(weighed.money) - len(weighed.closing)
    rest = f" {many(others, 'control')} of lower weight {is_are(others)} red or not known." if others else ""
    scope = f" {many(weighed.unjudged, 'control')} {was_were(weighed.unjudged)} not asked by this run." if weighed.unjudged else ""
    if weighed.money:
        return "drift", f"Drift: {_money(weighed.money)}.{asked.tail}{rest}{code}{scope}"
    if weighed.closing or weighed.missing_hosts or differ or others:
        return "drift", f"Drift: reality is not as it must be.{asked.tail}{rest}{code}{scope}"
    return "no_drift", f"No drift: all that was asked holds, and no managed object differs from code.{scope}"


def _dry_run(records: Records, weighed: _Weighed) -> str:
    predicted = sum(line.get("check") is True for line in records.changes)
    made = len(records.changes) - predicted
    text = f"Dry run: {many(predicted, 'change')} would be made" + (f", but {made} WERE MADE" if made else ", none was made")
    return f"{text}." + (f" It would not go live: {_money(weighed.money)}." if weighed.money else "") + weighed.tail


def many(number: int, noun: str) -> str:
    """Return `1 control` or `3 controls`."""
    return f"{number} {noun}" + ("" if number == 1 or noun.endswith("s") else "s")


def is_are(number: int) -> str:
    """Return the verb for a count."""
    return "is" if number == 1 else "are"


def was_were(number: int) -> str:
    """Return the verb for a count, in the past."""
    return "was" if number == 1 else "were"
