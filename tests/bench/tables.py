"""Shows the tables of measurements, and writes them into docs/explanation/performance.md, each between its own two marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

PAGE = Path(__file__).parents[2] / "docs/explanation/performance.md"
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
