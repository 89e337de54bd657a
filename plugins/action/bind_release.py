"""bind_release: asks the bot's host which release it really holds, and binds that to the run: evidence and ticket must be about it."""
from __future__ import annotations

from typing import Any

from golive import opening, session, subject
from golive.errors import GoliveError
from golive.money import CONFIG, RELEASE_LINK, MoneyAction


class ActionModule(MoneyAction):
    """Task `bind_release:` with `limits` (dotted paths of the stage limits); writes <run>/release.json, and which ticket the host holds.

    On the host it only reads.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"limits": {"type": "list", "elements": "str", "required": True}})
        try:
            found = self.on_host("subject", task_vars, release_link=RELEASE_LINK, config=CONFIG, limits=given["limits"])
        except GoliveError as exc:
            if self._task.check_mode:
                return {"changed": False, "bound": False, "reason": str(exc)}
            raise
        bound = joined.run.read(subject.BOUND)
        if bound is not None and bound != found:
            raise GoliveError("the hosts of this system hold different releases", where=host, found=found["artifact"][:19],
                              expected=bound["artifact"][:19], todo="deploy the same release everywhere, then run again")
        joined.run.write(subject.BOUND, found)
        opening.keep(joined.run, host, self.on_host("state", task_vars)["show"])
        return {"changed": False, "bound": True, "artifact": found["artifact"]}
