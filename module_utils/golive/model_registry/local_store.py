"""A registry in a directory: folders appear by rename, the pointer moves by rename, the log is appended and synced before."""
from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from typing import BinaryIO, Iterator, List, Optional, Sequence

from .. import audit, canonical
from ..audit import AuditError, AuditLog, Chain, Head
from . import names
from .errors import RegistryError
from .manifest import unique
from .store import HALF_LINE, Entry, Line, Store, checked

_STAGING, _REMOVED, _NEXT = ".staging-", ".removed-", ".next-"
_FILE_MODE, _FOLDER_MODE, _UMASK = 0o440, 0o750, 0o027
_TAIL = 1 << 16


class LocalStore(Store):
    """`base` is the directory of all scopes; the scope's own directory and its areas are made by the role model_registry."""

    def __init__(self, base: str, scope: str) -> None:
        self.root = os.path.join(base, *names.scope(scope).split("/"))
        self.where = self.root
        self._log = AuditLog(self._path(names.MODELS, names.LOG))

    def _path(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    def check(self) -> None:
        """Refuse a registry that is not there, or whose parts are links: they could lead into another system's artifacts."""
        for path in (self.root, *(self._path(area) for area in (names.CANDIDATES, names.VALIDATIONS, names.MODELS))):
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                raise RegistryError("there is no such directory", code="store", where=path, todo="run the role model_registry") from None
            if not stat.S_ISDIR(found.st_mode):
                raise RegistryError("is not a directory of its own", code="unsafe", where=path,
                                    found="a link" if stat.S_ISLNK(found.st_mode) else "a file", todo="run the role model_registry")
            if found.st_mode & stat.S_IWOTH:
                raise RegistryError("may be written by everybody", code="unsafe", where=path, todo="run the role model_registry")
        if os.path.realpath(self.root) != os.path.abspath(self.root):
            raise RegistryError("is reached over a link", code="unsafe", where=self.root, found=os.path.realpath(self.root),
                                todo="name the directory itself: what is behind a link can be another system's")

    @contextmanager
    def exclusive(self, wait_s: float) -> Iterator[None]:
        """Hold the lock of the scope. The kernel lets it go with the process, however that ends."""
        before = os.umask(_UMASK)
        handle = os.open(self._path(names.MODELS, ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _lock(handle, wait_s, self.where)
            yield
        finally:
            os.close(handle)
            os.umask(before)

    # --- what a crash leaves --------------------------------------------------------------------------------------

    def leftovers(self) -> List[str]:
        found = []
        for path in self._areas():
            found += [os.path.join(path, one)[len(self.root) + 1:] for one in _names(path) if one.startswith((_STAGING, _REMOVED, _NEXT))]
        if self._half_line():
            found.append("%s/%s: %s" % (names.MODELS, names.LOG, HALF_LINE))
        return sorted(found)

    def mend(self, run: str, actor: str) -> None:
        for path in self._areas():
            for one in _names(path):
                if one.startswith((_STAGING, _REMOVED)):
                    _remove_tree(os.path.join(path, one))
                elif one.startswith(_NEXT):
                    os.unlink(os.path.join(path, one))
        if self._half_line():
            self._log.repair(run=run, actor=actor)

    def _areas(self) -> List[str]:
        deep = [self._path(names.VALIDATIONS, one) for one in _names(self._path(names.VALIDATIONS)) if names.is_folder(one)]
        return [self._path(names.CANDIDATES), self._path(names.VALIDATIONS), self._path(names.MODELS), *deep]

    def _half_line(self) -> bool:
        try:
            with open(self._log.path, "rb") as handle:
                size = handle.seek(0, os.SEEK_END)
                if not size:
                    return False
                handle.seek(size - 1)
                return handle.read(1) != b"\n"
        except FileNotFoundError:
            return False

    # --- folders --------------------------------------------------------------------------------------------------

    def folders(self, *path: str) -> List[str]:
        return sorted(one for one in _names(self._path(*path)) if names.is_folder(one))

    def files(self, *path: str) -> List[str]:
        found, root = [], self._path(*path)
        for place, _folders, files in os.walk(root):
            found += [os.path.relpath(os.path.join(place, one), root) for one in files]
        return sorted(found)

    def open(self, *path: str) -> BinaryIO:
        """Return a plain file; a link or another kind of file is refused."""
        place = self._path(*path)
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise RegistryError("is not there", code="missing", where="/".join(path)) from None
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                raise RegistryError("is a link, not a file", code="unsafe", where="/".join(path)) from None
            raise
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise RegistryError("is not a plain file", code="unsafe", where="/".join(path))
        return os.fdopen(handle, "rb")

    @contextmanager
    def local(self, *path: str) -> Iterator[str]:
        yield self._path(*path)

    def add(self, entries: Sequence[Entry], *path: str) -> None:
        final = self._path(*path)
        if os.path.isdir(final):
            return
        parent = os.path.dirname(final)
        if not os.path.isdir(parent):
            os.mkdir(parent, _FOLDER_MODE)
            _sync(os.path.dirname(parent))
        staging = os.path.join(parent, _STAGING + secrets.token_hex(8))
        try:
            os.mkdir(staging, _FOLDER_MODE)
            made = {staging}
            for one in entries:
                self._write(staging, one, made)
            for folder in sorted(made, reverse=True):
                _sync(folder)
            os.rename(staging, final)
        except BaseException:
            _remove_tree(staging)
            raise
        _sync(parent)

    @staticmethod
    def _write(staging: str, one: Entry, made: set[str]) -> None:
        target = os.path.join(staging, one.path)
        folder = staging
        for part in one.path.split("/")[:-1]:
            folder = os.path.join(folder, part)
            if folder not in made:
                os.mkdir(folder, _FOLDER_MODE)
                made.add(folder)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
        try:
            for block in checked(one):
                _all(handle, block)
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, *path: str) -> None:
        place = self._path(*path)
        parent, name = os.path.split(place)
        away = os.path.join(parent, _REMOVED + name)
        _remove_tree(away)
        os.rename(place, away)
        _sync(parent)
        _remove_tree(away)

    # --- pointer and log ------------------------------------------------------------------------------------------

    def pointer(self) -> Optional[bytes]:
        try:
            return self.read(names.MODELS, names.POINTER)
        except RegistryError as exc:
            if exc.code == "missing":
                return None
            raise

    def move(self, data: bytes, expected: Optional[bytes]) -> None:
        if self.pointer() != expected:
            raise RegistryError("the pointer is not the one that was seen before", code="busy", where=self.where, todo="run again")
        following = self._path(names.MODELS, _NEXT + secrets.token_hex(8))
        try:
            handle = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
            try:
                _all(handle, memoryview(data))
                os.fsync(handle)
            finally:
                os.close(handle)
            os.rename(following, self._path(names.MODELS, names.POINTER))
        except BaseException:
            _unlink(following)
            raise
        _sync(self._path(names.MODELS))

    def newest_first(self) -> Iterator[Line]:
        try:
            handle = self.open(names.MODELS, names.LOG)
        except RegistryError as exc:
            if exc.code == "missing":
                return
            raise
        with handle:
            after: Optional[Line] = None
            for raw in _lines_backwards(handle):
                line = unique(raw, names.LOG)
                if line.get("hash") != audit.line_hash(line) or (after is not None and (after["prev"], after["seq"]) != (
                        line["hash"], line["seq"] + 1)):
                    raise AuditError("a line was edited, removed or moved", where=self._log.path, todo="run model_promotion: verify")
                yield line
                after = line

    def chain(self) -> Chain:
        try:
            with self.open(names.MODELS, names.LOG) as handle:
                data = handle.read()
        except RegistryError as exc:
            if exc.code != "missing":
                raise
            data = b""
        return audit.check(data, (), self._log.path)

    def append(self, run: str, actor: str, act: str, subject: str, detail: Line) -> Head:
        canonical.encode(detail)
        return self._log.append(run=run, actor=actor, act=act, subject=subject, detail=detail)


def _lock(handle: int, wait_s: float, where: str) -> None:
    end = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
        if time.monotonic() >= end:
            raise RegistryError("another promotion is under way", code="busy", where=where,
                                todo="wait for it to end; a dead one holds nothing")
        time.sleep(0.02)


def _lines_backwards(handle: BinaryIO) -> Iterator[bytes]:
    """Yield the whole lines of a file from its end; what follows the last line break was never finished and is left out."""
    at = handle.seek(0, os.SEEK_END)
    rest, first = b"", True
    while at > 0:
        start = max(0, at - _TAIL)
        handle.seek(start)
        data = handle.read(at - start) + rest
        parts = data.split(b"\n")
        if first:
            parts[-1:] = []
            if not parts and start == 0:
                return
            first = len(parts) <= 1 and start > 0
            if first:
                rest, at = data, start
                continue
        rest, at = parts[0], start
        yield from reversed(parts[1:])
    if rest:
        yield rest


def _names(path: str) -> List[str]:
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _all(handle: int, data: memoryview) -> None:
    while data:
        data = data[os.write(handle, data):]


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _remove_tree(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
