"""confirmed_files: files that can lock us out (firewall, sshd), applied on trial and kept only after a fresh connection got through.

Order: note the former files, arm the way back (a timer, and a unit for the case of a reboot in between), write, apply. Whoever then
comes in over a new connection confirms. Nobody comes: the timer puts the former files back and applies those. A run that is
killed at any instruction leaves either the former state, or a trial that ends by itself.
"""
from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import GoliveError
from . import atomic, core
from .core import Change, Decision, WantedSet
from .loaded import Loaded, drop_in_path
from .managed_files import ManagedFiles
from .system import System

PLACE = "/var/lib/golive-confirm"   # golive's own, so that no managed directory comes into being by the way


class Trial(NamedTuple):
    """How a change is applied, undone and recognised as being in force."""

    name: str
    apply: Sequence[str]                 # argv that puts the files on disk in force
    undo: Sequence[str]                  # argv for the way back if there were no files before
    within_s: int
    live: Optional[Mapping[str, Any]]    # {argv, expected}: two argv whose outputs are equal when in force; or {unit}: what it loaded
    token: str                           # of this task; a trial with another token belongs to a run that was killed


class ConfirmedFiles(WantedSet):
    """A managed set of files plus the object `applied:<name>`."""

    def __init__(self, system: System, files: Sequence[Mapping[str, Any]], trial: Trial) -> None:
        self.system, self.trial = system, trial
        self.loaded = Loaded(system)
        self.unit = (trial.live or {}).get("unit")
        self.paths = [str(entry["path"]) for entry in files]
        wanted = list(files)
        if self.unit:
            text = self.loaded.drop_in(self.unit, self.paths)
            wanted.append({"path": drop_in_path(self.unit), "content": base64.b64encode(text.encode()).decode(), "mode": "0644"})
        self.files = ManagedFiles(system, {"files": wanted})
        self.place = os.path.join(PLACE, trial.name)

    def current(self) -> Dict[str, Any]:
        """Look at the files, at a trial that is still open, and at what is in force."""
        return {"files": self.files.current(), "trial": self.system.read(self._in("pending/token")), "in_force": self._in_force()}

    def decide(self, current: Mapping[str, Any]) -> Decision:
        """Files that differ, then one `applied:` change if anything has to be put in force or confirmed."""
        decision = self.files.decide(current["files"])
        if decision.problems:
            return decision
        name = "applied:%s" % self.trial.name
        foreign = current["trial"] is not None and current["trial"].strip() != self.trial.token
        if decision.changes or not current["in_force"]:
            return Decision([*decision.changes, Change(name, "apply", "former", "confirmed by a fresh connection")], [])
        if foreign:
            return Decision([Change(name, "confirm", "on trial", "confirmed by a fresh connection")], [])
        return decision

    def act(self, decision: Decision) -> Iterator[Change]:
        """Arm the way back, write, apply. Raises GoliveError after going back at once if it cannot be applied."""
        self._note_the_former()
        self._arm()
        for change in decision.changes:
            if change.object.startswith("file:"):
                directory = os.path.dirname(self.system.path(change.object[5:]))
                if directory.endswith(".service.d"):
                    os.makedirs(directory, mode=0o755, exist_ok=True)
        yield from self.files.act(Decision([change for change in decision.changes if change.object.startswith("file:")], []))
        if any(change.op == "apply" for change in decision.changes):
            self.system.must(["systemctl", "daemon-reload"])
            done = self.system.run(list(self.trial.apply), timeout=max(5, self.trial.within_s))
            if done.rc != 0:
                self.system.run(["/bin/sh", self.system.path(self._in("pending/revert.sh"))])
                raise GoliveError("the new %s could not be applied and the former one is back" % self.trial.name, found=done.words())
        yield from [change for change in decision.changes if not change.object.startswith("file:")]

    def confirm(self) -> None:
        """Keep what is on trial. Raises GoliveError if the way back was taken already or the trial is somebody else's."""
        token = self.system.read(self._in("pending/token"))
        if token is None or token.strip() != self.trial.token:
            raise GoliveError("the new %s was not kept: nobody confirmed it within %d s, and the host went back to the former one"
                              % (self.trial.name, self.trial.within_s), todo="correct the rule that kept golive out, then run again")
        aside = self.system.path(self._in("confirmed-%s" % self.trial.token))
        try:
            os.rename(self.system.path(self._in("pending")), aside)     # one winner: the way back renames the same directory first
        except FileNotFoundError:
            raise GoliveError("the new %s went back to the former one while it was being confirmed" % self.trial.name,
                              todo="run again") from None
        shutil.rmtree(aside, ignore_errors=True)
        self._disarm()

    def reverted(self) -> bool:
        """Return whether no trial is open any more."""
        return self.system.read(self._in("pending/token")) is None and not os.path.isdir(self.system.path(self._in("reverting")))

    def _in_force(self) -> bool:
        live = self.trial.live
        if not live:
            return True
        if self.unit:
            shown = self.system.run(["systemctl", "show", "--property=InvocationID,NeedDaemonReload,ActiveState", "--", self.unit]).stdout
            row = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
            if row.get("ActiveState") not in ("active", "reloading"):
                return False
            return self.loaded.stale(self.unit, row.get("InvocationID", ""), row.get("NeedDaemonReload") == "yes", self.paths) is None
        if not (self.system.has(live["argv"][0]) and self.system.has(live["expected"][0])):
            return False
        is_now, should_be = self.system.run(live["argv"]), self.system.run(live["expected"])
        return is_now.rc == 0 and should_be.rc == 0 and is_now.stdout == should_be.stdout

    def _in(self, name: str) -> str:
        return os.path.join(self.place, name)

    def _note_the_former(self) -> None:
        """Keep the former files and the script of the way back; of an open trial only the token is replaced: its former is the former."""
        pending = self.system.path(self._in("pending"))
        os.makedirs(self.system.path(self.place), mode=0o700, exist_ok=True)
        if os.path.isdir(pending):
            atomic.write_file(os.path.join(pending, "token"), self.trial.token.encode(), mode=0o600)
            return
        building = tempfile.mkdtemp(prefix=".pending-", dir=self.system.path(self.place))
        former = []
        for number, path in enumerate(self.paths):
            real = self.system.path(path)
            if os.path.lexists(real):
                found = os.stat(real)
                shutil.copy2(real, os.path.join(building, str(number)))
                os.chown(os.path.join(building, str(number)), found.st_uid, found.st_gid)
                former.append(path)
        for name, text in (("token", self.trial.token), ("former.json", json.dumps(former)), ("revert.sh", self._script(former))):
            atomic.write_file(os.path.join(building, name), text.encode(), mode=0o600)
        os.rename(building, pending)
        atomic.sync_directory(os.path.dirname(pending))

    def _script(self, former: Sequence[str]) -> str:
        """Return the way back. It renames the trial first, so that it and a confirmation cannot both win, and may be repeated."""
        place = shlex.quote(self.system.path(self.place))
        lines = ["#!/bin/sh", "# Written by golive (confirmed_files): puts the former %s back." % self.trial.name,
                 "mv %s/pending %s/reverting 2>/dev/null || [ -d %s/reverting ] || exit 0" % (place, place, place)]
        for number, path in enumerate(self.paths):
            real = shlex.quote(self.system.path(path))
            if path in former:
                lines.append("cp -p %s/reverting/%d %s.former && mv -f %s.former %s" % (place, number, real, real, real))
            else:
                lines.append("rm -f %s" % real)
        lines.append("systemctl daemon-reload" if former else shlex.join(self.trial.undo))
        if former:
            lines.append(shlex.join(self.trial.apply))
        boot = [shlex.quote(self.system.path(path)) for path in self._boot_unit()]
        return "\n".join([*lines, "rm -rf %s/reverting %s" % (place, " ".join(boot)), "exit 0", ""])

    def _arm(self) -> None:
        """A timer for the case that nobody comes, a unit for the case that the host starts again before the timer fires."""
        unit = self._unit_name()
        script = ('for s in "%s/pending/revert.sh" "%s/reverting/revert.sh"; do [ -f "$s" ] && exec /bin/sh "$s"; done'
                  % (self.place, self.place))
        text = ("# Written by golive (confirmed_files) for the time of a trial.\n[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\n"
                "Before=network-pre.target ssh.service\nConditionPathExists=|%s/pending\nConditionPathExists=|%s/reverting\n"
                "[Service]\nType=oneshot\nExecStart=/bin/sh -c '%s'\n[Install]\nWantedBy=sysinit.target\n"
                % (self.place, self.place, script.replace("$", "$$")))
        link, path = (self.system.path(path) for path in self._boot_unit())
        atomic.write_file(path, text.encode(), mode=0o644)
        os.makedirs(os.path.dirname(link), mode=0o755, exist_ok=True)
        atomic.swap_link(link, "../" + os.path.basename(path))
        self._stop_timer()
        self.system.must(["systemd-run", "--quiet", "--collect", "--unit=%s" % unit, "--on-active=%ds" % self.trial.within_s,
                          "--timer-property=AccuracySec=1s", "/bin/sh", "-c", script])

    def _disarm(self) -> None:
        for path in self._boot_unit():
            if os.path.lexists(self.system.path(path)):
                os.unlink(self.system.path(path))
        self._stop_timer()

    def _stop_timer(self) -> None:
        self.system.run(["systemctl", "stop", self._unit_name() + ".timer"])

    def _boot_unit(self) -> List[str]:
        """Return the link that starts it and the unit itself, in the order of taking them away."""
        name = "%s-boot.service" % self._unit_name()
        return ["/etc/systemd/system/sysinit.target.wants/" + name, "/etc/systemd/system/" + name]

    def _unit_name(self) -> str:
        return "golive-revert-%s" % self.trial.name


def trial_of(given: Mapping[str, Any]) -> Trial:
    """Return the trial that module parameters describe."""
    problems: List[str] = [] if str(given["name"]).replace("-", "").isalnum() else ["name"]
    problems += [key for key in ("apply", "undo") if not given[key]]
    if problems:
        raise GoliveError("confirmed_files lacks a usable %s" % ", ".join(problems), todo="correct the task")
    return Trial(given["name"], given["apply"], given["undo"], given["within_s"], given["live"], given["token"])


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Apply on trial, confirm, or say whether the way back was taken (`reverted`); see core.perform."""
    try:
        wanted = ConfirmedFiles(System(), json.loads(given["payload"])["files"], trial_of(given))
        if given["step"] == "ask":
            return {"changed": False, "reverted": wanted.reverted()}
        if given["step"] == "confirm" and not dry:
            wanted.confirm()
            return {"changed": True}
    except GoliveError as exc:
        return {"failed": True, "msg": str(exc)}
    return core.perform(lambda: wanted, given, dry)
