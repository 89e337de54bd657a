"""load_drill: in a rehearsal, and only there, puts copies of the release under load on the controller, and signs what it measured."""
from __future__ import annotations

from typing import Any

from golive import session
from golive.rehearsal import load
from golive.rehearsal.acting import ReleaseAction


class ActionModule(ReleaseAction):
    """Task `load_drill:` with `names` (default: all), on the controller; no host is touched. A dry run names what it would sign."""

    kind = "load"

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        names = self.names(load.LOADS)
        return self.make(joined, task_vars, names, lambda directory, about, controls: load.run(
            session.ROOT, joined.system, names, directory, self.archive(task_vars), about, controls))
