"""wire_drill: in a rehearsal, and only there, drives copies of the release against an exchange on loopback, and signs what it saw."""
from __future__ import annotations

from typing import Any

from golive import session
from golive.rehearsal.acting import ReleaseAction
from golive.rehearsal.wire import run, scenarios


class ActionModule(ReleaseAction):
    """Task `wire_drill:` with `names` (default: those of every system), on the controller; no host is touched.

    A dry run names what it would sign.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        names = self.names(run.known(), scenarios.SCENARIOS)
        return self.make(joined, task_vars, names, lambda directory, about, controls: run.run(
            session.ROOT, joined.system, names, directory, self.archive(task_vars), about, controls))
