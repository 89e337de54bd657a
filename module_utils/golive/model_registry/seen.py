"""What lies in a folder: of a trainer who hands a candidate in (trusted in nothing), or of the registry itself (held to its digests)."""
from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import BinaryIO, Callable, Dict, List, Mapping, Sequence, Tuple

from . import contents, names
from .errors import RegistryError
from .integrity import Seen
from .judgement import limit
from .manifest import Declaration, File
from .store import Entry, Store, blocks

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
FILES = "files"


def source(directory: str, profile: Mapping[str, object]) -> Tuple[List[Entry], Dict[str, bytes]]:
    """Return the files of a candidate as handed in, with their digests, and the signatures over its manifest by principal.

    Raises RegistryError for links, hard links, devices, hidden or odd names, and for more than the profile allows: nothing of it is kept.
    """
    most, size = limit(profile, "max_files"), limit(profile, "max_bytes")
    entries: List[Entry] = []
    signatures: Dict[str, bytes] = {}
    root = _directory(directory, directory)
    try:
        total = 0
        for path in _walk(root, "", directory):
            if "/" not in path and path.startswith(names.MANIFEST):
                if path.endswith(".sig"):
                    with _open_in(root, path, directory) as handle:
                        signatures[path[len(names.MANIFEST) + 1:-len(".sig")]] = handle.read(1 << 16)
                continue
            if not names.is_file(path):
                raise RegistryError("has a name that a file of a model may not have", code="unsafe", where=repr(path)[:100])
            with _open_in(root, path, directory) as handle:
                found = os.fstat(handle.fileno()).st_size
                total += found
                if len(entries) >= most or total > size:
                    raise RegistryError("is more than the profile allows", code="unsafe", where=directory,
                                        expected="at most %d files and %d bytes" % (most, size))
                count, sha256 = digest(handle)
            entries.append(Entry(path, count, sha256, _opener(directory, path)))
    finally:
        os.close(root)
    return entries, signatures


class Source(Store):
    """A trainer's folder, read like one of the registry."""

    def __init__(self, files: Sequence[Entry]) -> None:
        self._files = {one.path: one for one in files}

    def files(self, *path: str) -> List[str]:
        return sorted(self._files)

    def open(self, *path: str) -> BinaryIO:
        found = self._files.get("/".join(path[1:]))
        if found is None:
            raise RegistryError("is not there", code="missing", where="/".join(path[1:]))
        return found.open()


def look(store: Store, folder: Sequence[str], listed: Sequence[File], declared: Declaration, profile: Mapping[str, object]) -> List[Seen]:
    """Return what is in a folder of the registry: every byte of every file read once, each file of the model looked into."""
    found = []
    listed_paths = {one.path for one in listed}
    for path in store.files(*folder, FILES):
        with store.open(*folder, FILES, *path.split("/")) as handle:
            size, sha256 = digest(handle) if path in listed_paths else (0, "")
            found.append(Seen(path, size, sha256, inside(handle, size, path, declared, profile)))
    return found


def looked_into(store: Store, folder: Sequence[str], listed: Sequence[File], declared: Declaration,
                profile: Mapping[str, object]) -> List[Seen]:
    """Return the same without reading it as a whole: for a folder whose every byte was compared with its digest just now."""
    found = []
    for one in listed:
        with store.open(*folder, FILES, *one.path.split("/")) as handle:
            found.append(Seen(one.path, one.size, one.sha256, inside(handle, one.size, one.path, declared, profile)))
    return found


def inside(handle: BinaryIO, size: int, path: str, declared: Declaration, profile: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return what is in a file of the model, or None for the declaration, which is judged as text elsewhere."""
    if path not in declared.files:
        return None
    most_entries, most_bytes = int(limit(profile, "archive_max_entries")), int(limit(profile, "archive_max_bytes"))
    return contents.look(handle, size, declared.format, most_entries, most_bytes)


def entries(store: Store, folder: Sequence[str], listed: Sequence[File]) -> List[Entry]:
    """Return the files of a folder of the registry as entries of another one."""
    return [Entry("%s/%s" % (FILES, one.path), one.size, one.sha256, _stored(store, (*folder, FILES, *one.path.split("/"))))
            for one in listed]


def _stored(store: Store, path: Tuple[str, ...]) -> Callable[[], BinaryIO]:
    return lambda: store.open(*path)


def _opener(directory: str, path: str) -> Callable[[], BinaryIO]:
    def start() -> BinaryIO:
        root = _directory(directory, directory)
        try:
            return _open_in(root, path, directory)
        finally:
            os.close(root)

    return start


def digest(handle: BinaryIO) -> Tuple[int, str]:
    hasher, size = hashlib.sha256(), 0
    for block in blocks(handle):
        hasher.update(block)
        size += len(block)
    return size, "sha256:" + hasher.hexdigest()


def _directory(path: str, shown: str, inside_of: int | None = None) -> int:
    try:
        return os.open(path, _OPEN | os.O_DIRECTORY, dir_fd=inside_of)
    except OSError as exc:
        told = "is a link or no directory" if exc.errno in (errno.ELOOP, errno.ENOTDIR) else (exc.strerror or "cannot be opened")
        raise RegistryError(told, code="missing" if exc.errno == errno.ENOENT else "unsafe", where=shown) from None


def _walk(folder: int, prefix: str, shown: str) -> List[str]:
    found = []
    for name in sorted(os.listdir(folder)):
        path, about = prefix + name, os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            below = _directory(name, "%s/%s" % (shown, path), folder)
            try:
                found += _walk(below, path + "/", shown)
            finally:
                os.close(below)
        else:
            found.append(path)
        if len(found) > 100_000:
            raise RegistryError("has too many files", code="unsafe", where=shown)
    return found


def _open_in(root: int, path: str, shown: str) -> BinaryIO:
    """Open a plain file with a single name, following no link in any part of its path."""
    where = "%s/%s" % (shown, path)
    opened: List[int] = []
    folder = root
    try:
        *parts, name = path.split("/")
        for part in parts:
            folder = _directory(part, where, folder)
            opened.append(folder)
        try:
            handle = os.open(name, _OPEN | os.O_NONBLOCK, dir_fd=folder)
        except OSError as exc:
            if exc.errno in (errno.ELOOP, errno.ENXIO):
                raise RegistryError("is a link, not a file", code="unsafe", where=where, todo="hand in the file itself") from None
            raise
    finally:
        for one in opened:
            os.close(one)
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        os.close(handle)
        told = "is no plain file" if not stat.S_ISREG(about.st_mode) else "has %d names (hard links): who holds another one can change it"
        raise RegistryError(told % about.st_nlink if "%d" in told else told, code="unsafe", where=where, todo="hand in a copy")
    return os.fdopen(handle, "rb")
