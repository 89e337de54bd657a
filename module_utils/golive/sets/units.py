"""units: systemd units that are wanted started or stopped, enabled, disabled or masked, and restarted when what they run is stale.

A restart is level-triggered (M3): every run compares what the running process loaded with what is on disk, so a restart that was
lost to a crash happens on the next run. What it loaded is written by the unit itself at each start (see loaded.py).
"""
from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import stat
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..errors import GoliveError
from . import atomic, core, drop_ins
from .core import Change, Decision, WantedSet
from .foreseen import content_changes
from .loaded import DROP_IN, Loaded, drop_in_path, own_files
from .system import System

_ASK = ("Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "NeedDaemonReload", "InvocationID", "Result", "LoadError",
        "FragmentPath")
_ENABLED = ("enabled", "alias", "linked")
_FOR_THIS_BOOT = ("enabled-runtime", "linked-runtime")     # gone after the next one: not what "enabled" means, and too much for "disabled"


class UnitState(NamedTuple):
    """A unit as systemd describes it. `stale` says why the running process has to be replaced, None if it need not."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    file: str = ""
    result: str = ""
    stale: Optional[str] = None
    drop_in: Optional[str] = None      # the text of our drop-in, None if there is none
    drop_in_open: bool = False         # it is no plain file of ours with mode 0644: somebody else may write it
    foreign: Sequence[str] = ()        # drop-ins that nobody of golive wrote

    @property
    def running(self) -> bool:
        """Return whether the unit is up or on its way up by its own start (not waiting for the next automatic restart)."""
        return self.active in ("active", "reloading", "refreshing") or (self.active == "activating" and self.sub != "auto-restart")


class Units(WantedSet):
    """Wanted units (plain mappings in the form of library/units.py).

    `predicted` are the changes that earlier tasks of the same dry run would make (objects such as `file:/etc/chrony/chrony.conf`).
    """

    def __init__(self, system: System, units: Sequence[Mapping[str, Any]], dry: bool,
                 predicted: Sequence[Mapping[str, Any]] = ()) -> None:
        self.system, self.units, self.dry = system, list(units), dry
        self.predicted = list(predicted)
        self.loaded = Loaded(system)

    def current(self) -> Dict[str, UnitState]:
        """Ask systemd about all units at once, and for the running ones what they loaded.

        In a real run systemd first reads definitions that are newer than its own again; what then owes a restart is noted before,
        because after the reload nobody could tell any more.
        """
        names = [str(unit["name"]) for unit in self.units]
        shown = self._show(names)
        outdated = [name for name in names if shown[name]["NeedDaemonReload"] == "yes"]
        if not self.dry and (outdated or any(shown[name]["LoadState"] == "not-found" for name in names)):
            for name in outdated:
                if shown[name]["ActiveState"] not in ("inactive", "failed"):
                    self.loaded.owe(name, "its definition changed")
            self.system.must(["systemctl", "daemon-reload"])
            shown = self._show(names)
        states = {}
        for unit in self.units:
            name, row = str(unit["name"]), shown[str(unit["name"])]
            load, file = self._once_defined(name, row)
            state = UnitState(load, row["ActiveState"], row["SubState"], file, row["Result"],
                              drop_in=self.system.read(drop_in_path(name)), drop_in_open=self._open(drop_in_path(name)),
                              foreign=drop_ins.foreign(self.system, name, unit.get("keep_drop_ins") or ()))
            if state.running:
                state = state._replace(stale=self.loaded.stale(name, row["InvocationID"], row["NeedDaemonReload"] == "yes", watched(unit),
                                                              self.predicted))
            states[name] = state
        return states

    def decide(self, current: Mapping[str, UnitState]) -> Decision:
        """Return the changes of each unit in the order: note, unmask/enable, start/restart; stop before disable and mask."""
        changes: List[Change] = []
        problems: List[str] = []
        for unit in self.units:
            state = current[str(unit["name"])]
            problems += _problems(unit, state)
            changes += self._changes(unit, state)
        return Decision(changes, problems)

    def act(self, decision: Decision) -> Iterator[Change]:
        """Tell systemd, one change at a time; definitions are read again first where systemd says they are old."""
        self._prepare(decision)
        for change in decision.changes:
            kind, _, name = change.object.partition(":")
            if kind == "unit":
                self._tell(name, change.op)
            yield change

    def _changes(self, unit: Mapping[str, Any], state: UnitState) -> List[Change]:
        name, changes = "unit:%s" % unit["name"], []
        enabled, wanted = unit.get("enabled"), unit.get("state")
        text = self.loaded.drop_in(str(unit["name"]), watched(unit)) if watched(unit) else None
        if text is not None and (state.drop_in != text or state.drop_in_open):
            changes.append(Change("file:%s" % drop_in_path(str(unit["name"])), "create" if state.drop_in is None else "update",
                                  "owner or mode differ" if state.drop_in == text else None, DROP_IN))
        changes += [Change("file:%s" % path, "delete", "a drop-in that golive did not write", None) for path in state.foreign]
        if wanted == "stopped" and (state.running or state.active == "activating"):
            changes.append(Change(name, "stop", state.active, "inactive"))
        masked = state.file in ("masked", "masked-runtime") or state.load == "masked"
        if enabled == "masked" and not masked:
            changes.append(Change(name, "mask", state.file or "absent", "masked"))
        if enabled in ("true", "false") and masked:
            changes.append(Change(name, "unmask", "masked", "unmasked"))
        if enabled == "true" and (masked or state.file not in _ENABLED):
            changes.append(Change(name, "enable", state.file or "absent", "enabled"))
        if enabled == "false" and state.file in (*_ENABLED, *_FOR_THIS_BOOT):
            changes.append(Change(name, "disable", state.file, "disabled"))
        if wanted == "started" and not state.running:
            changes.append(Change(name, "start", state.active, "active"))
        elif wanted != "stopped" and state.running:
            unrecorded = "its start is not recorded" if text is not None and text != state.drop_in else None
            changed = "%s goes away" % state.foreign[0] if state.foreign else None
            reason = state.stale or self._redefined(unit) or unrecorded or changed
            if reason:
                changes.append(Change(name, "restart", reason, "current"))
        return changes

    def _redefined(self, unit: Mapping[str, Any]) -> Optional[str]:
        """In a dry run: a definition that earlier tasks would write is read anew, whatever it holds; systemd tells by its time."""
        for change in self.predicted:
            kind, _, path = str(change["object"]).partition(":")
            if kind == "file" and content_changes(change) and any(fnmatch.fnmatchcase(path, one) for one in own_files(str(unit["name"]))):
                return "%s will change" % path
        return None

    def _once_defined(self, name: str, row: Mapping[str, str]) -> Tuple[str, str]:
        """Return how a unit is loaded and enabled, in a dry run as systemd will tell it once earlier tasks have written its definition.

        An empty definition is a masked unit to systemd, and a missing one none at all: neither tells of the links that enable it, and these
        are still there when the definition is back.
        """
        places = [path for path in own_files(name) if not path.endswith("*.conf")]
        written = [path for change in self.predicted if change["op"] in ("create", "update") and content_changes(change)
                   for path in places if change["object"] == "file:%s" % path]
        emptied = row["UnitFileState"] == "masked" and row["FragmentPath"] in written
        if not emptied and not (written and row["LoadState"] == "not-found"):
            return row["LoadState"], row["UnitFileState"]
        folder = glob.escape(self.system.path("/etc/systemd/system"))
        enabled = any(glob.glob("%s/*.%s/%s" % (folder, kind, glob.escape(name))) for kind in ("wants", "requires"))
        return ("loaded" if emptied else row["LoadState"]), "enabled" if enabled else "disabled" if emptied else row["UnitFileState"]

    def _prepare(self, decision: Decision) -> None:
        for unit in self.units:
            path = drop_in_path(str(unit["name"]))
            if any(change.object == "file:%s" % path for change in decision.changes):
                os.makedirs(os.path.dirname(self.system.path(path)), mode=0o755, exist_ok=True)
                atomic.write_file(self.system.path(path), self.loaded.drop_in(str(unit["name"]), watched(unit)).encode(), mode=0o644)
        restarts = [change for change in decision.changes if change.op == "restart"]
        for change in restarts:
            self.loaded.owe(change.object.partition(":")[2], change.before or "changed")
        for change in decision.changes:     # after the note: with the drop-in gone nothing else would tell that a restart is due
            if change.op == "delete":
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.system.path(change.object.partition(":")[2]))
        if any(change.object.startswith("file:") for change in decision.changes):
            self.system.must(["systemctl", "daemon-reload"])

    def _open(self, path: str) -> bool:
        """Return whether a drop-in that is there is anything but a plain file of the user golive runs as, mode 0644."""
        try:
            found = os.lstat(self.system.path(path))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return (found.st_mode, found.st_uid, found.st_gid) != (stat.S_IFREG | 0o644, os.geteuid(), os.getegid())

    def _tell(self, name: str, op: str) -> None:
        if op in ("start", "restart"):
            self.system.run(["systemctl", "reset-failed", name])   # a start limit of the past must not veto this start
        if op in ("unmask", "disable"):
            self.system.run(["systemctl", "--quiet", "--runtime", op, name])     # each asks for the links of one place alone
        done = self.system.run(["systemctl", "--quiet", op, name])
        if done.rc != 0:
            row = self._show([name])[name]
            raise GoliveError("systemd could not %s %s (state %s, result %s)" % (op, name, row["ActiveState"], row["Result"]),
                              found=done.words(), todo="journalctl -u %s says more" % name)
        if op in ("start", "restart"):
            self.loaded.settle(name)

    def _show(self, names: Sequence[str]) -> Dict[str, Dict[str, str]]:
        """Return the asked properties of each unit, in the order of the names."""
        if not names:
            return {}
        done = self.system.must(["systemctl", "show", "--property=%s" % ",".join(_ASK), "--", *names])
        blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in done.stdout.strip().split("\n\n")]
        if len(blocks) != len(names):
            raise GoliveError("systemctl show described %d units, expected %d" % (len(blocks), len(names)))
        return {name: {key: block.get(key, "") for key in _ASK} for name, block in zip(names, blocks)}


def watched(unit: Mapping[str, Any]) -> List[str]:
    """Return the paths (or patterns) whose content the running process has to have loaded."""
    return list((unit.get("restart_when") or {}).get("digest_of") or [])


def _problems(unit: Mapping[str, Any], state: UnitState) -> List[str]:
    """Return what systemd could never bring about."""
    name, enabled = unit["name"], unit.get("enabled")
    problems = []
    if "." not in str(name):
        problems.append("'%s' is not a whole unit name; add the kind, for example %s.service" % (name, name))
    if state.load in ("error", "bad-setting"):
        problems.append("systemd cannot read the definition of %s (%s); systemd-analyze verify %s says why" % (name, state.load, name))
    if enabled == "true" and state.file in ("static", "generated", "transient"):
        problems.append("%s is %s: it has no [Install] section and cannot be enabled; leave `enabled` out" % (name, state.file))
    if watched(unit) and not str(name).endswith(".service"):
        problems.append("%s is not a service and loads no files; leave restart_when out" % name)
    if enabled == "masked" and unit.get("state") == "started":
        problems.append("%s is wanted masked and started at once; drop one of the two" % name)
    return problems


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out a task of library/units.py; see core.perform."""
    return core.perform(lambda: Units(System(), given["units"], dry, given["predicted"]), given, dry)
