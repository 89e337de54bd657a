"""sign_rehearsal: in a rehearsal, and only there, the lab's own people sign the drafted ticket with keys born with the lab."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

from golive import (
    acts,
    attestation,
    canonical,
    draft,
    envelope,
    epoch,
    people,
    rehearsal_signers,
    rehearsal_statement,
    session,
    signing,
    way_back,
)
from golive.errors import GoliveError
from golive.money import MoneyAction


class ActionModule(MoneyAction):
    """Task `sign_rehearsal:` on the bot's host; signs with one lab person for each role that the profile asks for, and, behind a kill,

    what it was pulled for: in a rehearsal nobody else can say it.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        if not joined.rehearsal:
            raise GoliveError("golive signs for nobody in production", where=host,
                              todo="the people sign with their own keys: docs/how-to/sign-off.md")
        if self._task.check_mode:
            return {"changed": False, "signed_by": []}
        path = draft.folder(joined.run.path.parent, host) / "ticket.json"
        if not path.is_file():
            raise GoliveError("no ticket was drafted for this host", where=host, todo="run draft_ticket before")
        known = people.load(session.ROOT / "signers" / joined.system / "roles.yml", rehearsal=True)
        data, signatures = signing.read_bundle(path)
        signed = set(signatures)
        for role in self.profile_of(joined)["signoff_roles"]:
            name = next((one for one, entry in sorted(known.persons.items()) if role in entry["roles"]), None)
            if name is None:
                raise GoliveError(f"no person of the lab has the role {role}", where=f"signers/{joined.system}/roles.yml")
            if name not in signed:
                acts.note(joined.run, "ticket.signed", host, {"ticket": canonical.digest(data), "by": name})
                key = rehearsal_signers.key_of(session.ROOT, joined.system, name)
                signing.write_signature(path, name, signing.sign(data, key, signing.ARM))
                signed.add(name)
        self._cause(joined, host, task_vars)
        return {"changed": False, "signed_by": sorted(signed)}

    def _cause(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> None:
        now = canonical.parse_utc(canonical.utc())
        highest = max(epoch.highest(self.epochs(task_vars)), self.on_host("state", task_vars)["show"].get("epoch") or 0)
        kill = way_back.unanswered(acts.log_of(joined.run).verify().lines, host, highest, now)
        if kill is None:
            return
        directory = session.ROOT / str(self.profile_of(joined)["attestation_directory"])
        reader = envelope.reader(session.ROOT, joined.system, now, rehearsal=True)
        if any(one.subject == kill.subject for one in attestation.find(reader, directory, way_back.STATEMENT, way_back.ROLE).good):
            return
        values = {"cause": "the switch was pulled in a rehearsal", "changed": "nothing, this is a rehearsal", "differences_explained": 0}
        rehearsal_statement.state(joined, directory, way_back.STATEMENT, way_back.ROLE, values, kill.subject, timedelta(days=1), now)
