"""A person of the lab states something by signature. Only for rehearsals: whoever calls has to have looked."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from . import acts, attestation, canonical, envelope, people, rehearsal_signers, session
from .errors import GoliveError


def state(joined: session.Session, directory: Path, statement: str, role: str, values: Mapping[str, Any], about: str, lasts: timedelta,
          now: datetime) -> Path:
    """Sign a statement with the key of the first person of the lab who has the role, note it in the audit chain, and return its file.

    Raises GoliveError outside of a rehearsal, where nobody has the role, and for values of another form.
    """
    if not joined.rehearsal:
        raise GoliveError("golive states nothing for anybody in production", where=statement,
                          todo="the person signs with their own key: docs/how-to/attest.md")
    known = people.load(session.ROOT / "signers" / joined.system / "roles.yml", rehearsal=True)
    name = next((one for one, entry in sorted(known.persons.items()) if role in entry["roles"]), None)
    if name is None:
        raise GoliveError(f"no person of the lab has the role {role}", where=f"signers/{joined.system}/roles.yml")
    attestation.check_values(statement, values, statement)
    payload = {"statement": statement, "values": dict(values), "audit_head": str(acts.log_of(joined.run).head())}
    data = envelope.build(kind="attestation", name=statement, system=joined.system, subject=about, issued=now, lasts=lasts, issuer=name,
                          role=role, payload=payload)
    path = envelope.write(directory, data, rehearsal_signers.key_of(session.ROOT, joined.system, name), name)
    acts.note(joined.run, "attested", statement, {"record": canonical.digest(data), "by": name})
    return path
