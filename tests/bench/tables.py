"""Shows the tables of measurements, and writes them into docs/explanation/performance.md, each between its own two marks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parents[2] / "docs/explanation/performance.md"
LANDINGS = Path(__file__).parents[1] / "records/bench_landings.jsonl"
SHOWN = 10
HEAD = "# What it costs\n\nFigures by `make bench`, with the machine named; no test asserts a time.\n"
Rows = Sequence[Sequence[str]]


def show(tables: Sequence[tuple[Sequence[str], Rows]]) -> None:
    """Print them."""
    for head, rows in tables:
        table = Table(*head)
        for row in rows:
            table.add_row(*row)
        Console().print(table)


def put(key: str, title: str, text: str, tables: Sequence[tuple[Sequence[str], Rows]], page: Path = PAGE) -> None:
    """Replace the section `key` of the page, or add it at its end."""
    parts = [f"<!-- measured: {key} -->", f"## {title}", "", f"{text} Measured {datetime.now(UTC):%Y-%m-%d}.", ""]
    for head, rows in tables:
        parts += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *("| " + " | ".join(row) + " |" for row in rows), ""]
    section = "\n".join([*parts, f"<!-- end: {key} -->"])
    old = page.read_text("utf-8") if page.exists() else HEAD
    pattern = re.compile(rf"<!-- measured: {re.escape(key)} -->.*?<!-- end: {re.escape(key)} -->", re.DOTALL)
    new = pattern.sub(lambda _found: section, old) if pattern.search(old) else f"{old.rstrip()}\n\n{section}\n"
    page.write_text(new, "utf-8")


def landed(key: str, figures: Mapping[str, float], file: Path = LANDINGS) -> tuple[Sequence[str], Rows]:
    """Note the figures of this landing (the commit that is checked out) and return the table of the last ten, the newest first.

    Only ratios of one run belong here: they compare across machines and days, seconds do not. A landing measured again is replaced.
    """
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=file.parent, text=True, capture_output=True, check=True)
    commit = head.stdout.strip()
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []
    lines = [one for one in lines if (one["key"], one["commit"]) != (key, commit)]
    lines.append({"key": key, "commit": commit, "at": f"{datetime.now(UTC):%Y-%m-%d}", "figures": dict(figures)})
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    ours = [one for one in lines if one["key"] == key][:-SHOWN - 1:-1]
    rows = []
    for one in ours:
        known = one["figures"]
        rows.append((one["commit"], one["at"], *(f"{known[name]:.3f}" if name in known else "" for name in figures)))
    return ("landing", "measured", *figures), rows
