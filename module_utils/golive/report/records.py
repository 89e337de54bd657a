"""What does the run directory hold? Reads it as it is found, also after a kill; judges nothing."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import canonical
from ..catalogue import PHASES
from ..errors import GoliveError
from .hostile import clean, moment

FOLDERS = (*PHASES, "drift")
"""Where observations and gates lie, in order; `drift` is the folder of a scheduled run, which asks across the phases."""
RUN_ID = re.compile(r"^\d{8}T\d{6}Z-[0-9a-f]{4,16}$")
_LIMIT = 64 * 1024 * 1024

Record = Mapping[str, Any]


@dataclass(frozen=True)
class PhaseRecords:
    """One phase: observations by seeing host, and the gate's record, None where none was written."""

    observations: tuple[Record, ...] = ()
    seeing_hosts: tuple[str, ...] = ()
    gate: Record | None = None


@dataclass(frozen=True)
class Records:
    """The run directory in memory. `problems` are sentences about what could not be read."""

    run: Record
    profile: Record
    compiled: Record
    phases: Mapping[str, PhaseRecords]
    changes: tuple[Record, ...]
    hosts: tuple[Record, ...]
    audit: tuple[Record, ...]
    finished: Record | None
    problems: tuple[str, ...]
    running: bool = False

    @property
    def rehearsal(self) -> bool | None:
        """Return whether the run was a rehearsal, None where it left no record of it."""
        value = self.run.get("rehearsal")
        return value if isinstance(value, bool) else None

    @property
    def groups(self) -> Mapping[str, Any]:
        """Return the inventory's groups as the run froze them."""
        groups = self.run.get("groups", self.run.get("hosts"))
        return groups if isinstance(groups, dict) else {}

    @property
    def observed_at(self) -> str | None:
        """Return when something was observed or judged last."""
        times = [one.get("at") for records in self.phases.values() for one in (*records.observations, records.gate or {})]
        return max((t for t in map(moment, times) if t), default=None)

    @property
    def last_at(self) -> str | None:
        """Return the newest time that any record carries: when a killed run was last seen alive."""
        times = [self.run.get("started"), self.observed_at]
        for lines in (self.changes, self.hosts, self.audit):
            times += [one.get("at") for one in lines]
        return max((t for t in map(moment, times) if t), default=None)


@dataclass
class _Reader:
    root: Path
    problems: list[str] = field(default_factory=list)

    def _bytes(self, path: Path) -> bytes | None:
        name = path.relative_to(self.root).as_posix()
        try:
            if path.stat().st_size > _LIMIT:
                self.problems.append(f"{name} is larger than {_LIMIT >> 20} MiB and was left out")
                return None
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            self.problems.append(f"{name} cannot be read: {exc.strerror}")
            return None

    def mapping(self, path: Path, *, needed: bool = False) -> Record | None:
        name, data = path.relative_to(self.root).as_posix(), self._bytes(path)
        if data is None:
            if needed:
                self.problems.append(f"{name} is missing")
            return None
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            self.problems.append(f"{name} is not whole JSON and was left out")
            return None
        if not isinstance(value, dict):
            self.problems.append(f"{name} holds no mapping and was left out")
            return None
        return value

    def lines(self, path: Path) -> tuple[Record, ...]:
        return tuple(self._lines(path))

    def _lines(self, path: Path) -> Iterator[Record]:
        data, name = self._bytes(path), path.relative_to(self.root).as_posix()
        for number, line in enumerate((data or b"").split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict):
                yield value
            else:
                self.problems.append(f"{name} line {number} is half-written or no record and was left out")

    def phase(self, name: str) -> PhaseRecords | None:
        folder = self.root / name
        if not folder.is_dir():
            return None
        observations: list[Record] = []
        hosts: list[str] = []
        for path in sorted(folder.glob("*.json")):
            if path.name == "gate.json" or path.name.startswith("plan."):
                continue
            record = self.mapping(path)
            if record is None:
                continue
            hosts.append(path.stem)
            found = record.get("observations")
            observations += [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return PhaseRecords(tuple(observations), tuple(hosts), self.mapping(folder / "gate.json"))


def read(run_dir: Path) -> Records:
    """Read a run directory. Raises GoliveError where it is none; every other defect becomes one of `problems`."""
    run_dir = Path(run_dir).resolve()
    if not run_dir.is_dir():
        raise GoliveError("there is no such run", where=str(run_dir), todo="name a directory under reports/<system>/")
    reader = _Reader(run_dir)
    run = reader.mapping(run_dir / "run.json", needed=True)
    if run is None and not RUN_ID.match(run_dir.name):
        raise GoliveError("this is not a run directory: it has no readable run.json", where=str(run_dir),
                          todo="name a directory under reports/<system>/")
    compiled = reader.mapping(run_dir / "compiled.json", needed=True) or {}
    if compiled and not _untouched(compiled):
        reader.problems.append("compiled.json does not have the digest it names: it was changed after the run froze it")
    phases = {name: found for name in FOLDERS if (found := reader.phase(name)) is not None}
    run = {"run": run_dir.name, "system": run_dir.parent.name, **(run or {})}
    bound, ticket = reader.mapping(run_dir / "release.json"), reader.mapping(run_dir / "last_ticket.json")
    if bound is not None:
        run["release"] = {**(run["release"] if isinstance(run.get("release"), dict) else {}), **bound}
    if ticket is not None:
        run["last_ticket"] = ticket
    return Records(
        run=run,
        profile=reader.mapping(run_dir / "profile.json", needed=True) or {},
        compiled=compiled,
        phases=phases,
        changes=reader.lines(run_dir / "changes.jsonl"),
        hosts=reader.lines(run_dir / "hosts.jsonl"),
        audit=reader.lines(run_dir / "audit.jsonl"),
        finished=reader.mapping(run_dir / "finished.json"),
        problems=tuple(clean(problem) for problem in reader.problems),
    )


def _untouched(compiled: Record) -> bool:
    try:
        return bool(compiled.get("digest") == canonical.digest({name: value for name, value in compiled.items() if name != "digest"}))
    except GoliveError:
        return False
