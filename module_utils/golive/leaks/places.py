"""Where can a secret stand? Files, archives in them, git histories, journals, processes, container images: opened without writing anything.

What could not be read to its end is in `unread`: a search that has a gap is not clean. A place never repeats a secret, not even one that
is part of a file's name.
"""
from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
import threading
import zipfile
import zlib
from typing import IO, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, cast

from .index import Index

_CHUNK = 1 << 20
_DEPTH = 6
_EXPANDED = 8 << 30     # bytes that one top-level file may grow to: beyond is a bomb, and unread
_SEEKABLE = 256 << 20   # bytes of a zip inside another archive that are held in memory
_SHOWN = 1000
_ERRORS = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile, zlib.error,
           lzma.LZMAError)  # fmt: skip


class Place(NamedTuple):
    """`where` is a file, `file!member`, a git object, a process …; `at` is the byte in it."""

    where: str
    secret: str
    form: str
    at: int
    whole: bool

    def __str__(self) -> str:
        return "%s: %s %s (%s, byte %d)" % (self.where, "" if self.whole else "a piece of", self.secret, self.form, self.at)


class Search:
    """One search: what was found, how much was read, what could not be read."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.found: List[Place] = []
        self.unread: List[str] = []
        self.bytes = self.things = 0

    def text(self, text: bytes, where: str) -> None:
        """Search bytes that are in memory."""
        self.things += 1
        self.bytes += len(text)
        for hit in self.index.search(text):
            self._add(where, hit.secret, hit.form, hit.at, hit.whole)

    def stream(self, source: IO[bytes], where: str, budget: Optional[_Budget] = None, first: bytes = b"") -> None:
        """Search a stream of any length; what crosses the border of two reads is found as well."""
        self.things += 1
        keep, base, ready, buffer = self.index.longest + 64, 0, 0, first
        while True:
            chunk = source.read(_CHUNK)
            self.bytes += len(chunk)
            if budget is not None:
                budget.take(len(chunk))
            buffer += chunk
            limit = len(buffer) - keep if chunk else len(buffer)
            if limit > ready:
                for hit in self.index.search(buffer, ready, limit):
                    self._add(where, hit.secret, hit.form, base + hit.at, hit.whole)
                cut = max(0, limit - keep)
                buffer, base, ready = buffer[cut:], base + cut, limit - cut
            if not chunk:
                return

    def tree(self, root: str) -> None:
        """Search a file or everything below a folder: names, link targets, contents, archives, git repositories."""
        if not os.path.lexists(root):
            self.unread.append("%s (not there)" % self._safe(root))
        elif os.path.isdir(root) and not os.path.islink(root):
            for folder, folders, files in os.walk(root, onerror=lambda exc: self.unread.append(self._safe(str(exc.filename)))):
                if "HEAD" in files and {"objects", "refs"} <= set(folders):
                    self.git(folder)
                for name in [*folders, *files]:
                    self._name(os.path.join(folder, name))
                for name in files:
                    self._file(os.path.join(folder, name))
        else:
            self._name(root)
            self._file(root)

    def git(self, folder: str) -> None:
        """Search every object of a repository, also those that no branch reaches any more: blobs, messages, names, tags."""
        where = self._safe(folder)
        command = ["git", "-c", "safe.directory=*", "--git-dir", folder, "cat-file", "--batch", "--batch-all-objects", "--unordered",
                   "--buffer"]  # fmt: skip
        try:
            with _Command(command) as done:
                out = cast("IO[bytes]", done.process.stdout)
                while True:
                    head = out.readline().split()
                    if len(head) != 3:
                        break
                    self.stream(cast("IO[bytes]", _Part(out, int(head[2]))), "%s object %s" % (where, head[0].decode("ascii")[:12]))
                    out.read(1)
        except _ERRORS as exc:
            self.unread.append("%s (git: %s)" % (where, type(exc).__name__))
        else:
            if done.code:
                self.unread.append("%s (git: %s)" % (where, done.words()))

    def journal(self, arguments: Sequence[str] = ()) -> None:
        """Search the journal of this host with all fields, or another by `--file`, `--directory`, `--since` …"""
        self.command(["journalctl", "--no-pager", "--all", "--output", "export", *arguments], "journal " + " ".join(arguments))

    def processes(self, proc: str = "/proc") -> None:
        """Search arguments and environment of every process that this user may look at."""
        for pid in sorted(filter(str.isdigit, os.listdir(proc)), key=int):
            for name in ("cmdline", "environ", "comm"):
                try:
                    with open(os.path.join(proc, pid, name), "rb") as handle:
                        self.text(handle.read(), "process %s %s" % (pid, name))
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended
                except OSError as exc:
                    self.unread.append("process %s %s (%s)" % (pid, name, type(exc).__name__))

    def image(self, name: str, docker: Sequence[str] = ("docker",)) -> None:
        """Search a container image: all layers with what a later one hides, its configuration and history."""
        self.command([*docker, "save", name], "image " + name)

    def container(self, name: str, docker: Sequence[str] = ("docker",)) -> None:
        """Search a container: its file system, its environment and arguments, its log."""
        self.command([*docker, "export", name], "container %s files" % name)
        self.command([*docker, "inspect", name], "container %s settings" % name)
        self.command([*docker, "logs", name], "container %s log" % name)

    def command(self, argv: Sequence[str], where: str) -> None:
        """Search what a read-only command prints, archives included; an error is unread, never clean."""
        where = where.strip()
        try:
            with _Command(argv) as done:
                self._open(cast("IO[bytes]", done.process.stdout), where, _Budget(_EXPANDED), 0)
        except _ERRORS as exc:
            self.unread.append("%s (%s)" % (where, type(exc).__name__ if not isinstance(exc, ValueError) else exc))
            return
        self.text(done.errors, where + " errors")
        if done.code:
            self.unread.append("%s (%s)" % (where, done.words()))

    def _add(self, where: str, secret: str, form: str, at: int, whole: bool) -> None:
        if len(self.found) < _SHOWN:
            place = Place(where, secret, form, at, whole)
            if place not in self.found[-8:]:
                self.found.append(place)

    def _safe(self, name: str) -> str:
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        if not any(True for _ in self.index.search(shown.encode("utf-8"))):
            return shown
        parts = [("(name withheld)" if any(True for _ in self.index.search(part.encode("utf-8"))) else part) for part in shown.split("/")]
        joined = "/".join(parts)
        return joined if not any(True for _ in self.index.search(joined.encode("utf-8"))) else "(name withheld)"

    def _name(self, path: str) -> None:
        names = [os.path.basename(path)]
        if os.path.islink(path):
            names.append(os.readlink(path))
        for name in names:
            for hit in self.index.search(os.fsencode(name)):
                self._add(self._safe(path) + " (its name)", hit.secret, hit.form, hit.at, hit.whole)

    def _file(self, path: str) -> None:
        where = self._safe(path)
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return
            with open(path, "rb") as handle:
                if handle.read(8) == b"LPKSHHRH":  # a journal may be compressed inside: its own reader opens it
                    self.journal(["--file", path])
                    return
                handle.seek(0)
                self._open(handle, where, _Budget(_EXPANDED), 0)
        except FileNotFoundError:
            return  # gone while the folder was read
        except _ERRORS as exc:
            self.unread.append("%s (%s)" % (where, type(exc).__name__))

    def _open(self, source: IO[bytes], where: str, budget: _Budget, depth: int) -> None:
        """Search a stream, and what is inside if it is an archive. Raises one of _ERRORS when it breaks off."""
        head = _full(source, 512)
        kind = _kind(head)
        if kind is None or depth >= _DEPTH:
            if kind is not None:
                self.unread.append("%s (more than %d archives in each other)" % (where, _DEPTH))
            return self.stream(source, where, budget, head)
        whole = cast("IO[bytes]", io.BufferedReader(_Joined(head, source)))
        try:
            self._inside(kind, whole, where, budget, depth)
        except _ERRORS as exc:
            self.unread.append("%s (%s: %s)" % (where, kind, type(exc).__name__))
            self.stream(whole, where, budget)
        return None

    def _inside(self, kind: str, source: IO[bytes], where: str, budget: _Budget, depth: int) -> None:
        if kind == "zip":
            data = source.read(_SEEKABLE + 1)
            if len(data) > _SEEKABLE:
                raise ValueError("too large")
            with zipfile.ZipFile(io.BytesIO(data)) as opened:
                for info in opened.infolist():
                    self.text(os.fsencode(info.filename) + b"\0" + info.comment, where + " (a member's name)")
                    if not info.is_dir():
                        with opened.open(info) as member:
                            self._open(member, "%s!%s" % (where, self._safe(info.filename)), budget, depth + 1)
        elif kind == "tar":
            with tarfile.open(fileobj=source, mode="r|") as tar:
                for one in tar:
                    names = "\0".join([one.name, one.linkname, one.uname, *map(str, one.pax_headers.values())])
                    self.text(names.encode("utf-8", "replace"), where + " (a member's name)")
                    if one.isfile():
                        self._open(cast("IO[bytes]", tar.extractfile(one)), "%s!%s" % (where, self._safe(one.name)), budget, depth + 1)
            while source.read(_CHUNK):
                pass  # padding
        elif kind == "zstd":
            self._zstd(source, where, budget, depth)
        else:
            opener: Dict[str, Any] = {"gzip": gzip.GzipFile, "bzip2": bz2.BZ2File, "xz": lzma.LZMAFile}
            plain = opener[kind](fileobj=source) if kind == "gzip" else opener[kind](source)
            self._open(plain, where, budget, depth + 1)

    def _zstd(self, source: IO[bytes], where: str, budget: _Budget, depth: int) -> None:
        with _Command(["zstd", "-dcq"], source.read(_SEEKABLE)) as done:
            self._open(cast("IO[bytes]", done.process.stdout), where, budget, depth + 1)
        if done.code:
            raise ValueError("zstd")


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError("grows without end")


class _Joined(io.RawIOBase):
    """What was read already, and then the rest: a stream that cannot be sought is looked at twice."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        data = self._head[: len(target)] or self._rest.read(len(target))
        self._head = self._head[len(data) :] if self._head else b""
        target[: len(data)] = data
        return len(data)


