"""`python -m tests.faults.mutate.drifting`: mutations on the hosts of the lab, each of which a drift run has to name.

Many are made at once where they cannot be mistaken for each other, then one drift run looks, then all are undone. What was not named is
made again with fewer beside it, at last alone: what then is not seen at all has survived, and its number is the counterexample.

    --seed S    --count N    --first NUMBER    --widths 60,8,1    --again    --replay NUMBER    --clean N
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golive.canonical import utc
from golive.rundir import RunDir, write_atomic
from golive.session import ROOT, reports_of

from ..harness import bound, compiled
from ..harness.lab import INVENTORY, Lab
from ..harness.venue_breaks import release
from . import surroundings, untouched
from .hosts import Ground, Mutation

RECORD = ROOT / "tests/records/drift_campaign.json"
DRIFT = "playbooks/operate/drift.yml"
CONTROLLER = "controller"
PLAN_S = 20.0
STARTED_S = 30      # a bot that an undoing restarted asks its key's rights before it is up
MADE = ("create", "install", "apply", "start", "enable", "update", "restart")


class NotJudged(RuntimeError):
    """The drift run broke off; its words."""


class NotLive(RuntimeError):
    """The live bot, for which this ground was drawn, runs no more: what speaks of it could not be judged."""


@dataclass
class Seen:
    """What one drift run said: managed objects that differ, and controls that are red, by host."""

    objects: set[tuple[str, str, str]]
    red: dict[tuple[str, str], str]
    run: str
    took_s: float
    unreached: set[str] = field(default_factory=set)
    event: str = "nobody touched it"
    fresh: list[str] = field(default_factory=list)     # controls that were green in the run before


def ground(world: Lab) -> Ground:
    """Return what there is to be changed, from the records of the runs that built this lab."""
    objects: dict[str, set[str]] = {}
    for folder in sorted(path for path in reports_of(compiled.SYSTEM).iterdir() if path.is_dir() and not path.is_symlink()):
        for line in RunDir(folder).lines("changes.jsonl"):
            if not line["check"] and line["op"] in MADE:
                objects.setdefault(line["host"], set()).add(line["object"])
    # A release that nothing runs is wanted no longer: it is checked when somebody rolls back to it.
    for host, every in objects.items():
        left = {name for name in every if name.startswith("release:")}
        if left:
            links = " ".join(sorted({f"{name.partition(':')[2].rsplit('/releases/', 1)[0]}/current" for name in left}))
            running = {f"release:{one}" for one in world.on(host, f"readlink -f {links}").split()}
            objects[host] = every - (left - running)
    live = "active" in world.on("bot", "systemctl is-active bot-live || true").split()
    return Ground({host: sorted(every) for host, every in objects.items()}, world.addresses["venue"],
                  ("shadow", "wire", "live") if live else ("shadow", "wire"))


def drift() -> Seen:
    """Run the drift playbook as its timer does, and read what it said from its own records."""
    began = time.monotonic()
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(INVENTORY), DRIFT], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "fatal:" in line or "ERROR" in line]
    return read(RunDir((reports_of(compiled.SYSTEM) / "latest").resolve()), " ".join(told)[-1500:] or f"exit {done.returncode}",
                time.monotonic() - began)


def read(run: RunDir, words: str, took_s: float) -> Seen:
    """Return what a drift run said, from its own records. Raises NotJudged with these words for one that did not come to its end."""
    gate = run.read("drift/gate.json")
    if gate is None or run.read("run.json")["mode"] != "drift":
        raise NotJudged(words)
    lines = run.lines("hosts.jsonl")
    return Seen({(one["host"], one["object"], one["op"]) for one in run.lines("changes.jsonl")},
                {(one["control"], one["subject"]): f"{one['verdict']}: {one['reason']}" for one in gate["verdicts"]
                 if one["verdict"] in ("fail", "undecided")}, run.run, took_s, {one["host"] for one in lines})


def apply(world: Lab, one: Mutation, script: Any) -> str:
    """Do or undo; returns the problem in words."""
    try:
        if callable(script):
            script(world)
        else:
            world.on(one.host, script)
    except Exception as exc:  # noqa: BLE001 (one that cannot be made is counted apart, it must not end the campaign)
        return f"{type(exc).__name__}: {str(exc)[:200]}"
    return ""


def matches(one: Mutation, seen: Seen) -> list[str]:
    """Return what the run said that names this mutation."""
    words = []
    for wanted, ops in one.objects:
        for host, name, op in seen.objects:
            if host != one.host:
                continue
            same = name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1]))
            blocked = name.startswith("problem:") and wanted.split(":", 1)[1] in name
            if blocked or (same and (not ops or op in ops)):
                words.append(f"{op} {name}"[:160])
    return words + [f"{control} on {subject}" for control, subject in seen.red
                    if control in one.controls and subject in (one.host, CONTROLLER)]


def batches(todo: Sequence[Mutation], size: int) -> Iterable[list[Mutation]]:
    """Pack mutations that can be told apart, as they come, at most `size` at once."""
    left = list(todo)
    while left:
        batch: list[Mutation] = []
        for one in left:
            if len(batch) < size and not any(one.collides(other) for other in batch):
                batch.append(one)
        left = [one for one in left if one not in batch]
        yield batch


@dataclass
class Row:
    """One mutation's outcome: `named`, `seen` (something turned, but not its name), `survived`, `not made`."""

    mutation: Mutation
    outcome: str
    said: list[str]
    run: str = ""
    beside: int = 0     # how many others were made with it


