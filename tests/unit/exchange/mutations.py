"""Breaks the venues' documented answers in every way we know, and decides on its own what each broken one still says.

    python -m tests.unit.exchange.mutations [--each 6000]

runs the whole campaign and writes its record, tests/records/exchange_key_mutations.json, bound to the digest of the code that reads
answers, of the documented answers and of this file. `make test` runs a slice with another seed each day and looks at the record.

The oracle shares no code with the readers: it works from the documented vocabulary in the fixture files.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from golive import bundle
from golive.canonical import digest, utc
from golive.exchange.model import Refused
from golive.exchange.venues import load
from golive.rundir import write_atomic

from tests.unit.exchange.venue_fixtures import FOLDER, NAMES, Fixture, fixture, talk

RECORD = Path(__file__).parents[2] / "records/exchange_key_mutations.json"
EACH, SLICE = 6000, 700  # cases a venue in the campaign and in `make test`: 15 venues make 90,000 and 10,500
SEED = "20261121"
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


class Count(NamedTuple):
    """What became of a venue's broken answers. `wrong`: read as a no that the answer does not say; `broke`: a traceback."""

    cases: int
    refused: int
    unknown: int
    denied: int
    wrong: int
    broke: int

    @property
    def proves(self) -> bool:
        """Whether nothing went wrong and the cases were wild enough to show it: some refused or unknown, some read as a no."""
        return not self.wrong and not self.broke and bool(self.refused or self.unknown) and bool(self.denied)


def campaign(name: str, seed: str, cases: int) -> tuple[Count, list[str]]:
    """Read that many broken answers of one venue; return the counts and the answers (JSON) that went wrong."""
    found, chance = fixture(name), random.Random(seed + name)
    bodies = [case["body"] for case in found.cases.values()]
    refused = unknown = denied = broke = 0
    wrong: list[str] = []
    for _ in range(cases):
        body = mutate(chance.choice(bodies), chance)
        try:
            said = talk(found, body).rights["withdraw"]
        except Refused:
            refused += 1
            continue
        except Exception as exc:  # noqa: BLE001 (counted: no answer may end in a traceback)
            broke += 1
            wrong.append(f"{type(exc).__name__}: {json.dumps(body, ensure_ascii=False)}")
            continue
        unknown += said is None
        denied += said is False
        if said is False and not says_no(found, body):
            wrong.append(json.dumps(body, ensure_ascii=False))
    return Count(cases, refused, unknown, denied, len(wrong) - broke, broke), wrong


def subject() -> str:
    """Return the digest of what a record is about: the code that reads answers, the documented answers, and this file."""
    roots = sorted({load(name).__module__ for name in NAMES} | {"golive.exchange.venues"})
    code = {name: text for name, (_, text) in bundle.sources(roots).items() if name.startswith("golive.exchange.")}
    answers = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.json"))}
    return digest({"code": code, "answers": answers, "campaign": Path(__file__).read_text()})


def main(argv: list[str]) -> int:
    """Run the campaign, write the record, exit 1 if it is red."""
    parser = argparse.ArgumentParser(prog="python -m tests.unit.exchange.mutations")
    parser.add_argument("--each", type=int, default=EACH, help="cases a venue")
    each = parser.parse_args(argv).each
    counts = {}
    for name in NAMES:
        counts[name], wrong = campaign(name, SEED, each)
        print(f"{name:16} {counts[name]._asdict()}", *wrong[:3], sep="\n  ")
    passed = all(count.proves for count in counts.values())
    record = {"campaign": "exchange_key_mutations", "subject": subject(), "at": utc(datetime.now(UTC)), "seed": SEED, "passed": passed,
              "cases": each * len(NAMES), "venues": {name: count._asdict() for name, count in counts.items()}}
    RECORD.parent.mkdir(exist_ok=True)
    write_atomic(RECORD, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(), 0o644)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
