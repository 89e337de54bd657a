"""draft_ticket: writes the ticket that people are asked to sign, or keeps an earlier one that still says the same."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from golive import acts, canonical, draft, epoch, put_back, secrets, session, subject, ticket
from golive.errors import GoliveError
from golive.kill_switch import dead_man
from golive.money import MoneyAction
from golive.sets.acting import Predictions


class ActionModule(MoneyAction):
    """Task `draft_ticket:` with `stage`, `limits`, `budget`, `hours` and `credential`; on the bot's host, after `bind_release`.

    Result: `drafted` = it is a new one (in a dry run: it would be), `key_fingerprint` = of the key that it names, None if not known yet;
    in a dry run `put_back` = what the host holds is not what was signed, and the real run would put that back before it looks.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({
            "stage": {"type": "str", "required": True}, "limits": {"type": "dict", "required": True},
            "hours": {"type": "float", "required": True}, "loss": {"type": "raw", "required": True},
            "deadline_hours": {"type": "float", "required": True},
            "sample": {"type": "dict", "default": {}}, "credential": {"type": "str", "required": True}})
        refused = dead_man.refused_by(self.profile_of(joined))
        if refused:
            raise GoliveError("no ticket is drafted for a bot that must not be armed like this: " + "; ".join(refused), where=host,
                              todo="correct the profile")
        place = draft.folder(joined.run.path.parent, host)
        told = {"changed": False, "path": str(place.relative_to(session.ROOT))}
        now = canonical.parse_utc(canonical.utc())
        if self._task.check_mode:
            return {**told, **self._foreseen(joined, host, task_vars, given, place, now)}
        data = self._built(joined, host, task_vars, given, now, joined.run.need(subject.BOUND))
        new = not self._kept(place, data, now)
        if new:
            draft.file(joined.run.path.parent, host, data)
            acts.note(joined.run, "ticket.drafted", host, {"ticket": canonical.digest(data), "stage": given["stage"]})
        wanted = ticket.parse_ticket((place / "ticket.json").read_bytes())
        return {**told, "drafted": new, "key_fingerprint": wanted["key_fingerprint"], "says": draft.words(wanted)}

    def _foreseen(self, joined: session.Session, host: str, task_vars: dict[str, Any], given: dict[str, Any], place: Path,
                  now: datetime) -> dict[str, Any]:
        """Say whether the real run would draft anew. What cannot be looked up yet (bare hosts, no store) will be new."""
        deployed = put_back.of_subject(Predictions(host).all())
        try:
            back = deployed and self._put_back(deployed, joined, host, place)
            bound = back or (None if deployed else joined.run.need(subject.BOUND))
            data = self._built(joined, host, task_vars, given, now, bound) if bound else None
            key = ticket.parse_ticket(data)["key_fingerprint"] if data else None
            new = data is None or not self._kept(place, data, now)
            return {"drafted": new, "key_fingerprint": key, "put_back": bool(back) and not new}
        except (GoliveError, ticket.Refused) as exc:
            return {"drafted": True, "key_fingerprint": None, "put_back": False, "reason": str(exc)}

    @staticmethod
    def _put_back(deployed: Sequence[Mapping[str, Any]], joined: session.Session, host: str, place: Path) -> dict[str, str] | None:
        """Return the subject of the ticket that waits here, if deploying would put just that back."""
        file = place / "ticket.json"
        if not file.is_file():
            return None
        signed = ticket.parse_ticket(file.read_bytes())
        known = put_back.as_signed(deployed, signed, joined.run.path.parent, host)
        return {name: signed["release"][name] for name in put_back.PARTS} if known else None

    @staticmethod
    def _kept(place: Path, data: bytes, now: datetime) -> bool:
        file = place / "ticket.json"
        return file.is_file() and draft.still_good(file.read_bytes(), ticket.parse_ticket(data), now)

    def _built(self, joined: session.Session, host: str, task_vars: dict[str, Any], given: dict[str, Any], now: datetime,
               bound: dict[str, str]) -> bytes:
        values = self.profile_of(joined)
        answers = self.epochs(task_vars)
        if all(one is None for one in answers.values()):
            raise GoliveError("no kill machine answered, so the epoch of a ticket is not known", where=host,
                              todo="bring a machine of the group kill_machines up")
        host_epoch = self.on_host("state", task_vars)["show"].get("epoch") or 0
        deadline = canonical.utc(now + timedelta(hours=given["deadline_hours"]))
        budget = {"loss": given["loss"], "deadline": deadline, "sample": given["sample"]}
        return draft.build(system=joined.system, host=host, rehearsal=joined.rehearsal, venue=str(values["exchange_venue"]),
                           release={**joined.info["release"], **bound}, limits=given["limits"], stage=given["stage"], budget=budget,
                           lasts=timedelta(hours=given["hours"]), now=now, head=acts.log_of(joined.run).head(),
                           epoch=max(epoch.highest(answers), host_epoch), people=str(values["signoff_people"]),
                           key_fingerprint=self._fingerprint(given["credential"], task_vars))

    def _fingerprint(self, reference: str, task_vars: dict[str, Any]) -> str:
        try:
            return canonical.fingerprint(str(json.loads(secrets.resolve(reference, task_vars, self._templar.template))["key"]))
        except (ValueError, KeyError, TypeError):
            raise GoliveError("the secret is not a JSON object with key and secret", where=reference) from None
