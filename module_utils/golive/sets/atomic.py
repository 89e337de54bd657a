"""Writes that are whole or not at all: a temporary file in the same directory, fsync, rename, fsync of the directory."""
from __future__ import annotations

import os
import tempfile
from typing import Callable, Optional


def write_file(path: str, data: bytes, mode: int = 0o600, uid: int = -1, gid: int = -1,
               before_rename: Optional[Callable[[str], None]] = None) -> None:
    """Write a file so that a reader (or a crash) sees the old or the new one. `before_rename` gets the temporary path.

    The content is never readable by more people than the final mode says. Raises OSError (nothing is left behind).
    """
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".%s." % os.path.basename(path)[:60], suffix=".golive", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            if uid != -1 or gid != -1:
                os.fchown(handle.fileno(), uid, gid)
            handle.write(data)
            handle.flush()
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        if before_rename is not None:
            before_rename(temporary)
        os.replace(temporary, path)
    except BaseException as exc:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        if isinstance(exc, OSError) and exc.filename is None:
            exc.filename = path  # a full disk is found by write(), which knows no name
        raise
    sync_directory(directory)


def sync_directory(directory: str) -> None:
    """Make a rename in this directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def swap_link(path: str, target: str) -> None:
    """Point a symbolic link at a target in one step; there is no moment without the link."""
    temporary = "%s.golive-%d" % (path, os.getpid())
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    try:
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path))
