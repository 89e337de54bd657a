"""drift_drill: in a rehearsal, and only there, puts a drift on the bot's host, and after the dry build signs whether it was named."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import session
from golive.rehearsal import drift, rebuild, records
from golive.rehearsal.acting import RehearsalAction
from golive.rehearsal.drills import hosts


class ActionModule(RehearsalAction):
    """Task `drift_drill:` with `step` on the bot's host: `inject` (result `begun`), then the build as a dry run, then `judge`; it heals."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"step": {"type": "str", "required": True, "choices": ["inject", "judge"]}})
        bot = hosts.of(host, task_vars["hostvars"][host])
        begun: list[bool] = []

        def inject(directory: Path, about: str, controls: records.Controls) -> list[records.Outcome]:
            if self._missing(joined, directory, about, controls):
                drift.inject(bot)
                begun.append(True)
            return []

        def judge(directory: Path, about: str, controls: records.Controls) -> list[records.Outcome]:
            if not self._missing(joined, directory, about, controls):
                return records.held(self.kind, [drift.NAME], [])
            try:
                found = drift.judged(rebuild.changes_of(joined.run.path), host, drift.injected(bot))
            finally:
                drift.heal(bot)
            payload = {"name": drift.NAME, **found, "witness": "golive"}
            return [records.sign(session.ROOT, joined.system, self.kind, directory, about, payload)]

        if self._task.check_mode and given["step"] == "inject":
            return {"changed": False, "changes": [], "told": [], "begun": False}
        return {**self.make(joined, task_vars, [drift.NAME], inject if given["step"] == "inject" else judge), "begun": bool(begun)}

    def _missing(self, joined: session.Session, directory: Path, about: str, controls: records.Controls) -> list[str]:
        return records.missing(session.ROOT, joined.system, self.kind, [drift.NAME], directory, about, controls)
