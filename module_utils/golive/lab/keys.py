"""Who may log in to a lab's hosts, and how do we know that a host is the one we made?

Both keys are born with the lab and never leave this machine: the login key lies beside the inventory (0700, git-ignored),
the host keys are read from inside the containers and pinned, so ssh checks them as it would in production.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError
from .inventory import Lab
from .run import run


def ensure_login_key(lab: Lab) -> str:
    """The lab's public login key (one line, authorized_keys form); made if it is not there yet."""
    private, public = lab.key_file, lab.key_file.with_suffix(".ssh_key.pub")
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private.parent.chmod(0o700)
    with _locked(lab):
        if not (private.exists() and public.exists()):
            private.unlink(missing_ok=True)
            public.unlink(missing_ok=True)
            fresh = private.with_suffix(".new")
            for path in (fresh, fresh.with_suffix(".new.pub")):
                path.unlink(missing_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"golive lab {lab.name}", "-f", str(fresh)])
            fresh.with_suffix(".new.pub").replace(public)
            fresh.replace(private)  # last: a private key that is there has its public half
    return public.read_text(encoding="ascii").strip()


def forget_login_key(lab: Lab) -> None:
    """Remove the lab's login key; no error if it is gone already."""
    lab.key_file.unlink(missing_ok=True)
    lab.key_file.with_suffix(".ssh_key.pub").unlink(missing_ok=True)


def fingerprint(public_key: str) -> str:
    """OpenSSH's SHA256 fingerprint of a public key line. Raises LabError if the line is not one."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, ValueError) as error:
        raise LabError("not an OpenSSH public key", found=repr(public_key[:60])) from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def pin(lab: Lab, host_keys: Mapping[str, str | None]) -> None:
    """Write the key of each address (`type base64 …`) into known_hosts in place of what stood there; None takes it out.

    Lines of other addresses stay: labs whose inventories lie in one folder share the file.
    """
    with _locked(lab):
        try:
            lines = lab.known_hosts.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            lines = []
        kept = [line for line in lines if line.split(" ", 1)[0] not in host_keys]
        added = [f"{address} {' '.join(key.split()[:2])}" for address, key in host_keys.items() if key is not None]
        _replace(lab.known_hosts, "".join(f"{line}\n" for line in [*kept, *added]))


def _replace(path: Path, text: str) -> None:
    """Whole or not at all; an empty file is removed."""
    if not text:
        path.unlink(missing_ok=True)
        return
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="ascii") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


@contextmanager
def _locked(lab: Lab) -> Iterator[None]:
    folder = lab.key_file.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
