"""`python -m tests.faults.journeys.crash`: the journey from bare hosts, broken off again and again at boundaries and instants.

Which crash comes when is drawn by seed: the journey's tasks are cut into as many parts as there are crashes, and in each part one kind of
crash hits one host, at a boundary or an instant; around the acts that move money crashes are added. After each the journey is run again,
into the next; the last run goes to its end. With `--as-it-is` hosts are not made bare: managed objects are changed behind golive's
back before each crash instead. The end state has to be that of an undisturbed journey (the one which built this lab; behind `--as-it-is`
one more run, which has to change nothing), object by object; no ticket may be armed twice and no order sent twice, and the audit chain has
to hold after each crash.

It begins with the state of the lab as `make golive` left it (LIVE), and goes on where it was broken off: what it has done by then lies
beside the lab's keys.
"""
from __future__ import annotations

import argparse
import functools
import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golive.audit import AuditLog
from golive.canonical import utc
from golive.errors import GoliveError
from golive.rundir import write_atomic
from golive.session import ROOT, reports_of

from ..harness import bound, compiled
from ..harness.lab import INVENTORY, Lab
from ..mutate import drifting, hosts
from . import breaks, driving, predicted, state

RECORD = ROOT / "tests/records/crash_campaign.json"
#: each comes once in every so many crashes, the boundary of a task three times: nothing else leaves every half built state
KINDS = ("boundary", "boundary", "boundary", "controller", "connections", "target process", "power", "cable", "disk full")
#: tasks that move money, or stand directly around it; each is died at
MONEY = ("Ticket", "Arm", "The live unit runs")
#: about how many tasks a journey has
TASKS = 189
TRIES = 3
MAKERS = (hosts.managed_file, hosts.managed_directory, hosts.managed_link, hosts.account)
#: objects changed before each crash where the hosts are not made bare
SPOILT = 8
LAB = INVENTORY.parent / "lab"


