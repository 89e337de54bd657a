"""sealed_files: secrets that lie on a host encrypted to it (systemd-creds), readable there only, by root only, under one name."""
from __future__ import annotations

import base64
import json
import os
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import GoliveError
from . import core
from .atomic import write_file
from .core import Change, Decision, WantedSet
from .system import System

MODE = 0o600


class Found(NamedTuple):
    """What lies at a path: whether it is ours to open, what is in it (only ever in memory), and its mode and owner."""

    present: bool
    opened: Optional[bytes]
    mode: int
    owner: int


class SealedFiles(WantedSet):
    """Wanted secrets `{path, name, content (base64) or None, unresolved}`; the file is root's, mode 0600."""

    def __init__(self, system: System, files: Sequence[Mapping[str, Any]], owner: int = 0) -> None:
        self.system, self.files, self.owner = system, list(files), owner

    def current(self) -> Dict[str, Found]:
        """Open each file that is there with this host's key."""
        return {str(one["path"]): self._look(str(one["path"]), str(one["name"])) for one in self.files}

    def decide(self, current: Mapping[str, Found]) -> Decision:
        """A file that cannot be opened here, holds something else, or is not root's alone is sealed anew. Digests are told of none."""
        changes: List[Change] = []
        problems: List[str] = []
        for one in self.files:
            path, found = str(one["path"]), current[str(one["path"])]
            if one.get("content") is None:
                if not found.present:
                    changes.append(Change("file:%s" % path, "create", None, "sealed"))     # predicted; real runs have the content
                elif found.opened is None:
                    problems.append("%s cannot be opened on this host, and its secret could not be resolved: %s"
                                    % (path, one.get("unresolved") or "no reason was given"))
                continue
            before = "sealed" if found.opened is not None else "not sealed to this host"
            if not found.present:
                changes.append(Change("file:%s" % path, "create", None, "sealed"))
            elif found.opened != base64.b64decode(str(one["content"])) or (found.mode, found.owner) != (MODE, self.owner):
                changes.append(Change("file:%s" % path, "update", before, "sealed"))
        return Decision(changes, problems)

    def act(self, decision: Decision) -> Iterator[Change]:
        """Encrypt in memory and put each file in place in one step."""
        for change in decision.changes:
            path = change.object.partition(":")[2]
            one = next(one for one in self.files if one["path"] == path)
            if one.get("content") is None:
                raise GoliveError("the secret could not be resolved", where=path, found=one.get("unresolved"))
            secret = base64.b64decode(str(one["content"])).decode("utf-8")
            done = self.system.run(["systemd-creds", "encrypt", "--name=%s" % one["name"], "-", "-"], stdin=secret)
            if done.rc != 0 or not done.stdout.strip():
                raise GoliveError("systemd-creds could not encrypt to this host", where=path, found=done.words(),
                                  todo="systemd 250 or newer is needed")
            real = self.system.path(path)
            if not os.path.isdir(os.path.dirname(real)):
                raise GoliveError("the directory above does not exist", where=path, todo="make it with managed_files first")
            write_file(real, done.stdout.encode("ascii"), MODE, self.owner, -1)
            yield change

    def _look(self, path: str, name: str) -> Found:
        real = self.system.path(path)
        try:
            info = os.lstat(real)
        except FileNotFoundError:
            return Found(False, None, 0, 0)
        done = self.system.run(["systemd-creds", "decrypt", "--name=%s" % name, real, "-"], timeout=30)
        return Found(True, done.stdout.encode("utf-8") if done.rc == 0 else None, info.st_mode & 0o7777, info.st_uid)


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out what plugins/action/sealed_files.py sends; see core.perform."""
    return core.perform(lambda: SealedFiles(System(), json.loads(given["payload"])), given, dry)
