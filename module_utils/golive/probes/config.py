"""config: the values on disk and in the running process, unknown and missing keys, and what differs from what is wanted."""
from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Dict, List, Optional

from ..canonical import digest
from ..errors import Undecided
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 10
ASK = {
    "instance": "str; optional; /etc/bot/<instance>.json is read",
    "path": "str; optional; another file (JSON), instead of instance",
    "health_url": "str; optional; where the running process shows the configuration it has loaded (`config` in a JSON object)",
    "schema": "list of str; optional; the keys of the top level",
    "wanted": "dict; optional; dotted key and value",
    "ticket": "str; optional; path of the arming ticket whose limits are read as well",
}
FACTS = {
    "digest": "str; over the file's values in canonical form",
    "value.*": "JSON; by dotted key: of the running process with health_url, else of the file",
    "unknown_keys": "list of str",
    "missing_keys": "list of str",
    "loaded_equals_disk": "bool; the process holds what the file says",
    "loaded_differs": "list of str; dotted keys in which it does not",
    "different": "list of str; dotted keys whose value is not the wanted one",
    "ticket_limits.*": "JSON; limits of the installed ticket",
}
_CAP = 1 << 20
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\Z")
_NAME = re.compile(r"\A[A-Za-z0-9_-]{1,64}\Z")
_SECRET_WORDS = ("secret", "password", "token", "private", "passphrase", "api_key", "apikey")
_ABSENT = object()


def observe(ask: Dict[str, Any], look: Look) -> Any:
    """Return the facts; opportunities are the wanted values that could be compared."""
    path = _path(ask)
    on_disk = flat(_object(_file(path), path))
    facts: Dict[str, Any] = {"digest": digest({key: _canonical(value) for key, value in on_disk.items()})}
    values = on_disk
    if ask.get("schema") is not None:
        top = {key.split(".")[0] for key in on_disk}
        facts["unknown_keys"] = sorted(top - set(ask["schema"]))
        facts["missing_keys"] = sorted(set(ask["schema"]) - top)
    if ask.get("health_url"):
        values = flat(_loaded(ask["health_url"], look))
        differs = different(on_disk, values, sorted(set(on_disk) | set(values)))
        facts["loaded_equals_disk"], facts["loaded_differs"] = not differs, differs[:100]
    facts.update(("value." + key, value) for key, value in values.items() if not _secret(key))
    if ask.get("ticket"):
        limits = _object(_file(ask["ticket"]), ask["ticket"]).get("limits")
        facts.update(("ticket_limits." + key, value) for key, value in flat(limits if isinstance(limits, dict) else {}).items())
    if ask.get("wanted") is None:
        return facts
    wanted = flat(ask["wanted"])
    facts["different"] = different(wanted, values, sorted(wanted))
    return Observed(facts, opportunities=len(wanted))


def flat(value: Dict[str, Any], prefix: str = "") -> Dict[str, Any]:
    """Return a nested object as {dotted key: value}; lists and empty objects stay whole."""
    found: Dict[str, Any] = {}
    for key, one in value.items():
        if isinstance(one, dict) and one:
            found.update(flat(one, prefix + str(key) + "."))
        else:
            found[prefix + str(key)] = one
    return found


def different(wanted: Dict[str, Any], found: Dict[str, Any], keys: List[str]) -> List[str]:
    """Return the keys whose values mean something else; 5, 5.0 and "5.0" mean the same, true and 1 do not."""
    return [key for key in keys if _canonical(wanted.get(key, _ABSENT)) != _canonical(found.get(key, _ABSENT))]


def _canonical(value: Any) -> Any:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, bool) or value is None:
        return [type(value).__name__, str(value)]
    text = str(value)
    if not _NUMBER.match(text):
        return "text " + text
    number = Decimal(text).normalize() + 0
    return "number " + (format(number, "f") if abs(number.adjusted()) < 40 else str(number))


def _path(ask: Dict[str, Any]) -> str:
    if ask.get("path"):
        return str(ask["path"])
    instance = str(ask.get("instance") or "")
    if not _NAME.match(instance):
        raise Undecided("the question names neither an instance nor a path")
    return "/etc/bot/%s.json" % instance


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as handle:
            raw = handle.read(_CAP + 1)
    except FileNotFoundError:
        raise Undecided("there is no %s" % path) from None
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror)) from None
    if len(raw) > _CAP:
        raise Undecided("%s is larger than %d bytes" % (path, _CAP))
    return raw


def _object(raw: bytes, where: str) -> Dict[str, Any]:
    """Return a JSON object. Raises Undecided for everything else, also for a key that stands twice: which one is in force?"""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise Undecided("%s is not a JSON object in which each key stands once" % where) from None
    if not isinstance(value, dict):
        raise Undecided("%s is not a JSON object" % where)
    return value


def _unique(pairs: Any) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _loaded(url: str, look: Look) -> Dict[str, Any]:
    answer = look.get(url)
    if answer.status != 200:
        raise Undecided("%s answered %d" % (url, answer.status))
    loaded: Optional[Any] = _object(answer.body, url).get("config")
    if not isinstance(loaded, dict):
        raise Undecided("%s shows no loaded configuration" % url)
    return loaded


def _secret(key: str) -> bool:
    """Return whether a value must not be reported: a configuration should hold none, but this report never shows one."""
    last = key.rpartition(".")[2].lower()
    return any(word in last for word in _SECRET_WORDS)
