"""go_live: the three steps around the start of the live bot: entries end before it, it is waited for, entries begin after the gate."""
from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from golive.operate import going_live
from golive.operate.acting import OperateAction
from golive.sets.acting import Predictions

SPEC = {"step": {"type": "str", "required": True, "choices": ["hold", "await", "release"]}, "unit": {"type": "str", "required": True},
        "health_url": {"type": "str"}, "venue_url": {"type": "str"}, "seconds": {"type": "float"},
        "watched": {"type": "list", "elements": "str", "default": []}, "held": {"type": "bool", "default": False}}
AWAIT = [("step", "await", ["health_url", "venue_url", "seconds"])]


class ActionModule(OperateAction):
    """Task `go_live:` with `step` and `unit`. `hold` takes `watched` (what the process runs), and its result has `held`; `await` takes
    `health_url`, `venue_url` and `seconds`; `release` takes `held`. A dry run predicts, and does not wait.
    """

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec(SPEC, required_if=AWAIT)
        dry = bool(self._task.check_mode)
        if dry and given["step"] == "await":
            return {"changed": False, "changes": [], "waited": False}
        foreseen = dry and any(str(one["object"]).endswith(tuple(f":{path}" for path in given["watched"]))
                               for one in Predictions(host).all())
        payload = {"step": given["step"], "unit": given["unit"], "check": dry, "watched": given["watched"], "foreseen": foreseen,
                   "held": given["held"], "url": given["health_url"], "seconds": given["seconds"],
                   "port": urlsplit(given["venue_url"] or "").port or 443}
        answer = self.on_host(going_live, payload, task_vars)
        return {"changed": bool(answer["changes"]), "problems": [], **answer}
