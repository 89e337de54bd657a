"""The one way from named options (module arguments, command line, probe's ask) to a question and demands."""

from __future__ import annotations

import re
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from ..errors import GoliveError
from . import nonce
from .ask import Question
from .egress import seen_by
from .model import Credential
from .rules import Demands, network
from .transport import Endpoint, endpoint
from .venues import load


def question(options: Mapping[str, Any], credential: Credential) -> Question:
    """Return the question. Unset options may be absent or None. Raises GoliveError."""
    return Question(
        venue=str(options["venue"]),
        credential=credential,
        market=_text(options, "market"),
        environment=_text(options, "environment") or "production",
        rehearsal=bool(options.get("rehearsal")),
        base_url=_text(options, "base_url"),
        ca_file=_text(options, "ca_file"),
        proxy=_text(options, "proxy"),
        deadline_s=number(options, "timeout", 10.0),
        quiet_since=_whole(options, "quiet_since"),
        nonce=nonce.Plan(
            source=_text(options, "nonce_source"),
            unit=_text(options, "nonce_unit") or "ms",
            path=_text(options, "nonce_file"),
            units=_units(options),
            may_be_new=bool(options.get("nonce_file_may_be_new")),
        ),
    )


def demands(options: Mapping[str, Any], egress: Optional[Tuple[str, ...]], compared_later: bool = False) -> Demands:
    """Return the demands, checked. The addresses of the allow-list default to the egress addresses. Raises GoliveError.

    `compared_later` says that the addresses are still to be seen.
    """
    allow_list = options.get("ip_allowlist") or {}
    allow = options.get("allow")
    return Demands(
        allow=None if options.get("allow_any") else ("read", "trade") if allow is None else _names(options, "allow"),
        require=_names(options, "require"),
        forbid=_names(options, "forbid"),
        ip_match=str(allow_list.get("match") or ""),
        ip_addresses=tuple(allow_list.get("addresses") or egress or ()),
        max_age_days=_days(options, "max_age_days"),
        min_days_left=_days(options, "min_days_left"),
    ).checked(load(str(options["venue"])).vocabulary, compared_later)


def egress(options: Mapping[str, Any], look: Callable[[Sequence[Endpoint], float], List[str]] = seen_by) -> Optional[Tuple[str, ...]]:
    """Return the addresses that this host is seen with: as listed in `egress`, or as the reflectors in `egress_seen_by` see it.

    None if the caller named neither. Raises Unseen when the reflectors cannot tell, GoliveError for options that mean nothing.
    """
    reflectors = _names(options, "egress_seen_by")
    if options.get("egress") is not None:
        if reflectors:
            raise GoliveError("both given", where="egress and egress_seen_by", todo="list the addresses, or name reflectors that see them")
        return tuple(str(network(str(address)).network_address) for address in options["egress"])
    if not reflectors:
        return None
    return tuple(look([endpoint(url, _text(options, "ca_file")) for url in reflectors], min(number(options, "timeout", 10.0), 10.0)))


def _text(options: Mapping[str, Any], name: str) -> str:
    value = options.get(name)
    return "" if value is None else str(value)


def number(options: Mapping[str, Any], name: str, default: float) -> float:
    """Return a number option, or the default where it is not set. Raises GoliveError."""
    value = options.get(name)
    if value is None:
        return default
    try:
        return float(value)
    except (TypeError, ValueError):
        raise GoliveError("not a number", where=name, found=repr(value)[:40]) from None


def _days(options: Mapping[str, Any], name: str) -> Optional[float]:
    if options.get(name) is None:
        return None
    days = number(options, name, 0.0)
    if not 0 <= days <= 36500:
        raise GoliveError("out of range", where=name, found=days, expected="0 to 36500 days")
    return days


def _whole(options: Mapping[str, Any], name: str) -> Optional[int]:
    value = options.get(name)
    if value is None or value == "":
        return None
    if not re.match(r"[0-9]{1,20}\Z", str(value)):
        raise GoliveError("not a nonce", where=name, found=repr(value)[:40], expected="the number `nonce.spent` of an earlier result")
    return int(value)


def _names(options: Mapping[str, Any], name: str) -> Tuple[str, ...]:
    return tuple(str(item) for item in options.get(name) or ())


def _units(options: Mapping[str, Any]) -> Tuple[str, ...]:
    units = _names(options, "bot_units")
    for unit in units:
        if not re.match(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\Z", unit):
            raise GoliveError("not the name of a systemd unit", where="bot_units", found=repr(unit)[:60], expected="bot-live.service")
    return units
