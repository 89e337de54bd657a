"""The reference's tables are those of the code: `python -m pytest` fails when they differ, and says how to write them anew."""

from __future__ import annotations

from pathlib import Path

from exchange_sandbox.cruelties import CATALOGUE
from exchange_sandbox.judge import RULES
from exchange_sandbox.reference import fill

DOCUMENT = Path(__file__).parents[3] / "docs/reference/sandbox.md"


def test_the_tables_of_the_reference_are_written_from_the_code() -> None:
    text = DOCUMENT.read_text()
    assert text == fill(text), "write docs/reference/sandbox.md anew with exchange_sandbox.reference.fill"
    assert all("`%s`" % name in text for name in (*RULES, *CATALOGUE))
