"""What does the person at the terminal see at the end of a run? Texts come cleaned of terminal codes from the model."""
from __future__ import annotations

from typing import IO

from rich.box import SQUARE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..judge import VERDICTS
from .hostile import clean
from .model import TAGS, Control, Finding, Report

_STYLE = {"fail": "bold red", "undecided": "yellow", "waived": "magenta", "pass": "green", "not_applicable": "dim"}
_WORD = {"fail": "RED", "undecided": "NOT KNOWN", "waived": "WAIVED", "pass": "PASS", "not_applicable": "N/A"}


def show(report: Report, out: IO[str] | None = None, *, width: int | None = None, report_path: str = "") -> None:
    """Print banner, verdict sentence, the top five with who and how, and the counts. Colour only adds to words."""
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    console.print(_text(f"{report.banner} · {report.system} · run {report.run} · reached {report.reached_phase or 'no phase'}", "bold"))
    console.print(_text(report.first.sentence, "bold"), soft_wrap=False)
    if report.first.also:
        console.print(_text(report.first.also))
    for problem in report.problems:
        console.print(_text(f"! {problem}", "yellow"))
    if report.first.top:
        console.print(_top(report.first.top, report.first.more_findings))
    for host in report.hosts:
        if host.state in ("unreachable", "failed"):
            console.print(_text(f"host {host.name} {host.state}: {host.text}", "red"))
    for kind, name in (("items", "lines of the list"), ("controls", "controls")):
        console.print(_text(counts(report.counts[kind], name)))
    earliest = report.first.earliest
    when = f"{earliest} ({report.first.earliest_control}). " if earliest else ""
    console.print(_text(f"Earliest honest date: {when}{report.first.earliest_reason}"))
    console.print(_text(f"Stop now: {report.first.stop_command}"))
    if report_path:
        console.print(_text(f"Report: {report_path}"), soft_wrap=True)


def _top(top: tuple[Finding, ...], more: int) -> Table:
    table = Table(show_header=False, show_lines=True, box=SQUARE, caption=f"and {more} more in the report" if more else None)
    table.add_column(overflow="fold", ratio=2)
    table.add_column(overflow="fold", ratio=3)
    for one in top:
        what = Text.assemble((_WORD[one.verdict], _STYLE[one.verdict]), f" {one.severity}\n{clean(one.title, 120)}\n", (one.control, "dim"))
        told = [("seen", one.told), ("wanted", one.wanted), ("fixed by", one.remedy.fixed_by), ("how", one.remedy.how),
                ("contained by", one.remedy.contained_by)]
        detail = Text("\n").join(Text.assemble((f"{name}: ", "dim"), clean(text, 240)) for name, text in told if text)
        table.add_row(what, detail)
    return table


def counts(numbers: dict[str, int], name: str) -> str:
    """Return `96 controls: pass 41, fail 0, undecided 50, waived 2, not applicable 3 (attested 4)`; verdicts sum to the total."""
    verdicts = ", ".join(f"{word.replace('_', ' ')} {numbers[word]}" for word in VERDICTS)
    tags = ", ".join(f"{tag.replace('_', ' ')} {numbers[tag]}" for tag in TAGS if numbers[tag])
    return f"{numbers['total']} {name}: {verdicts}" + (f" ({tags})" if tags else "")


def line(control: Control) -> str:
    """Return one control as one line of plain text, for narrators and logs."""
    return clean(f"{_WORD[control.verdict]} {control.severity} {control.id}: {control.reason}")


def _text(text: str, style: str = "") -> Text:
    """Return text that rich takes literally: a bracket from a probe is a bracket, not a style."""
    return Text(text, style=style)