class Campaign:
    """Judges batches against what the untouched lab says; a baseline is taken anew when the lab has changed by itself."""

    def __init__(self, world: Lab, instances: Sequence[str] = ()) -> None:
        self.world, self.instances = world, instances
        self.clean: list[Seen] = []
        self.baseline: Seen | None = None

    def untouched(self, known: str = "") -> Seen:
        """Look at the lab as it is, or take the word of a run that looked just before."""
        seen = read(RunDir(reports_of(compiled.SYSTEM) / known), f"{known} is no drift run", 0.0) if known else drift()
        self.clean.append(seen)
        self.baseline = seen
        print(f"untouched: {len(seen.objects)} objects differ, {len(seen.red)} controls red or undecided ({seen.took_s:.0f} s)", flush=True)
        return seen

    def silent(self, number: int) -> Seen:
        """Let something happen that is nobody's hand, and look."""
        before = self.baseline
        event, act = untouched.EVENTS[number % len(untouched.EVENTS)]
        act(self.world)
        seen = self.untouched()
        seen.event = event
        seen.fresh = sorted(f"{control} on {subject}: {words[:200]}" for (control, subject), words in seen.red.items()
                            if before is not None and (control, subject) not in before.red)
        print(f"{number}: {event}: {sorted(seen.objects)} {seen.fresh}", flush=True)
        return seen

    def judge(self, batch: Sequence[Mutation]) -> list[Row]:
        """Make a batch, look once, undo it."""
        assert self.baseline is not None
        dark: set[str] = set()
        if batch[0].by_plan:
            before = self.world.observe({name for one in batch for name in one.controls})
            dark = {name for name, said in before.items() if said[0] != "pass"}
        problems = {}
        for one in batch:
            problems[one.number] = apply(self.world, one, one.do)
        broken = ""
        try:
            made = [one for one in batch if not problems[one.number]]
            seen = self._look(made) if made else None
        except NotJudged as exc:
            seen, broken = None, str(exc)
        finally:
            self._undo(batch)
        if broken and len(made) > 1:
            print(f"broke off, so halves: {broken[:300]}", flush=True)
            return [row for part in (batch[::2], batch[1::2]) for row in self.judge(part)]
        self._still_live()
        rows = []
        for one in batch:
            if broken and not problems[one.number]:  # made alone, it ended the drift run: seen, and named if those words name it
                named = any(name.split(":", 1)[1] in broken for name, _ in one.objects)
                rows.append(Row(one, "named" if named else "seen", [broken[:300]]))
                continue
            if problems[one.number] or seen is None:
                rows.append(Row(one, "not made", [problems[one.number]]))
                continue
            if one.by_plan and set(one.controls) <= dark:
                rows.append(Row(one, "not made", [f"{', '.join(one.controls)}: not green before"]))
                continue
            known = {(name, one.host) for name in dark} if one.by_plan else set(self.baseline.red)
            red = {name: words for name, words in seen.red.items() if name not in known}
            fresh = Seen(seen.objects - self.baseline.objects, red, seen.run, seen.took_s)
            said = matches(one, fresh)
            alone = len(made) == 1 and bool(fresh.objects or fresh.red)
            words = said or sorted([f"{op} {name} on {host}" for host, name, op in fresh.objects] + [control for control, _ in fresh.red])
            rows.append(Row(one, "named" if said else "seen" if alone else "survived", words[:6] if said or alone else [], seen.run,
                            len(made) - 1))
        return rows

    def _still_live(self) -> None:
        """Raise NotLive when the live bot came to rest: by its ticket's end, or by a mutation that called the guard."""
        wait = f"for i in $(seq {STARTED_S}); do systemctl is-active -q bot-live && echo active && break; sleep 1; done"
        if "live" in self.instances and "active" not in self.world.on("bot", wait).split():
            raise NotLive("the live bot runs no more: make golive, then start this again; it goes on by number")

    def _undo(self, batch: Sequence[Mutation]) -> None:
        """Undo all, and what could not be undone once more: a unit starts again only when its file is whole again."""
        left = [one for one in reversed(batch) if apply(self.world, one, one.undo)]
        for one in left:
            problem = apply(self.world, one, one.undo)
            if problem:
                print(f"NOT UNDONE {one.number} {one.host} {one.what}: {problem}", flush=True)
        # A venue that was stopped leaves bots on paper until somebody says that they may trade again; a lab left so has no green journey.
        try:
            release(self.world, *self.instances)
        except (RuntimeError, OSError) as exc:
            print(f"NOT RELEASED: {str(exc)[:200]}", flush=True)

    def _look(self, made: Sequence[Mutation]) -> Seen:
        if made[0].by_plan:
            began = time.monotonic()
            # Silence is red once it is older than the profile allows, and not before.
            patience = PLAN_S + max(float(self.world.profile[one.told_after]) if one.told_after else 0.0 for one in made)
            red: dict[tuple[str, str], str] = {}
            while True:
                found = self.world.observe({control for one in made for control in one.controls})
                red |= {(control, one.host): " ".join(found[control]) for one in made for control in one.controls
                        if found[control][0] != "pass"}
                took_s = time.monotonic() - began
                if took_s > patience or all(any((control, one.host) in red for control in one.controls) for one in made):
                    return Seen(set(), red, "plan", took_s)
                time.sleep(1)  # between two looks: a drift run takes longer than this to come to its own
        return drift()


