"""The record of a run as the money actions read it: every file once, every gate judged again from its observations."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import acts, envelope, gate, opening, plan, session, subject, waiver
from .arming import BEFORE_ARMING, Record
from .canonical import digest, file_digest, parse_utc, utc
from .errors import GoliveError
from .rundir import RunDir


def judged(run: RunDir, info: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    """Return the verdicts of a phase, judged from the observations of this run."""
    controls = session.controls_of(run, phase)
    expected = plan.targets(controls, info["groups"])
    observed: list[Mapping[str, Any]] = []
    for host in sorted({one.host for one in expected}):
        seen = run.read(f"{phase}/{host}.json")
        if seen is not None and seen.get("run") == run.run and seen.get("phase") == phase:
            observed += seen["observations"]
    found = gate.verdicts(controls, expected, observed, run.run, _waivers(run, info, observed), rehearsal=bool(info["rehearsal"]))
    return opening.carried(run, controls, found)


def _waivers(run: RunDir, info: Mapping[str, Any], observed: list[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the open waivers that cover what was observed now, by control. A waiver that breaks a rule stops the run."""
    folder = session.ROOT / "waivers" / str(info["system"])
    if not any(folder.glob("*.json")):
        return {}
    reader = envelope.reader(session.ROOT, str(info["system"]), parse_utc(utc()), rehearsal=bool(info["rehearsal"]))
    controls, release = run.need("compiled.json")["controls"], digest(info["release"])
    covering: dict[str, dict[str, Any]] = {}
    for name, one in waiver.load(reader, folder, controls).items():
        seen = [None if obs["undecided"] else obs["facts"] for obs in observed if obs["control"] == name]
        if seen and all(waiver.covers(one, controls[name], release, facts) is None for facts in seen):
            covering[name] = one.plain()
    return covering


def observed_since(run: RunDir, phase: str, at: str) -> bool:
    """Return whether a host was observed in a phase after a moment (UTC text), so that the phase's gate has to judge again."""
    names = [path.name for path in (run.path / phase).glob("*.json") if not path.name.startswith(("plan.", "gate."))]
    seen = [run.read(f"{phase}/{name}") for name in names]
    return any(str(one.get("finished") or "") > at for one in seen if isinstance(one, dict))


def load(run: RunDir) -> Record:
    """Return what the run directory says. A file that cannot be judged leaves its phase without verdicts, which closes it."""
    info = run.need("run.json")
    gates: dict[str, Any] = {}
    digests: dict[str, str] = {}
    rejudged: dict[str, list[dict[str, Any]]] = {}
    for phase in BEFORE_ARMING:
        gates[phase] = _read(run, f"{phase}/gate.json")
        if gates[phase] is None:
            continue
        digests[phase] = file_digest(str(run.path / phase / "gate.json"))
        try:
            rejudged[phase] = judged(run, info, phase)
        except (GoliveError, KeyError, TypeError, AttributeError):
            rejudged[phase] = []
    chain, problem = None, ""
    try:
        chain = acts.log_of(run).verify()
    except GoliveError as exc:
        problem = str(exc)
    return Record(info, _read(run, "profile.json"), _read(run, "compiled.json"), _read(run, subject.BOUND), gates, digests, rejudged,
                  _read(run, "finished.json"), chain, problem)


def _read(run: RunDir, name: str) -> Any:
    try:
        value = run.read(name)
    except GoliveError:
        return None
    return value if isinstance(value, dict) else None
