"""The bytes of a release depend on what is in it, and on nothing else."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.release_build import build, write_archive


def _archive(folder: Path, umask: int, times: int) -> bytes:
    old = os.umask(umask)
    try:
        folder.mkdir()
        for name, text in (("b", "two"), ("a", "one")):
            (folder / name).write_text(text)
            os.utime(folder / name, (times, times))
        (folder / "b").chmod((folder / "b").stat().st_mode | 0o100)
    finally:
        os.umask(old)
    handle = io.BytesIO()
    write_archive(handle, {"app/x/b": folder / "b", "app/a": folder / "a"})
    return handle.getvalue()


def test_time_umask_and_order_do_not_matter(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "one", 0o022, 1)
    assert archive == _archive(tmp_path / "two", 0o077, 2_000_000_000)
    assert archive[4:8] == bytes(4)  # gzip's own time of packing; two runs in one second would hide it


def test_content_matters(tmp_path: Path) -> None:
    before = _archive(tmp_path / "one", 0o022, 1)
    (tmp_path / "one" / "a").write_text("changed")
    handle = io.BytesIO()
    write_archive(handle, {"app/x/b": tmp_path / "one" / "b", "app/a": tmp_path / "one" / "a"})
    assert handle.getvalue() != before


def test_members_are_sorted_owned_by_root_and_not_writable_by_others(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(_archive(tmp_path / "x", 0o000, 5))) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == ["app", "app/a", "app/x", "app/x/b"]
    assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "root")}
    assert [oct(member.mode) for member in members] == ["0o755", "0o644", "0o755", "0o755"]
    assert len({member.mtime for member in members}) == 1


def test_unknown_release_is_told_the_known_ones() -> None:
    with pytest.raises(GoliveError, match="found bots, expected bot or sandbox"):
        build("bots")


def test_absent_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="exchange_sandbox: the source of the release is not there"):
        build("sandbox", repository=tmp_path)
