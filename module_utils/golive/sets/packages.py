"""packages: Debian packages that are installed or absent, predicted by apt-get's own simulation, dependencies included.

Installing a package neither starts nor enables anything: what runs is decided by the set `units`, so that a dry run on a bare
host and the real run name the same objects. python3-apt is not needed.
"""
from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

from . import core
from .apt import Apt, Simulation
from .core import Change, Decision, WantedSet
from .dependencies import lacking
from .quiet_install import QuietInstall
from .system import System

NAME = re.compile(r"^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?$")
_INSTALLED = ("ii", "hi")


class Current(NamedTuple):
    """What dpkg knows of the named packages, and what apt would do (None: nothing to ask apt for)."""

    versions: Dict[str, Tuple[str, str]]   # name -> (dpkg status such as "ii", version)
    simulation: Simulation
    unfinished: FrozenSet[str]             # packages whose installation by golive was cut off before its last step
    lacking: Sequence[str] = ()            # what installed ones of them need and dpkg does not hold


class Packages(WantedSet):
    """The wanted packages of a host: `present` as `name` or `name=version`, `absent` as `name`."""

    def __init__(self, system: System, present: Sequence[str], absent: Sequence[str], dry: bool) -> None:
        self.system, self.present, self.absent = system, list(present), list(absent)
        self.apt = Apt(system, keep_lists=not dry)
        self.quiet = QuietInstall(system)

    def current(self) -> Current:
        """Ask dpkg, and apt only if something differs."""
        if invalid(self.present, self.absent):
            return Current({}, Simulation(), frozenset())
        versions, install, remove, needed = self._differing()
        simulation = self.apt.simulate(install, remove) if install or remove else Simulation()
        return Current(versions, simulation, self.quiet.unfinished(), needed)

    def decide(self, current: Current) -> Decision:
        """Return every package that apt would install, upgrade or remove, dependencies included."""
        problems = invalid(self.present, self.absent)
        if problems:
            return Decision([], problems)
        if current.simulation.refusal:
            return Decision([], [current.simulation.refusal])
        absent = set(self.absent)
        install, _ = differing(current.versions, self.present, self.absent)
        for name, version in current.simulation.removes:
            if name not in absent:
                problems.append("apt would also remove %s %s, which nobody asked for; name it in absent if that is wanted"
                                % (name, version))
        changes = [Change("package:%s" % name, "remove", version, None) for name, version in current.simulation.removes]
        for name, before, after in current.simulation.installs:
            changes.append(Change("package:%s" % name, "upgrade" if before else "install", before, after))
        named = {change.object for change in changes}
        for entry in [*install, *current.lacking]:       # unpacked but never configured: apt lists it as Conf only
            name = name_of(entry)
            if "package:%s" % name not in named:
                status, version = current.versions.get(name, ("", ""))
                changes.append(Change("package:%s" % name, "configure", "%s %s" % (status, version), version))
        changes += [Change("package:%s" % name, "finish", "installation was cut off", "quiet")
                    for name in sorted(current.unfinished) if "package:%s" % name not in named]
        return Decision(changes, problems)

    def act(self, decision: Decision) -> Iterator[Change]:
        """One apt transaction; then disable what it enabled by itself."""
        _, install, remove, _ = self._differing()
        with self.quiet.during([name_of(entry) for entry in install]):
            self.apt.carry_out(install, remove)
        yield from decision.changes

    def _differing(self) -> Tuple[Dict[str, Tuple[str, str]], List[str], List[str], List[str]]:
        """Return (dpkg's word on each, entries to install, names to remove, dependencies among the first that nobody named)."""
        needed = [name for name in lacking(self.system, [name_of(entry) for entry in self.present]) if name not in self.absent]
        versions = self.apt.versions([*(name_of(entry) for entry in self.present + self.absent), *needed])
        install, remove = differing(versions, self.present, self.absent)
        needed = [name for name in needed if name not in {name_of(entry) for entry in install}]
        return versions, [*install, *needed], remove, needed


def name_of(entry: str) -> str:
    """Return the name of `name=version`."""
    return entry.split("=", 1)[0]


def invalid(present: Sequence[str], absent: Sequence[str]) -> List[str]:
    """Return a sentence for each entry that cannot be a package, or that is wanted and unwanted at once."""
    problems = ["'%s' is not a package name; expected name or name=version in Debian's form" % entry
                for entry in present if not NAME.match(entry)]
    problems += ["'%s' is not a package name; expected a name without version" % entry
                 for entry in absent if not NAME.match(entry) or "=" in entry]
    both = sorted({name_of(entry) for entry in present} & set(absent))
    return problems + ["%s is wanted both present and absent; drop one of the two" % name for name in both]


def differing(versions: Dict[str, Tuple[str, str]], present: Sequence[str], absent: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Return (entries to install, names to remove). Pure."""
    install = []
    for entry in present:
        name, _, wanted = entry.partition("=")
        status, version = versions.get(name, ("", ""))
        if status not in _INSTALLED or (wanted and wanted != version):
            install.append(entry)
    # "rc" = removed, configuration left: absent. Everything else that dpkg still lists has files on the host.
    remove = [name for name in absent if versions.get(name, ("un", ""))[0][1:2] not in ("n", "c", "")]
    return install, remove


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out a task of library/packages.py; see core.perform."""
    def build() -> Packages:
        wanted = Packages(System(), given["present"], given["absent"], dry)
        wanted.apt.sources = given["sources"]
        return wanted
    return core.perform(build, given, dry)
