"""The settings file and the keys: every field known, or one clear sentence."""
from __future__ import annotations

import base64
import calendar
import json
import os
import time
from decimal import Decimal
from typing import Any, Dict, NamedTuple, Optional, Tuple

from .line import CALL_TIMEOUT_S
from .words import ZERO, Problem, number

SETTINGS = "/etc/golive/kill_switch.json"
VENUES = ("kraken", "binance", "binance_usdm")
POLICIES = ("hold", "flatten")
REQUIRED = ("system", "venue", "url", "credential", "quote", "pairs", "policy", "epoch_directory", "record_directory")
KNOWN = (*REQUIRED, "ca_file", "fence", "page", "settle_s", "account", "client_id_prefix", "console", "margin", "inventory_since",
         "flatten", "place_stops", "trade_credential", "turn")
FLATTEN = ("loss_cap_quote", "price_guard_pct", "give_up_s", "fee_pct")
TURN = {"rank": 0, "of": 1, "slot_s": 10.0}


SLOT_LEAST_S = 5.0


class Selling(NamedTuple):
    """How positions are closed: at what cost at most (quote currency), how far from the last price, and for how long it is tried."""

    loss_cap: Decimal = ZERO
    guard_pct: Decimal = Decimal(2)
    give_up_s: float = 120.0
    fee_pct: Decimal = Decimal("0.5")


def settings_from(path: str) -> Dict[str, Any]:
    """Return the settings. Raises Problem with what, where, found, expected."""
    try:
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
    except (OSError, ValueError) as exc:
        raise Problem("%s: cannot be read as JSON, found %s" % (path, type(exc).__name__)) from None
    if not isinstance(data, dict):
        raise Problem("%s: expected one JSON object" % path)
    missing = [name for name in REQUIRED if not data.get(name)]
    unknown = sorted(set(data) - set(KNOWN))
    if missing or unknown:
        raise Problem("%s: missing %s; unknown %s" % (path, ", ".join(missing) or "nothing", ", ".join(unknown) or "nothing"))
    if data["venue"] not in VENUES or data["policy"] not in POLICIES:
        raise Problem("%s: venue %s with policy %s is not known, expected one of %s with %s"
                      % (path, data["venue"], data["policy"], ", ".join(VENUES), " or ".join(POLICIES)))
    if not data["url"].startswith("https://") and not data["url"].startswith("http://127.0.0.1:"):
        raise Problem("%s: url must be https" % path)
    _check_selling(path, data)
    return data


def _check_selling(path: str, data: Dict[str, Any]) -> None:
    """Refuse settings with which somebody else's coins could be sold, or a sale could cost without limit."""
    spot, shared, flatten = data["venue"] != "binance_usdm", data.get("account") == "shared", data["policy"] == "flatten"
    if (shared or flatten) and not data.get("client_id_prefix"):
        raise Problem("%s: a %s needs client_id_prefix, by which the bot's own orders are told from others"
                      % (path, "shared account" if shared else "policy flatten"))
    if len(str(data.get("client_id_prefix") or "")) > 12:
        raise Problem("%s: client_id_prefix: expected 12 characters at most, found %s" % (path, data["client_id_prefix"]))
    if spot and (shared or flatten) and data.get("inventory_since") is None:
        raise Problem("%s: a %s on spot needs inventory_since, a moment at which the bot held nothing: only what its own orders bought "
                      "since then is its own" % (path, "shared account" if shared else "policy flatten"))
    if data.get("inventory_since") is not None:
        moment_of(data["inventory_since"], path)
    given = data.get("flatten") or {}
    odd = sorted(set(given) - set(FLATTEN)) if isinstance(given, dict) else ["no object"]
    if odd:
        raise Problem("%s: flatten: unknown %s, expected %s" % (path, ", ".join(odd), ", ".join(FLATTEN)))
    if flatten and number(given.get("loss_cap_quote")) <= 0:
        raise Problem("%s: policy flatten needs flatten.loss_cap_quote, what closing may cost at most, in %s" % (path, data["quote"]))
    turn = {**TURN, **(data.get("turn") or {})} if isinstance(data.get("turn") or {}, dict) else {}
    if set(turn) != set(TURN) or not 0 <= turn["rank"] < turn["of"] or turn["slot_s"] < SLOT_LEAST_S:
        raise Problem("%s: turn: expected {\"rank\": this machine's, from 0, \"of\": how many machines, \"slot_s\": %g or more}, found %r"
                      % (path, SLOT_LEAST_S, data.get("turn")))
    placed = data.get("place_stops")
    if placed and (not isinstance(placed, dict) or not ZERO < number(placed.get("distance_pct")) < 100):
        raise Problem("%s: place_stops: expected {\"distance_pct\": percent below 100}, found %r" % (path, placed))


def selling_of(data: Dict[str, Any]) -> Selling:
    """Return how positions are closed."""
    given = data.get("flatten") or {}
    plain = Selling()
    return Selling(number(given.get("loss_cap_quote")), number(given.get("price_guard_pct", plain.guard_pct)),
                   float(given.get("give_up_s", plain.give_up_s)), number(given.get("fee_pct", plain.fee_pct)))


def moment_of(value: Any, path: str) -> float:
    """Return a moment in seconds since 1970, given as such or as 2026-11-21T10:15:00Z. Raises Problem."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(calendar.timegm(time.strptime(str(value), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        raise Problem("%s: inventory_since: expected a time like 2026-11-21T10:15:00Z, found %r" % (path, value)) from None


def credential_from(path: str, name: str = "kill_key", decode: bool = True) -> Tuple[str, bytes]:
    """Return key id and secret: a systemd-creds sealed file (`.cred`) or a private JSON file. Raises Problem, never with a value.

    `decode`: the secret is base64 (Kraken); else its characters are the key (Binance).
    """
    try:
        raw = _sealed(path, name) if path.endswith(".cred") else _plain(path)
        data = json.loads(raw)
        return str(data["key"]), base64.b64decode(data["secret"], validate=True) if decode else str(data["secret"]).encode()
    except Problem:
        raise
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise Problem("%s: holds no usable key, found %s" % (path, type(exc).__name__)) from None


def _plain(path: str) -> bytes:
    handed = os.environ.get("CREDENTIALS_DIRECTORY")    # systemd's own ACL there shows as a group's right
    if os.stat(path).st_mode & 0o077 and not (handed and os.path.dirname(path) == handed):
        raise Problem("%s: may be read by others; chmod 600 it" % path)
    with open(path, "rb") as handle:
        return handle.read()


def _sealed(path: str, name: str) -> bytes:
    import subprocess  # noqa: PLC0415 (a cold start without a sealed key does not pay for it)
    try:
        done = subprocess.run(["systemd-creds", "decrypt", "--name=%s" % name, path, "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=CALL_TIMEOUT_S, check=True)
    except subprocess.SubprocessError as exc:
        raise ValueError(type(exc).__name__) from None
    return done.stdout


def key_files(data: Dict[str, Any]) -> Tuple[str, Optional[str]]:
    """Return the file of the key that cancels, and of the one that may trade (None: the same)."""
    return str(data["credential"]), data.get("trade_credential") or None
