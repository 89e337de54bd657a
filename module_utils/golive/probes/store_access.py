"""store_access: who can read which secret by the store's own policies, how long their tokens live, and what the profile does not give.

Only roles that log in by AppRole are followed to their policies; any other way to log in is told by its name.
"""
from __future__ import annotations

import fnmatch
import os
import re
from typing import Any, Dict, List, Mapping, Optional

from ..errors import Undecided
from ..store import review
from ..store.wanted import Wanted
from . import _document
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 30
ASK = {
    "address": "str; required; https://host:port of the store",
    "ca_file": "str; optional; CA of the store on the controller, from the repository's root",
    "token_reference": "str; required; reference to the token of the observer",
    "system": "str; required; first part of the paths whose secrets are compared",
    "readers": "dict; required; by role the patterns of the secrets that it may read, `*` is any text",
}
FACTS = {
    "surplus": "list of str; `role: path` for each secret that a role can read and the profile does not give it",
    "unknown_roles": "list of str; that can log in and stand in no profile",
    "missing_roles": "list of str; of the profile, that are not in the store",
    "other_logins": "list of str; ways to log in besides AppRole, as `path (type)`",
    "token_ttls_s": "list of int; how long a role's token lives unless it is renewed; without a limit of its own 1000000000",
    "secrets": "int; that were compared",
    "roles": "int",
}
_ENDLESS = 10**9
_CAP = 500


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Compare policies with the profile. Raises Undecided where the store does not let the observer look at all of them."""
    asker = _Asker(ask, look)
    readers = ask["readers"]
    if not isinstance(readers, dict) or not readers:
        raise Undecided("the profile names no reader, so nothing can be compared")
    system = str(ask["system"])
    auths = asker.data("sys/auth")
    roles = {name: asker.data("auth/approle/role/" + name) for name in asker.names("auth/approle/role")}
    wanted = {str(one) for body in roles.values() for one in body.get("token_policies") or []} - {"root"}
    policies = {name: str(asker.data("sys/policies/acl/" + name).get("policy") or "") for name in sorted(wanted | {"default"})}
    # Every token holds the policy default as well, unless its role says otherwise.
    for body in roles.values():
        if not body.get("token_no_default_policy"):
            body["token_policies"] = [*(body.get("token_policies") or []), "default"]
    held = asker.secrets("kv", system + "/")
    if not held:
        raise Undecided("there is no secret below kv/%s, so nothing can be compared" % system)
    can = review.matrix(Wanted(policies=policies, roles=roles), held)
    surplus = ["%s: %s" % (role, path) for role, paths in sorted(can.items()) if role in readers for path in paths
               if not any(fnmatch.fnmatchcase(path, str(one)) for one in readers[role])]
    unknown = sorted(role for role in roles if role not in readers)
    surplus += ["%s: %s" % (role, path) for role in unknown for path in can[role]]
    facts: Dict[str, Any] = {
        "surplus": surplus[:_CAP],
        "unknown_roles": unknown,
        "missing_roles": sorted(set(map(str, readers)) - set(roles)),
        "other_logins": sorted("%s (%s)" % (name, one.get("type")) for name, one in auths.items()
                               if isinstance(one, dict) and one.get("type") not in {"approle", "token"}),
        "token_ttls_s": [_ttl(body) for _, body in sorted(roles.items())],
        "secrets": len(held),
        "roles": len(roles),
    }
    return Observed(facts, opportunities=len(held) * len(roles))


def _ttl(body: Mapping[str, Any]) -> int:
    """Return for how long a token lives that nobody renews; without a limit of the role's own the server's default of weeks holds."""
    limits = [body.get(name) for name in ("token_period", "token_ttl", "token_explicit_max_ttl", "token_max_ttl")]
    found = [int(one) for one in limits if isinstance(one, int) and not isinstance(one, bool) and one > 0]
    return min(found) if found else _ENDLESS


class _Asker:
    def __init__(self, ask: Mapping[str, Any], look: Look) -> None:
        self.address = str(ask["address"]).rstrip("/")
        if not re.match(r"https://[^/@]+\Z", self.address):
            raise Undecided("the store is asked by https only, and the address names no path")
        self.look, self.headers = look, {"X-Vault-Token": look.secret(str(ask["token_reference"]))}
        self.ca_file: Optional[str] = None
        if ask.get("ca_file"):
            self.ca_file = os.path.join(str(look.context.get("root") or "/"), str(ask["ca_file"]))
            if not os.path.isfile(self.ca_file):
                raise Undecided("the authority of the store's certificate is not on the controller: %s" % str(ask["ca_file"])[:120])

    def data(self, path: str) -> Dict[str, Any]:
        answer = self.look.get("%s/v1/%s" % (self.address, path), headers=self.headers, ca_file=self.ca_file)
        found = _document.mapping(answer.body)
        if answer.status != 200:
            words = found.get("errors")
            text = "; ".join(str(one) for one in words[:3]) if isinstance(words, list) else ""
            raise Undecided("the store answered %d to %s: %s" % (answer.status, path, " ".join(text.split())[:160] or "no reason"))
        data = found.get("data")
        return data if isinstance(data, dict) else {}

    def names(self, path: str) -> List[str]:
        answer = self.look.get("%s/v1/%s?list=true" % (self.address, path), headers=self.headers, ca_file=self.ca_file)
        if answer.status == 404:   # so the store says "none"
            return []
        if answer.status != 200:
            raise Undecided("the store answered %d to the list of %s" % (answer.status, path))
        keys = (_document.mapping(answer.body).get("data") or {}).get("keys")
        return [str(one) for one in keys] if isinstance(keys, list) else []

    def secrets(self, mount: str, folder: str) -> List[str]:
        found: List[str] = []
        for name in self.names("%s/metadata/%s" % (mount, folder)):
            found += self.secrets(mount, folder + name) if name.endswith("/") else [folder + name]
        return sorted(found)
