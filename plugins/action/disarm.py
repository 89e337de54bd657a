"""disarm: takes ticket and exchange key away from a bot's host whose live unit is stopped. The kill switch needs none of this."""
from __future__ import annotations

from typing import Any

from golive import acts, session
from golive.errors import GoliveError
from golive.money import MoneyAction

OBJECTS = (("ticket:/etc/golive/arm/installed", "digest"), ("file:/etc/golive/arm/exchange_key.cred", "key"))


class ActionModule(MoneyAction):
    """Task `disarm:` with `reason`. Audited before it happens; nothing there means nothing changes."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"reason": {"type": "str", "required": True}})
        found = self.on_host("state", task_vars)
        there = {"digest": found["show"]["digest"], "key": found["key_fingerprint"] or (True if found["show"].get("key") else None)}
        changes = [{"object": name, "op": "delete", "before": there[what], "after": None} for name, what in OBJECTS if there[what]]
        if not changes or self._task.check_mode:
            return {"changed": bool(changes), "changes": changes, "problems": []}
        acts.note(joined.run, "disarm.begin", host, {"ticket": there["digest"], "reason": given["reason"][:400]})
        try:
            after = self.on_host("remove", task_vars)
        except GoliveError as exc:
            acts.note(joined.run, "disarm.failed", host, {"ticket": there["digest"], "reason": str(exc)[:400]})
            raise
        acts.note(joined.run, "disarm.done", host, {"ticket": there["digest"], "state": after["show"]["state"]})
        return {"changed": True, "changes": changes, "problems": []}
