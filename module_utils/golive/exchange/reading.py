"""Strict reading of a venue's JSON: the documented form, or Refused(MALFORMED) that names the field. Nothing is guessed."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple

from .model import MALFORMED, RATE, RIGHTS, SERVICE, UNKNOWN_ERROR, Answer, IpRule, Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST_S = 253402300799  # 9999-12-31T23:59:59Z
_EVERYWHERE = ("0.0.0.0/0", "::/0", "*", "0.0.0.0", "::")  # noqa: S104 (compared with, never bound)


def malformed(what: str) -> NoReturn:
    """Raise the refusal for an answer that is not as documented; `what` names fields, never quotes values."""
    raise Refused(MALFORMED, what)


def _pairs(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError("%s is not JSON" % name)


def document(answer: Answer) -> Any:
    """Return the JSON value of an answer. HTML, cut, empty, doubled names, NaN and bad UTF-8 are refusals, not values."""
    if answer.truncated:
        malformed("the answer is larger than any documented one and was cut")
    start = answer.body[:512].lstrip().lower()
    if start.startswith(b"<"):
        raise Refused(_kind(answer.status), "an HTML page instead of JSON%s" % _title(answer.body))
    if not start:
        raise Refused(_kind(answer.status), "an empty answer (HTTP %d)" % answer.status)
    try:
        return json.loads(answer.body.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_constant)
    except (ValueError, RecursionError) as exc:
        # The decoder's text can quote nothing but a position; bad UTF-8 quotes bytes, so only the type is said.
        what = "text that is not UTF-8" if isinstance(exc, UnicodeDecodeError) else "text that is not valid JSON"
        raise Refused(_kind(answer.status), what) from None


def _kind(status: int) -> str:
    return RATE if status in (418, 429) else SERVICE if status >= 500 else MALFORMED


def refuse(kinds: Mapping[str, str], code: str, words: str, status: int, until: Optional[datetime] = None) -> NoReturn:
    """Raise the refusal for a venue's error code; for a code that we do not know the HTTP status decides."""
    kind = kinds.get(code) or (UNKNOWN_ERROR if _kind(status) == MALFORMED else _kind(status))
    raise Refused(kind, ("%s %s" % (code, words)).strip(), until)


def code_of(found: Mapping[str, Any], name: str) -> str:
    """Return an error code field, a number or a text, as text; "" if it is absent or something else."""
    value = found.get(name)
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""


def words_of(found: Mapping[str, Any], *names: str) -> str:
    """Return the first text field of an error that says something."""
    return next((value for value in (found.get(name) for name in names) if isinstance(value, str) and value), "")


def _title(body: bytes) -> str:
    found = re.search(rb"<title[^>]*>([^<]{1,120})", body[:65536], re.IGNORECASE)
    return " titled '%s'" % found.group(1).decode("utf-8", "replace").strip() if found else ""


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        malformed("%s is not an object" % name)
    return value


def field(found: Mapping[str, Any], name: str) -> Any:
    """Return a field that the venue documents as always present."""
    if name not in found:
        malformed("the field %s is missing" % name)
    return found[name]


def text(found: Mapping[str, Any], name: str) -> str:
    """Return a string field."""
    value = field(found, name)
    if not isinstance(value, str):
        malformed("the field %s is not a string" % name)
    return value


def flag(found: Mapping[str, Any], name: str) -> Optional[bool]:
    """Return a boolean field, or None where it is absent or anything else than true or false."""
    value = found.get(name)
    return value if isinstance(value, bool) else None


def whole(found: Mapping[str, Any], name: str) -> int:
    """Return an integer field; a string of digits is one too (venues write both)."""
    value = field(found, name)
    if isinstance(value, bool):
        malformed("the field %s is not a whole number" % name)
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.match(r"-?[0-9]{1,24}\Z", value):
        return int(value)
    malformed("the field %s is not a whole number" % name)


