"""restart_bot: one step of restarting an instance of the bot; entries begin again only by the last one."""
from __future__ import annotations

from typing import Any

from golive.operate import restart
from golive.operate.acting import OperateAction

SPEC = {"instance": {"type": "str", "required": True, "choices": ["shadow", "wire", "live"]},
        "step": {"type": "str", "required": True, "choices": ["halt", "restart", "resume"]}, "before": {"type": "dict"}}


class ActionModule(OperateAction):
    """Task `restart_bot:` with `instance`, `step` and, for the step restart, `before` of the step halt. A dry run predicts."""

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host
        _, given = self.validate_argument_spec(SPEC)
        answer = self.on_host(restart, {**given, "check": bool(self._task.check_mode)}, task_vars)
        return {"changed": bool(answer["changes"]), "problems": [], **answer}
