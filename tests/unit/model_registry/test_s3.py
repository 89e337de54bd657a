"""What an object store adds: conditions instead of a lock, versions, object lock, lost races, no boto3."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golive.model_registry import names, s3_store
from golive.model_registry.errors import RegistryError
from golive.model_registry.s3_store import S3Store

from tests.fixtures import models as m
from tests.unit.model_registry.conftest import BucketWorld


@pytest.fixture
def stored(bucket: tuple[str, str, Any], tmp_path: Path) -> BucketWorld:
    endpoint, name, _client = bucket
    return BucketWorld(tmp_path, S3Store(name, "artifacts", m.SCOPE, endpoint=endpoint, region="eu-central-1", lock_days=30))


def test_a_promoter_who_lost_the_race_changes_nothing_and_is_told(stored: BucketWorld, bucket: tuple[str, str, Any],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, name, _client = bucket
    first, second = stored.signed(0), stored.signed(1)
    rival = BucketWorld(stored.place, S3Store(name, "artifacts", m.SCOPE, endpoint=endpoint, region="eu-central-1", lock_days=30))
    original = S3Store.append

    def late(self: S3Store, *words: Any) -> Any:
        monkeypatch.setattr(S3Store, "append", original)
        rival.must("approve", **first)      # between our look and our line
        return original(self, *words)

    monkeypatch.setattr(S3Store, "append", late)
    refused = stored.do("approve", **second)
    assert refused["code"] == "busy"
    assert stored.pointer()["digest"] == first["candidate"]  # type: ignore[index]
    assert stored.must("verify")["facts"]["moves"] == 1
    stored.must("approve", **second)


def test_a_line_of_the_log_is_written_once(stored: BucketWorld) -> None:
    stored.must("approve", **stored.signed(0))
    with pytest.raises(RegistryError) as told:
        stored.store._ask("put_object", Key=stored.store._key(names.MODELS, "approvals", "0000000001.json"), Body=b"{}", IfNoneMatch="*")
    assert told.value.code == "busy"


def test_log_and_models_are_under_object_lock(stored: BucketWorld, bucket: tuple[str, str, Any]) -> None:
    _endpoint, name, client = bucket
    given = stored.signed(0)
    stored.must("approve", **given)
    for key in ("models/approvals/0000000001.json", f"models/{names.folder(given['candidate'])}/files/model.onnx"):
        held = client.head_object(Bucket=name, Key=f"artifacts/{m.SCOPE}/{key}")      # moto answers GetObjectRetention with 500
        assert held["ObjectLockMode"] == "GOVERNANCE"
        version = held["VersionId"]
        with pytest.raises(client.exceptions.ClientError):
            client.delete_object(Bucket=name, Key=f"artifacts/{m.SCOPE}/{key}", VersionId=version)


def test_a_crash_between_log_and_pointer_is_ended_by_the_next_run(stored: BucketWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = stored.signed(0), stored.signed(1)
    stored.must("approve", **first)
    with monkeypatch.context() as patched:
        patched.setattr(S3Store, "move", lambda *_words: (_ for _ in ()).throw(RegistryError("gone", code="store")))
        assert stored.do("approve", **second)["code"] == "store"
    assert stored.pointer()["digest"] == first["candidate"]  # type: ignore[index]
    predicted, real = stored.do("approve", check=True, **second), stored.do("approve", **second)
    assert predicted["changes"] == real["changes"]
    assert [one["op"] for one in real["changes"]] == ["finish"]
    assert stored.pointer()["digest"] == second["candidate"]  # type: ignore[index]
    assert stored.must("verify")["facts"]["moves"] == 2


def test_an_upload_that_did_not_end_is_not_there(stored: BucketWorld, bucket: tuple[str, str, Any]) -> None:
    _endpoint, name, client = bucket
    given = stored.signed(0)
    client.put_object(Bucket=name, Key=f"artifacts/{m.SCOPE}/models/{'e' * 64}/files/model.onnx", Body=b"x")
    assert stored.store.folders("models") == []
    stored.must("approve", **given)
    assert stored.must("verify")["problems"] == []


def test_a_bucket_without_versions_or_lock_is_refused(bucket: tuple[str, str, Any], tmp_path: Path) -> None:
    endpoint, _name, client = bucket
    client.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    world = BucketWorld(tmp_path, S3Store("plain", "", m.SCOPE, endpoint=endpoint, region="eu-central-1"))
    assert "versions" in world.do("info")["msg"]
    client.put_bucket_versioning(Bucket="plain", VersioningConfiguration={"Status": "Enabled"})
    world.must("info")
    locked = BucketWorld(tmp_path, S3Store("plain", "", m.SCOPE, endpoint=endpoint, region="eu-central-1", lock_days=1))
    assert "object lock" in locked.do("info")["msg"]


def test_a_store_that_does_not_answer_says_so(tmp_path: Path, bucket: tuple[str, str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    world = BucketWorld(tmp_path, S3Store("b", "", m.SCOPE, endpoint="http://127.0.0.1:9", region="eu-central-1"))
    told = world.do("info")
    assert told["code"] == "store"
    assert "did not answer" in told["msg"]


def test_without_boto3_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "boto3", None)
    with pytest.raises(RegistryError, match="needs boto3"):
        S3Store("b", "", m.SCOPE)


def test_a_large_file_goes_up_in_parts_and_comes_back_as_it_was(stored: BucketWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_store, "_PART", 5 << 20)
    source = m.candidate(stored.place / "large", files={"model.onnx": m.onnx_bytes(1, 11 << 20)})
    digest = stored.must("register", source=str(source))["facts"]["candidate"]
    judged = stored.must("validate", candidate=digest, evidence=str(m.evidence(stored.place / "e", digest)))
    assert judged["facts"]["gates"]["INTEGRITY"] == "pass"
