"""What stands at a path: kind, owner, mode, access control lists, digest."""
from __future__ import annotations

import os
import stat
from typing import NamedTuple, Optional, Sequence

from ..canonical import file_digest
from . import acl
from .system import System


class PathState(NamedTuple):
    """One path as lstat, readlink, getxattr and sha256 say. Unknown ids are shown as numbers."""

    kind: str                      # file, dir, link, other
    mode: int
    owner: str
    group: str
    digest: Optional[str] = None
    target: Optional[str] = None
    access: Sequence[acl.Entry] = ()
    default: Sequence[acl.Entry] = ()


def look_at(system: System, path: str, wants_digest: bool) -> Optional[PathState]:
    """Return what stands at a path, None if nothing. A link is not followed. Raises OSError."""
    real = system.path(path)
    try:
        found = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return None
    users = {user.uid: user.name for user in system.users().values()}
    groups = {group.gid: group.name for group in system.groups().values()}
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}.get(stat.S_IFMT(found.st_mode), "other")
    state = PathState(kind, stat.S_IMODE(found.st_mode), users.get(found.st_uid, str(found.st_uid)),
                      groups.get(found.st_gid, str(found.st_gid)))
    if kind == "link":
        return state._replace(target=os.readlink(real))
    if kind == "file" and wants_digest:
        state = state._replace(digest=file_digest(real))
    return state._replace(access=acl.read(real, acl.ACCESS), default=acl.read(real, acl.DEFAULT) if kind == "dir" else [])


def facts(state: Optional[PathState], instead: Optional[str] = None) -> Optional[str]:
    """Return a path's state as short text. `instead` replaces the digest of a secret: a short secret could be guessed from it."""
    if state is None:
        return None
    if state.kind == "link":
        return "-> %s" % state.target
    text = "%04o %s:%s" % (state.mode, state.owner, state.group)
    if state.digest:
        text += " %s" % (instead or state.digest)
    return text + (" acl" if state.access or state.default else "")
