"""Unseal keys belong to people: each share is encrypted by the store itself to one person's OpenPGP key.

golive never holds two shares in clear on a disk. In a rehearsal the people are the lab's own (`lab-*`), whose keys were born with it.
"""
from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from ..errors import GoliveError


@contextmanager
def keyring(secret_keys: Sequence[Path]) -> Iterator[Path]:
    """Yield a short-lived GnuPG home in memory that holds these secret keys; its agent ends with it."""
    with tempfile.TemporaryDirectory(prefix="golive-gpg-", dir="/dev/shm") as home:
        try:
            for path in secret_keys:
                _gpg(Path(home), "--import", stdin=path.read_bytes())
            yield Path(home)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


def enrol(folder: Path, names: Sequence[str]) -> list[str]:
    """Make an OpenPGP key for each rehearsal person who has none and return their public keys in base64, in order."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    public: list[str] = []
    for name in names:
        secret, shown = folder / f"{name}.pgp.secret", folder / f"{name}.pgp.public"
        if not (secret.is_file() and shown.is_file()):
            with keyring([]) as home:
                _gpg(home, "--passphrase", "", "--quick-generate-key", f"{name} (rehearsal)", "rsa3072", "encrypt", "30d")
                _private(secret, _gpg(home, "--export-secret-keys"))
                _private(shown, _gpg(home, "--export"))
        public.append(base64.b64encode(shown.read_bytes()).decode("ascii"))
    return public


def open_share(encrypted: str, secret_key: Path) -> str:
    """Return one share in clear, in memory. Raises GoliveError when this is not the person it was encrypted to."""
    with keyring([secret_key]) as home:
        return _gpg(home, "--decrypt", stdin=base64.b64decode(encrypted)).decode("ascii").strip()


def _gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--trust-model", "always",
               *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=120)
    except FileNotFoundError:
        raise GoliveError("gpg is not installed on the controller", todo="apt-get install gpg gpg-agent") from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GoliveError("gpg could not do it", found=words[-1][:200] if words else f"exit {done.returncode}")
    return done.stdout


def _private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
