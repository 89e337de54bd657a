"""The backup role's programs: whole or not at all, nothing hostile is kept, and the drill finds what is wrong."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.plugins import load_file

FILES = Path(__file__).parents[3] / "roles/backup/files"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


backup, pull, restore_drill = (load_file(FILES / f"{name}.py") for name in ("backup", "pull", "restore_drill"))
MAGIC = b"age-encryption.org/v1\n"


@pytest.fixture(autouse=True)
def _sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of age: a header. The real age is used on lab hosts."""
    monkeypatch.setattr(backup, "encrypt", lambda data, recipients: MAGIC + data)
    monkeypatch.setattr(restore_drill, "opened", _opened)


def _opened(sealed: bytes, identity: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(sealed[len(MAGIC) :])) as tar:
        return {"/" + member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}


@pytest.fixture
def bot(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "store").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/wire.json").write_text("{}")
    (tmp_path / "etc/ledger.jsonl").write_text("{}\n{}\n")
    pattern = str(tmp_path / "etc/*.json*")
    return {
        "directory": str(tmp_path / "store"),
        "set": "config",
        "sources": [pattern],
        "required": [pattern],
        "recipients": ["x"],
        "keep": 2,
    }


def drill(bot: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = restore_drill.drill(bot["directory"], "config", "identity")
    return found


def test_a_backup_is_restored_file_by_file_and_record_by_record(bot: dict[str, Any]) -> None:
    manifest = backup.take(bot, NOW)
    assert list(manifest["records"].values()) == [2]
    assert {key: drill(bot)[key] for key in ("checksums_match", "records_match", "files")} == {
        "checksums_match": True,
        "records_match": True,
        "files": 2,
    }


def test_a_missing_source_is_no_backup(bot: dict[str, Any]) -> None:
    bot["required"] = ["/nowhere/*.json"]
    with pytest.raises(RuntimeError, match="is not there; nothing was backed up"):
        backup.take(bot, NOW)
    assert list(Path(bot["directory"]).iterdir()) == []


def test_the_oldest_go_and_a_rest_without_manifest_goes_too(bot: dict[str, Any]) -> None:
    for hours in range(4):
        backup.take(bot, NOW + timedelta(hours=hours))
    stray = Path(bot["directory"]) / "config-20260101T000000Z.tar.gz.age.part"
    stray.write_text("x")
    backup.prune(bot["directory"], "config", bot["keep"])
    assert sorted(path.name[7:22] for path in Path(bot["directory"]).iterdir()) == [
        "20261121T120000",
        "20261121T120000",
        "20261121T130000",
        "20261121T130000",
    ]


def test_the_drill_sees_a_truncated_archive_and_a_manifest_that_promises_more(bot: dict[str, Any]) -> None:
    manifest = backup.take(bot, NOW)
    archive = Path(bot["directory"]) / manifest["files"][0]["name"]
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-10])
    with pytest.raises(RuntimeError, match="is not what its manifest says"):
        drill(bot)
    archive.write_bytes(whole)
    path = next(Path(bot["directory"]).glob("*.manifest.json"))
    manifest["records"] = dict.fromkeys(manifest["records"], 3)
    path.write_text(json.dumps(manifest))
    assert drill(bot)["records_match"] is False


def stream(members: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return io.BytesIO(buffer.getvalue())


def sent(data: bytes = MAGIC, stamp: str = "20261121T100000Z", **changed: Any) -> dict[str, bytes]:
    name = f"config-{stamp}.tar.gz.age"
    manifest = {"files": [{"name": name, "size": len(data), "sha256": "sha256:" + hashlib.sha256(data).hexdigest(), **changed}]}
    return {f"./{name}": data, f"./config-{stamp}.manifest.json": json.dumps(manifest).encode()}


def pulled(place: Path, members: dict[str, bytes], cap: int = 10_000) -> list[str]:
    pull.keep(pull.receive(stream(members), str(place), cap), str(place))
    return sorted(path.name for path in place.iterdir())


def test_whole_backups_are_kept_and_never_written_again(tmp_path: Path) -> None:
    names = pulled(tmp_path, sent())
    assert len(names) == 2
    pulled(tmp_path, sent(data=MAGIC + b"other"))
    assert (tmp_path / names[1]).read_bytes() == MAGIC


def test_the_rest_of_a_killed_pull_is_completed(tmp_path: Path) -> None:
    (tmp_path / "config-20261121T100000Z.tar.gz.age").write_bytes(b"half")
    assert len(pulled(tmp_path, sent())) == 2
    assert (tmp_path / "config-20261121T100000Z.tar.gz.age").read_bytes() == MAGIC


@pytest.mark.parametrize(
    "members",
    [
        sent(sha256="sha256:0"),
        sent(name="../../etc/passwd"),
        {"./config-20261121T100000Z.manifest.json": b"[]"},
        {"./config-20261121T100000Z.manifest.json": b"{"},
        {"../../etc/cron.d/x": b"x", "./Config-1.manifest.json": b"{}"},
    ],
)
def test_what_is_hostile_or_incomplete_is_not_kept(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert pulled(tmp_path, members) == []


def test_a_flood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="more than 100 bytes are new"):
        pulled(tmp_path, sent(data=b"x" * 101), cap=100)
