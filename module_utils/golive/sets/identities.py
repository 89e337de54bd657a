"""identities: key pairs that a host makes for itself (ssh, age); the public half is told, the private half stays."""
from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from ..errors import GoliveError
from . import core
from .atomic import sync_directory
from .core import Change, Decision, WantedSet
from .system import System


class Identities(WantedSet):
    """Wanted identities `{path, kind}`; the private key is root's, mode 0600."""

    def __init__(self, system: System, identities: Sequence[Mapping[str, Any]]) -> None:
        self.system, self.identities = system, list(identities)

    def current(self) -> Dict[str, Optional[str]]:
        """Return the public half of each identity, None where there is none."""
        return {str(one["path"]): self._public(one) for one in self.identities}

    def decide(self, current: Mapping[str, Optional[str]]) -> Decision:
        """Make what is missing. An identity that is there is never replaced: others rely on its public half."""
        return Decision([Change("identity:%s" % path, "create", None, "present") for path, public in current.items() if public is None], [])

    def act(self, decision: Decision) -> Iterator[Change]:
        """Make each key beside its place and rename it there."""
        for change in decision.changes:
            path = change.object.partition(":")[2]
            self._make(path, next(str(one["kind"]) for one in self.identities if one["path"] == path))
            yield change

    def _public(self, one: Mapping[str, Any]) -> Optional[str]:
        real = self.system.path(str(one["path"]))
        if not os.path.exists(real):
            return None
        argv = ["ssh-keygen", "-y", "-f", real] if one["kind"] == "ssh" else ["age-keygen", "-y", real]
        public: List[str] = self.system.must(argv).stdout.split()
        return " ".join(public[:2])

    def _make(self, path: str, kind: str) -> None:
        real = self.system.path(path)
        directory = os.path.dirname(real)
        if not os.path.isdir(directory):
            raise GoliveError("the directory above does not exist", where=path, todo="make it with managed_files first")
        with tempfile.TemporaryDirectory(dir=directory) as place:
            new = os.path.join(place, "key")
            if kind == "ssh":
                self.system.must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "golive", "-f", new])
            else:
                self.system.must(["age-keygen", "-o", new])
            os.chmod(new, 0o600)
            os.replace(new, real)
        sync_directory(directory)


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out a task of library/identities.py, and tell the public halves as `public`; see core.perform."""
    wanted = Identities(System(), given["identities"])
    result = core.perform(lambda: wanted, given, dry)
    if result.get("failed"):
        return result
    try:
        return dict(result, public={path: text or "" for path, text in wanted.current().items()})
    except GoliveError as exc:
        return dict(result, failed=True, msg=str(exc))
