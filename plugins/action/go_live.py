"""go_live: the three steps around the start of the live bot: entries end before it, it is waited for, entries begin after the gate."""
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from golive.operate import going_live
from golive.operate.acting import OperateAction

SPEC = {"step": {"type": "str", "required": True, "choices": ["hold", "await", "release"]}, "unit": {"type": "str", "required": True},
        "health_url": {"type": "str"}, "venue_url": {"type": "str"}, "seconds": {"type": "float"}}
AWAIT = [("step", "await", ["health_url", "venue_url", "seconds"])]


class ActionModule(OperateAction):
    """Task `go_live:` with `step` and `unit`; `await` takes `health_url`, `venue_url` and `seconds` too. A dry run predicts."""

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        _, given = self.validate_argument_spec(SPEC, required_if=AWAIT)
        dry = bool(self._task.check_mode)
        if dry and given["step"] == "await":
            return {"changed": False, "changes": [], "waited": False}
        payload = {"step": given["step"], "unit": given["unit"], "check": dry, "url": given["health_url"], "seconds": given["seconds"],
                   "port": urlsplit(given["venue_url"] or "").port or 443}
        answer = self.on_host(going_live, payload, task_vars)
        return {"changed": bool(answer["changes"]), "problems": [], **answer}
