"""exchange_key: what the venue says about a trading key: rights, addresses it may be used from, age, nonce window."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from ..canonical import utc
from ..errors import GoliveError, Undecided
from ..exchange import credential, options
from ..exchange.ask import World, ask, prepare
from ..exchange.model import Credential
from ..exchange.outcome import facts
from ..exchange.world import unit_state
from .look import Look, Observed

WITNESS = "venue"
DEADLINE_S = 20
ASK = {
    "venue": "str; required; kraken, binance, …",
    "credential": "str; reference to one secret that holds JSON with key, secret and, where the venue has one, passphrase",
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
}
FACTS = {
    "authenticates": "bool; the venue took the signature",
    "refusal": "str; why there is no report",
    "reason": "str; the same in words, redacted",
    "rights.*": "bool by name of the right; rights.granted, rights.granted_at_least, rights.unknown, rights.unrecognised, rights.inseparable, "
    "rights.native: list of str. rights.granted only when every right is known",
    "ip.state": "str; listed, restricted, open, unknown",
    "ip.restricted": "bool",
    "ip.list": "list of str",
    "ip.equals_egress": "bool",
    "egress.list": "list of str",
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
    "quiet": "bool; nobody used the key since quiet_since",
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
    asked = dict(ask_for, rehearsal=look.rehearsal, timeout=min(float(ask_for.get("timeout") or 10), max(0.1, look.left() - 1)))
    egress = asked.get("egress")
    try:
        question = options.question(asked, _credential(asked, look))
        prepare(question)
        outcome = ask(question, World(unit_state=lambda unit: unit_state(unit, lambda argv: _run(look, argv))))
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    found = facts(outcome, look.now(), None if egress is None else [str(address) for address in egress])
    if question.quiet_since is not None and (outcome.report is not None or outcome.refusal == "nonce"):
        found["quiet"] = outcome.report is not None
    if outcome.report is None and outcome.authenticates is not False and "quiet" not in found:
        raise Undecided(outcome.reason, until=None if outcome.until is None else utc(outcome.until))
    return Observed(found, witness=WITNESS, opportunities=1)


def _credential(asked: Dict[str, Any], look: Look) -> Credential:
    if asked.get("credential"):
        return credential.parse(look.secret(str(asked["credential"])).encode("utf-8"), str(asked["credential"]))
    names = [name for name in ("key", "secret", "passphrase") if asked.get(name)]
    if names[:2] != ["key", "secret"]:
        raise GoliveError("no key was named", where="ask", expected="credential, or key and secret", todo="give references, never values")
    return credential.build({name: look.secret(str(asked[name])) for name in names}, str(asked["key"]))


def _run(look: Look, argv: Sequence[str]) -> Tuple[int, str]:
    done = look.run(argv)
    return done.rc, done.stdout
