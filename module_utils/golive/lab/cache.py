"""Where do things that are expensive to make live between checkouts, and under which key?

Everything here is keyed by content: the same inputs give the same key on every machine, and a changed input never finds
the old result. The cache lies outside the checkout, so that a fresh clone starts warm.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_KEY_LENGTH = 16  # hex digits: 64 bits, enough to tell recipes apart, short enough for a tag


def cache_dir() -> Path:
    """The cache of this user: `$GOLIVE_CACHE`, else `$XDG_CACHE_HOME/golive`, else `~/.cache/golive`. Created 0700."""
    explicit = os.environ.get("GOLIVE_CACHE")
    base = Path(explicit) if explicit else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "golive"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    return base.resolve()


def content_key(paths: Iterable[Path], root: Path, *words: str) -> str:
    """Key over names (relative to `root`), executable bits and bytes of `paths`, and over `words`; order does not matter.

    Returns 16 hex digits. Raises OSError if a file cannot be read.
    """
    digest = hashlib.sha256()
    for word in words:
        digest.update(b"word\0" + word.encode() + b"\0")
    for path in sorted(set(paths)):
        body = hashlib.sha256(path.read_bytes()).hexdigest()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"file\0{path.relative_to(root).as_posix()}\0{executable}\0{body}\0".encode())
    return digest.hexdigest()[:_KEY_LENGTH]


def files_below(folder: Path) -> list[Path]:
    """Every regular file below `folder`, sorted; bytecode and editor leftovers do not count as content."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith((".pyc", "~", ".swp"))
    )


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the cache's lock `name`: two processes never build the same thing at once. Freed by the kernel after a kill."""
    path = cache_dir() / f".{name}.lock"
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
