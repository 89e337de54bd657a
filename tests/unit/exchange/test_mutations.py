"""A broken, renamed or extended answer never turns into "may not withdraw" without the venue having said so.

The oracle below decides on its own, from the documented vocabulary in the fixture files, whether an answer says no. It shares
no code with the readers.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from golive.exchange.model import Refused

from tests.unit.exchange.test_venues import talk
from tests.unit.exchange.venue_fixtures import NAMES, Fixture, fixture

EACH = int(os.environ.get("GOLIVE_MUTATIONS", "800"))  # a venue: 15 venues make 12,000
SEED = 20261121
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**70,
    1.5,
    "",
    "false",
    "true",
    "0",
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    "withdraw",
    ["withdraw"],
    "\u0000",
    "9" * 400,
]
WORDS = ["withdraw-all", "Withdraw", "WITHDRAW", "withdrawals_v2", "teleport", "read ", " read", "trade,withdraw", "ｗithdraw"]


def at(body: Any, path: list[Any]) -> Any:
    for step in path:
        in_list = isinstance(body, list) and isinstance(step, int) and -len(body) <= step < len(body)
        if in_list or (isinstance(body, dict) and step in body):
            body = body[step]
        else:
            return None
    return body


def csv(text: Any) -> list[str] | None:
    return [part.strip() for part in text.split(",")] if isinstance(text, str) and text.strip() else [] if text == "" else None


def names_say_no(names: Any, known: list[str], gives: list[str]) -> bool:
    return isinstance(names, list) and all(isinstance(n, str) and n in known for n in names) and not set(names) & set(gives)


def groups_say_no(rule: dict[str, Any], body: Any) -> bool:
    groups = at(body, rule["path"])
    if not isinstance(groups, dict) or rule["group"] not in groups:
        return False
    for group, scopes in groups.items():
        known = rule["known"].get(group, [])
        if not isinstance(scopes, list) or any(not isinstance(s, str) or (known != "*" and s not in known) for s in scopes):
            return False
    return rule["scope"] not in groups[rule["group"]]


def perms_say_no(rule: dict[str, Any], body: Any, key: str) -> bool:
    keys = body if isinstance(body, list) else [body]
    ours = [k for k in keys if isinstance(k, dict) and isinstance(k.get("key"), str) and key.startswith(k["key"].rstrip("*") or "-")]
    if len(ours) != 1 or not isinstance(ours[0].get("perms"), list):
        return False
    perms = ours[0]["perms"]
    whole = all(isinstance(p, dict) and p.get("name") in rule["known"] and isinstance(p.get("read_only"), bool) for p in perms)
    return whole and not any(p["name"] == rule["gives"] and not p["read_only"] for p in perms)


def scope_says_no(rule: dict[str, Any], text: Any) -> bool:
    if not isinstance(text, str):
        return False
    levels = {}
    for word in text.split():
        area, _, level = word.partition(":")
        if area in rule["known"] and level in ("read", "read_write", "none"):
            levels[area] = level
        elif not (word in rule["plain"] or area in rule["value"] or level == "none"):
            return False
    return levels.get("wallet") in ("read", "none")


def bitget_says_no(rule: dict[str, Any], body: Any) -> bool:
    data = at(body, rule["path"])
    if not isinstance(data, dict) or ("permissions" in data) == ("authorities" in data):
        return False
    if "permissions" in data:
        kind_known = data.get("permType") in ("read-only", "read-and-write")
        return kind_known and names_say_no(data["permissions"], rule["known_unified"], rule["gives_unified"])
    return names_say_no(data["authorities"], rule["known"], rule["gives"])


def level_says_no(rule: dict[str, Any], body: Any) -> bool:
    levels = at(body, rule["path"][:-1])
    return isinstance(levels, dict) and levels.get(rule["path"][-1]) in rule["no"]


def rows_say_no(rule: dict[str, Any], body: Any) -> bool:
    if not isinstance(body, list) or not all(isinstance(r, list) and len(r) == 3 and isinstance(r[0], str) for r in body):
        return False
    rows = {r[0]: r for r in body}
    unknown = any(name not in rule["known"] and (r[1] == 1 or r[2] == 1) for name, r in rows.items())
    return not unknown and all(name in rows and rows[name][2] == 0 for name in rule["gives"])


def says_no(found: Fixture, body: Any) -> bool:
    """Whether the venue says in a documented way that this key may not withdraw."""
    rule = found.withdraw
    forms: dict[str, Callable[[], bool]] = {
        "names": lambda: names_say_no(at(body, rule["path"]), rule["known"], rule["gives"]),
        "csv": lambda: names_say_no(csv(at(body, rule["path"])), rule["known"], rule["gives"]),
        "flag": lambda: at(body, rule["path"]) is False,
        "level": lambda: level_says_no(rule, body),
        "groups": lambda: groups_say_no(rule, body),
        "perms": lambda: perms_say_no(rule, body, found.credential.key),
        "scope": lambda: scope_says_no(rule, at(body, rule["path"])),
        "rows": lambda: rows_say_no(rule, body),
        "bitget": lambda: bitget_says_no(rule, body),
    }
    if rule["form"] == "csv" and found.name == "htx":  # our key may have moved in the list
        ours = [k for k in at(body, ["data"]) or [] if isinstance(k, dict) and k.get("accessKey") == found.credential.key]
        return len(ours) == 1 and names_say_no(csv(ours[0].get("permission")), rule["known"], rule["gives"])
    return forms[rule["form"]]()


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(body, dict):
        for name in body:
            yield from places(body[name], (*path, name))
    elif isinstance(body, list):
        for number, item in enumerate(body):
            yield from places(item, (*path, number))


def mutate(body: Any, chance: random.Random) -> Any:
    """Drop a field, rename one, change a type or value, rename or add a right: one to three times."""
    body = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = list(places(body))
        if not found:
            return body
        *way, last = chance.choice(found)
        parent = at(body, way)
        kind = chance.choice(("drop", "rename", "odd", "word", "add", "twist"))
        if kind == "drop":
            del parent[last]
        elif kind == "rename" and isinstance(parent, dict):
            parent[chance.choice((last + "2", last.upper(), last[:-1], "x" + last))] = parent.pop(last)
        elif kind == "odd":
            parent[last] = copy.deepcopy(chance.choice(ODD))
        elif kind == "word":
            parent[last] = chance.choice(WORDS)
        elif kind == "add" and isinstance(parent, list):
            parent.append(chance.choice([*WORDS, *ODD]))
        elif kind == "add":
            parent[chance.choice(("enableTeleport", "can_withdraw2", "isRobot", "Teleport", "extra"))] = copy.deepcopy(
                chance.choice([True, ["Everything"], *ODD])
            )
        elif isinstance(parent[last], str):
            text = parent[last]
            spot = chance.randrange(len(text) + 1)
            parent[last] = chance.choice(
                (text[:spot], text + ",teleport", text.upper(), text + " ", text.replace("withdraw", "w1thdraw"), text + " x:read_write")
            )
    return body


@pytest.mark.parametrize("name", NAMES)
def test_no_mutation_yields_a_no_that_was_not_said(name: str) -> None:
    found = fixture(name)
    chance = random.Random(f"{SEED}{name}")
    bodies = [case["body"] for case in found.cases.values()]
    reports = refusals = denied = unknown = 0
    for _ in range(EACH):
        body = mutate(chance.choice(bodies), chance)
        try:
            report = talk(found, body)
        except Refused:
            refusals += 1
            continue
        reports += 1
        unknown += report.rights["withdraw"] is None
        if report.rights["withdraw"] is False:
            denied += 1
            assert says_no(found, body), json.dumps(body, ensure_ascii=False)
    assert refusals or unknown, "no mutation was refused or unknown: the mutations are too tame to prove anything"
    assert denied, "no mutated answer was read as a no: the oracle was never asked"
    assert reports > denied


@pytest.mark.parametrize("name", NAMES)
def test_every_single_dropped_place_is_refused_or_harmless(name: str) -> None:
    found = fixture(name)
    for case in found.cases.values():
        for path in places(case["body"]):
            body = copy.deepcopy(case["body"])
            del at(body, list(path[:-1]))[path[-1]]
            try:
                report = talk(found, body)
            except Refused:
                continue
            assert report.rights["withdraw"] is not False or says_no(found, body), path


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_agrees_with_the_documented_cases(name: str) -> None:
    found = fixture(name)
    for case in found.cases.values():
        expect = case["expect"]
        said_no = "withdraw" not in expect["granted"] and "withdraw" not in expect["unknown"]
        assert not said_no or says_no(found, case["body"])
