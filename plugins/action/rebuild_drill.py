"""rebuild_drill: in a rehearsal, signs how long it took from bare hosts to an open gate of paper, if this release was built so."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import session
from golive.rehearsal import rebuild, records
from golive.rehearsal.acting import RehearsalAction


class ActionModule(RehearsalAction):
    """Task `rebuild_drill:` on the controller, after the gate of paper. Reads the runs' records; destroys and builds nothing."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        targets = [str(one) for one in task_vars["groups"].get("targets", [])]
        reports = joined.run.path.parent

        def sign(directory: Path, about: str, controls: records.Controls) -> list[records.Outcome]:
            if not records.missing(session.ROOT, joined.system, self.kind, [rebuild.NAME], directory, about, controls):
                return records.held(self.kind, [rebuild.NAME], [])
            found = rebuild.last(rebuild.read(reports), about, targets)
            if found is None:
                return [records.Outcome(self.kind, rebuild.NAME, "none", "this release was not built from bare hosts to paper; "
                                        "reset the lab's hosts (python -m golive.lab reset HOST …) and run the journey")]
            payload = {"name": rebuild.NAME, **found, "witness": "golive"}
            return [records.sign(session.ROOT, joined.system, self.kind, directory, about, payload)]

        if self._task.check_mode and not self._built(reports, joined, targets):
            return {"changed": False, "changes": [], "told": []}
        return self.make(joined, task_vars, [rebuild.NAME], sign)

    @staticmethod
    def _built(reports: Path, joined: session.Session, targets: list[str]) -> bool:
        """Return whether every host was bare in a run there was, or would be found bare by the real run that this dry run is of."""
        now = rebuild.Run({}, None, rebuild.changes_of(joined.run.path), {})
        runs = rebuild.read(reports)
        return bool(targets) and all(rebuild.bare(now, host, predicted=True) or any(rebuild.bare(run, host) for run in runs)
                                     for host in targets)