def run(world: Lab, todo: Sequence[Mutation], widths: Sequence[int], told: Any, known: str = "",
        instances: Sequence[str] = ()) -> tuple[list[Row], Campaign]:
    """Judge all; what was not named in a batch is judged again in smaller ones, at last alone. Raises NotLive."""
    campaign = Campaign(world, instances)
    rows: dict[int, Row] = {}
    campaign.untouched(known)
    for width in widths:
        open_ = [one for one in todo if one.number not in rows or rows[one.number].outcome == "survived"]
        for part in ([one for one in open_ if one.by_plan], [one for one in open_ if not one.by_plan]):     # what costs seconds first
            for batch in batches(part, width):
                for row in campaign.judge(batch):
                    rows[row.mutation.number] = row
                told(list(rows.values()), campaign)
                count = Counter(row.outcome for row in rows.values())
                print(f"{utc()} width {width}, {len(batch)} made: {dict(count)}", flush=True)
    campaign.untouched()
    told(list(rows.values()), campaign)
    return list(rows.values()), campaign


def clean(world: Lab, count: int, seed: str, before: dict[str, Any]) -> int:
    """Look `count` times at a lab that nobody touched, after one look that says what is red anyway; 2 for a false alarm."""
    campaign = Campaign(world)
    first = len(before["clean"])
    campaign.untouched()
    for number in range(first, first + count):
        campaign.silent(number)
        write([], campaign, seed, before)
    return 2 if any(one.objects or one.fresh for one in campaign.clean) else 0


def kept(seed: str) -> dict[str, Any]:
    """Return the record of this seed as far as it goes: rows by number, and the drift runs on the untouched lab."""
    if not RECORD.is_file():
        return {"rows": [], "clean": []}
    found = dict(json.loads(RECORD.read_text("utf-8")))
    return found if found["figures"]["seed"] == seed and found.get("bound") == bound.now("drift_campaign") else {"rows": [], "clean": []}


