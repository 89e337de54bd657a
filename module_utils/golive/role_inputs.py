"""Do the variables that hosts are built with fit the roles that read them? Asked before the first contact with a target. Controller only.

Ansible asks the same when a role begins: in its own words, after other hosts have been changed, and it prints the value of a secret that
has the wrong type. Here the plays that a playbook leads to are read, and every role of theirs is held against what their hosts give it;
values that a lookup gives are left to the role, because a lookup can be expensive.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import GoliveError

Load = Callable[[str], Any]
_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "list": "a list", "dict": "a mapping",
          "path": "a path"}
_TRUTHS = {"true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n"}
_LOOKS_UP = re.compile(r"\b(?:lookup|query|q)\s*\(")


class Left(Exception):
    """Raised by a resolver: the value hangs on a lookup further down, so the role has to ask."""


@dataclass(frozen=True)
class Use:
    """A role as a play uses it: on the hosts of a pattern, with what the play gives it itself."""

    role: str
    pattern: str
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Wrong:
    """What does not fit, without the value where it may be a secret."""

    name: str
    what: str
    found: str | None
    expected: str | None


def uses(playbook: Path, load: Load) -> Iterator[Use]:
    """Yield each role of each play that a playbook leads to, imports followed."""
    for play in load(str(playbook)) or []:
        imported = play.get("ansible.builtin.import_playbook") or play.get("import_playbook")
        if imported:
            yield from uses(playbook.parent / str(imported), load)
        for entry in play.get("roles") or []:
            role = entry if isinstance(entry, str) else entry.get("role") or entry.get("name")
            given = {} if isinstance(entry, str) else entry.get("vars") or {}
            yield Use(str(role), str(play["hosts"]), {**(play.get("vars") or {}), **given})


def templated(raw: Any) -> bool:
    """Return whether a value holds a template anywhere."""
    if isinstance(raw, str):
        return "{" in raw
    if isinstance(raw, Mapping):
        return any(templated(one) for one in raw.values())
    return isinstance(raw, list) and any(templated(one) for one in raw)


def check(playbook: Path, roles: Path, groups: Mapping[str, Sequence[str]], load: Load, variables_of: Callable[[str], Mapping[str, Any]],
          resolver: Callable[[Mapping[str, Any]], Callable[[Any], Any]], place_of: Callable[[Any], str | None]) -> int:
    """Look at every input of every role on every host it is for; return how many. Raises GoliveError for the first that does not fit.

    `variables_of` gives a host's raw variables, `resolver` turns variables into a function that resolves templates with them (it raises
    GoliveError for one that cannot be resolved), `place_of` says in which file and line a value stands.
    """
    seen, known = 0, {}
    for use in uses(playbook, load):
        if use.role not in known:
            read = {name: (load(str(path)) or {}) if (path := roles / use.role / name).is_file() else {}
                    for name in ("meta/argument_specs.yml", "defaults/main.yml")}
            spec = (read["meta/argument_specs.yml"].get("argument_specs") or {}).get("main") or {}
            known[use.role] = (spec.get("options") or {}, read["defaults/main.yml"])
        options, defaults_of_role = known[use.role]
        for host in hosts_of(use.pattern, groups):
            variables = {**defaults_of_role, **variables_of(host), **use.given}
            resolve = resolver(variables)
            for name, option in options.items():
                seen += 1
                wrong, place = _look(name, option, variables, resolve, place_of)
                if wrong is not None:
                    raise sentence(use.role, host, wrong, place)
    return seen


def _look(name: str, option: Mapping[str, Any], variables: Mapping[str, Any], resolve: Callable[[Any], Any],
          place_of: Callable[[Any], str | None]) -> tuple[Wrong | None, str | None]:
    raw = variables.get(name)
    if name not in variables:
        return (Wrong(name, "is not set", None, _expected(option)) if option.get("required") else None), None
    if looks_up(raw):
        return None, None
    try:
        value = resolve(raw) if templated(raw) else raw
    except Left:
        return None, None
    except GoliveError as exc:
        return Wrong(name, "cannot be computed", exc.what, None), place_of(raw)
    return wrong_of(name, option, value), place_of(value) or place_of(raw)


def hosts_of(pattern: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the hosts of a pattern such as `bots`, `targets:controller`, `outsiders:&rehearsal`, `targets:!bots`."""
    found: list[str] = []
    parts = re.split(r"[:,]", pattern)
    for part in parts:
        if part[0] not in "&!":
            found += [host for host in groups.get(part, [part] if part in groups.get("all", ()) else []) if host not in found]
    for part in parts:
        named = set(groups.get(part[1:], ()))
        if part[0] in "&!":
            found = [host for host in found if (host in named) == (part[0] == "&")]
    return found


