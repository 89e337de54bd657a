"""attest: in a rehearsal, and only there, a person of the lab states something by signature, where no statement holds any more."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

from golive import attestation, canonical, envelope, rehearsal_statement, session, subject
from golive.errors import GoliveError
from golive.money import MoneyAction


class ActionModule(MoneyAction):
    """Task `attest:` with `statement`, `role`, `values`, `about` and `lasts_s`; writes into the profile's attestation_directory."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host, task_vars
        _, given = self.validate_argument_spec({
            "statement": {"type": "str", "required": True}, "role": {"type": "str", "required": True},
            "values": {"type": "dict", "required": True}, "about": {"type": "raw", "default": "current"},
            "lasts_s": {"type": "float", "default": 86400.0},
            "renew_s": {"type": "float", "default": 0.0}})
        if not joined.rehearsal:
            raise GoliveError("golive states nothing for anybody in production", where=given["statement"],
                              todo="the person signs with their own key: docs/how-to/attest.md")
        if self._task.check_mode:
            return {"changed": False, "signed": False}
        now = canonical.parse_utc(canonical.utc())
        directory = session.ROOT / str(self.profile_of(joined)["attestation_directory"])
        about = subject.of(given["about"], {"run_dir": str(joined.run.path)})
        reader = envelope.reader(session.ROOT, joined.system, now, rehearsal=True)
        good = [one for one in attestation.find(reader, directory, given["statement"], given["role"]).good if one.subject == about]
        if good and (not given["renew_s"] or (now - good[0].issued).total_seconds() < given["renew_s"]):
            return {"changed": False, "signed": False, "id": good[0].id}
        path = rehearsal_statement.state(joined, directory, given["statement"], given["role"], given["values"], about,
                                         timedelta(seconds=given["lasts_s"]), now)
        return {"changed": False, "signed": True, "id": path.stem}
