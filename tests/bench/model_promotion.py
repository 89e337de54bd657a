"""What does the registry of models cost? `python -m tests.bench.model_promotion [--mib 1024] [--approvals 10000]` prints the table.

Promotion is compared with `sha256sum` and a copy that is synced as well, of the same file on the same disk, in turn and several
times; the ratio is of the medians. Memory is the high-water mark of a process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golive import audit, canonical

from tests.fixtures import models as m

MIB = 1 << 20


def big_candidate(folder: Path, mib: int) -> Path:
    """Write a candidate whose model is an ONNX file with one tensor of so many MiB."""
    m.candidate(folder)
    size = mib * MIB
    block = os.urandom(MIB)

    def head(number: int, length: int) -> bytes:
        return m.field(number, b"\0" * length)[:-length] if length < 200 else _head(number, length)

    tensor = m.field(1, size // 4) + m.field(2, 1) + m.field(8, b"w")
    inner = tensor + head(9, size)
    graph = m.field(2, b"g")
    outer = graph + head(5, len(inner) + size) + inner
    with (folder / "model.onnx").open("wb") as handle:
        handle.write(m.field(1, 8) + m.field(8, m.field(2, 17)) + head(7, len(outer) + size) + outer)
        for _ in range(mib):
            handle.write(block)
    return folder


def _head(number: int, length: int) -> bytes:
    out, value = b"", length
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return m.field(number, 0)[:-1].replace(bytes([number << 3]), bytes([number << 3 | 2])) + out + bytes([value])


def ready(place: Path, mib: int) -> tuple[m.World, dict[str, Any]]:
    """Return a registry with a large candidate that is signed and only has to be approved."""
    world = m.World(place)
    source = big_candidate(place / "source", mib)
    digest = world.must("register", source=str(source))["facts"]["candidate"]
    shutil.rmtree(source)
    folder = m.evidence(place / "evidence", digest)
    validation = world.must("validate", candidate=digest, evidence=str(folder))["facts"]["validation"]
    return world, {
        "candidate": digest,
        "validation": validation,
        "confirm": True,
        "approvals": str(m.approve(place / "approvals", digest, validation)),
    }


def timed(act: Callable[[], Any]) -> tuple[float, float]:
    """Return (wall seconds, CPU seconds of this process and its children)."""

    def cpu() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    began, before = time.perf_counter(), cpu()
    act()
    return time.perf_counter() - began, cpu() - before


def promotion(place: Path, mib: int, repeats: int) -> dict[str, float]:
    """Return the cost of a promotion and of sha256sum plus a synced copy, and their ratios."""
    world, given = ready(place, mib)
    model = next(world.root.glob("candidates/*/files/model.onnx"))
    copy = place / "copy"

    def baseline() -> None:
        subprocess.run(["sha256sum", str(model)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cp", "--reflink=never", str(model), str(copy)], check=True)
        subprocess.run(["sync", str(copy)], check=True)

    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    model.read_bytes()[:1]
    for number in range(repeats):
        theirs.append(timed(baseline))
        copy.unlink()
        ours.append(timed(lambda: world.must("approve", **given)))
        for path in (world.root / "models").iterdir() if number < repeats - 1 else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    world.must("approve", **world.signed(1))
    summed = timed(lambda: subprocess.run(["sha256sum", str(model)], check=True, stdout=subprocess.DEVNULL))[0]
    back = world.must("rollback", reason="bench", candidate=given["candidate"])["facts"]
    wall, base = statistics.median(one[0] for one in ours), statistics.median(one[0] for one in theirs)
    work, base_work = statistics.median(one[1] for one in ours), statistics.median(one[1] for one in theirs)
    return {
        "promotion_s": wall,
        "sha256sum_and_copy_s": base,
        "ratio": wall / base,
        "promotion_cpu_s": work,
        "sha256sum_and_copy_cpu_s": base_work,
        "ratio_cpu": work / base_work,
        "sha256sum_s": summed,
        "rollback_integrity_s": back["integrity_s"],
        "rollback_switch_ms": back["switch_ms"],
    }


def long_log(world: m.World, moves: int) -> None:
    """Write a log of so many moves between two approved models, in the one form of its lines."""
    first, second = world.signed(0), world.signed(1)
    world.must("approve", **first)
    world.must("approve", **second)
    path = world.root / "models/approvals.jsonl"
    lines = [json.loads(one) for one in path.read_bytes().splitlines()]
    before = (world.root / "models/approved_model.json").read_bytes()
    with path.open("ab") as handle:
        for seq in range(3, moves + 1):
            old, new = lines[-1]["detail"]["pointer"], lines[seq % 2]["detail"]["pointer"] if seq > 3 else lines[0]["detail"]["pointer"]
            pointer = {**new, "seq": seq, "previous": old["digest"]}
            line = {
                **lines[-1],
                "seq": seq,
                "prev": lines[-1]["hash"],
                "detail": {**lines[0]["detail"], "pointer": pointer, "before": canonical.digest(before)},
            }
            line["hash"] = audit.line_hash(line)
            handle.write(canonical.encode(line) + b"\n")
            before = canonical.encode(pointer) + b"\n"
            lines = [*lines[:2], line]
    (world.root / "models/approved_model.json").chmod(0o640)
    (world.root / "models/approved_model.json").write_bytes(before)


def cheap_questions(place: Path, moves: int, repeats: int) -> dict[str, float]:
    """Return what info, verify and the switch of a rollback cost with a long log, in milliseconds."""
    world = m.World(place)
    long_log(world, moves)
    info = [timed(lambda: world.must("info")) for _ in range(repeats)]
    verify = timed(lambda: world.do("verify"))
    switches = []
    for _ in range(repeats):
        pointer = world.pointer()
        assert pointer is not None
        switches.append(world.must("rollback", reason="bench", candidate=pointer["previous"])["facts"]["switch_ms"])
    return {
        "info_ms": 1000 * statistics.median(one[0] for one in info),
        "info_cpu_ms": 1000 * statistics.median(one[1] for one in info),
        "verify_s": verify[0],
        "verify_cpu_s": verify[1],
        "switch_ms": statistics.median(switches),
        "switch_worst_ms": max(switches),
    }


def memory(mib: int) -> float:
    """Return the high-water mark in MiB of a process that registers, validates and approves a model of so many MiB."""
    code = (
        "import sys, tempfile, resource; from pathlib import Path; from tests.bench import model_promotion as b\n"
        "with tempfile.TemporaryDirectory(dir=sys.argv[2]) as place:\n"
        "    world, given = b.ready(Path(place), int(sys.argv[1])); world.must('approve', **given)\n"
        "hwm = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))  # ru_maxrss has the parent's\n"
        "print(int(hwm.split()[1]) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(mib), tempfile.gettempdir()], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--approvals", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], choices=["promotion", "log", "memory"])
    chosen = parser.parse_args()
    asked: dict[str, tuple[str, Callable[[Path], Any]]] = {
        "promotion": (f"promotion of {chosen.mib} MiB", lambda place: promotion(place, chosen.mib, chosen.repeats)),
        "log": (f"log of {chosen.approvals}", lambda place: cheap_questions(place, chosen.approvals, chosen.repeats)),
        "memory": ("memory, MiB", lambda _place: {f"{size} MiB": memory(size) for size in (16, chosen.mib)}),
    }
    for name, (title, ask) in asked.items():
        if not chosen.only or name in chosen.only:
            with tempfile.TemporaryDirectory(prefix="golive-bench-") as place:
                print(json.dumps({title: ask(Path(place))}, indent=1), flush=True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