def texts(found: Mapping[str, Any], name: str) -> List[str]:
    """Return a field that is a list of strings."""
    value = field(found, name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        malformed("the field %s is not a list of strings" % name)
    return list(value)


def listed(value: str) -> List[str]:
    """Return the parts of a comma list; an empty text is an empty list, an empty part is malformed."""
    if not value.strip():
        return []
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        malformed("a comma list has an empty part")
    return parts


def moment_s(seconds: float, name: str) -> datetime:
    """Return the UTC time of seconds since 1970; outside 1970..9999 is malformed."""
    if not 0 < seconds <= _LATEST_S:
        malformed("the field %s is not a time" % name)
    return _EPOCH + timedelta(seconds=seconds)


def moment_iso(value: str, name: str) -> datetime:
    """Return the UTC time of an ISO text with a zone (`Z` or an offset)."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)\Z", value)
    if not found:
        malformed("the field %s is not a time with a zone" % name)
    zone = "+0000" if found.group(3) == "Z" else found.group(3).replace(":", "")
    try:
        return datetime.strptime(found.group(1) + found.group(2) + zone, "%Y-%m-%d%H:%M:%S%z").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        malformed("the field %s is not a time" % name)


def ip_rule(entries: List[str]) -> IpRule:
    """Return the rule of a readable allow-list: empty or covering everything means open; what is no address is malformed."""
    import ipaddress  # noqa: PLC0415 (3 ms that a refused call does not need)

    if not entries or any(entry in _EVERYWHERE for entry in entries):
        return IpRule("open")
    clean = []
    for entry in entries:
        try:
            network = ipaddress.ip_network(entry.strip(), strict=False)
        except ValueError:
            malformed("the address list holds something that is not an address")
        if network.prefixlen == 0:
            return IpRule("open")
        clean.append(str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network))
    return IpRule("listed", tuple(sorted(set(clean))))


def same_key(told: str, key: str) -> bool:
    """Return whether a key id as told by the venue (whole, or with `*` or `.` for its middle or end) is ours."""
    if told == key:
        return True
    masked = re.match(r"([^*.…]{4,})[*.…]+([^*.…]*)\Z", told)
    return masked is not None and key.startswith(masked.group(1)) and key.endswith(masked.group(2))


Flags = Mapping[str, Tuple[str, ...]]


def flag_rights(
    found: Mapping[str, Any], flags: Flags, others: Tuple[str, ...] = ()
) -> Tuple[Dict[str, Optional[bool]], Tuple[str, ...], Tuple[str, ...]]:
    """Return rights, names granted and names not recognised of an answer that is one boolean a right.

    `flags` maps the venue's names to our rights, `others` are the fields that are no rights. A right is false only if every
    flag that could give it says false; rights that no flag gives are false only if all flags are there. A field that we do
    not know and that is on (true, a list or an object with content) counts as a right that was added since.
    """
    said = {name: flag(found, name) for name in flags}
    if not any(name in found for name in flags):
        malformed("none of the documented rights is in the answer")
    whole_answer = all(value is not None for value in said.values())
    result: Dict[str, Optional[bool]] = {}
    for right in RIGHTS:
        values = [said[name] for name in flags if right in flags[name]]
        if any(values):
            result[right] = True
        else:
            result[right] = False if (whole_answer if not values else None not in values) else None
    unrecognised = tuple(sorted(name for name in found if name not in flags and name not in others and _is_on(found[name])))
    return result, tuple(sorted(name for name, value in said.items() if value)), unrecognised


def _is_on(value: Any) -> bool:
    return value is True or (isinstance(value, (list, dict)) and bool(value)) or (isinstance(value, str) and value.lower() == "true")


def moment_ms(found: Mapping[str, Any], name: str) -> datetime:
    """Return the UTC time of a field in ms since 1970."""
    return moment_s(whole(found, name) / 1000, name)