def write(fresh: Sequence[Row], campaign: Campaign, seed: str, before: dict[str, Any], asked: int = 0) -> None:
    """Write the record: what an earlier part of this campaign held, and what is new. `asked`: numbers from nought, by default as before."""
    new = {row.mutation.number: {"number": row.mutation.number, "host": row.mutation.host, "family": row.mutation.family,
                                 "what": row.mutation.what, "outcome": row.outcome, "said": row.said, "beside": row.beside}
           for row in fresh}
    rows = sorted([one for one in before["rows"] if one["number"] not in new] + list(new.values()), key=lambda one: int(one["number"]))
    clean = [*before["clean"], *({"run": one.run, "event": one.event, "red": len(one.red), "fresh": one.fresh,
                                  "took_s": round(one.took_s, 1),
                                  "objects": sorted(f"{op} {name} on {host}" for host, name, op in one.objects)} for one in campaign.clean)]
    clean = list({one["run"]: one for one in clean}.values())     # a campaign that goes on begins with the word of the same run
    asked = asked or int(before.get("asked", 0))
    write_atomic(RECORD, (json.dumps(body(rows, clean, seed, asked), indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


def by_object(row: dict[str, Any]) -> bool:
    """Return whether a managed object was named: it can be nobody else's. A control's red may have been helped by another change."""
    return any(len(words.split()) > 1 and ":" in words.split()[1] for words in row["said"])


def whole(rows: Sequence[dict[str, Any]], asked: int) -> bool:
    """Return whether every number that was asked for was judged, and what survived a crowd was looked at alone."""
    return asked > 0 and {one["number"] for one in rows} >= set(range(asked)) and all(
        one["outcome"] != "survived" or one.get("beside") == 0 for one in rows)


def body(rows: Sequence[dict[str, Any]], clean: Sequence[dict[str, Any]], seed: str, asked: int) -> dict[str, Any]:
    """Return the record."""
    count = Counter(one["outcome"] for one in rows)
    made, detected = len(rows) - count["not made"], count["named"] + count["seen"]
    families = {family: dict(Counter(one["outcome"] for one in rows if one["family"] == family))
                for family in sorted({one["family"] for one in rows})}
    figures = {"changes made on the hosts": made, "detected": detected, "named right": count["named"],
               "of them by a managed object": sum(one["outcome"] == "named" and by_object(one) for one in rows),
               "of them by a control alone": sum(one["outcome"] == "named" and not by_object(one) for one in rows),
               "survived": count["survived"], "could not be made or judged": count["not made"],
               "detected, percent": round(100 * detected / made, 1) if made else 0,
               "named right, percent": round(100 * count["named"] / made, 1) if made else 0,
               "drift runs on the untouched lab": len(clean),
               "of them that named a managed object": sum(bool(one["objects"]) for one in clean),
               "of them that turned a control red": sum(bool(one["fresh"]) for one in clean), "seed": seed}
    notes = [f"{one['outcome']}: number {one['number']}, {one['family']} on {one['host']}: {one['what']}"
             + (f" (seen: {', '.join(one['said'])})" if one["said"] else "") for one in rows if one["outcome"] in ("survived", "seen")]
    notes += [f"false alarm: {one['event']}, and drift named {', '.join((one['objects'] + one['fresh'])[:3])}" for one in clean
              if one["objects"] or one["fresh"]]
    return {"title": "Changes behind golive's back", "at": utc(), "bound": bound.now("drift_campaign"), "figures": figures,
            "families": families, "clean": clean, "rows": rows, "asked": asked, "whole": whole(rows, asked),
            "about": "Random changes to what golive manages or observes on the lab's hosts; the drift playbook has to name object or "
                     "control. Many are made at once; a control that turned red may have been helped by another change of its batch, "
                     "a named object not. Where no managed object can name it, the observing half of the drift run looks alone, at the "
                     "controls that were declared for it and were green before. "
                     "Each is made again alone by `python -m tests.faults.mutate.drifting --replay NUMBER`.",
            "notes": notes}


def main() -> int:
    """Run the campaign; 2 when a change survived, 4 when the live bot came to rest on the way."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutate.drifting", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--widths", default="60,8,1", help="how many at once, then of those that were not named, and so on")
    parser.add_argument("--baseline", default="", metavar="RUN", help="a drift run that looked at the untouched lab just before")
    parser.add_argument("--again", action="store_true", help="only those of the record that were not named")
    parser.add_argument("--replay", type=int)
    parser.add_argument("--clean", type=int, default=0, metavar="N",
                        help="change nothing: N drift runs, each behind something that happens to every host, on the record of this seed")
    parser.add_argument("--dry", action="store_true", help="write no record")
    options = parser.parse_args()
    world = Lab()
    try:
        place = ground(world)
        numbers = [options.replay] if options.replay is not None else range(options.first, options.first + options.count)
        alone = options.replay is not None or options.dry
        before = {"rows": [], "clean": []} if alone else kept(options.seed)
        if options.clean:
            return clean(world, options.clean, options.seed, before)
        there = {one["number"] for one in before["rows"] if one["outcome"] == "named"}
        if options.again:
            numbers = sorted(one["number"] for one in before["rows"])
        todo = [surroundings.mutation(options.seed, number, place) for number in numbers if number not in there]
        asked = max(int(before.get("asked", 0)), options.first + options.count)
        rows, _ = run(world, todo, [int(one) for one in options.widths.split(",")],
                      (lambda *_: None) if alone else (lambda rows, one: write(rows, one, options.seed, before, asked)),
                      options.baseline, place.instances)
    except NotLive as exc:
        print(exc, flush=True)
        return 4
    finally:
        world.close()
    left = [row for row in rows if row.outcome != "named"]
    for row in left if not alone else rows:
        print(f"{row.outcome}: {row.mutation.number} {row.mutation.family} on {row.mutation.host}: {row.mutation.what} {row.said}")
    return 2 if any(row.outcome in ("survived", "seen") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
