"""The people and issuers of a rehearsal: keys born with the lab, named lab-*, enrolled for rehearsals only.

Keys lie in `inventories/<system>/lab/people/` (0700, git-ignored), their public halves in `signers/<system>/rehearsal.allowed_signers`
(git-ignored). Production never enrols them: the reader of production refuses every name and every key of the lab.
"""
from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from . import people, signing, ticket
from .errors import GoliveError

LIFETIME = timedelta(days=7)  # as the lab's certificate authority
PERSON_NAMESPACES = (signing.ARM, signing.ATTEST, signing.WAIVER)


def keys_dir(root: Path, system: str) -> Path:
    """Return where the lab's private keys of a system lie."""
    return root / "inventories" / system / "lab" / "people"


def key_of(root: Path, system: str, principal: str) -> Path:
    """Return the private key file of a lab principal. Raises GoliveError where there is none."""
    if not principal.startswith(ticket.LAB_PREFIX):
        raise GoliveError("is not a name of the lab", found=principal, expected=f"{ticket.LAB_PREFIX}…",
                          todo="golive holds no key of a real person and never signs for one")
    path = keys_dir(root, system) / principal
    if not path.is_file():
        raise GoliveError("has no key in this lab", where=principal, todo="run make lab (python -m golive.rehearsal_signers)")
    return path


def ensure(root: Path, system: str, now: datetime | None = None) -> bool:
    """Make the keys that are missing and enrol all of them; return whether anything changed. A run with valid keys changes nothing."""
    moment = now or datetime.now(timezone.utc)
    known = people.load(root / "signers" / system / "roles.yml", rehearsal=True)
    target = root / "signers" / system / "rehearsal.allowed_signers"
    folder = keys_dir(root, system)
    if _holds(target, folder, set(known.all()), moment):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    before = (moment + LIFETIME).strftime("%Y%m%d%H%M%SZ")
    lines = ["# Written by make lab: keys of this lab, for rehearsals only."]
    for principal in sorted(known.all()):
        key = folder / principal
        for old in (key, key.with_name(f"{principal}.pub")):
            old.unlink(missing_ok=True)  # an expired lab key is not prolonged, it is born anew with its lab
        done = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", principal, "-f", str(key)], capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise GoliveError("ssh-keygen made no key", where=principal, found=done.stderr.decode("utf-8", "replace").strip()[:200])
        public = " ".join(key.with_name(f"{principal}.pub").read_text("ascii").split()[:2])
        namespaces = PERSON_NAMESPACES if principal in known.persons else (signing.EVIDENCE,)
        lines.append(f'{principal} namespaces="{",".join(namespaces)}",valid-before="{before}" {public}')
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_text("\n".join(lines) + "\n", "ascii")
    fresh.replace(target)
    return True


def _holds(target: Path, folder: Path, wanted: set[str], now: datetime) -> bool:
    """Return whether every wanted principal is enrolled with the key that lies in the lab, for at least another hour."""
    try:
        signers = ticket.parse_signers(target.read_bytes(), True)
    except (OSError, ticket.Refused):
        return False
    for one in signers:
        public = folder / f"{one.principal}.pub"
        if not (folder / one.principal).is_file() or not public.is_file() or one.valid_before < now + timedelta(hours=1):
            return False
        if public.read_text("ascii").split()[1] not in one.line:
            return False
    return {one.principal for one in signers} == wanted


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m golive.rehearsal_signers SYSTEM`: enrol the lab's signers."""
    from .session import ROOT  # noqa: PLC0415 (the library does not need to know where the repository is)

    try:
        for system in sys.argv[1:] if argv is None else argv:
            print(f"{system}: {'lab signers enrolled' if ensure(ROOT, system) else 'lab signers are enrolled'}")
        return 0
    except GoliveError as exc:
        print(f"signers: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
