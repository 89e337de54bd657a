"""What does the person at the terminal see at the end of a run? Texts come cleaned of terminal codes from the model."""
from __future__ import annotations

from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .hostile import clean
from .model import Control, Finding, Report

_STYLE = {"fail": "bold red", "undecided": "yellow", "waived": "magenta", "pass": "green", "not_applicable": "dim"}
_WORD = {"fail": "RED", "undecided": "NOT KNOWN", "waived": "WAIVED", "pass": "PASS", "not_applicable": "N/A"}


def show(report: Report, out: IO[str] | None = None, *, width: int | None = None, report_path: str = "") -> None:
    """Print banner, verdict sentence, the top five with who and how, and the counts. Colour only adds to words."""
    console = Console(file=out, width=width, highlight=False, emoji=False, markup=False)
    console.print(_text(f"{report.banner} · {report.system} · run {report.run} · reached {report.reached_phase or 'no phase'}", "bold"))
    console.print(_text(report.first.sentence, "bold"), soft_wrap=False)
    for problem in report.problems:
        console.print(_text(f"! {problem}", "yellow"))
    if report.first.top:
        console.print(_top(report.first.top, report.first.more_findings))
    for host in report.hosts:
        if host.state in ("unreachable", "failed"):
            console.print(_text(f"host {host.name} {host.state}: {host.text}", "red"))
    console.print(_counts(report))
    earliest = report.first.earliest
    when = f"{earliest} ({report.first.earliest_control}). " if earliest else ""
    console.print(_text(f"Earliest honest date: {when}{report.first.earliest_reason}"))
    console.print(_text(f"Stop now: {report.first.stop_command}"))
    if report_path:
        console.print(_text(f"Report: {report_path}"), soft_wrap=True)


def _top(top: tuple[Finding, ...], more: int) -> Table:
    table = Table(title=None, expand=False, show_lines=True, caption=f"and {more} more in the report" if more else None)
    for name, ratio in (("what", 5), ("seen", 4), ("wanted", 3), ("who and how", 5)):
        table.add_column(name, overflow="fold", ratio=ratio)
    for one in top:
        what = Text.assemble((_WORD[one.verdict], _STYLE[one.verdict]), f" {one.severity} · {_short(one.title)}\n", (one.control, "dim"))
        who = f"fixed by {one.remedy.fixed_by}: {_short(one.remedy.how)}"
        if one.remedy.contained_by:
            who += f"\ncontained by {one.remedy.contained_by}"
        table.add_row(what, _text(_short(one.seen or one.reason)), _text(_short(one.wanted) or "-"), _text(who))
    return table


def _counts(report: Report) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    names = ("pass", "fail", "undecided", "waived", "not_applicable", "total", "attested", "bots_word", "scaled", "loosened",
             "not_held", "unproven")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for kind in ("items", "controls"):
        counts = report.counts[kind]
        table.add_row("lines of the list" if kind == "items" else kind, *(str(counts[name]) for name in names))
    return table


def line(control: Control) -> str:
    """Return one control as one line of plain text, for narrators and logs."""
    return clean(f"{_WORD[control.verdict]} {control.severity} {control.id}: {control.reason}")


def _short(text: str) -> str:
    return clean(text, 240)


def _text(text: str, style: str = "") -> Text:
    """Return text that rich takes literally: a bracket from a probe is a bracket, not a style."""
    return Text(text, style=style)
