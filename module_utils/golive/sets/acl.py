"""POSIX access control lists as the kernel keeps them (extended attribute, version 2), without the acl tools.

Source of the binary form: linux/include/uapi/linux/posix_acl_xattr.h: a little-endian u32 version, then entries of
u16 tag, u16 permissions, u32 id.
"""
from __future__ import annotations

import errno
import os
import struct
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import GoliveError
from .system import Group, User

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NAMES = {_USER_OBJ: "user:", _USER: "user:", _GROUP_OBJ: "group:", _GROUP: "group:", _MASK: "mask:", _OTHER: "other:"}


class Entry(NamedTuple):
    """One entry; `id` is the number of the user or group, or 0xFFFFFFFF."""

    tag: int
    permissions: int
    id: int


def read(path: str, kind: str) -> List[Entry]:
    """Return the entries of a path, [] if it has none beyond its mode (or the file system keeps none)."""
    try:
        data = os.getxattr(path, kind, follow_symlinks=False)
    except OSError as exc:
        if exc.errno in (errno.ENODATA, errno.ENOTSUP):
            return []
        raise
    if len(data) < 4 or (len(data) - 4) % 8 or struct.unpack("<I", data[:4])[0] != _VERSION:
        raise GoliveError("the access control list has a form that golive does not know", where=path)
    return sorted(Entry(*struct.unpack("<HHI", data[place:place + 8])) for place in range(4, len(data), 8))


def write(path: str, kind: str, entries: Sequence[Entry]) -> None:
    """Set the entries of a path; [] removes the list."""
    if entries:
        data = struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
        os.setxattr(path, kind, data, follow_symlinks=False)
        return
    try:
        os.removexattr(path, kind, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in (errno.ENODATA, errno.ENOTSUP):
            raise


def wanted(mode: int, extra: Sequence[Mapping[str, Any]], users: Dict[str, User], groups: Dict[str, Group],
           default: bool) -> Optional[List[Entry]]:
    """Return the full list for a mode and extra entries `{user|group, permissions, default}`.

    [] if there are no extra entries; None if a named user or group does not exist (yet): then it cannot be there either.
    """
    chosen = [entry for entry in extra if bool(entry.get("default")) == default]
    if not chosen:
        return []
    named = []
    for entry in chosen:
        kind = "user" if entry.get("user") is not None else "group"
        name = str(entry[kind])
        number = users[name].uid if kind == "user" and name in users else groups[name].gid if kind == "group" and name in groups else None
        if number is None:
            return None
        named.append(Entry(_USER if kind == "user" else _GROUP, permissions(str(entry["permissions"])), number))
    group_bits = (mode >> 3) & 7
    mask = group_bits
    for entry_ in named:
        mask |= entry_.permissions
    return sorted([Entry(_USER_OBJ, (mode >> 6) & 7, _NO_ID), *named, Entry(_GROUP_OBJ, group_bits, _NO_ID),
                   Entry(_MASK, mask, _NO_ID), Entry(_OTHER, mode & 7, _NO_ID)])


def permissions(text: str) -> int:
    """Return the bits of `rwx`, `r-x`, `rx` … Raises GoliveError for other letters."""
    letters = text.replace("-", "")
    if set(letters) - set("rwx") or len(set(letters)) != len(letters):
        raise GoliveError("not a permission", found=repr(text)[:20], expected="letters of rwx")
    return sum({"r": 4, "w": 2, "x": 1}[letter] for letter in letters)


def text(entries: Sequence[Entry]) -> str:
    """Return entries as short text with numeric ids, for before and after."""
    words = []
    for entry in entries:
        bits = "".join(letter if entry.permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        words.append("%s%s:%s" % (_NAMES.get(entry.tag, "?"), "" if entry.id == _NO_ID else entry.id, bits))
    return ",".join(words)
