"""The committed record of red proofs: what was seen red, by which break, with which probe; and which controls were not, and why."""
from __future__ import annotations

import ast
import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive import bundle, canonical
from golive.canonical import parse_utc, utc
from golive.rundir import write_atomic
from golive.session import ROOT

from . import compiled, registry
from .trial import Outcome

RECORD = ROOT / str(compiled.bound().values["red_proof_directory"]) / "red_proofs.json"
MAX_AGE = timedelta(days=float(compiled.bound().values["red_proof_max_age_days"]))
ADAPTER, RUNTIME = "stand-in bot kraken_micro", "systemd"
# Controls whose green needs a bot that is armed and live.
LIVE = "no trial has been made yet; it needs a lab that make golive has brought to LIVE"
#: control -> why no break of this campaign can turn it
NOT_YET: Mapping[str, str] = {}


def empty() -> dict[str, Any]:
    """Return a record without proofs."""
    return {"about": "Red proofs: seen green, turned red by a break that a second observation confirmed, and green again.",
            "proofs": [], "unproven": []}


def load(path: Path = RECORD) -> dict[str, Any]:
    """Return the record; an empty one where there is none yet."""
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else empty()


def fault_digest(fault: str) -> str:
    """Return the digest of what a fault's file does: a changed break proves something else, another line break does not."""
    return canonical.digest(_meaning(ast.parse((registry.FOLDER / f"{fault}.py").read_text("utf-8"))))


def _meaning(node: Any) -> Any:
    """Return a syntax tree as plain data, without places and without what is empty (that differs between versions of Python)."""
    if isinstance(node, ast.AST):
        return [type(node).__name__, *([name, _meaning(one)] for name, one in ast.iter_fields(node) if one not in (None, []))]
    return [_meaning(one) for one in node] if isinstance(node, list) else repr(node)


def holds(proof: Mapping[str, Any], now: datetime | None = None) -> str:
    """Return why a proof does not count any more; empty when it does."""
    if proof["probe"] not in bundle.probe_names() or bundle.probe(proof["probe"]).digest != proof["probe_digest"]:
        return f"probe {proof['probe']} has changed"
    if proof["fault"] not in registry.names() or fault_digest(proof["fault"]) != proof["fault_digest"]:
        return f"fault {proof['fault']} has changed"
    if (now or datetime.now(UTC)) - parse_utc(proof["at"]) > MAX_AGE:
        return "it is too old"
    return ""


def of(outcome: Outcome, seed: str) -> list[dict[str, Any]]:
    """Return the proofs that an outcome gives: one for each control that it turned red as declared."""
    found = []
    for control, verdict in outcome.declared.red.items():
        seen = outcome.observations[control]
        found.append({
            "control": control, "fault": outcome.fault, "trial": outcome.number, "fault_digest": fault_digest(outcome.fault),
            "probe": seen["probe"], "probe_digest": seen["probe_digest"], "verdict": verdict, "reason": outcome.red[control][1][:300],
            "grade": outcome.declared.grade, "layer": outcome.declared.layer, "world": outcome.world, "adapter": ADAPTER,
            "runtime": RUNTIME,
            "vantage": seen["vantage"], "confirmed": outcome.confirmed[:300], "watched": outcome.watched, "seed": seed,
            "took_s": outcome.took_s, "at": utc(),
        })  # fmt: skip
    return found


def unproven(record: Mapping[str, Any], problems: Mapping[str, str]) -> list[dict[str, str]]:
    """Return every automated control without a proof that counts (seen `fail`), each with the reason."""
    proven = {one["control"] for one in record["proofs"] if one["verdict"] == "fail" and not holds(one)}
    before = {one["control"]: one["reason"] for one in record["unproven"]}
    rows = []
    for control, one in sorted(compiled.automated().items()):
        if control in proven:
            continue
        lost = [holds(proof) for proof in record["proofs"] if proof["control"] == control and proof["verdict"] == "fail"]
        reason = problems.get(control) or (f"its proof is lost: {lost[0]}" if lost and lost[0] else "") or _why(control, one) \
            or before.get(control) or "no trial has been made yet"
        rows.append({"control": control, "reason": reason})
    return rows


def _why(control: str, one: Mapping[str, Any]) -> str:
    if control in NOT_YET:
        return NOT_YET[control]
    if not any(control in trial.red for fault in registry.names() for trial in registry.trials(fault)):
        missing = [fault for fault in one["faults"] if fault not in registry.names()]
        return LIVE if one["phase"] in ("live", "operate") else f"its break is not built: {', '.join(missing or one['faults'])}"
    return ""


def save(record: Mapping[str, Any], problems: Mapping[str, str], path: Path = RECORD) -> None:
    """Write the record, sorted, with what is unproven."""
    proofs = sorted(record["proofs"], key=lambda one: (one["control"], one["fault"], one["trial"]))
    body = {"about": record["about"], "proofs": proofs, "unproven": unproven(record, problems)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


@contextmanager
def held(path: Path = RECORD) -> Iterator[None]:
    """Hold the record from reading to writing: two campaigns may run side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def merge(record: dict[str, Any], fresh: Iterable[Mapping[str, Any]]) -> None:
    """Put fresh proofs in the place of those of the same control, fault and trial."""
    new = {(one["control"], one["fault"], one["trial"]): dict(one) for one in fresh}
    record["proofs"] = [one for one in record["proofs"] if (one["control"], one["fault"], one["trial"]) not in new] + list(new.values())
