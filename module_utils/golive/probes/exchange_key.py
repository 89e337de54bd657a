"""exchange_key: what the venue says about a trading key: rights, addresses it may be used from, age, nonce window."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Sequence, Tuple

from ..canonical import utc
from ..errors import GoliveError, Undecided
from ..exchange import credential, options
from ..exchange.ask import World, ask, prepare
from ..exchange.egress import Unseen
from ..exchange.model import Credential
from ..exchange.outcome import facts
from ..exchange.world import unit_state
from .look import Look, Observed

WITNESS = "venue"
DEADLINE_S = 20
ASK = {
    "venue": "str; required; kraken, binance, …",
    "credential": "str; reference to JSON with key, secret, passphrase: vault:…, or on the host sealed:/path, file:/path",
    "key": "str; reference to the key id, instead of credential",
    "secret": "str; reference to the secret, with key",
    "passphrase": "str; optional; reference, with key",
    "market": "str; optional; what `trade` is about",
    "environment": "str; optional; production is the default",
    "base_url": "str; optional; https://host[:port] instead of the venue's own",
    "ca_file": "str; optional; extra CA on the looking host",
    "proxy": "str; optional; http://host:port",
    "timeout": "number; optional; s, 10 is the default",
    "nonce_source": "str; optional; bot_stopped, own_key, venue_window, file",
    "nonce_unit": "str; optional; ms, us, ns",
    "nonce_file": "str; optional; with nonce_source file",
    "bot_units": "list of str; optional; units that use this key",
    "quiet_since": "str; optional; `nonce.spent` of an earlier observation",
    "egress": "list of str; optional; addresses that this host is seen with outside",
    "egress_seen_by": "list of str; optional, instead of egress; https addresses of reflectors on hosts outside",
}
FACTS = {
    "authenticates": "bool; the venue took the signature",
    "refusal": "str; why there is no report",
    "reason": "str; the same in words, redacted",
    "rights.*": "bool by name of the right; rights.granted, rights.granted_at_least, rights.unknown, rights.unrecognised, "
    "rights.inseparable, rights.native: lists. rights.granted only when every right is known",
    "ip.state": "str; listed, restricted, open, unknown",
    "ip.restricted": "bool",
    "ip.list": "list of str",
    "ip.equals_egress": "bool",
    "egress.*": "egress.list: list of str; egress.unseen: str; why the reflectors could not tell",
    "created": "str; UTC",
    "modified": "str; UTC",
    "expires": "str; UTC or never",
    "last_used": "str; UTC",
    "age_days": "number",
    "days_left": "number; 36500 for a key that never expires",
    "environment": "str",
    "market": "str",
    "venue": "str",
    "sub_account": "bool",
    "active": "bool",
    "key_fingerprint": "str; 16 hex digits",
    "nonce_window": "int",
    "nonce.*": "str; spent, unit",
    "quiet.*": "quiet.moved_by_others: bool; somebody used the key since quiet_since; quiet.waited_s: number; s between the two",
    "venue_host": "str",
    "resolved_address": "str",
    "tls_issuer": "str",
    "clock_offset_s": "number; this host ahead of the venue",
    "attempts": "int; requests made",
    "until": "str; UTC",
    "notes": "list of str",
    "as_of": "str; UTC",
}


def observe(ask_for: Mapping[str, Any], look: Look) -> Observed:
    """Ask the venue once. Raises Undecided unless the venue reported, or refused the key itself (`authenticates` false)."""
    unseen = ""
    try:
        seconds = min(options.number(ask_for, "timeout", 10.0), max(0.1, look.left() - 1))
        asked = dict(ask_for, rehearsal=look.rehearsal, timeout=seconds)
        question = options.question(asked, _credential(asked, look))
        prepare(question)
        try:
            egress = options.egress(asked)
        except Unseen as exc:
            egress, unseen = None, str(exc)
        outcome = ask(question, World(unit_state=lambda unit: unit_state(unit, lambda argv: _run(look, argv))))
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    found = facts(outcome, look.now(), egress)
    if unseen:
        found["egress.unseen"] = unseen
    if outcome.report is None and outcome.authenticates is not False and "quiet.moved_by_others" not in found:
        raise Undecided(outcome.reason, until=None if outcome.until is None else utc(outcome.until))
    return Observed(found, witness=WITNESS, opportunities=1)


def _credential(asked: Dict[str, Any], look: Look) -> Credential:
    reference = str(asked.get("credential") or "")
    if reference.partition(":")[0] in ("sealed", "credential", "file"):
        return credential.load(reference, os.environ)  # it lies on the host that looks
    if reference:
        return credential.parse(look.secret(reference).encode("utf-8"), reference)
    names = [name for name in ("key", "secret", "passphrase") if asked.get(name)]
    if names[:2] != ["key", "secret"]:
        raise GoliveError("no key was named", where="ask", expected="credential, or key and secret", todo="give references, never values")
    return credential.build({name: look.secret(str(asked[name])) for name in names}, str(asked["key"]))


def _run(look: Look, argv: Sequence[str]) -> Tuple[int, str]:
    done = look.run(argv)
    return done.rc, done.stdout
