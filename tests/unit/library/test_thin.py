"""A file in library/ is documentation, arguments, one call: at most 60 lines of code besides documentation (house style, rule 12)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

LIBRARY = sorted((Path(__file__).parents[3] / "library").glob("*.py"))
MOST = 60
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


def code_lines(text: str) -> int:
    """Count lines that are neither blank, comment, docstring nor one of Ansible's documents."""
    documents: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        is_document = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in DOCUMENTS
        if is_text or is_document:
            documents |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for number, line in lines if number not in documents and line.strip() and not line.lstrip().startswith("#"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.stem)
def test_a_module_is_thin(path: Path) -> None:
    assert code_lines(path.read_text()) <= MOST


def test_the_count_counts() -> None:
    text = 'DOCUMENTATION = r"""\nmodule: x\n"""\n# why\n\ndef main():\n    """Do it."""\n    return 1\n'
    assert code_lines(text) == 2
    assert len(LIBRARY) >= 10
