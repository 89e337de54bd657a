"""Packs the command into one file for a host without golive: python -m golive.exchange.pack exchange_key.pyz

The file runs with the host's own Python 3.9 or newer and holds sources only. Packing the same sources twice gives the same bytes, so
a role can compare digests. Runs on the controller.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from .. import bundle
from ..canonical import digest
from ..errors import GoliveError
from ..lab.cache import cache_dir

_START = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\nfrom %s import main\nsys.exit(main(sys.argv[1:]))\n"
PROGRAMS = {"exchange_key": "golive.exchange.command", "model_registry": "golive.model_registry.command"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say


def pack(program: str = "exchange_key") -> bytes:
    """Return the bytes of a one-file command."""
    files = {"__main__.py": _MAIN % PROGRAMS[program]}
    for name, (is_package, text) in bundle.sources([PROGRAMS[program]]).items():
        files[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = text
    out = io.BytesIO(_START)
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, files[path])
    return out.getvalue()


def cached(name: str) -> Path:
    """Return the packed program `name` in this user's cache, under the digest of its bytes.

    Raises GoliveError for an unknown name, or when the cache cannot be written.
    """
    if name not in PROGRAMS:
        raise GoliveError("no such program", found=repr(name)[:60], expected=" or ".join(PROGRAMS))
    data = pack(name)
    path = cache_dir() / "packed" / digest(data)[7:23] / (name + ".pyz")
    try:
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, data)
    except OSError as exc:
        raise GoliveError(f"cannot be written: {exc.strerror}", where=str(path)) from None
    return path


def _write(target: Path, data: bytes) -> None:
    """Write the program whole or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o755)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def main(argv: Sequence[str]) -> int:
    """Write the file (tmp, fsync, rename) and print its digest."""
    if len(argv) != 1:
        sys.stderr.write("USAGE: python -m golive.exchange.pack FILE\n")
        return 64
    target, data = Path(argv[0]), pack()
    try:
        _write(target, data)
    except OSError as exc:
        sys.stderr.write(f"{target}: cannot be written: {exc.strerror}\n")
        return 1
    print(digest(data))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
