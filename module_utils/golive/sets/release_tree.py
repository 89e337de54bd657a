"""Releases: an archive that is known by its sha256, unpacked under that name, and recognised again by the digest of its tree."""
from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
from typing import IO, Iterator, List, Optional, Set, Tuple

from ..canonical import digest, file_digest
from ..errors import GoliveError
from .atomic import sync_directory

_Row = Tuple[str, str, str]     # path, kind with permissions, sha256 or link target


def of_archive(path: str) -> str:
    """Return the tree digest that an archive will have once it is unpacked. Raises GoliveError for members that escape."""
    rows: List[_Row] = [(".", "dir", "")]
    with _open(path) as archive:
        for member in _members(archive):
            if member.isdir():
                rows.append((_name(member), "dir", ""))
            elif member.issym():
                rows.append((_name(member), "link", member.linkname))
            else:
                rows.append((_name(member), _file_kind(member.mode), _sha256(_content(archive, member))))
    return digest([list(row) for row in sorted(_with_parents(rows))])


def read(path: str) -> Optional[str]:
    """Return the tree digest of a directory with root's ownership, None if there is none."""
    if not os.path.isdir(path) or os.path.islink(path):
        return None
    rows: List[_Row] = []
    for directory, names, files in os.walk(path):
        names.sort()
        for name in [".", *names, *files]:
            full = os.path.normpath(os.path.join(directory, name))
            relative = os.path.relpath(full, path)
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                rows.append((relative, "link", os.readlink(full)))
            elif stat.S_ISREG(found.st_mode):
                writable = "" if not found.st_mode & 0o022 and (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid()) else " loose"
                rows.append((relative, _file_kind(found.st_mode) + writable, file_digest(full)[7:]))
            elif name == ".":
                loose = "" if not found.st_mode & 0o022 and found.st_uid == os.geteuid() else " loose"
                rows.append((relative, "dir" + loose, ""))
            elif not stat.S_ISDIR(found.st_mode):
                rows.append((relative, "other", ""))
    return digest([list(row) for row in sorted(rows)])


def unpack(archive: Optional[str], sha256: str, tree: str, place: str) -> None:
    """Unpack a verified archive beside its place and rename it there. Raises GoliveError when a digest is not the wanted one."""
    if archive is None:
        raise GoliveError("the archive of the release was not delivered", where=place)
    found = file_digest(archive)[7:]
    if found != sha256:
        raise GoliveError("the delivered archive is not the wanted one", where=place, found=found, expected=sha256, todo="run again")
    parent = os.path.dirname(place)
    for left_over in os.listdir(parent):        # of a run that was killed while unpacking
        if left_over.startswith(".unpacking-"):
            shutil.rmtree(os.path.join(parent, left_over))
    temporary = tempfile.mkdtemp(prefix=".unpacking-", dir=parent)
    try:
        os.chmod(temporary, 0o755)  # noqa: S103  a release is readable by all and writable by nobody but root
        _extract(archive, temporary)
        if read(temporary) != tree:
            raise GoliveError("the unpacked release is not what the controller read from the archive", where=place, todo="run again")
        os.sync()       # the files before the name that promises them
        if os.path.isdir(place):                # altered by somebody: replaced as a whole
            aside = tempfile.mkdtemp(prefix=".unpacking-", dir=parent)
            os.rename(place, os.path.join(aside, "altered"))
            os.rename(temporary, place)
            shutil.rmtree(aside)
        else:
            os.rename(temporary, place)
        sync_directory(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive_path: str, place: str) -> None:
    with _open(archive_path) as archive:
        for member in _members(archive):
            target = os.path.join(place, _name(member))
            os.makedirs(target if member.isdir() else os.path.dirname(target), mode=0o755, exist_ok=True)
            if member.issym():
                os.symlink(member.linkname, target)
            elif not member.isdir():
                with _content(archive, member) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                os.chmod(target, 0o755 if member.mode & 0o100 else 0o644)
    for directory, _, _ in os.walk(place):
        os.chmod(directory, 0o755)  # noqa: S103


def _open(path: str) -> tarfile.TarFile:
    try:
        return tarfile.open(path, "r:*")
    except (tarfile.TarError, EOFError, OSError) as exc:
        raise GoliveError("the release archive cannot be read", where=path, found=exc, expected="a tar archive, best tar.gz") from None


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield files, directories and links that stay inside; refuse everything else."""
    links: Set[str] = set()
    try:
        for member in archive:
            name = _name(member)
            if name == ".":
                continue
            bad = name.startswith(("/", "..")) or not (member.isfile() or member.isdir() or member.issym())
            bad = bad or any(name.startswith(link + "/") or name == link for link in links)    # a path that leads through a link
            if member.issym():
                links.add(name)
                aim = os.path.normpath(os.path.join(os.path.dirname(name), member.linkname))
                bad = bad or member.linkname.startswith("/") or aim.startswith("..")
            if bad:
                raise GoliveError("the release archive holds a member that is not a plain file, directory or inner link",
                                  found=repr(name)[:120], todo="build the release again")
            yield member
    except (tarfile.TarError, EOFError) as exc:
        raise GoliveError("the release archive is damaged", found=exc) from None


def _with_parents(rows: List[_Row]) -> List[_Row]:
    """Add the directories that an archive only implies."""
    known = {row[0] for row in rows}
    for name in [row[0] for row in rows]:
        parent = os.path.dirname(name)
        while parent and parent not in known:
            known.add(parent)
            rows.append((parent, "dir", ""))
            parent = os.path.dirname(parent)
    return rows


def _name(member: tarfile.TarInfo) -> str:
    return os.path.normpath(member.name)


def _file_kind(mode: int) -> str:
    return "program" if mode & 0o100 else "file"


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    source = archive.extractfile(member)
    if source is None:
        raise GoliveError("a file in the release archive has no content", found=member.name)
    return source


def _sha256(source: IO[bytes]) -> str:
    hasher = hashlib.sha256()
    for block in iter(lambda: source.read(1 << 20), b""):
        hasher.update(block)
    return hasher.hexdigest()
