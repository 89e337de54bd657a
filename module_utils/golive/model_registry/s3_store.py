"""A registry in an object store: a folder is there when its last object is, each line of the log is created once, the pointer by condition.

Needs boto3 where it runs, a bucket with versioning, and conditional writes (`If-None-Match`, `If-Match`). There is no lock: two promoters
race for the next number of the log, one wins, the other is told to run again.
Source: docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""
from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Sequence, Tuple

from .. import audit, canonical
from ..audit import GENESIS, AuditError, Chain, Head
from . import names
from .errors import RegistryError
from .manifest import unique
from .store import BLOCK, Entry, Line, Store, checked

try:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # told when a store is opened
    boto3 = None

_LOG = "approvals"
_ABANDONED = timedelta(days=1)     # an upload without its last object may be somebody's who is still at it
_PART = 8 << 20


class S3Store(Store):
    """`prefix/scope/...` in a bucket. `lock_days` puts object lock on lines of the log and on approved models."""

    def __init__(self, bucket: str, prefix: str, scope: str, *, endpoint: Optional[str] = None, region: Optional[str] = None,
                 lock_days: int = 0, ca_file: Optional[str] = None) -> None:
        if boto3 is None:
            raise RegistryError("an object store needs boto3, which is not installed here", code="store", where=bucket,
                                todo="run the task where golive's locked environment is, such as on the controller")
        self.bucket, self.lock_days = bucket, lock_days
        self.prefix = "/".join(part for part in (*prefix.split("/"), *names.scope(scope).split("/")) if part)
        self.where = "s3://%s/%s" % (bucket, self.prefix)
        self._client = boto3.client("s3", endpoint_url=endpoint, region_name=region, verify=ca_file, config=Config(
            retries={"max_attempts": 4, "mode": "standard"}, connect_timeout=10, read_timeout=60))
        self._seen: Tuple[Optional[bytes], Optional[str]] = (None, None)

    def _key(self, *path: str) -> str:
        return "/".join((self.prefix, *path))

    def _ask(self, what: str, **words: Any) -> Any:
        """Call the store; None where an object is not there. Raises RegistryError in the store's own words, `busy` for a lost race."""
        try:
            return getattr(self._client, what)(Bucket=self.bucket, **words)
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", ""))
            if code in ("404", "NoSuchKey", "NotFound", "ObjectLockConfigurationNotFoundError"):
                return None
            if code in ("412", "PreconditionFailed", "ConditionalRequestConflict", "409"):
                raise RegistryError("another promotion was faster", code="busy", where=self.where, todo="run again") from None
            raise RegistryError("the object store refused %s" % what, code="store", where=self.where, found=code[:80]) from None
        except BotoCoreError as exc:
            raise RegistryError("the object store did not answer", code="store", where=self.where, found=type(exc).__name__) from None

    @contextmanager
    def exclusive(self, wait_s: float) -> Iterator[None]:
        yield

    def check(self) -> None:
        found = self._ask("get_bucket_versioning")
        if found is None or found.get("Status") != "Enabled":
            raise RegistryError("the bucket does not keep versions: what is overwritten would be lost", code="unsafe", where=self.where,
                                todo="enable versioning")
        if self.lock_days:
            locked = self._ask("get_object_lock_configuration")
            if (locked or {}).get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
                raise RegistryError("the bucket has no object lock, which the task asks for", code="unsafe", where=self.where,
                                    todo="make a bucket with object lock")

    # --- folders --------------------------------------------------------------------------------------------------

    def _keys(self, *path: str, after: str = "") -> Iterator[Dict[str, Any]]:
        """Yield the objects below a path, as `{Key: relative, LastModified}`."""
        prefix, token = self._key(*path) + "/", None  # type: str, Optional[str]
        while True:
            more: Dict[str, Any] = {"ContinuationToken": token} if token else ({"StartAfter": prefix + after} if after else {})
            found = self._ask("list_objects_v2", Prefix=prefix, **more) or {}
            for one in found.get("Contents", []):
                yield dict(one, Key=one["Key"][len(prefix):])
            token = found.get("NextContinuationToken")
            if not token:
                return

    @staticmethod
    def _last(area: str) -> str:
        return names.RECORD if area == names.VALIDATIONS else names.MANIFEST

    def folders(self, *path: str) -> List[str]:
        last = self._last(path[0])
        found = set()
        for one in self._keys(*path):
            parts = one["Key"].split("/")
            if parts[-1] == last and names.is_folder(parts[0]) and "files" not in parts and "evidence" not in parts:
                found.add(parts[0])
        return sorted(found)

    def has(self, *path: str) -> bool:
        return self._ask("head_object", Key=self._key(*path, self._last(path[0]))) is not None

    def files(self, *path: str) -> List[str]:
        return sorted(one["Key"] for one in self._keys(*path))

    def open(self, *path: str) -> BinaryIO:
        about = self._ask("head_object", Key=self._key(*path))
        if about is None:
            raise RegistryError("is not there", code="missing", where="/".join(path))
        return io.BufferedReader(_Ranged(self, self._key(*path), int(about["ContentLength"]), about.get("VersionId")), BLOCK)

    @contextmanager
    def local(self, *path: str) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="golive-registry-") as folder:
            for name in self.files(*path):
                target = os.path.join(folder, *name.split("/"))
                if not names.is_file(name):
                    raise RegistryError("has a name that no file of the registry has", code="unsafe", where=repr(name)[:80])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with self.open(*path, *name.split("/")) as source, open(target, "wb") as copy:
                    for block in iter(lambda: source.read(BLOCK), b""):
                        copy.write(block)
            yield folder

    def add(self, entries: Sequence[Entry], *path: str) -> None:
        """Upload the files, each verified on the way; the last one makes the folder be there, when all others are."""
        if self.has(*path):
            return
        locked = self._lock() if path[0] == names.MODELS else {}
        for one in entries:     # what a failure leaves stays: another promoter may have put the very same file there meanwhile
            self._upload(one, self._key(*path, one.path), locked)

    def _upload(self, one: Entry, key: str, extra: Dict[str, Any]) -> None:
        try:
            self._client.upload_fileobj(_Checked(one), self.bucket, key, ExtraArgs=extra or None, Config=TransferConfig(
                multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False))
        except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as exc:
            raise RegistryError("the object store did not take a file", code="store", where=self.where,
                                found=type(exc).__name__) from None

    def _lock(self) -> Dict[str, Any]:
        if not self.lock_days:
            return {}
        until = datetime.now(timezone.utc) + timedelta(days=self.lock_days)
        return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until, "ChecksumAlgorithm": "SHA256"}

    def remove(self, *path: str) -> None:
        """Take the last object away first, so that the folder is gone at once; versions that are locked stay where they are."""
        last = self._last(path[0])
        found = self.files(*path)
        for name in sorted(found, key=lambda one: (not one.endswith(last), one)):
            self._ask("delete_object", Key=self._key(*path, name))

    def leftovers(self) -> List[str]:
        return sorted("%s/%s" % one for one in self._abandoned())

    def mend(self, run: str, actor: str) -> None:
        for area, folder in self._abandoned():
            for name in self.files(area, *folder.split("/")):
                self._ask("delete_object", Key=self._key(area, *folder.split("/"), name))

    def _abandoned(self) -> List[Tuple[str, str]]:
        """Return (area, folder) of uploads that lack their last object and were not touched for a day."""
        young = datetime.now(timezone.utc) - _ABANDONED
        found = []
        for area in (names.CANDIDATES, names.VALIDATIONS, names.MODELS):
            depth = 2 if area == names.VALIDATIONS else 1
            whole, newest = set(), {}  # type: set[str], Dict[str, datetime]
            for one in self._keys(area):
                parts = one["Key"].split("/")
                folder = "/".join(parts[:depth])
                if len(parts) > depth and names.is_folder(parts[0]):
                    newest[folder] = max(newest.get(folder, one["LastModified"]), one["LastModified"])
                    if parts[depth:] == [self._last(area)]:
                        whole.add(folder)
            found += [(area, folder) for folder, at in newest.items() if folder not in whole and at < young]
        return found

    # --- pointer and log ------------------------------------------------------------------------------------------

    def pointer(self) -> Optional[bytes]:
        found = self._ask("get_object", Key=self._key(names.MODELS, names.POINTER))
        data = None if found is None else found["Body"].read()
        self._seen = (data, None if found is None else found["ETag"])
        return data

    def move(self, data: bytes, expected: Optional[bytes]) -> None:
        if self._seen[0] != expected or (expected is not None and self._seen[1] is None):
            self.pointer()
        if self._seen[0] != expected:
            raise RegistryError("the pointer is not the one that was seen before", code="busy", where=self.where, todo="run again")
        condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": self._seen[1]}
        try:
            self._ask("put_object", Key=self._key(names.MODELS, names.POINTER), Body=data, ContentType="application/json", **condition)
        except RegistryError as exc:
            if exc.code != "busy" or self.pointer() != data:     # somebody ended this very move for us
                raise
        self._seen = (None, None)

    def _line(self, seq: int) -> Optional[bytes]:
        found = self._ask("get_object", Key=self._key(names.MODELS, _LOG, "%010d.json" % seq))
        return None if found is None else bytes(found["Body"].read())

    def _newest(self) -> int:
        """Return the number of the newest line: lines are numbered without gaps, so only what follows the pointer is listed."""
        data = self.pointer()
        known = int(unique(data, names.POINTER).get("seq", 0)) if data else 0
        last = known if known and self._line(known) is not None else 0
        for one in self._keys(names.MODELS, _LOG, after="%010d.json" % last if last else ""):
            last = max(last, int(one["Key"].split(".")[0]))
        return last

    def newest_first(self) -> Iterator[Line]:
        after: Optional[Line] = None
        for seq in range(self._newest(), 0, -1):
            raw = self._line(seq)
            line = unique(raw, "line %d" % seq) if raw else {}
            follows = after is None or after["prev"] == line.get("hash")
            if line.get("hash") != audit.line_hash(line) or line.get("seq") != seq or not follows:
                raise AuditError("line %d was edited, removed or moved" % seq, where=self.where, todo="run model_promotion: verify")
            yield line
            after = line

    def chain(self) -> Chain:
        numbers = sorted(int(one["Key"].split(".")[0]) for one in self._keys(names.MODELS, _LOG))
        return audit.check(b"".join((self._line(seq) or b"") + b"\n" for seq in numbers), (), self.where)

    def append(self, run: str, actor: str, act: str, subject: str, detail: Line) -> Head:
        last = next(iter(self.newest_first()), None)
        before = Head(0, GENESIS) if last is None else Head(last["seq"], last["hash"])
        line: Line = {"seq": before.seq + 1, "at": canonical.utc(), "prev": before.hash, "run": run, "actor": actor, "act": act,
                      "subject": subject, "detail": detail}
        if detail.get("pointer", {}).get("seq", line["seq"]) != line["seq"]:
            raise RegistryError("another promotion was faster", code="busy", where=self.where, todo="run again")
        line["hash"] = audit.line_hash(line)
        self._ask("put_object", Key=self._key(names.MODELS, _LOG, "%010d.json" % line["seq"]), Body=canonical.encode(line), IfNoneMatch="*",
                  ContentType="application/json", **self._lock())
        return Head(line["seq"], line["hash"])


class _Ranged(io.RawIOBase):
    """One version of an object, read where it is asked for."""

    def __init__(self, store: S3Store, key: str, size: int, version: Optional[str]) -> None:
        self._store, self._key, self._size, self._at = store, key, size, 0
        self._version = {"VersionId": version} if version and version != "null" else {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        want = min(len(buffer), self._size - self._at)
        if want <= 0:
            return 0
        found = self._store._ask("get_object", Key=self._key, Range="bytes=%d-%d" % (self._at, self._at + want - 1), **self._version)
        if found is None:
            raise RegistryError("vanished while it was read", code="changed", where=self._key)
        data = found["Body"].read()
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)


class _Checked(io.RawIOBase):
    """The blocks of an entry as a file that fails at its end unless they were what they must be."""

    def __init__(self, one: Entry) -> None:
        self._blocks, self._rest = checked(one), b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(bytes(block))
            have += len(block)
        data = b"".join(parts)
        self._rest = b"" if size < 0 else data[size:]
        return data if size < 0 else data[:size]
