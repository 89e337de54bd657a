"""What does the owner read? One self-contained page: no script, nothing fetched, every text from outside escaped by Jinja."""
from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup

from ..canonical import parse_utc
from ..catalogue import PHASES
from .model import Change, Control, Item, Report

_TEMPLATES = Path(__file__).parent / "templates"
_SYMBOL = {"verified": "✓", "attested": "✎", "bot's word": "“", "shown (scaled)": "◷", "loosened": "≈", "red": "✕", "not known": "?",
           "waived": "~", "does not apply": "–", "not held": "!"}
_STATE = {"live": "Live", "live_red": "Live, not well", "stopped": "Stopped", "waiting": "Waiting", "dry_run": "Dry run",
          "killed": "Could not tell", "running": "Going on", "unknown": "Could not tell", "drift": "Drift", "no_drift": "No drift"}
_ORDER = {"fail": 0, "undecided": 1, "waived": 2, "pass": 3, "not_applicable": 4}


def text(report: Report) -> str:
    """Return the page."""
    style = (_TEMPLATES / "report.css").read_text("utf-8")
    return _environment().get_template("report.html.j2").render(
        report=report, first=report.first, style=Markup(style), policy=_policy(style), state=_STATE[report.first.state],  # noqa: S704 (ours)
        sections=[(name, list(lines)) for name, lines in groupby(report.items, key=lambda item: item.section)],
        phases=_phases(report), by_id={control.id: control for control in report.controls},
        carriers={seed: item for item in report.items for seed in item.seed},
        changes=[(host, list(found)) for host, found in groupby(sorted(report.changes, key=_host), key=_host)])


def _policy(style: str) -> str:
    """Return the policy of the page: nothing may load or run; the one style is named by its digest."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def _phases(report: Report) -> list[tuple[str, list[Control]]]:
    """Return the controls by phase, worst first in each."""
    known = {phase: number for number, phase in enumerate(PHASES)}

    def key(control: Control) -> tuple[int, str, int, str]:
        return known.get(control.phase, len(known)), control.phase, _ORDER[control.verdict], control.id

    return [(phase, list(found)) for phase, found in groupby(sorted(report.controls, key=key), key=lambda control: control.phase)]


def _host(change: Change) -> str:
    return change.host


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(when=_when, short=_short, anchor=_anchor, breaks=_breaks, kind=_kind)
    environment.globals.update(symbol=_SYMBOL)
    return environment


def _when(moment: str | None) -> str:
    return f"{parse_utc(moment):%-d %b %Y, %H:%M:%S} UTC" if moment else "not known"


def _short(digest: str) -> str:
    """Return a digest short enough to compare by eye."""
    match = re.fullmatch(r"sha256:([0-9a-f]{64})", digest)
    return f"{match[1][:12]}…" if match else digest


def _anchor(control_id: str) -> str:
    return "c-" + re.sub(r"[^A-Za-z0-9_.@-]", "-", control_id)


def _breaks(name: str) -> Markup:
    """Let a long name break after its dots, slashes and underscores."""
    return Markup("<wbr>").join(re.split(r"(?<=[._/@-])", name))


def _kind(thing: Control | Item) -> str:
    """Return the class of a verdict's badge: what a pass rests on looks different from a verified one."""
    return re.sub(r"[^a-z]+", "-", thing.shown_as).strip("-")
