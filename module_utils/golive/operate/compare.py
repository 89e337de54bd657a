"""Reads the answer of the independent reader that holds a ledger against the venue: equal, different, or not known. Controller only."""
from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from .. import bundle, plan
from ..errors import GoliveError

PROBE = "ledger"


def question(host: str, ask: Mapping[str, Any], *, rehearsal: bool) -> dict[str, Any]:
    """Return a plan with this one question (interfaces.md, section 5)."""
    declared = bundle.probe(PROBE)
    entry = {"id": "p0", "probe": PROBE, "subject": host, "ask": {**ask, "question": "reconcile"}, "deadline_s": declared.deadline_s,
             "digest": declared.digest, "controls": []}
    return {"run": "reconcile", "phase": "operate", "host": host, "rehearsal": rehearsal, "nonce": secrets.token_hex(8),
            "deadline_s": plan.SLACK_S + declared.deadline_s, "probes": [entry]}


def verdict(answers: list[dict[str, Any]], instance: str) -> dict[str, Any]:
    """Return `{equal, compared, venue_orders, differences}`. Raises GoliveError when nothing is known: that is never equal."""
    silence: dict[str, Any] = {"undecided": "the host gave no answer to this"}
    answer = next((one for one in answers if one.get("id") == "p0"), silence)
    facts = answer.get("facts") or {}
    if answer.get("undecided"):
        raise GoliveError("it is not known whether ledger and venue are equal", where=instance, found=str(answer["undecided"])[:300],
                          todo="do not trade before it is known; run again")
    if facts.get("chain_intact") is not True:
        raise GoliveError("the ledger is not what was written", where=instance, found=str(facts.get("chain_broken_at"))[:200],
                          todo="keep it as it is, and restore a copy beside it to compare (roles/backup)")
    found = facts.get("differences")
    if not isinstance(found, list):
        raise GoliveError("the reader did not say whether there are differences", where=instance, todo="run again")
    return {"equal": not found, "compared": answer.get("opportunities"), "venue_orders": facts.get("venue_orders"), "differences": found}
