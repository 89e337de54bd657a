"""Install without side effects: nothing is started (policy-rc.d) and nothing stays enabled that the package enabled by itself."""
from __future__ import annotations

import contextlib
import glob
import json
import os
from typing import Any, Dict, FrozenSet, Iterator, List, Sequence, Set

from . import atomic
from .system import System

POLICY = "/usr/sbin/policy-rc.d"
MARK = "# golive: no service is started while packages are being installed"
PENDING = "/var/lib/misc/golive-packages-pending.json"   # in a directory of the base system: what is managed is never made here
_UNIT_KINDS = (".service", ".timer", ".socket", ".path", ".target")


class QuietInstall:
    """Keeps a note on disk while packages are being installed, so that a run that was killed is finished by the next one."""

    def __init__(self, system: System) -> None:
        self.system = system

    def unfinished(self) -> FrozenSet[str]:
        """Return the packages of an installation that was cut off."""
        return frozenset(self._note().get("packages", []))

    @contextlib.contextmanager
    def during(self, packages: Sequence[str]) -> Iterator[None]:
        """Around the transaction: forbid starts before it, disable the newly enabled units of these packages after it."""
        earlier = self._note()
        names = sorted(set(packages) | set(earlier.get("packages", [])))
        enabled = set(earlier["enabled"]) if earlier else self._enabled()
        self._write_note(names, enabled)
        self._forbid_starts()
        try:
            yield
        finally:    # a refusal of apt must not leave the owner's own installations muzzled; the note stays for the next run
            self._allow_starts()
        self._disable_new(names, enabled)
        os.unlink(self.system.path(PENDING))

    def _note(self) -> Dict[str, Any]:
        text = self.system.read(PENDING)
        try:
            note = json.loads(text) if text else {}
        except ValueError:
            return {}
        return note if isinstance(note, dict) else {}

    def _write_note(self, names: List[str], enabled: Set[str]) -> None:
        os.makedirs(self.system.path(os.path.dirname(PENDING)), mode=0o755, exist_ok=True)
        text = json.dumps({"packages": names, "enabled": sorted(enabled)})
        atomic.write_file(self.system.path(PENDING), text.encode(), mode=0o600)

    def _forbid_starts(self) -> None:
        """Write policy-rc.d, unless the owner of the host has one: that is his decision and stays."""
        if self.system.read(POLICY) is None:
            atomic.write_file(self.system.path(POLICY), ("#!/bin/sh\n%s\nexit 101\n" % MARK).encode(), mode=0o755)

    def _allow_starts(self) -> None:
        if MARK in (self.system.read(POLICY) or ""):
            os.unlink(self.system.path(POLICY))

    def _enabled(self) -> Set[str]:
        """Return the names of units that some other unit pulls in."""
        pattern = self.system.path("/etc/systemd/system") + "/*.*/*"
        return {os.path.basename(link) for link in glob.glob(pattern) if os.path.islink(link)}

    def _disable_new(self, names: Sequence[str], before: Set[str]) -> None:
        fresh = sorted(self._units_of(names) & (self._enabled() - before))
        if fresh:
            self.system.must(["systemctl", "--quiet", "disable", *fresh])

    def _units_of(self, names: Sequence[str]) -> Set[str]:
        units: Set[str] = set()
        for name in names:
            listed = self.system.run(["dpkg-query", "-L", name])
            units |= {os.path.basename(line) for line in listed.stdout.splitlines()
                      if "/systemd/system/" in line and line.endswith(_UNIT_KINDS)}
        return units
