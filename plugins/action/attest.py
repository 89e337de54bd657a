"""attest: in a rehearsal, and only there, a person of the lab states something by signature, where no statement holds any more."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

from golive import acts, attestation, canonical, envelope, people, rehearsal_signers, session, subject
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
        known = people.load(session.ROOT / "signers" / joined.system / "roles.yml", rehearsal=True)
        name = next((one for one, entry in sorted(known.persons.items()) if given["role"] in entry["roles"]), None)
        if name is None:
            raise GoliveError(f"no person of the lab has the role {given['role']}", where=f"signers/{joined.system}/roles.yml")
        attestation.check_values(given["statement"], given["values"], given["statement"])
        payload = {"statement": given["statement"], "values": given["values"], "audit_head": str(acts.log_of(joined.run).head())}
        data = envelope.build(kind="attestation", name=given["statement"], system=joined.system, subject=about, issued=now,
                              lasts=timedelta(seconds=given["lasts_s"]), issuer=name, role=given["role"], payload=payload)
        path = envelope.write(directory, data, rehearsal_signers.key_of(session.ROOT, joined.system, name), name)
        acts.note(joined.run, "attested", given["statement"], {"record": canonical.digest(data), "by": name})
        return {"changed": False, "signed": True, "id": path.stem}
