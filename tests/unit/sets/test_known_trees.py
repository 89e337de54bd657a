"""The tree of a release's archive is read once, and never taken for another archive's or another way of reading it."""
from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from golive.canonical import file_digest
from golive.sets import release_tree

from tests.fixtures.plugins import load_action


def archive(path: Path, content: bytes) -> tuple[str, str]:
    with tarfile.open(path, "w:gz") as packed:
        member = tarfile.TarInfo("app/main.py")
        member.size = len(content)
        packed.addfile(member, io.BytesIO(content))
    return str(path), file_digest(str(path))[7:]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GOLIVE_CACHE", str(tmp_path / "cache"))
    return load_action("managed_files")._tree


def test_an_archive_is_unpacked_once(tree: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = archive(tmp_path / "one.tar.gz", b"one")
    first = tree(path, sha256)
    assert first == release_tree.of_archive(path)
    monkeypatch.setattr(release_tree, "of_archive", lambda _: pytest.fail("it was unpacked again"))
    assert tree(path, sha256) == first


def test_another_archive_has_its_own_tree(tree: Any, tmp_path: Path) -> None:
    assert tree(*archive(tmp_path / "one.tar.gz", b"one")) != tree(*archive(tmp_path / "two.tar.gz", b"two"))


def test_what_another_way_of_reading_found_does_not_count(tree: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sha256 = archive(tmp_path / "one.tar.gz", b"one")
    tree(path, sha256)
    other = tmp_path / "release_tree.py"
    other.write_text("# reads otherwise\n")
    monkeypatch.setattr(release_tree, "__file__", str(other))
    monkeypatch.setattr(release_tree, "of_archive", lambda _: "other")
    assert tree(path, sha256) == "other"
