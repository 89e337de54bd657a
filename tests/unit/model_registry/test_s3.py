"""What an object store adds: conditions instead of a lock, versions, object lock, lost races, no boto3."""
from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import boto3
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


class Cut(Exception):
    """The process is gone."""


CHANGING = ("put_object", "delete_object")


def count_and_cut(store: S3Store, at: int | None, after: bool) -> list[str]:
    """Let the process end before (or right after) one request that changes the bucket; returns the list of what was asked for."""
    asked: list[str] = []
    ask, upload = store._ask, store._upload

    def due(name: str) -> bool:
        asked.append(name)
        return at is not None and len(asked) - 1 == at

    def around(name: str, act: Any) -> Any:
        cut = due(name)
        if cut and not after:
            raise Cut
        done = act()
        if cut:
            raise Cut
        return done

    def asking(what: str, **words: Any) -> Any:
        return around(what, lambda: ask(what, **words)) if what in CHANGING else ask(what, **words)

    def uploading(one: Any, key: str, extra: Any) -> None:
        around("upload " + one.path, lambda: upload(one, key, extra))

    store._ask, store._upload = asking, uploading  # type: ignore[method-assign]
    return asked


def prepared(world: BucketWorld, action: str) -> dict[str, Any]:
    """Return the parameters of an action on a registry with a history."""
    if action == "register":
        return {"source": str(m.candidate(world.place / "new", 5))}
    if action == "validate":
        digest = world.must("register", source=str(m.candidate(world.place / "new", 5)))["facts"]["candidate"]
        return {"candidate": digest, "evidence": str(m.evidence(world.place / "evidence-new", digest))}
    first, second = world.signed(0), world.signed(1)
    world.must("approve", **first)
    if action == "approve":
        return second
    world.must("approve", **second)
    if action == "rollback":
        return {"reason": "x", "away_from": second["candidate"]}
    world.validated(7)      # never in force: what prune takes away
    return {"keep_candidates": 0, "keep_models": 2}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("action", ["register", "validate", "approve", "rollback", "prune"])
def test_a_process_that_ends_at_any_request_leaves_old_or_new_and_the_next_run_ends_it(
        object_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, action: str,
        after: bool) -> None:
    """At every request with --full, at two of them a day otherwise."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "rehearsal")
    client = boto3.client("s3", endpoint_url=object_store, region_name="eu-central-1")
    bucket = f"cut-{action}-{'after' if after else 'before'}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def fresh(number: int) -> tuple[BucketWorld, dict[str, Any]]:
        place = tmp_path / str(number)
        place.mkdir()
        world = BucketWorld(place, S3Store(bucket, f"run-{number}", m.SCOPE, endpoint=object_store, region="eu-central-1"))
        return world, prepared(world, action)

    world, given = fresh(0)
    before = world.pointer()
    asked = count_and_cut(world.store, None, after)
    wanted = world.must(action, **given)
    new, total = world.pointer(), len(asked)
    assert total >= 2
    rng = random.Random(f"{request.config.getoption('--slice-day')} {action}")
    for at in range(total) if request.config.getoption("--full") else rng.sample(range(total), 2):
        world, given = fresh(at + 1)
        healthy = world.store
        cut = S3Store(bucket, f"run-{at + 1}", m.SCOPE, endpoint=object_store, region="eu-central-1")
        count_and_cut(cut, at, after)
        world.store = cut
        with pytest.raises(Cut):
            world.do(action, **given)
        world.store = healthy
        found = world.pointer()
        assert (found or {}).get("digest") in ((before or {}).get("digest"), (new or {}).get("digest")), f"request {at}: {asked[at]}"
        predicted, real = world.do(action, check=True, **given), world.do(action, **given)
        assert predicted["changes"] == real["changes"], f"request {at}: {asked[at]}"
        assert real.get("code") == wanted.get("code"), real
        assert (world.pointer() or {}).get("digest") == (new or {}).get("digest")
        assert world.do("verify")["problems"] == [], f"request {at}: {asked[at]}"


def test_a_promoter_that_fails_takes_nothing_of_another_one_away(stored: BucketWorld, bucket: tuple[str, str, Any]) -> None:
    """Two put the same model there; one fails on the way. What the other one promoted must stay whole."""
    endpoint, name, _client = bucket
    given = stored.signed(0)
    failing = S3Store(name, "artifacts", m.SCOPE, endpoint=endpoint, region="eu-central-1", lock_days=30)
    upload, rival = failing._upload, BucketWorld(stored.place, stored.store)

    def late(one: Any, key: str, extra: Any) -> None:
        upload(one, key, extra)
        rival.must("approve", **given)
        raise RegistryError("the object store did not take a file", code="store")
    failing._upload = late  # type: ignore[method-assign]
    assert BucketWorld(stored.place, failing).do("approve", **given)["code"] == "store"
    assert stored.must("verify")["problems"] == []
    assert stored.pointer()["digest"] == given["candidate"]  # type: ignore[index]
