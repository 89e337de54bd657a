"""stage_held: refuses a higher stage than the one that is signed, before anything of it is built; it only reads."""
from __future__ import annotations

from typing import Any

from golive import opening, ramp, session
from golive.errors import GoliveError
from golive.money import MoneyAction


class ActionModule(MoneyAction):
    """Task `stage_held:` with `stage`, the name that the inventory asks for.

    A live configuration above its ticket would not start again: the bot would stand still with its positions, and every question about
    the moment before arming would be asked anew. So golive.yml writes none, and playbooks/operate/ramp.yml writes it behind the ticket.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"stage": {"type": "str", "required": True}})
        shown = self.on_host("state", task_vars)["show"]
        held = shown["ticket"]["stage"] if shown["state"] in opening.IN_FORCE and shown.get("ticket") else None
        stages = [str(one["name"]) for one in self.profile_of(joined)["ramp_stages"]]
        if ramp.above(stages, held, given["stage"]):
            raise GoliveError("the inventory asks for a higher stage than the one that is signed",
                              where=host, found=given["stage"], expected=held,
                              todo="a stage is lifted by playbooks/operate/ramp.yml; to go on as it is, set ramp_stage_now back")
        return {"changed": False, "held": held}
