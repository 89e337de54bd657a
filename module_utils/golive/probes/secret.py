"""secret: the store and the keys in it: present, well-formed, one process each; sealed, audited, short tokens. Never a value."""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional

from ..canonical import fingerprint
from ..errors import GoliveError, Undecided
from ..exchange import credential
from ..store import backends, strength
from . import _document
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 20
ASK = {
    "question": "str; required; fingerprints, strength, backend or store",
    "references": "list of str; optional; fingerprints: one reference per process, each to JSON with key and secret; strength: any",
    "address": "str; optional; store, strength: https://host:port of the store",
    "ca_file": "str; optional; CA of the store on the controller, from the repository's root",
    "token_reference": "str; optional; store, strength: reference to the token of the observer",
}
FACTS = {
    "missing": "list of str; references without a value",
    "malformed": "list of str; references whose value is not a key and a secret",
    "placeholders": "list of str; references that hold a placeholder",
    "shared_fingerprints": "list of str; references that hold the same key as another one",
    "fingerprints": "list of str; of the keys, sorted",
    "bits": "list of number; estimated entropy of each secret, in the order of the references",
    "lengths": "list of int; characters of the shortest secret in each",
    "known_weak": "list of str; references that hold a default or one of the first guesses",
    "reused": "list of str; references that hold a secret which stands in another one too",
    "backends": "list of str; kinds of places that the references name",
    "lacks": "list of str; what those places do not give: encryption, audit, revocation, rotation, access per process",
    "ages_days": "list of number; since the current version was written, by the store's word",
    "sealed": "bool",
    "initialised": "bool",
    "version": "str",
    "audit_devices": "int; that are enabled",
    "token_ttl_s": "number; creation time to live of the observer's own token",
    "token_policies": "list of str",
}


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Answer one question. Values of secrets stay in memory and are compared by fingerprint only."""
    if ask["question"] == "fingerprints":
        return _fingerprints([str(one) for one in ask.get("references") or []], look)
    if ask["question"] == "store":
        return _store(ask, look)
    if ask["question"] == "strength":
        return _strength([str(one) for one in ask.get("references") or []], ask, look)
    if ask["question"] == "backend":
        references = [str(one) for one in ask.get("references") or []]
        if not references:
            raise Undecided("the question names no reference")
        kinds = sorted({one.partition(":")[0] for one in references})
        return Observed({"backends": kinds, "lacks": sorted(backends.lacking(references))}, opportunities=len(references))
    raise Undecided("there is no question %s, only fingerprints, strength, backend and store" % str(ask["question"])[:40])


def _fingerprints(references: List[str], look: Look) -> Observed:
    if not references:
        raise Undecided("the question names no reference")
    facts: Dict[str, Any] = {"missing": [], "malformed": [], "placeholders": []}
    owners: Dict[str, List[str]] = {}
    for reference in references:
        try:
            value = look.secret(reference)
        except Undecided:
            facts["missing"].append(reference)
            continue
        try:
            key = credential.parse(value.encode("utf-8"), reference).key
        except GoliveError as exc:
            facts["placeholders" if "placeholder" in exc.what else "malformed"].append(reference)
            continue
        owners.setdefault(fingerprint(key), []).append(reference)
    facts["shared_fingerprints"] = sorted(name for names in owners.values() if len(names) > 1 for name in names)
    facts["fingerprints"] = sorted(owners)
    return Observed(facts, opportunities=sum(len(names) for names in owners.values()))


def _strength(references: List[str], ask: Mapping[str, Any], look: Look) -> Observed:
    if not references:
        raise Undecided("the question names no reference")
    facts: Dict[str, Any] = {"missing": []}
    values: Dict[str, str] = {}
    for reference in references:
        try:
            values[reference] = look.secret(reference)
        except Undecided:
            facts["missing"].append(reference)
    facts.update({
        "bits": [strength.weakest(one) for one in values.values()],
        "lengths": [strength.shortest([one]) for one in values.values()],
        "known_weak": sorted(name for name, value in values.items() if any(map(strength.known_weak, strength.texts(value)))),
        "reused": strength.reused(values),
    })  # fmt: skip
    if ask.get("address") and ask.get("token_reference"):
        headers = {"X-Vault-Token": look.secret(str(ask["token_reference"]))}
        facts["ages_days"] = [_age(name, ask, headers, look) for name in values if name.startswith("vault:")]
    return Observed(facts, opportunities=len(values))


def _age(reference: str, ask: Mapping[str, Any], headers: Mapping[str, str], look: Look) -> float:
    """Return the age in days of the version that is read today, from the store's metadata: rewriting it is what makes a secret young."""
    mount, _, path = reference.partition(":")[2].partition("#")[0].partition("/")
    data = _data(_address(ask), "%s/metadata/%s" % (mount, path), ask, headers, look)
    try:
        written = data["versions"][str(data["current_version"])]["created_time"]
        at = datetime.strptime(str(written)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except (KeyError, TypeError, ValueError):
        raise Undecided("the store does not say when %s was written" % reference) from None
    return round((look.now() - at).total_seconds() / 86400, 3)


def _address(ask: Mapping[str, Any]) -> str:
    address = str(ask.get("address") or "").rstrip("/")
    if not re.match(r"https://[^/@]+\Z", address):
        raise Undecided("the store is asked by https only, and the address names no path")
    return address


def _store(ask: Mapping[str, Any], look: Look) -> Observed:
    address = _address(ask)
    state = look.get(address + "/v1/sys/seal-status", ca_file=_ca_file(ask, look))
    status = _document.mapping(state.body)
    if state.status != 200 or not isinstance(status.get("sealed"), bool):
        raise Undecided("the store answered %d to the question whether it is sealed" % state.status)
    facts: Dict[str, Any] = {
        "sealed": status["sealed"],
        "initialised": bool(status.get("initialized")),
        "version": str(status.get("version"))[:40],
    }
    if not status["sealed"] and ask.get("token_reference"):
        headers = {"X-Vault-Token": look.secret(str(ask["token_reference"]))}
        facts.update(_audit(address, ask, headers, look))
        facts.update(_token(address, ask, headers, look))
    return Observed(facts, opportunities=1)


def _ca_file(ask: Mapping[str, Any], look: Look) -> Optional[str]:
    if not ask.get("ca_file"):
        return None
    path = os.path.join(str(look.context.get("root") or "/"), str(ask["ca_file"]))
    if not os.path.isfile(path):
        raise Undecided("the authority of the store's certificate is not on the controller: %s" % str(ask["ca_file"])[:120])
    return path


def _data(address: str, path: str, ask: Mapping[str, Any], headers: Mapping[str, str], look: Look) -> Dict[str, Any]:
    answer = look.get("%s/v1/%s" % (address, path), headers=headers, ca_file=_ca_file(ask, look))
    found = _document.mapping(answer.body)
    if answer.status != 200:
        words = found.get("errors")
        text = "; ".join(str(one) for one in words[:3]) if isinstance(words, list) else ""
        raise Undecided("the store answered %d to %s: %s" % (answer.status, path, text[:160] or "no reason"))
    data = found.get("data")
    return data if isinstance(data, dict) else {}


def _audit(address: str, ask: Mapping[str, Any], headers: Mapping[str, str], look: Look) -> Dict[str, Any]:
    devices = _data(address, "sys/audit", ask, headers, look)
    return {"audit_devices": sum(1 for one in devices.values() if isinstance(one, dict) and one.get("type"))}


def _token(address: str, ask: Mapping[str, Any], headers: Mapping[str, str], look: Look) -> Dict[str, Any]:
    token = _data(address, "auth/token/lookup-self", ask, headers, look)
    facts: Dict[str, Any] = {"token_policies": sorted(str(one)[:60] for one in token.get("policies") or [])}
    ttl = token.get("creation_ttl")
    # 0 means "never expires" (a root token): the worst value, not the best.
    if isinstance(ttl, int) and not isinstance(ttl, bool):
        facts["token_ttl_s"] = ttl or 10**9
    return facts
