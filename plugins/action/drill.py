"""drill: in a rehearsal, and only there, runs the drills that have no record for the installed release, and signs what they measured."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import secrets, session
from golive.rehearsal import clients
from golive.rehearsal.acting import RehearsalAction
from golive.rehearsal.drills import catalogue, hosts, run
from golive.rehearsal.drills.scene import Scene
from golive.store import settings


class ActionModule(RehearsalAction):
    """Task `drill:` with `names`, on the controller; signs into the profile's evidence_directory. A dry run tells which it would run."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        names = self.names(catalogue.DRILLS)
        return self.make(joined, task_vars, names, lambda directory, about, controls: run.run(
            session.ROOT, joined.system, names, directory, about, catalogue.DRILLS, lambda: self._scene(task_vars), controls))

    def _scene(self, task_vars: dict[str, Any]) -> Scene:
        variables, groups = task_vars["hostvars"], task_vars["groups"]
        store = settings.from_variables(task_vars, self._templar.template)
        token = secrets.resolve(str(task_vars["sandbox_admin_credential"]), task_vars, self._templar.template)
        venue = variables[groups["venues"][0]]
        exchange = clients.AdminApi(str(venue["sandbox_admin_url"]), Path(store.ca_file), token)
        bot = groups["bots"][0]
        return Scene(hosts.of(bot, variables[bot]), {one: hosts.of(one, variables[one]) for one in groups["kill_machines"]}, exchange,
                     str(venue["exchange_url"]), str(store.ca_file), list(venue["kill_switch_key_rights"]), variables[bot])