class _Part:
    """The next bytes of a stream, as many as were announced. Raises EOFError when it ends before."""

    def __init__(self, source: IO[bytes], left: int) -> None:
        self._source, self._left = source, left

    def read(self, size: int) -> bytes:
        if not self._left:
            return b""
        data = self._source.read(min(size, self._left))
        if not data:
            raise EOFError("breaks off")
        self._left -= len(data)
        return data


class _Command:
    """A command whose output is searched while it runs; its errors are kept for the search, their last line for the report."""

    def __init__(self, argv: Sequence[str], given: bytes = b"") -> None:
        self.argv, self.given, self.errors, self.code = list(argv), given, b"", 127

    def __enter__(self) -> _Command:
        try:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as exc:
            raise ValueError("%s cannot be run: %s" % (self.argv[0], type(exc).__name__)) from None
        # Both run beside the reader, so that neither side waits for the other for ever; nothing is spooled to a disk.
        self._beside = [threading.Thread(target=one, daemon=True) for one in (self._feed, self._listen)]
        for one in self._beside:
            one.start()
        return self

    def _feed(self) -> None:
        with contextlib.suppress(OSError), cast("IO[bytes]", self.process.stdin) as stdin:
            stdin.write(self.given)

    def _listen(self) -> None:
        with cast("IO[bytes]", self.process.stderr) as stderr:
            self.errors = stderr.read(_CHUNK)
            while stderr.read(_CHUNK):
                pass

    def __exit__(self, *_: object) -> None:
        cast("IO[bytes]", self.process.stdout).close()
        self.code = self.process.wait()
        for one in self._beside:
            one.join()

    def words(self) -> str:
        return "exit %d" % self.code


def _full(source: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            break
        data += more
    return data


_MAGIC: Tuple[Tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "gzip"), (0, b"BZh", "bzip2"), (0, b"\xfd7zXZ\0", "xz"), (0, b"PK\x03\x04", "zip"), (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (257, b"ustar", "tar"))


def _kind(head: bytes) -> Optional[str]:
    return next((kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic), None)
