"""The run directory: the truth of a run. Every report is rebuilt from it, also after a kill (M6)."""
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .errors import GoliveError


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old or the new content, also after a crash: tmp, fsync, rename, fsync of the folder."""
    tmp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        tmp.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        with contextlib.suppress(OSError):
            tmp.unlink()
        raise GoliveError("cannot be written", where=str(path), found=exc.strerror,
                          todo="free space or mend the permissions and run again") from None


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one JSON line with a single write, so that a crash leaves at most one half line at the end."""
    data = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class RunDir:
    """One run's directory, `reports/<system>/<run>/`; names are relative to it."""

    path: Path

    @classmethod
    def create(cls, reports: Path, now: datetime | None = None) -> RunDir:
        """Make the directory of a new run; its id is the UTC start and a nonce."""
        moment = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
        try:
            reports.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = reports / f"{moment}-{secrets.token_hex(3)}"
            path.mkdir(mode=0o700)
        except OSError as exc:
            raise GoliveError("no run directory can be made", where=str(reports), found=exc.strerror,
                              todo="free space or mend the permissions") from None
        return cls(path)

    @property
    def run(self) -> str:
        """Return the run id."""
        return self.path.name

    def write(self, name: str, value: Any) -> Path:
        """Write a JSON value atomically; folders on the way are made."""
        target = self.path / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(target, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n")
        return target

    def read(self, name: str) -> Any:
        """Return a JSON value, or None where there is none. Raises GoliveError for a file that is damaged."""
        target = self.path / name
        try:
            return json.loads(target.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:
            raise GoliveError("is damaged", where=f"{self.run}/{name}", found=type(exc).__name__,
                              todo="run again: a new run observes everything anew") from None

    def need(self, name: str) -> Any:
        """Return a JSON value that must be there."""
        value = self.read(name)
        if value is None:
            raise GoliveError("is missing", where=f"{self.run}/{name}", todo="start the run from golive.yml")
        return value

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the records of a JSON lines file; a half line at the end (a crash) is left out."""
        try:
            raw = (self.path / name).read_bytes()
        except FileNotFoundError:
            return []
        records = []
        for line in raw.split(b"\n")[:-1]:
            with contextlib.suppress(ValueError):
                records.append(json.loads(line))
        return [record for record in records if isinstance(record, dict)]

    def point_latest(self) -> None:
        """Let `latest` beside this directory point at it."""
        link = self.path.parent / "latest"
        tmp = link.with_name(f".latest.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            tmp.unlink()
        tmp.symlink_to(self.path.name)
        tmp.replace(link)


LOCK = "lock"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lock(reports: Path, owner: dict[str, Any], *, shared: bool = False) -> int:
    """Take the run lock of a system and return its descriptor, to be kept open for as long as the run lasts (M7).

    Raises GoliveError that names the holder. Inherited by forked workers on purpose: after kill -9 of the controller the lock
    stays with a worker until its task has ended.
    """
    try:
        reports.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(reports / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as exc:  # also a link in its place: it would lock something else
        raise GoliveError("the run lock cannot be opened", where=f"{reports.name}/{LOCK}", found=exc.strerror,
                          todo="look what lies there; golive makes a regular file") from None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
        os.close(descriptor)
        with contextlib.suppress(ValueError):
            told = json.loads(holder)
            holder = f"run {told.get('run')} (process {told.get('pid')})"
        raise GoliveError("a run is in progress", where=str(reports.name), found=holder or "a holder that did not say who it is",
                          todo="wait for it or end it, then run again") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode("utf-8"), 0)
    return descriptor


def current(reports: Path) -> RunDir:
    """Return the run that holds the lock now. Raises GoliveError when nothing really holds it (the callback may be off)."""
    try:
        with _opened(reports / LOCK) as descriptor:
            text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return RunDir(reports / str(json.loads(text)["run"]))
    except (OSError, ValueError, KeyError) as exc:
        raise GoliveError("the run lock cannot be read", where=f"{reports.name}/{LOCK}", found=type(exc).__name__) from None
    raise GoliveError("no run holds the lock", where=f"{reports.name}/{LOCK}", expected="the golive callback holds it",
                      todo="use the repository's ansible.cfg and do not switch callbacks off")
