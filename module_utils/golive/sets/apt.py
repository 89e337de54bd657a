"""How apt-get and dpkg-query are asked and told; their own words on failure."""
from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ..errors import GoliveError
from .system import Completed, System

_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "APT_LISTCHANGES_FRONTEND": "none",
                "LC_ALL": "C", "LANGUAGE": "C"}
# Asking must not write: the caches that apt-get would refresh on disk even for -s stay in memory.
_IN_MEMORY = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
# Another apt run (unattended-upgrades) may hold the lock. A conffile that we wrote first stays ours.
_ACT = ["-y", "-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confdef",
        "-o", "Dpkg::Options::=--force-confold"]
_CHOICE = ["--no-install-recommends"]
_INST = re.compile(r"^Inst (?P<name>[^ :]+)(?::\S+)?(?: \[(?P<before>[^\]]*)\])? \((?P<after>\S+)")
_REMV = re.compile(r"^(?:Remv|Purg) (?P<name>[^ :]+)(?::\S+)? \[(?P<before>[^\]]*)\]")
_NOT_FOUND = ("Unable to locate package", "has no installation candidate", "was not found")


class Simulation(NamedTuple):
    """What apt-get -s says it would do. `refusal` is one sentence when it would do nothing at all."""

    installs: Sequence[Tuple[str, Optional[str], str]] = ()   # name, version before (None: new), version after
    removes: Sequence[Tuple[str, str]] = ()
    refusal: Optional[str] = None


class Apt:
    """apt-get of one host. `keep_lists`: an index that is too old is refreshed for good; else only for the question."""

    def __init__(self, system: System, keep_lists: bool) -> None:
        self.system, self.keep_lists = system, keep_lists
        self.sources: Sequence[str] = ()     # of repositories that a dry run's host does not know yet

    def versions(self, names: Sequence[str]) -> Dict[str, Tuple[str, str]]:
        """Return dpkg's status (two letters) and version of each named package that dpkg has heard of."""
        if not names:
            return {}
        form = "${Package}\t${db:Status-Abbrev}\t${Version}\n"
        done = self.system.run(["dpkg-query", "-W", "-f", form, *names], env=_ENVIRONMENT)
        if done.rc not in (0, 1):   # 1: some names are unknown to dpkg
            raise GoliveError("dpkg-query failed", found=done.words())
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        return {row[0]: (row[1].strip(), row[2]) for row in rows if len(row) == 3}

    def simulate(self, install: Sequence[str], remove: Sequence[str]) -> Simulation:
        """Ask apt-get what it would do; if its index does not know a name, ask again with a fresh index."""
        done = self._ask(install, remove, [])
        if done.rc != 0 and any(text in done.stderr + done.stdout for text in _NOT_FOUND):
            if self.keep_lists:
                self._update([])
                done = self._ask(install, remove, [])
            else:
                done = self._ask_with_private_lists(install, remove)
        return parse_simulation(done)

    def carry_out(self, install: Sequence[str], remove: Sequence[str]) -> None:
        """Install and remove in one transaction, after finishing one that was cut off. Raises GoliveError in apt's words."""
        self.system.must(["dpkg", "--configure", "-a", "--force-confdef", "--force-confold"], env=_ENVIRONMENT)
        command = ["apt-get", *_ACT, *_CHOICE, "install", *install, *["%s-" % name for name in remove]]
        if not install and not remove:
            return
        done = self.system.run(command, env=_ENVIRONMENT, timeout=3600)
        if done.rc != 0 and "Unable to fetch some archives" in done.stderr:   # the index is older than the mirror
            self._update([])
            done = self.system.run(command, env=_ENVIRONMENT, timeout=3600)
        if done.rc != 0:
            raise GoliveError("apt-get could not install", found=_errors(done))

    def _ask(self, install: Sequence[str], remove: Sequence[str], options: List[str]) -> Completed:
        return self.system.run(["apt-get", "-s", "-q", *_IN_MEMORY, *options, *_CHOICE, "install", *install,
                                *["%s-" % name for name in remove]], env=_ENVIRONMENT)

    def _update(self, options: List[str]) -> None:
        done = self.system.run(["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *options, "update"], env=_ENVIRONMENT)
        if done.rc != 0:
            raise GoliveError("apt-get could not read its package sources", found=_errors(done),
                              todo="check /etc/apt/sources.list.d and that the mirror is reachable from this host")

    def _ask_with_private_lists(self, install: Sequence[str], remove: Sequence[str]) -> Completed:
        place = tempfile.mkdtemp(prefix="golive-apt-")
        try:
            os.chmod(place, 0o755)  # noqa: S103  apt fetches as its own user
            os.makedirs(os.path.join(place, "lists", "partial"))
            options = ["-o", "Dir::State::Lists=%s" % os.path.join(place, "lists"), *_IN_MEMORY, *self._parts(place)]
            self._update(options)
            return self._ask(install, remove, options)
        finally:
            shutil.rmtree(place, ignore_errors=True)


    def _parts(self, place: str) -> List[str]:
        """Return the option by which apt reads the host's own sources and those that are to come."""
        if not self.sources:
            return []
        parts = os.path.join(place, "sources.list.d")
        shutil.copytree(self.system.path("/etc/apt/sources.list.d"), parts)
        for number, text in enumerate(self.sources):    # one that is known already is asked twice, which apt only remarks on
            with open(os.path.join(parts, "to-come-%d.sources" % number), "w", encoding="utf-8") as handle:
                handle.write(text)
        return ["-o", "Dir::Etc::SourceParts=%s" % parts]


def parse_simulation(done: Completed) -> Simulation:
    """Read the output of apt-get -s. Pure."""
    if done.rc != 0:
        return Simulation(refusal=str(GoliveError("apt-get cannot bring this set about", found=_errors(done),
                                                  todo="correct the names, or unhold or remove what is in the way")))
    installs = [(match["name"], match["before"], match["after"]) for match in map(_INST.match, done.stdout.splitlines()) if match]
    removes = [(match["name"], match["before"]) for match in map(_REMV.match, done.stdout.splitlines()) if match]
    return Simulation(installs, removes)


def _errors(done: Completed) -> str:
    """Return apt's own error lines, with what it says about dependencies."""
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines()]
    kept = [line for line in lines if line.startswith(("E:", "dpkg: error")) or " : Depends:" in line or " : Conflicts:" in line]
    return " ".join(kept)[:800] or done.words()
