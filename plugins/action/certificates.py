"""certificates: signs the public keys that library/certificates.py asks for, with an authority whose key stays on the controller."""
from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from golive.canonical import parse_utc
from golive.errors import GoliveError
from golive.sets import authority
from golive.sets.acting import SetAction
from golive.sets.spec import CERTIFICATES


class ActionModule(SetAction):
    """See library/certificates.py."""

    MODULE = "certificates"
    SET = "golive.sets.certificates"
    SPEC = CERTIFICATES

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the module's arguments with the authority's certificate (empty: a dry run before there is one)."""
        self._days, self._wanted = given["days"], {one["certificate"]: one for one in given["certificates"]}
        self._authority = self._load(given["authority"], dry)
        if given["renew_before_days"] >= given["days"]:
            raise GoliveError("certificates would be renewed in each run", found=f"renew_before_days {given['renew_before_days']}",
                              expected=f"less than days {given['days']}")
        if given["renew_made_before"]:
            parse_utc(given["renew_made_before"])  # said here, in one sentence, and not by a host
        return {"certificates": given["certificates"], "trust": given["trust"], "authority": self._authority.pem if self._authority else "",
                "renew_before_s": int(given["renew_before_days"] * 86400), "renew_made_before": given["renew_made_before"]}

    def execute(self, arguments: dict[str, Any], variables: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Run the module; certify what it asks for; run it again."""
        result = super().execute(arguments, variables, dry)
        needed = result.pop("needs", [])
        if dry or not needed or self._authority is None:
            return result
        signed = {}
        for one in needed:
            wanted = self._wanted.get(one["certificate"])
            if wanted is None:
                raise GoliveError("the host asks for a certificate that is not in the task", found=repr(one["certificate"])[:120])
            try:
                signed[one["certificate"]] = self._authority.sign(one["public_key"], wanted["names"], self._days)
            except ValueError:
                raise GoliveError("the host sent something that is not a public key", where=one["certificate"]) from None
        result = super().execute({**arguments, "signed": signed}, variables, dry)
        result.pop("needs", None)
        return result

    def _load(self, given: Mapping[str, Any], dry: bool) -> authority.Authority | None:
        certificate, key = Path(given["certificate"]), Path(given["key"])
        found = authority.load(certificate, key)
        if given["create_as"] and not dry:
            return authority.ensure(certificate, key, given["create_as"], given["create_days"])
        if found is not None and given["create_as"] and found.ends_within(timedelta(days=given["create_days"]) / 3):
            return None     # the real run would make a new one
        if found is None and not given["create_as"]:
            raise GoliveError("there is no certificate authority", where=str(certificate),
                              todo="put its certificate and key there; only a rehearsal may make its own")
        return found
