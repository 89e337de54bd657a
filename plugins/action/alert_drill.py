"""alert_drill: crosses the canary's rule at the bot's host and reads it back at the receiver; nothing while a fresh one was read there."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import secrets, session
from golive.errors import GoliveError, Undecided
from golive.money import MoneyAction
from golive.rehearsal.drills import alert, hosts
from golive.store import settings


class ActionModule(MoneyAction):
    """Task `alert_drill:` with `url`, `credential`, `canary`, `watchdog`, `within_s` and `max_age_s`, on the bot's host.

    What did not arrive is told and does not fail the task: control alerts.delivered_end_to_end stays red by the receiver's own word.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        text, number = {"type": "str", "required": True}, {"type": "float", "required": True}
        _, given = self.validate_argument_spec({"url": text, "credential": {**text, "no_log": True}, "canary": text, "watchdog": text,
                                                "within_s": number, "max_age_s": number})
        bot = hosts.of(host, task_vars["hostvars"][host])
        try:
            ca_file = Path(settings.from_variables(task_vars, self._templar.template).ca_file)
            token = secrets.resolve(given["credential"], task_vars, self._templar.template)
            receiver = alert.Receiver(given["url"], str(ca_file), token, given["canary"], given["watchdog"], rehearsal=joined.rehearsal)
            why = alert.due(receiver.facts(), alert.planted(bot), within_s=given["within_s"], max_age_s=given["max_age_s"])
        except (Undecided, GoliveError) as exc:
            if not self._task.check_mode:
                raise GoliveError("the drill cannot begin", where=host, found=str(exc)[:200], todo="run the build first") from None
            why = "nothing answers yet"  # bare hosts: the drill is still to come
        change = {"object": f"alert:{given['canary']}", "op": "create", "before": None, "after": None}
        if why is None or self._task.check_mode:
            told = f"alert drill: {why or 'a fresh canary is there'}"
            return {"changed": why is not None, "changes": [change] if why else [], "told": [told]}

        def arrived() -> set[str]:
            try:
                return receiver.nonces()
            except Undecided:
                return set()  # asked again until the deadline

        return {"changed": True, "changes": [change], "told": [f"alert drill ({why}): {alert.drill(bot, arrived, given['within_s'])}"]}
