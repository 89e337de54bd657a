"""drill: in a rehearsal, and only there, runs the drills that have no record for the installed release, and signs what they measured."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import secrets, session, subject
from golive.errors import GoliveError, Undecided
from golive.money import MoneyAction
from golive.rehearsal import clients
from golive.rehearsal.drills import catalogue, hosts, run
from golive.rehearsal.drills.scene import Scene
from golive.store import settings


class ActionModule(MoneyAction):
    """Task `drill:` with `names`, on the controller; signs into the profile's evidence_directory. A dry run tells which it would run."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        _, given = self.validate_argument_spec({"names": {"type": "list", "elements": "str", "required": True}})
        if not joined.rehearsal:
            raise GoliveError("golive drills only rehearsals by itself", todo="a drill in production: docs/how-to/drills.md")
        unknown = sorted(set(given["names"]) - set(catalogue.DRILLS))
        if unknown:
            raise GoliveError("no such drill", found=", ".join(unknown), expected=", ".join(sorted(catalogue.DRILLS)))
        directory = session.ROOT / str(self.profile_of(joined)["evidence_directory"])
        controls = list(joined.run.need("compiled.json")["controls"].values())
        try:
            release = subject.of("current", {"run_dir": str(joined.run.path)})
        except Undecided:
            if not self._task.check_mode:
                raise
            release = None  # bare hosts: no release, so every drill is still to come
        if self._task.check_mode or release is None:
            names = run.missing(session.ROOT, joined.system, given["names"], directory, release, controls)
            changes = [run.Outcome(name, "create", "would be drilled").change() for name in names]
            return {"changed": bool(changes), "changes": changes}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = run.run(session.ROOT, joined.system, given["names"], directory, release, catalogue.DRILLS, lambda: self._scene(task_vars),
                       controls)
        changes = [one.change() for one in done if one.op == "create"]
        return {"changed": bool(changes), "changes": changes, "told": [f"{one.drill}: {one.text}" for one in done]}

    def _scene(self, task_vars: dict[str, Any]) -> Scene:
        variables, groups = task_vars["hostvars"], task_vars["groups"]
        store = settings.from_variables(task_vars, self._templar.template)
        token = secrets.resolve(str(task_vars["sandbox_admin_credential"]), task_vars, self._templar.template)
        venue = variables[groups["venues"][0]]
        exchange = clients.AdminApi(str(venue["sandbox_admin_url"]), Path(store.ca_file), token)
        bot = groups["bots"][0]
        return Scene(hosts.of(bot, variables[bot]), {one: hosts.of(one, variables[one]) for one in groups["kill_machines"]}, exchange,
                     str(venue["exchange_url"]), str(store.ca_file), list(venue["kill_switch_key_rights"]))
