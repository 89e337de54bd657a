"""The one file on the kill machines is what its parts make, and nothing but the standard library."""
from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from golive.kill_switch import build


def test_the_file_that_lies_in_the_repository_is_what_the_parts_make() -> None:
    assert build.FILE.read_text(encoding="utf-8") == build.assemble(), "run python -m golive.kill_switch.build"


def test_it_imports_the_standard_library_and_nothing_else() -> None:
    tree = ast.parse(build.assemble())
    named = {alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert named <= set(sys.stdlib_module_names)
    assert all(node.level == 0 for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def test_it_is_python_3_9() -> None:
    ast.parse(build.assemble(), feature_version=(3, 9))


def parts(folder: Path, **sources: str) -> Path:
    for part in build.PARTS:
        (folder / (part + ".py")).write_text('"""A part."""\n' + sources.get(part, ""), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("sources", "words"), [
    ({"words": "X = 1\n", "line": "X = 2\n"}, "X is defined in words and in line"),
    ({"words": "import json as j\n"}, "under another name"),
    ({"words": "from .elsewhere import thing\n"}, "cannot hold"),
    ({"words": "from ..canonical import digest\n"}, "cannot hold")])
def test_parts_that_do_not_fit_into_one_file_are_refused(tmp_path: Path, sources: dict[str, str], words: str) -> None:
    with pytest.raises(build.Clash, match=words):
        build.assemble(parts(tmp_path, **sources))


def test_a_change_of_a_part_changes_the_file(tmp_path: Path) -> None:
    before = build.assemble(parts(tmp_path))
    assert build.assemble(parts(tmp_path, plan="def changed() -> None:\n    pass\n")) != before
