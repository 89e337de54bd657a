"""draft_ticket: writes the ticket that people are asked to sign, or keeps an earlier one that still says the same."""
from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from golive import acts, canonical, draft, epoch, secrets, session, subject, ticket
from golive.errors import GoliveError
from golive.money import MoneyAction


class ActionModule(MoneyAction):
    """Task `draft_ticket:` with `stage`, `limits`, `budget`, `hours` and `credential`; on the bot's host, after `bind_release`."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({
            "stage": {"type": "str", "required": True}, "limits": {"type": "dict", "required": True},
            "hours": {"type": "float", "required": True}, "loss": {"type": "raw", "required": True},
            "deadline_hours": {"type": "float", "required": True},
            "sample": {"type": "dict", "default": {}}, "credential": {"type": "str", "required": True}})
        if self._task.check_mode:
            return {"changed": False, "waits_for": [], "path": str(draft.folder(joined.run.path.parent, host).relative_to(session.ROOT))}
        values, now = self.profile_of(joined), canonical.parse_utc(canonical.utc())
        bound = joined.run.need(subject.BOUND)
        answers = self.epochs(task_vars)
        if all(one is None for one in answers.values()):
            raise GoliveError("no kill machine answered, so the epoch of a ticket is not known", where=host,
                              todo="bring a machine of the group kill_machines up")
        host_epoch = self.on_host("state", task_vars)["show"].get("epoch") or 0
        deadline = canonical.utc(now + timedelta(hours=given["deadline_hours"]))
        budget = {"loss": given["loss"], "deadline": deadline, "sample": given["sample"]}
        data = draft.build(system=joined.system, host=host, rehearsal=joined.rehearsal, venue=str(values["exchange_venue"]),
                           release={**joined.info["release"], **bound}, limits=given["limits"], stage=given["stage"], budget=budget,
                           lasts=timedelta(hours=given["hours"]), now=now, head=acts.log_of(joined.run).head(),
                           epoch=max(epoch.highest(answers), host_epoch), people=str(values["signoff_people"]),
                           key_fingerprint=self._fingerprint(given["credential"], task_vars))
        place = draft.folder(joined.run.path.parent, host)
        wanted = ticket.parse_ticket(data)
        if not ((place / "ticket.json").is_file() and draft.still_good((place / "ticket.json").read_bytes(), wanted, now)):
            place = draft.file(joined.run.path.parent, host, data)
            acts.note(joined.run, "ticket.drafted", host, {"ticket": canonical.digest(data), "stage": wanted["stage"]})
        wanted = ticket.parse_ticket((place / "ticket.json").read_bytes())
        return {"changed": False, "path": str(place.relative_to(session.ROOT)), "says": draft.words(wanted)}

    def _fingerprint(self, reference: str, task_vars: dict[str, Any]) -> str:
        try:
            return canonical.fingerprint(str(json.loads(secrets.resolve(reference, task_vars, self._templar.template))["key"]))
        except (ValueError, KeyError, TypeError):
            raise GoliveError("the secret is not a JSON object with key and secret", where=reference) from None
