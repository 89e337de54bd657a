"""The newest backup: whole, encrypted, young, and the same as what runs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from golive.canonical import file_digest, utc
from golive.errors import Undecided
from golive.probes.backup import FACTS, observe

from .fake_look import NOW, FakeLook

AGE = b"age-encryption.org/v1\n-> X25519 abc\n"


class Store:
    def __init__(self, path):
        self.path = path
        self.source = path / "wire.json"
        self.source.write_text("{}")
        self.folder = path / "backups"
        self.folder.mkdir(mode=0o700)

    def take(self, stamp="20261121T110000Z", content=AGE + b"data", at=None, name="config", **more):
        archive = self.folder / f"{name}-{stamp}.tar.age"
        archive.write_bytes(content)
        archive.chmod(0o600)
        manifest = {"set": name, "at": at or utc(NOW - timedelta(hours=1)),
                    "files": [{"name": archive.name, "size": len(content), "sha256": file_digest(str(archive))}],
                    "sources": {str(self.source): file_digest(str(self.source))}, **more}  # fmt: skip
        (self.folder / f"{name}-{stamp}.manifest.json").write_text(json.dumps(manifest))
        return archive

    def facts(self):
        return observe({"directory": str(self.folder), "set": "config", "sources": [str(self.source)]}, FakeLook()).facts


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_whole_young_encrypted_backup_of_what_runs(store):
    store.take()
    seen = store.facts()
    assert (seen["exists"], seen["complete"], seen["encrypted"], seen["matches_current"], seen["age_s"]) == (True, True, True, True, 3600)
    assert seen["writable_by_others"] is False
    assert set(seen) <= set(FACTS)


def test_the_newest_one_counts(store):
    store.take("20261121T110000Z", at=utc(NOW - timedelta(hours=1)))
    store.take("20261121T115900Z", at=utc(NOW - timedelta(minutes=1)))
    assert store.facts()["age_s"] == 60


def test_another_set_does_not_count(store):
    store.take(name="other")
    assert store.facts()["exists"] is False


def test_no_directory_is_no_backup(store):
    assert observe({"directory": str(store.path / "none"), "set": "config"}, FakeLook()).facts["exists"] is False


def test_a_truncated_archive_is_incomplete(store):
    store.take().write_bytes(AGE)
    assert store.facts()["complete"] is False


def test_a_changed_archive_of_the_same_size_is_incomplete(store):
    store.take().write_bytes(AGE + b"DATA")
    assert store.facts()["complete"] is False


def test_a_missing_archive_is_incomplete_and_proves_no_encryption(store):
    store.take().unlink()
    seen = store.facts()
    assert (seen["complete"], seen["encrypted"]) == (False, False)


def test_a_plain_archive_is_not_encrypted(store):
    store.take(content=b"\x1f\x8b plain gzip")
    assert store.facts()["encrypted"] is False


def test_an_edited_source_differs(store):
    store.take()
    store.source.write_text('{"position_size_usdt": 7}')
    assert store.facts()["changed"] == [str(store.source)]


def test_a_removed_source_differs(store):
    store.take()
    store.source.unlink()
    assert store.facts()["matches_current"] is False


def test_a_source_that_is_neither_there_nor_backed_up_differs(store):
    store.take(sources={})
    store.source.unlink()
    assert store.facts()["matches_current"] is False


def test_a_source_that_the_manifest_does_not_know_differs(store):
    store.take(sources={})
    assert store.facts()["matches_current"] is False


def test_a_directory_that_others_may_write_is_told(store):
    store.take()
    store.folder.chmod(0o777)
    assert store.facts()["writable_by_others"] is True


@pytest.mark.parametrize("manifest", [
    b"", b"[]", b"{}", b'{"files": []}', b'{"files": [{"name": "a", "size": 1, "sha256": "x"}]}',
    b'{"files": [{"name": "../../etc/shadow", "size": 1, "sha256": "x"}], "at": 1}',
])  # fmt: skip
def test_a_manifest_without_its_form_is_undecided(store, manifest):
    store.take()
    next(store.folder.glob("*.manifest.json")).write_bytes(manifest)
    with pytest.raises(Undecided):
        store.facts()


def test_a_relative_directory_is_refused():
    with pytest.raises(Undecided):
        observe({"directory": "backups", "set": "config"}, FakeLook())