def looks_up(raw: Any) -> bool:
    """Return whether a value asks a lookup."""
    if isinstance(raw, str):
        return bool(_LOOKS_UP.search(raw))
    if isinstance(raw, Mapping):
        return any(looks_up(one) for one in raw.values())
    return isinstance(raw, list) and any(looks_up(one) for one in raw)


def wrong_of(name: str, option: Mapping[str, Any], value: Any) -> Wrong | None:
    """Return what is wrong with a value, None if it fits its option of argument_specs. Values are taken as Ansible takes them."""
    if value is None:
        return Wrong(name, "has no value", None, _expected(option)) if option.get("required") else None
    kind, secret = str(option.get("type", "str")), bool(option.get("no_log"))
    found = _kind(value) if secret or isinstance(value, (Mapping, list)) else _shown(value)
    if not _fits(kind, value):
        return Wrong(name, "has the wrong type", found, _expected(option))
    choices = option.get("choices")
    if choices and kind != "list" and str(value) not in [str(one) for one in choices]:
        return Wrong(name, "is not one of those there are", found, ", ".join(str(one) for one in choices))
    if kind == "list":
        element = {**option, "type": option.get("elements", "raw"), "required": True}
        items = value if isinstance(value, list) else [value]
        return next((one for number, item in enumerate(items) if (one := wrong_of(f"{name}[{number}]", element, item))), None)
    if kind == "dict" and option.get("options"):
        return _in_mapping(name, option["options"], value)
    return None


def _in_mapping(name: str, options: Mapping[str, Any], value: Mapping[str, Any]) -> Wrong | None:
    unknown = sorted(str(key) for key in set(value) - set(options))
    if unknown:
        return Wrong(name, "has an entry that the role does not know", unknown[0], ", ".join(sorted(options)))
    for key, option in options.items():
        if key not in value and option.get("required"):
            return Wrong(name, f"lacks {key}", None, _expected(option))
        wrong = wrong_of(f"{name}.{key}", option, value.get(key)) if key in value else None
        if wrong:
            return wrong
    return None


def _fits(kind: str, value: Any) -> bool:
    if kind in ("str", "path"):
        return not isinstance(value, (Mapping, list))
    if kind == "bool":
        return isinstance(value, bool) or str(value).strip().lower() in _TRUTHS
    if kind == "int":
        return not isinstance(value, (bool, Mapping, list)) and re.fullmatch(r"\s*[+-]?\d+(\.0+)?\s*", str(value)) is not None
    if kind == "float":
        return not isinstance(value, (bool, Mapping, list)) and _is_number(value)
    if kind == "list":
        return isinstance(value, (list, str, int, float))
    return isinstance(value, Mapping) if kind == "dict" else True


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _expected(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    return f"a list of {_WORDS.get(str(option.get('elements')), 'items')}" if kind == "list" else _WORDS.get(kind, kind)


def _kind(value: Any) -> str:
    return next((word for kind, word in ((Mapping, "a mapping"), (list, "a list"), (bool, "true or false"), ((int, float), "a number"))
                 if isinstance(value, kind)), "text")


def _shown(value: Any) -> str:
    return repr(str(value))[:60] if isinstance(value, str) else str(value)[:60]


def sentence(role: str, host: str, wrong: Wrong, place: str | None) -> GoliveError:
    """Return the one sentence about it."""
    return GoliveError(f"{wrong.name} {wrong.what}", where=place or f"role {role} on {host}", found=wrong.found, expected=wrong.expected,
                       todo=f"correct it for {host}; what it means: docs/reference/roles.md, {role}")
