"""The guard's settings: one JSON file, every field known, every number in range, or one clear sentence."""
from __future__ import annotations

import base64
import json
import os
from decimal import Decimal
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .decide import CHECKS, CONFIRMED, WORDS, Limits

NUMBERS = {"loop_s": (0.05, 4.0), "naked_grace_s": (0.0, 60.0), "decision_age_s": (0.1, 86400.0), "blind_s": (0.1, 3600.0),
           "unheard_s": (0.1, 86400.0), "acknowledge_s": (0.1, 10.0), "tell_every_s": (0.1, 60.0), "closed_every_s": (0.1, 60.0),
           "heartbeat_every_s": (0.1, 60.0), "page_repeat_s": (1.0, 86400.0), "margin_level_min": (0.0, 100000.0),
           "stop_distance_max": (0.0, 1.0), "calls_max": (5.0, 100000.0), "calls_decay": (0.1, 2000.0)}
VENUES = ("kraken", "binance", "binance_usdm")
AMOUNTS = ("loss_day", "loss_total", "exposure", "notional_per_minute")
COUNTS = ("positions", "orders_per_minute")
TEXTS = ("system", "venue", "url", "ca_file", "credential", "client_id_prefix", "account", "state_file", "kill_request", "epoch_directory")
ARGUMENTS = ("tell_bot", "heartbeat")


class Problem(Exception):
    """What is wrong with the settings, in one sentence."""


class Settings(NamedTuple):
    """See roles/guard/meta/argument_specs.yml."""

    system: str
    venue: str
    url: str
    ca_file: Optional[str]
    credential: str
    pairs: List[str]
    shared: bool
    state_file: str
    kill_request: str
    epoch_directory: str
    tell_bot: List[str]
    heartbeat: List[str]
    page: Optional[Dict[str, str]]
    metrics_port: int
    limits: Limits
    number: Dict[str, float]


def read(path: str) -> Settings:
    """Return the settings in a file. Raises Problem."""
    try:
        with open(path, encoding="utf-8") as handle:
            raw = json.load(handle)
    except (OSError, ValueError) as exc:
        raise Problem("%s: cannot be read as JSON, found %s" % (path, type(exc).__name__)) from None
    try:
        return of(raw)
    except Problem as exc:
        raise Problem("%s: %s" % (path, exc)) from None


def key_from(path: str, venue: str = "kraken") -> Tuple[str, bytes]:
    """Return key id and secret out of a private JSON file or a credential of systemd; Kraken's secret is base64.

    Raises Problem, never with a value.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY")    # systemd's own ACL there shows as a group's right
    try:
        if os.stat(path).st_mode & 0o077 and not (handed and os.path.dirname(path) == handed):
            raise Problem("%s: may be read by others; chmod 600 it" % path)
        with open(path, "rb") as handle:
            data = json.loads(handle.read())
        return str(data["key"]), base64.b64decode(data["secret"], validate=True) if venue == "kraken" else str(data["secret"]).encode()
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise Problem("%s: holds no usable key, found %s" % (path, type(exc).__name__)) from None


def of(raw: Any) -> Settings:
    """Return checked settings. Raises Problem: which field, found, expected."""
    known = {*NUMBERS, *AMOUNTS, *COUNTS, *TEXTS, *ARGUMENTS, "pairs", "page", "actions", "metrics_port"}
    if not isinstance(raw, dict) or set(raw) != known:
        names = set(raw) if isinstance(raw, dict) else set()
        raise Problem("missing %s; unknown %s" % (_list(known - names), _list(names - known)))
    number = {name: _number(raw, name, *NUMBERS[name]) for name in NUMBERS}
    money = {name: Decimal(str(_number(raw, name, 0.000001, 1e12))) for name in AMOUNTS}
    count = {name: int(_number(raw, name, 1, 1e6)) for name in COUNTS}
    for name in ("system", "url", "credential", "client_id_prefix", "state_file", "kill_request", "epoch_directory"):
        if not isinstance(raw[name], str) or not raw[name]:
            raise Problem("%s: expected a text, found %r" % (name, raw[name]))
    if raw["venue"] not in VENUES or raw["account"] not in ("dedicated", "shared"):
        raise Problem("venue %r with account %r is not known, expected %s and dedicated or shared"
                      % (raw["venue"], raw["account"], ", ".join(VENUES)))
    if not raw["url"].startswith(("https://", "http://127.0.0.1:")):
        raise Problem("url: expected https, found %r" % raw["url"][:80])
    return Settings(
        raw["system"], raw["venue"], raw["url"], raw["ca_file"] or None, raw["credential"], _texts(raw, "pairs", least=1),
        raw["account"] == "shared",
        raw["state_file"], raw["kill_request"], raw["epoch_directory"], _texts(raw, "tell_bot", least=1), _texts(raw, "heartbeat", least=0),
        _page(raw["page"]), int(_number(raw, "metrics_port", 0, 65535)),
        Limits(money["loss_day"], money["loss_total"], money["exposure"], count["positions"], count["orders_per_minute"],
               money["notional_per_minute"], raw["client_id_prefix"], number["naked_grace_s"], number["decision_age_s"], number["blind_s"],
               number["unheard_s"], _actions(raw["actions"]),
               Decimal(str(number["margin_level_min"])), Decimal(str(number["stop_distance_max"]))), number)


def _list(names: Any) -> str:
    return ", ".join(sorted(str(name) for name in names)) or "nothing"


def _number(raw: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = raw[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise Problem("%s: expected a number from %g to %g, found %r" % (name, least, most, value))
    return value


def _texts(raw: Mapping[str, Any], name: str, least: int) -> List[str]:
    value = raw[name]
    if not isinstance(value, list) or len(value) < least or not all(isinstance(one, str) and one for one in value):
        raise Problem("%s: expected a list of %d texts or more, found %r" % (name, least, value))
    return list(value)


def _page(value: Any) -> Optional[Dict[str, str]]:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"url", "token_file", "ca_file"} or not str(value["url"]).startswith("https://"):
        raise Problem("page: expected null or {url (https), token_file, ca_file}")
    return {name: str(text) for name, text in value.items()}


def _actions(value: Any) -> Dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(CHECKS):
        raise Problem("actions: expected one for each of %s" % ", ".join(CHECKS))
    for check, action in value.items():
        if action not in WORDS:
            raise Problem("actions.%s: expected one of %s, found %r" % (check, ", ".join(WORDS), action))
        if action == "kill" and check not in CONFIRMED:
            raise Problem("actions.%s: kill needs a second endpoint that agrees, and this check has none" % check)
    return dict(value)
