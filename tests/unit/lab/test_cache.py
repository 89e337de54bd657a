"""Keys of cached things follow content and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.lab.cache import cache_dir, content_key, files_below


def _tree(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "a").write_text("one")
    (root / "sub" / "b").write_text("two")
    return root


def _key(root: Path, *words: str) -> str:
    return content_key(files_below(root), root, *words)


def test_same_content_in_another_place_has_the_same_key(tmp_path: Path) -> None:
    assert _key(_tree(tmp_path / "here")) == _key(_tree(tmp_path / "there"))


@pytest.mark.parametrize("change", ["content", "name", "executable", "added", "moved"])
def test_any_change_gives_another_key(tmp_path: Path, change: str) -> None:
    root = _tree(tmp_path / "x")
    before = _key(root)
    if change == "content":
        (root / "a").write_text("onE")
    elif change == "name":
        (root / "a").rename(root / "c")
    elif change == "executable":
        (root / "a").chmod(0o755)
    elif change == "added":
        (root / "empty").write_text("")
    else:
        (root / "a").rename(root / "sub" / "a")
    assert _key(root) != before


def test_words_count_each_for_itself(tmp_path: Path) -> None:
    root = _tree(tmp_path / "x")
    assert len({_key(root), _key(root, "ab"), _key(root, "a", "b"), _key(root, "ab", "")}) == 4


def test_bytecode_is_no_content(tmp_path: Path) -> None:
    root = _tree(tmp_path / "x")
    before = _key(root)
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"\0")
    assert _key(root) == before


def test_cache_lies_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLIVE_CACHE", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"
    assert (tmp_path / "mine").stat().st_mode & 0o077 == 0