def crashes(seed: str, count: int, tasks: int = TASKS) -> list[dict[str, Any]]:
    """Return the crashes of a campaign: one in each part of the journey, then one at each task that moves money, in order."""
    rng = random.Random(seed)
    kinds: list[str] = []
    while len(kinds) < count:
        kinds += rng.sample(KINDS, len(KINDS))
    kinds.insert(0, kinds.pop(kinds.index("boundary")))  # the first one is predicted, from bare hosts
    for late in [number for number, kind in enumerate(kinds[:count]) if kind == "disk full" and number >= count / 2]:
        # Where hosts are built: later nothing is written where the disk is made full.
        early = rng.choice([number for number in range(1, -(-count // 2)) if kinds[number] != "disk full"])
        kinds[early], kinds[late] = kinds[late], kinds[early]
    found: list[dict[str, Any]] = [{"kind": kinds[number], "task": max(2, round((number + rng.random()) * tasks / count))}
                                   for number in range(count)]
    found += [{"kind": rng.choice(("boundary", "controller")), "task": name} for name in MONEY]
    for one in found:
        one.update(host=rng.choice(breaks.HOSTS), delay_s=0.0 if one["kind"] == "boundary" else round(rng.random() * 2, 3))
    return [{"number": number, **one} for number, one in enumerate(found)]


def chain() -> int:
    """Return how many lines the audit chain has. Raises GoliveError when it is not whole."""
    return len(AuditLog(str(reports_of(compiled.SYSTEM) / "audit.jsonl")).verify().lines)


def crash(world: Lab, one: dict[str, Any], what: str = "", told: Callable[[dict[str, Any]], Any] | None = None) -> dict[str, Any]:
    """Run the journey into one crash and say how it went; a run that ends before its crash, at a closed gate, is followed by another.

    With `told` a dry run comes first, and `told` is called with what it predicted and what became of that.
    """
    hit: list[bool] = []
    ended = None
    runs = 0
    while runs < TRIES and not any(hit):
        runs += 1
        if ended is not None:
            driving.wait_until(ended)
        if told is not None and runs == 1:
            row, ended = predicted.compare(world, what, lambda: _into(world, one, hit))
            told(row)
        else:
            ended = _into(world, one, hit)
    assert ended is not None
    try:
        words = f"whole, {chain()} lines"
    except GoliveError as exc:
        words = str(exc)
    return {**one, "happened": any(hit), "runs": runs, "exit": ended.code, "tasks": ended.tasks, "took_s": round(ended.took_s, 1),
            "run": ended.run.run, "failed": ended.failed()[:5], "audit chain": words,
            "traceback": "Traceback (most recent call last)" in ended.output}


def _into(world: Lab, one: dict[str, Any], hit: list[bool]) -> driving.Ended:
    if one["kind"] == "boundary":
        ended = driving.journey("-vvvv", "--diff", kill_at=one["task"])
        hit.append(ended.code < 0)
        return ended
    act = breaks.act_of(world, one["kind"], one["host"])
    with breaks.healed(world, one["kind"], one["host"]):
        return driving.journey("-vvvv", "--diff", at_task=one["task"], delay_s=one["delay_s"],
                               act=lambda process: hit.append(act(process)))


def spoil(world: Lab, seed: str, number: int) -> int:
    """Change managed objects whose repair restarts neither bot, exchange nor store; return how many."""
    chosen = [one for one in predicted.drawn(f"{seed}:spoil", number, 4 * SPOILT, drifting.ground(world), MAKERS)
              if not re.search(r"exchange|vault|/bot|bot-|trust|venue", f"{one.what} {one.touches}")][:SPOILT]
    made = [one for one in chosen if not drifting.apply(world, one, one.do)]
    for host in {one.host for one in made}:
        world.on(host, f"rm -rf {hosts.KEPT}", check=False)
    return len(made)


def begin(world: Lab, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Return what was done by now; at first, before hosts are made bare, the state that an undisturbed journey has left."""
    kept: dict[str, Any] = json.loads(place.read_text()) if place.is_file() else {}
    wanted = {"bound": bound.now("crash_campaign"), "seed": options.seed, "count": options.count, "as_it_is": options.as_it_is}
    if {name: kept.get(name) for name in wanted} == wanted:
        return kept
    kept = {**wanted, "rows": [], "bare": False}
    if not options.as_it_is:
        kept.update(reference(world, again=not options.built))
    save(place, kept)
    return kept


def reference(world: Lab, again: bool = True) -> dict[str, Any]:
    """Return the state of the lab behind an undisturbed run that came to its end, and what that run changed. Raises GoliveError.

    Without `again` the newest run on the lab is taken for it: it has to have come to its end.
    """
    ended = driving.to_its_end()[-1] if again else driving.newest()
    if ended.code != 0:
        raise GoliveError("the journey on this lab does not come to its end", todo="make golive, until it is LIVE",
                          found="; ".join(ended.failed()) or f"exit {ended.code}")
    objects = {host: sorted(names) for host, names in state.managed(world).items()}
    changed = sorted(f"{one['host']} {one['object']} {one['op']}" for one in ended.changes()
                     if not one["object"].startswith("evidence:"))
    return {"objects": objects, "state": state.look(world, objects), "changed": changed}


def save(place: Path, kept: dict[str, Any]) -> None:
    """Keep what was done by now."""
    write_atomic(place, json.dumps(kept).encode(), 0o600)


def counted(kept: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that the crashes by now give."""
    rows = kept["rows"]
    happened = [one for one in rows if one["happened"]]
    return {"from": "the hosts as they were, managed objects changed before each crash" if kept["as_it_is"] else "bare hosts",
            "objects changed before the crashes": sum(one["objects changed before"] for one in rows), "crashes": len(happened),
            **{f"of them: {kind}": sum(one["kind"] == kind for one in happened) for kind in dict.fromkeys(KINDS)},
            "of them that ended their run": sum(one["exit"] != 0 for one in happened),
            "at tasks that move money": sum(one["task"] in MONEY for one in happened),
            "crashes behind which the audit chain was not whole": sum(not one["audit chain"].startswith("whole") for one in rows),
            "tracebacks": sum(one["traceback"] for one in rows), "seed": kept["seed"]}


def written(kept: dict[str, Any], figures: dict[str, Any], words: Sequence[str], whole: bool) -> dict[str, Any]:
    """Write the record and return it."""
    body = {"title": "Crashes", "at": utc(), "bound": kept["bound"], "whole": whole,
            "figures": figures, "crashes": kept["rows"], "different": list(words), "left_out": dict(state.BY_NATURE),
            "about": "The journey, broken off at boundaries and instants drawn by seed and run again; the end state is "
                     "compared with that of an undisturbed run: of the journey that had built the same lab, or, where hosts were not bare, "
                     "of one more run behind, which has to change nothing. A boundary: the controller and all "
                     "that it started die before a task begins; the other kinds strike within a task. A disk that is full is one of its "
                     "own, mounted where golive writes: hosts of the lab share the disk of the machine.",
            "notes": [*(f"differs: {one}" for one in words[:20]),
                      *(f"number {one['number']} did not happen: {one['kind']} at task {one['task']}"
                        for one in kept["rows"] if not one["happened"]),
                      *([] if whole else ["broken off before the journey came to its end again: the end state was not compared"])]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
    return body


def write(kept: dict[str, Any], ended: Sequence[driving.Ended], found: dict[str, dict[str, Any]], money: dict[str, Any]) -> dict[str, Any]:
    """Write the record of a campaign that came to its end, and return it."""
    words = state.different(kept["state"], found)
    return written(kept, {
        **counted(kept), "boundaries of tasks in a journey": ended[-1].tasks,
        "runs in all": sum(one["runs"] for one in kept["rows"]) + len(ended), "exit of the last": ended[-1].code,
        "objects compared": sum(len(one) for one in found.values()), "objects that differ": len(words),
        "changes of the undisturbed run": len(kept["changed"]),
        "digest of the end state": state.state_digest(found), "digest without crashes": state.state_digest(kept["state"]),
        "tickets armed": money["armed"], "armed twice": len(money["armed_twice"]), "orders at the venue": money["orders"],
        "orders sent twice": sum(map(len, money["orders_twice"].values())),
        "lines of the audit chain at the end, whole": money["audit_lines"]}, words, whole=True)


def main() -> int:
    """Run the campaign; 2 when the end state differs, money acted twice, a chain was broken, or a run ended with a traceback."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=len(KINDS))
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--predict", type=int, default=9,
                        help="how many runs into a dying controller are predicted first, and the last one (bare hosts); 0: none")
    parser.add_argument("--built", action="store_true",
                        help="make golive has just come to its end: compare with that, not with one more run")
    parser.add_argument("--as-it-is", action="store_true", help="change managed objects before each crash instead of making hosts bare")
    options = parser.parse_args()
    world = Lab()
    place = LAB / f"{world.lab}.crash_campaign.json"
    try:
        kept = begin(world, options, place)
    except GoliveError as exc:
        print(exc, file=sys.stderr)
        return 1
    driving.OUTPUTS = LAB / f"{world.lab}.outputs"  # at -vvvv, for the search for secrets
    if not kept["bare"] and not options.as_it_is:
        breaks.lab("reset", *breaks.HOSTS)
        save(place, {**kept, "bare": True})
        kept["bare"] = True
    todo = crashes(options.seed, options.count)
    dying = [one["number"] for one in todo if one["kind"] in ("boundary", "controller")]
    # From what a crash of any kind has left, into the next at which the controller dies at once; then the last run.
    predict = set() if options.as_it_is else set(dying[:options.predict])
    for one in todo[len(kept["rows"]):]:
        told = functools.partial(predicted.keep, world, options.seed) if one["number"] in predict else None
        start = f"drifted by {SPOILT}, half built by {one['number']} crashes" if options.as_it_is else \
            f"half built by {one['number']} crashes" if one["number"] else "bare"
        spoilt = spoil(world, options.seed, one["number"]) if options.as_it_is else 0
        kept["rows"].append({**crash(world, one, start, told), "objects changed before": spoilt})
        save(place, kept)
        written(kept, counted(kept), [], whole=False)
        print(json.dumps(kept["rows"][-1]), flush=True)
    if options.predict:
        row, last = predicted.compare(world, "half built by the last crash, to the end", lambda: driving.journey("-vvvv", "--diff"))
        predicted.keep(world, options.seed, row)
    else:
        last = driving.journey("-vvvv", "--diff")
    ended = [last] if last.code == 0 else [last, *driving.to_its_end("-vvvv", "--diff")]
    world.close()
    world = Lab()  # the profile and the addresses of the newest run
    if options.as_it_is:
        objects = {host: sorted(names) for host, names in state.managed(world).items()}
        found = state.look(world, objects)
        kept.update({**reference(world), "objects": objects})
        kept["state"] = state.look(world, objects)
    else:
        found = state.look(world, kept["objects"])
    body = write(kept, ended, found, state.money(world))
    world.close()
    place.unlink()
    print(json.dumps(body["figures"], indent=1), *body["different"][:40], sep="\n")
    nought = ("objects that differ", "armed twice", "orders sent twice", "crashes behind which the audit chain was not whole", "tracebacks",
              "exit of the last")
    return 2 if any(body["figures"][word] for word in nought) else 0


if __name__ == "__main__":
    sys.exit(main())
