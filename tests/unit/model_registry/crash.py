"""Ends or fails every action of the registry at every step, and says what was left and whether the next run made it good.

`python -m tests.unit.model_registry.crash --record` does all of it and writes tests/records/model_registry.json; a slice runs in the
tests. What must hold after each: the pointer is the old or the new one, whole, and the model that it names is there byte for byte; the same
action, run again, predicts what it then does and ends in the state that an undisturbed run ends in.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from golive import canonical

from tests.fixtures import faulty_files as ff
from tests.fixtures import models as m
from tests.fixtures.ptrace import run_until

ROOT = Path(__file__).resolve().parents[3]
RECORD = ROOT / "tests/records/model_registry.json"
PACKAGE = ROOT / "module_utils/golive"
# What never changes a directory needs no proof: it judges, looks, or has a store of another kind.
READ_ONLY = ("archive.py", "command.py", "contents.py", "integrity.py", "judgement.py", "onnx_file.py", "oos_metrics.py", "psi.py",
             "risk_checks.py", "s3_store.py", "schema.py", "scratch.py", "survey.py", "track_record.py", "window.py")
BESIDE = ("audit.py", "canonical.py", "envelope.py", "evidence.py", "signing.py", "ticket.py")
CODE = [*(path for path in sorted((PACKAGE / "model_registry").glob("*.py")) if path.name not in READ_ONLY),
        *(PACKAGE / name for name in BESIDE)]
READER_ROUNDS = 500     # a promotion and a rollback each
# The order of calls is judged, not the disk: its syncs would take hours on a busy one.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def code_digest() -> str:
    """Return the digest of everything that a proof of crashes is about."""
    hasher = hashlib.sha256()
    for path in CODE:
        hasher.update(f"{path.name}\n".encode() + path.read_bytes() + b"\0")
    return "sha256:" + hasher.hexdigest()


class Case:
    """One action on one state: a template of the registry, the parameters, and the state that an undisturbed run ends in."""

    def __init__(self, name: str, place: Path, action: str, prepare: Callable[[m.World], dict[str, Any]]) -> None:
        self.name, self.action, self.place = name, action, place
        world = m.World(place / "template")
        self.given = prepare(world)
        self.template = world.base
        self.old = world.pointer()
        copy = self.world()
        self.undisturbed = copy.do(action, **self.given)
        self.wanted, self.new = state(copy), copy.pointer()
        self.seen: set[str] = {look_of(self.world())}
        shutil.rmtree(copy.base.parent)

    def world(self) -> m.World:
        """Return a fresh copy of the state before, at a path of its own."""
        return self._at(self.template)

    def copy_of(self, world: m.World) -> m.World:
        """Return a copy of what a registry is at this moment."""
        return self._at(world.base)

    def _at(self, base: Path) -> m.World:
        copy = m.World.__new__(m.World)
        copy.place, copy.store, copy.now = self.place, None, m.NIGHT
        copy.base = Path(tempfile.mkdtemp(dir=self.place, prefix=f"{self.name}-")) / "artifacts"
        shutil.copytree(base, copy.base)
        copy.root = copy.base / m.SCOPE
        return copy

    def check(self, world: m.World, what: str) -> None:
        """Judge what a disturbed run left, run again, judge again. Raises AssertionError."""
        look = look_of(world)
        if look in self.seen:      # byte for byte what was judged before (or what the undisturbed run starts from)
            shutil.rmtree(world.base.parent)
            return
        found = world.pointer()
        assert found in (self.old, self.new), f"{what}: the pointer is neither the old nor the new one: {found}"
        _readable(world, found, what)
        predicted, real = world.do(self.action, check=True, **self.given), world.do(self.action, **self.given)
        for result in (predicted, real):
            assert result.get("code") == self.undisturbed.get("code"), f"{what}: the next run was refused: {result.get('msg')}"
        assert predicted["changes"] == real["changes"], f"{what}: predicted {predicted['changes']}, did {real['changes']}"
        assert state(world) == self.wanted, f"{what}: ends elsewhere: {state(world)} instead of {self.wanted}"
        verified = world.do("verify")
        assert verified["problems"] == [], f"{what}: {verified['problems']}"
        self.seen.add(look)
        shutil.rmtree(world.base.parent)


def look_of(world: m.World) -> str:
    """Return a digest of every name, mode and byte; what differs from run to run (temporary names, times in the log) left out."""
    hasher = hashlib.sha256()
    for path in sorted(world.root.rglob("*"), key=lambda one: _plain(str(one))):
        data = path.read_bytes() if path.is_file() else b""
        if path.name == "approvals.jsonl":
            data = re.sub(rb'"at":"[^"]*"|"(hash|prev)":"[^"]*"', b"", data) + b"%d" % len(data)
        hasher.update(f"{_plain(str(path.relative_to(world.root)))} {path.lstat().st_mode:o}\n".encode() + data + b"\0")
    return hasher.hexdigest()


def _plain(path: str) -> str:
    return re.sub(r"\.(staging|next)-[0-9a-f]+", r".\1", path)


def state(world: m.World) -> dict[str, Any]:
    """Return what a registry comes to: pointer, moves in the log, and every folder with the digests of its files."""
    moves = [{key: one[key] for key in ("act", "digest", "previous", "reason")} for one in world.must("info")["facts"]["moves"]]
    pointer = world.pointer()
    folders: dict[str, str] = {}
    for area in ("candidates", "validations", "models"):
        for path in sorted((world.root / area).rglob("*")):
            if path.is_file() and path.name not in ("approvals.jsonl", ".lock", "approved_model.json"):
                folders[str(path.relative_to(world.root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"pointer": pointer and {key: pointer[key] for key in ("digest", "previous", "validation")}, "moves": moves, "files": folders}


def _readable(world: m.World, pointer: dict[str, Any] | None, what: str) -> None:
    for one in (pointer or {}).get("files", []):
        data = (world.root / "models" / one["path"]).read_bytes()
        assert len(data) == one["size"], f"{what}: the model in force has another size"
        assert canonical.digest(data) == one["sha256"], f"{what}: the model in force is not whole"


NAMES = ("register", "validate", "approve-first", "approve", "rollback", "prune")


def cases(place: Path, only: tuple[str, ...] = ()) -> list[Case]:
    """Return every action that writes (or some), on a registry with a history."""
    def fresh(world: m.World) -> dict[str, Any]:
        return {"source": str(m.candidate(world.place / "new", 5))}

    def judged(world: m.World) -> dict[str, Any]:
        digest = world.must("register", **fresh(world))["facts"]["candidate"]
        return {"candidate": digest, "evidence": str(m.evidence(world.place / "evidence-5", digest))}

    def first(world: m.World) -> dict[str, Any]:
        return world.signed(0)

    def second(world: m.World) -> dict[str, Any]:
        world.must("approve", **world.signed(0))
        return world.signed(1)

    def back(world: m.World) -> dict[str, Any]:
        second_one = second(world)
        world.must("approve", **second_one)
        return {"reason": "it trades too much", "away_from": second_one["candidate"]}

    def surplus(world: m.World) -> dict[str, Any]:
        for seed in range(3):
            world.must("approve", **world.signed(seed))
        world.validated(7)
        return {"keep_models": 2, "keep_candidates": 0}

    how = dict(zip(NAMES, (fresh, judged, first, second, back, surplus), strict=True))
    return [Case(name, place / name, name.split("-")[0], _made(place / name, how[name])) for name in NAMES if not only or name in only]


def _made(place: Path, prepare: Callable[[m.World], dict[str, Any]]) -> Callable[[m.World], dict[str, Any]]:
    place.mkdir(parents=True)
    return prepare


def kills(case: Case, share: float, rng: random.Random) -> dict[str, int]:
    """Kill the action with -9 before each of its system calls (or a share of them), each kill in a run of its own; judge what is left.

    First one run is looked at while it stands still before each call, and every state that is new is judged; so what a kill leaves has
    mostly been judged already and costs no second judgement, but each kill is made and each state that it leaves is compared.
    """
    def act(world: m.World) -> Callable[[], None]:
        return lambda: _ended(world.do(case.action, **case.given))

    world, left, known = case.world(), [], set(case.seen)

    def visit(stop: int) -> None:
        if stop % 2:        # after call n is before call n + 1
            return
        look = look_of(world)
        if look not in known:
            known.add(look)
            left.append((stop, case.copy_of(world)))

    stops, _killed = run_until(None, act(world), visit)
    shutil.rmtree(world.base.parent)
    for stop, copy in left:
        case.check(copy, f"{case.name}, ended at stop {stop} of {stops}")
    tried, calls = 0, range(0, stops, 2)
    for stop in calls if share >= 1 else sorted(rng.sample(calls, max(2, round(len(calls) * share)))):
        world = case.world()
        _seen, killed = run_until(stop, act(world))
        case.check(world, f"{case.name}, killed at stop {stop} of {stops}")
        tried += killed     # how often a pipe is read differs by a few: a run may be over before the last stops
    return {"system_calls": stops // 2, "states": len(known), "killed": tried}


def errors(case: Case, share: float, rng: random.Random) -> dict[str, int]:
    """Let every changing call fail: once or from there on; disk full, read-only, broken; half a write. Return how many were tried."""
    with ff.layer(ff.Layer()) as counted:
        world = case.world()
        world.do(case.action, **case.given)
    shutil.rmtree(world.base.parent)
    tried = 0
    kinds = [(ff.FULL, True, False), (ff.FULL, True, True), (ff.READ_ONLY, True, False), (ff.BROKEN, False, False)]
    for at in range(len(counted.calls)):
        for error, onwards, torn in kinds:
            if rng.random() >= share:
                continue
            world = case.world()
            with ff.layer(ff.Layer(at, error, onwards, torn)):
                result = world.do(case.action, **case.given)
            what = f"{case.name}, errno {error} at call {at} {counted.calls[at]}"
            if result.get("failed"):
                assert "Traceback" not in result["msg"], what
                assert len(result["msg"]) > 10, what
            case.check(world, what)
            tried += 1
    return {"calls": len(counted.calls), "failed": tried, "states_with_errors": len(case.seen)}


def _ended(result: dict[str, Any]) -> None:
    assert "changes" in result


def campaign(share: float, seed: int, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run all cases (or some); return the counts by case. Raises AssertionError at the first thing that does not hold."""
    rng, found = random.Random(seed), {}
    with tempfile.TemporaryDirectory(prefix="golive-crash-", dir=MEMORY) as place:
        for case in cases(Path(place), only):
            found[case.name] = {**kills(case, share, rng), **errors(case, min(1.0, share * 4), rng)}
    return found


