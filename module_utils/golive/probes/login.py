"""login: which published default credentials a service takes, and whether it lets in nobody; with one that it has to take as the control.

Each default is tried once, and never more than two for one name: services lock an account after a few refusals.
"""
from __future__ import annotations

import base64
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .. import logins
from ..errors import Undecided
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 30
ASK = {
    "service": "str; required; vault, http, redis or postgres",
    "address": "str; required; https://host:port of a store, the URL that asks for a login, redis:// or postgres://host:port/database",
    "control": "str; required; reference to what must be accepted: token (vault, redis), user:password (http, postgres) or bearer:token",
    "more": "list of str; optional; further defaults: a token (vault, redis) or user:password (http, postgres)",
    "ca_file": "str; optional; authority of the service's certificate, from the repository's root",
}
FACTS = {
    "control_ok": "bool; what must be accepted was; without it a service that is down would look well guarded",
    "accepted": "list of str; defaults that were accepted, by the user's name or the token's number in the list; `nobody` = without any",
    "unclear": "list of str; where the service said neither yes nor no, with its words",
    "tried": "int",
}
# What the makers publish, what their examples and compose files carry. Two for one name at most.
_TOKENS = ("root", "dev-only-token", "myroot", "00000000-0000-0000-0000-000000000000")
_PAIRS = {"http": ("admin:admin", "admin:changeme", "grafana:grafana", "prometheus:prometheus", "guest:guest"),
          "postgres": ("postgres:postgres", "postgres:password", "admin:admin", "timescaledb:password"),
          "redis": ("redis", "foobared", "password"), "vault": _TOKENS}  # fmt: skip
_PER_NAME = 2
Attempt = Tuple[str, Optional[str]]


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Try the control, nobody, and each default. Raises Undecided for a service that is not known or not reached."""
    service = str(ask["service"])
    if service not in _PAIRS:
        raise Undecided("there is no service %s, only %s" % (service[:40], ", ".join(sorted(_PAIRS))))
    given = [*_PAIRS[service], *(str(one) for one in ask.get("more") or [])]
    attempts: List[Attempt] = [("nobody", None)] if service != "postgres" else []
    attempts += _limited(service, given)
    control = _try(service, look.secret(str(ask["control"])), ask, look)
    facts: Dict[str, Any] = {"control_ok": control.accepted is True, "accepted": [], "unclear": [], "tried": len(attempts)}
    if not facts["control_ok"]:
        # A service that takes nothing, or is down, would refuse every default as well.
        facts["unclear"].append("control: %s" % control.words)
        return Observed(facts, opportunities=0)
    for name, value in attempts:
        answer = _try(service, value, ask, look)
        if answer.accepted:
            facts["accepted"].append(name)
        elif answer.accepted is None:
            facts["unclear"].append("%s: %s" % (name, answer.words))
    return Observed(facts, opportunities=len(attempts))


def _limited(service: str, given: List[str]) -> List[Attempt]:
    found: List[Attempt] = []
    seen: Dict[str, int] = {}
    for number, one in enumerate(given):
        # A token is no one's name: it is told by its place in the list.
        name = one.partition(":")[0] if service in {"http", "postgres"} else "default %d" % (number + 1)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] <= _PER_NAME:
            found.append((name, one))
    return found


def _try(service: str, value: Optional[str], ask: Mapping[str, Any], look: Look) -> logins.Answer:
    address, ca_file = str(ask["address"]), _ca_file(ask, look)
    if service == "vault":
        return _web(address.rstrip("/") + "/v1/auth/token/lookup-self", {} if value is None else {"X-Vault-Token": value}, ca_file, look)
    if service == "http":
        return _web(address, _header(value), ca_file, look)
    try:
        if service == "redis":
            return logins.redis(address, value, ca_file=ca_file)
        user, _, password = str(value).partition(":")
        return logins.postgres(address, user, password, ca_file)
    except OSError as exc:
        raise Undecided("%s was not reached: %s" % (re.sub(r"//[^/@]*@", "//", address)[:80], type(exc).__name__)) from None


def _header(value: Optional[str]) -> Dict[str, str]:
    if value is None:
        return {}
    kind, _, rest = value.partition(":")
    if kind == "bearer":
        return {"Authorization": "Bearer " + rest}
    return {"Authorization": "Basic " + base64.b64encode(value.encode("utf-8")).decode("ascii")}


def _web(url: str, headers: Mapping[str, str], ca_file: Optional[str], look: Look) -> logins.Answer:
    status = look.get(url, headers=headers, ca_file=ca_file).status
    if status in {401, 403}:
        return logins.Answer(False, "status %d" % status)
    return logins.Answer(True if 200 <= status < 300 else None, "status %d" % status)


def _ca_file(ask: Mapping[str, Any], look: Look) -> Optional[str]:
    if not ask.get("ca_file"):
        return None
    path = os.path.join(str(look.context.get("root") or "/"), str(ask["ca_file"]))
    if not os.path.isfile(path):
        raise Undecided("the authority of the service's certificate is not on the controller: %s" % str(ask["ca_file"])[:120])
    return path
