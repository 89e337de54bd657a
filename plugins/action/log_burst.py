"""log_burst: in a rehearsal, and only there, writes more into a log than its limit, once, so that the rotation is seen to act."""
from __future__ import annotations

from typing import Any

from golive import session
from golive.errors import GoliveError
from golive.money import MoneyAction
from golive.rehearsal import burst
from golive.rehearsal.drills import hosts


class ActionModule(MoneyAction):
    """Task `log_burst:` with `path`, `limit` (bytes) and `user` on the bot's host; nothing where a rotated generation lies.

    What was not seen is told and does not fail the task: the control reads the kernel's own word afterwards.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        text = {"type": "str", "required": True}
        _, given = self.validate_argument_spec({"path": text, "limit": {"type": "int", "required": True},
                                                "user": {"type": "str", "default": "bot"}})
        if not joined.rehearsal:
            raise GoliveError("golive writes no burst into a log in production", where=host, todo="a rotated generation comes by itself")
        bot = hosts.of(host, task_vars["hostvars"][host])
        if burst.rotated(bot, given["path"]):
            return {"changed": False, "changes": [], "told": ["log burst: a rotated generation is there"]}
        changes = [{"object": f"burst:{given['path']}", "op": "create", "before": None, "after": None}]
        if self._task.check_mode:
            return {"changed": True, "changes": changes, "told": ["log burst: would be written"]}
        seen = burst.burst(bot, given["path"], given["limit"], given["user"])
        return {"changed": True, "changes": changes, "told": [f"log burst: {seen}"]}