def _part(asked: tuple[str, str]) -> dict[str, int]:
    name, what = asked
    with tempfile.TemporaryDirectory(prefix="golive-crash-", dir=MEMORY) as place:
        case, = cases(Path(place), (name,))
        return (kills if what == "kills" else errors)(case, 1.0, random.Random(1))


def reader(rounds: int) -> dict[str, Any]:
    """Let a reader poll while models are promoted and rolled back; return what it saw. Raises AssertionError if that was ever wrong."""
    from tests.unit.model_registry.test_reader import watched

    with tempfile.TemporaryDirectory(prefix="golive-crash-", dir=MEMORY) as place:
        seen = watched(m.World(Path(place)), rounds)
    assert seen["wrong"] == [], seen
    return {**seen, "polls_per_s": round(seen["polls"] / seen["seconds"])}


def everything(jobs: int, only: tuple[str, ...]) -> dict[str, Any]:
    """Run all of it, or all of some actions."""
    asked = [(name, what) for what in ("errors", "kills") for name in NAMES if not only or name in only]
    found: dict[str, dict[str, int]] = {name: {} for name, _what in asked}
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        for (name, what), one in zip(asked, pool.map(_part, asked), strict=True):
            found[name].update(one)
            print(name, what, one, file=sys.stderr, flush=True)
    return found


