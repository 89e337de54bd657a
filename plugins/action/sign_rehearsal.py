"""sign_rehearsal: in a rehearsal, and only there, the lab's own people sign the drafted ticket with keys born with the lab."""
from __future__ import annotations

from typing import Any

from golive import acts, canonical, draft, people, rehearsal_signers, session, signing
from golive.errors import GoliveError
from golive.money import MoneyAction


class ActionModule(MoneyAction):
    """Task `sign_rehearsal:` on the bot's host; signs with one lab person for each role that the profile asks for."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del task_vars
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
        return {"changed": False, "signed_by": sorted(signed)}
