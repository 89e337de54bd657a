"""Packs the Vault that was built for tests as a release archive, so that a lab host gets it as production gets the vendor's: by digest."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

from ..canonical import file_digest
from ..errors import GoliveError
from ..rundir import write_atomic
from .cache import locked
from .vault_binary import PROGRAMS, vault_folder


def archive() -> tuple[Path, str]:
    """The archive and its sha256 (64 hex digits), packed once beside the programs. Raises GoliveError when Vault was not built yet.

    The digest is kept beside it: whoever installs the archive verifies it, and a run asks for it dozens of times.
    """
    folder = vault_folder()
    packed = folder / "vault.tar.gz"
    known = folder / "vault.tar.gz.sha256"
    with locked("vault-archive"):
        if not packed.is_file():
            missing = [name for name in PROGRAMS if not (folder / name).is_file()]
            if missing:
                raise GoliveError("Vault was not built yet", found=f"no {', '.join(missing)}", todo="run: make lab, or scripts/setup vault")
            known.unlink(missing_ok=True)
            _pack(folder, packed)
        if not known.is_file():
            write_atomic(known, file_digest(str(packed)).removeprefix("sha256:").encode())
        return packed, known.read_text("ascii")


def _pack(folder: Path, packed: Path) -> None:
    tmp = packed.with_suffix(f".{os.getpid()}")
    # Level 1: the network is this machine's, the time to pack is what costs. Fixed time and no name keep the digest the same.
    with tmp.open("wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as zipped, \
            tarfile.open(fileobj=zipped, mode="w|") as tar:
        for name in sorted(PROGRAMS):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = (folder / name).stat().st_size, 0o755
            with (folder / name).open("rb") as program:
                tar.addfile(entry, program)
    tmp.replace(packed)