def write(code: str, cases: dict[str, Any], polled: dict[str, Any] | None) -> None:
    """Put what was run on this code in the place of the same in the record; what was run on other code is dropped."""
    before = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    if before.get("code") != code:
        before = {}
    found = {**before.get("cases", {}), **cases}

    def total(name: str) -> int:
        return sum(int(one[name]) for one in found.values())

    body = {"code": code, "at": canonical.utc(datetime.now(UTC)), "cases": found, "reader": polled or before.get("reader"),
            "passed": set(found) == set(NAMES), "system_calls": total("system_calls"), "states": total("states"), "kills": total("killed"),
            "errors": total("failed")}
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(body, indent=1, sort_keys=True) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="do all of it and write the record")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[], help=f"of {', '.join(NAMES)}, reader")
    chosen = parser.parse_args()
    began, only, code = time.monotonic(), tuple(chosen.only), code_digest()
    if not chosen.record:
        print(json.dumps(campaign(chosen.share, chosen.seed, only), indent=1), file=sys.stderr)
        return 0
    polled = reader(READER_ROUNDS) if not only or "reader" in only else None
    cases = everything(chosen.jobs, only) if set(only) != {"reader"} else {}
    if code_digest() != code:
        parser.error("the code was changed while it was run: nothing is recorded")
    write(code, cases, polled)
    print(polled, f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
