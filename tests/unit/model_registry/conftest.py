"""A world per test, on a directory or on an object store: one interface, the same tests."""
from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from golive.model_registry.s3_store import S3Store
from moto.server import ThreadedMotoServer

from tests.fixtures import models as m
from tests.unit.model_registry.crash import MEMORY


@pytest.fixture
def world(tmp_path: Path) -> m.World:
    """A registry in a directory."""
    return m.World(tmp_path)


class BucketWorld(m.World):
    """A registry in a bucket."""

    def pointer(self) -> dict[str, Any] | None:
        data = self.store.pointer()
        return None if data is None else dict(json.loads(data))

    def _key(self, *path: str) -> dict[str, str]:
        return {"Bucket": self.store.bucket, "Key": self.store._key(*path)}

    def raw(self, *path: str) -> bytes:
        return bytes(self.store._client.get_object(**self._key(*path))["Body"].read())

    def put_raw(self, data: bytes, *path: str) -> None:
        self.store._client.put_object(**self._key(*path), Body=data)

    def _lines(self) -> list[str]:
        return [one for one in self.store.files("models", "approvals") if one.endswith(".json")]

    def log_lines(self) -> list[bytes]:
        return [self.raw("models", "approvals", one) + b"\n" for one in self._lines()]

    def put_log(self, lines: list[bytes]) -> None:
        """One object a line; what is taken away is hidden, because locked versions stay."""
        for one in self._lines()[len(lines):]:
            self.store._client.delete_object(**self._key("models", "approvals", one))
        for number, line in enumerate(lines, 1):
            self.put_raw(line.rstrip(b"\n"), "models", "approvals", f"{number:010d}.json")

    def state(self) -> object:
        found = self.store._client.list_object_versions(Bucket=self.store.bucket)
        return sorted((one["Key"], one["VersionId"], one["ETag"]) for one in found["Versions"]), found.get("DeleteMarkers", [])


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """The address of an S3 server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[str, str, Any]:
    """An empty bucket with versions and object lock: (endpoint, name, client)."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "rehearsal")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    client = boto3.client("s3", endpoint_url=object_store, region_name="eu-central-1")
    name = "b" + str(abs(hash(request.node.nodeid)))
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return object_store, name, client


@pytest.fixture(params=["directory", "bucket"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> m.World:
    """A registry on each kind of store."""
    if request.param == "directory":
        return m.World(tmp_path)
    endpoint, name, _client = request.getfixturevalue("bucket")
    return BucketWorld(tmp_path, S3Store(name, "artifacts", m.SCOPE, endpoint=endpoint, region="eu-central-1", lock_days=30))


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory: a registry syncs at every step, and on a busy disk that is all that a test would wait for."""
    if MEMORY is None:
        yield tmp_path_factory.mktemp("world")
        return
    with tempfile.TemporaryDirectory(prefix="golive-test-", dir=MEMORY) as place:
        yield Path(place)
