"""The store's archive has one digest, whoever packs it and when."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from golive.canonical import file_digest
from golive.lab import vault_archive, vault_binary


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLIVE_CACHE", str(tmp_path / "cache"))
    for name in vault_binary.PROGRAMS:
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(vault_archive, "vault_folder", lambda: tmp_path)
    return tmp_path


def test_another_process_packs_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = vault_archive.archive()
    first[0].unlink()
    monkeypatch.setattr(os, "getpid", lambda: 4711)
    assert vault_archive.archive() == first


def test_the_kept_digest_is_that_of_the_archive(folder: Path) -> None:
    packed, sha256 = vault_archive.archive()
    assert file_digest(str(packed)) == f"sha256:{sha256}"
    packed.unlink()
    (folder / vault_binary.PROGRAMS[0]).write_text("newer")
    packed, newer = vault_archive.archive()
    assert newer != sha256
    assert file_digest(str(packed)) == f"sha256:{newer}"


def test_an_archive_without_a_kept_digest_is_not_packed_again(folder: Path) -> None:
    packed, sha256 = vault_archive.archive()
    (folder / "vault.tar.gz.sha256").unlink()
    before = packed.stat().st_mtime_ns
    assert vault_archive.archive() == (packed, sha256)
    assert packed.stat().st_mtime_ns == before
