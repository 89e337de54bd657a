"""Signed records changed at random after they were signed, or signed by somebody else: no control that reads them may stay green.

Every mutant is made from its number alone: `python -m tests.faults.mutate --replay N` makes it again.
"""
from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from golive import canonical, rehearsal_signers, signing

from ..harness import compiled
from ..harness.controller import KINDS, WORDS, Controller

Change = Callable[[Controller, Path, random.Random], str]


FIELDS = (("system", "kraken-spot"), ("subject", "sha256:" + "0" * 64), ("issuer", "lab-operator"), ("role", "operator"),
          ("kind", "attestation"), ("id", "another-20261121T000000Z"), ("expires", "2030-01-01T00:00:00Z"),
          ("issued", "2020-01-01T00:00:00Z"))


def _signature(path: Path) -> Path:
    return next(path.parent.glob(f"{path.name}.*.sig"))


def _flip(path: Path, rng: random.Random) -> str:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(data))
    return f"bit flipped at byte {at} of {path.suffix}"


def _cut(path: Path, rng: random.Random) -> str:
    data = path.read_bytes()
    at = rng.randrange(len(data))
    path.write_bytes(data[:at])
    return f"{path.suffix} cut at byte {at}"


def _edit(path: Path, change: Callable[[dict], object]) -> None:
    record = json.loads(path.read_bytes())
    change(record)
    path.write_bytes(canonical.encode(record))


def _field(_world: Controller, path: Path, rng: random.Random) -> str:
    name, value = rng.choice(FIELDS)
    _edit(path, lambda record: record.update({name: value}))
    return f"{name} edited"


def _payload(_world: Controller, path: Path, rng: random.Random) -> str:
    number = rng.randrange(1000)
    _edit(path, lambda record: record["payload"]["result"].update({rng.choice(sorted(record["payload"]["result"]) or ["x"]): number}))
    return "a measured value edited"


def _blank(_world: Controller, path: Path, rng: random.Random) -> str:
    data = path.read_bytes()
    at = data.index(b",", rng.randrange(len(data) // 2)) + 1
    path.write_bytes(data[:at] + b" " + data[at:])
    return "a blank put in"


def _twice(_world: Controller, path: Path, _rng: random.Random) -> str:
    path.write_bytes(b'{"kind":"drill",' + path.read_bytes()[1:])
    return "a key that stands twice"


def _unsigned(_world: Controller, path: Path, _rng: random.Random) -> str:
    _signature(path).unlink()
    return "the signature taken away"


def _others(world: Controller, path: Path, rng: random.Random) -> str:
    signer = rng.choice(["lab-operator", "lab-approver", "lab-trader", "lab-ledger", "lab-venue"])
    data = signing.sign(path.read_bytes(), rehearsal_signers.key_of(world.root, compiled.SYSTEM, signer), signing.EVIDENCE)
    _signature(path).write_bytes(data)
    return f"signed by {signer} under another's name"


def _namespace(world: Controller, path: Path, rng: random.Random) -> str:
    issuer = json.loads(path.read_bytes())["issuer"]
    space = rng.choice([signing.ARM, signing.ATTEST, signing.WAIVER])
    _signature(path).write_bytes(signing.sign(path.read_bytes(), rehearsal_signers.key_of(world.root, compiled.SYSTEM, issuer), space))
    return f"signed for {space}"


def _renamed(_world: Controller, path: Path, _rng: random.Random) -> str:
    signature = _signature(path)
    other = path.with_name(path.name.replace(path.stem, path.stem + "0"))
    signature.rename(signature.with_name(signature.name.replace(path.stem, path.stem + "0")))
    path.rename(other)
    return "filed under another name"


def _linked(_world: Controller, path: Path, _rng: random.Random) -> str:
    kept = path.with_name("." + path.name)
    path.rename(kept)
    os.symlink("/dev/null", path)
    return "a link to nothing in its place"


def _rightly(what: str, **more: object) -> Change:
    def change(world: Controller, path: Path, _rng: random.Random) -> str:
        record = json.loads(path.read_bytes())
        probe = next(name for name, kind in KINDS.items() if kind == record["kind"])
        world.record(probe, record["payload"]["name"], **more)
        return what

    return change


CHANGES: tuple[Change, ...] = (
    lambda _world, path, rng: _flip(path, rng), lambda _world, path, rng: _flip(_signature(path), rng),
    lambda _world, path, rng: _cut(path, rng), lambda _world, path, rng: _cut(_signature(path), rng),
    _field, _field, _payload, _payload, _blank, _twice, _unsigned, _others, _namespace, _renamed, _linked,
    _rightly("rightly signed, expired", ago=timedelta(days=20), lasts=timedelta(days=10)),
    _rightly("rightly signed, of tomorrow", ago=-timedelta(days=1)),
    _rightly("rightly signed, about another release", subject="sha256:" + "9" * 64),
    _rightly("rightly signed, on nobody's word", witness="nobody"),
)


def controls() -> list[str]:
    """Return the controls that read a signed record."""
    return sorted(name for name, one in compiled.automated().items() if one["probe"] in KINDS)


def mutant(world: Controller, seed: str, number: int) -> tuple[str, str, str]:
    """Make one mutant and observe it; returns control, what was changed, and the verdict."""
    rng = random.Random(f"{seed}:{number}")
    name = rng.choice(controls())
    control = compiled.controls()[name]
    world.prepare([name])
    path = world.records[f"{control['probe']}:{control['ask'][WORDS[str(control['probe'])]]}"]
    what = rng.choice(CHANGES)(world, path, rng)
    return name, what, world.observe([name])[name][0]
