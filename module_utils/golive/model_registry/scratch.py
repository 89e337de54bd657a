"""Does the registry refuse what it must? Asked of a registry of its own, in memory, with keys of its own, under the profile's thresholds.

The probe `model_registry` asks this on the host where models are promoted. Nothing of the real registry is touched; the scratch one lies in
a private folder of /dev/shm and is gone with the answer. Every refusal has its control: the same act, done right, must succeed.
"""
from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, List, Mapping, Tuple

from .. import canonical
from ..errors import Undecided
from . import manifest, names, records, task
from .judgement import INTEGRITY, OOS_METRICS, RISK_CHECKS, SCHEMA, limit
from .manifest import File

SCOPE = "scratch/registry"
_AT = datetime(2026, 1, 10, 3, 30, tzinfo=timezone.utc)
_PEOPLE = {"lab-one": {"person": "One", "roles": ["approver"]}, "lab-two": {"person": "Two", "roles": ["approver"]},
           "lab-three": {"person": "Three", "roles": ["approver"]}}
_ISSUERS = {"lab-ledger": "ledger", "lab-drill": "drill", "lab-ci": "ci"}
Result = Dict[str, Any]


def ask(profile: Mapping[str, Any], bot_schema: Mapping[str, Any], approvers: int) -> Dict[str, Any]:
    """Return the facts. Raises Undecided where no good candidate can be built under this profile, or a tool is missing."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 (a private folder in it, gone at the end)
    with tempfile.TemporaryDirectory(prefix="golive-scratch-", dir=memory) as place:
        return _Scene(os.path.realpath(place), dict(profile), bot_schema, min(approvers, len(_PEOPLE))).facts()


class _Scene:
    def __init__(self, place: str, profile: Mapping[str, Any], bot_schema: Mapping[str, Any], approvers: int) -> None:
        self.place, self.profile, self.schema, self.approvers = place, profile, bot_schema, approvers
        self.now = _AT
        for area in (*names.AREAS, "keys"):
            os.makedirs(os.path.join(place, SCOPE, area), mode=0o700)
        lines = [self._key(name, "golive-attest,golive-evidence") for name in (*_PEOPLE, *_ISSUERS)]
        self.signers = "".join(lines)

    def facts(self) -> Dict[str, Any]:
        """Ask all questions, the good way first."""
        first, second = self._good(1), self._good(2)
        unconfirmed = self._do("approve", **{key: one for key, one in first.items() if key != "confirm"})
        untouched = self._pointer() is None
        moved = self._do("approve", **first)
        found: Dict[str, Any] = {
            "scratch.good_accepted": not moved.get("failed"), "scratch.unconfirmed_refused": bool(unconfirmed.get("failed")) and untouched,
            "scratch.confirmed_moved": self._at() == first["candidate"]}
        if moved.get("failed"):
            raise Undecided("under this profile not even a good candidate is promoted: %s" % moved["msg"][:300])
        found.update(self._unsigned(second))
        self._do("approve", **second)
        found.update(self._rollback(first, second))
        found.update(self._tampered(first, second))
        found.update(self._bad_candidates())
        return found

    def _unsigned(self, second: Mapping[str, Any]) -> Dict[str, Any]:
        nobody = os.path.join(self.place, "nobody")
        os.makedirs(nobody)
        refused = self._do("approve", **dict(second, approvals=nobody))
        self.now = _AT + timedelta(hours=12)
        closed = self._do("approve", **second)
        self.now = _AT
        return {"scratch.unsigned_refused": bool(refused.get("failed")) and self._at() != second["candidate"],
                "scratch.outside_window_refused": bool(closed.get("failed")) and self._at() != second["candidate"]}

    def _rollback(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> Dict[str, Any]:
        log = os.path.join(self.place, SCOPE, names.MODELS, names.LOG)
        os.chmod(log, 0o666)  # noqa: S103 (a log that others may write cannot be trusted: the rollback must fail, not go unlogged)
        unlogged = self._do("rollback", reason="scratch", away_from=second["candidate"])
        held = self._at() == second["candidate"]
        os.chmod(log, 0o600)
        done = self._do("rollback", reason="scratch", away_from=second["candidate"], actor="lab-one")
        moves = self._do("info")["facts"]["moves"]
        entry = moves[0] if moves else {}
        logged = (entry.get("act"), entry.get("reason"), entry.get("digest"), entry.get("previous"), entry.get("actor")) == (
            "model.rollback", "scratch", first["candidate"], second["candidate"], "lab-one")
        return {"scratch.rolled_back": not done.get("failed") and self._at() == first["candidate"], "scratch.rollback_logged": logged,
                "scratch.unlogged_rollback_refused": bool(unlogged.get("failed")) and held}

    def _tampered(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> Dict[str, Any]:
        path = os.path.join(self.place, SCOPE, names.MODELS, names.folder(second["candidate"]), "files", "model.bin")
        _flip(path)
        refused = self._do("rollback", reason="scratch", candidate=second["candidate"])
        seen = self._do("verify")
        return {"scratch.tampered_refused": bool(refused.get("failed")) and self._at() == first["candidate"],
                "scratch.tampered_seen": any("MODELS" in one for one in seen["problems"])}

    def _bad_candidates(self) -> Dict[str, Any]:
        """Hand in one bad candidate for each gate; each must be refused by the gate that should."""
        refused, asked = [], (INTEGRITY, SCHEMA, OOS_METRICS, RISK_CHECKS)
        for number, gate in enumerate(asked):
            judged = self._validated(10 + number, gate)
            if judged["facts"].get("gates", {}).get(gate) == "fail":
                refused.append(gate)
        return {"scratch.bad_refused": sorted(refused), "scratch.bad_refused_count": len(refused), "scratch.bad_tried": len(asked)}

    # --- building ---------------------------------------------------------------------------------------------------

    def _good(self, seed: int) -> Dict[str, Any]:
        judged = self._validated(seed, None)
        if judged.get("failed"):
            raise Undecided("under this profile not even a good candidate passes: %s" % judged["msg"][:300])
        candidate, validation = judged["facts"]["candidate"], judged["facts"]["validation"]
        folder = os.path.join(self.place, "approvals-%d" % seed)
        payload = {"statement": records.STATEMENT, "values": {}, "audit_head": "0:sha256:" + "0" * 64}
        people = list(_PEOPLE)[:max(1, self.approvers)]
        self._file(folder, "attestation", "model.approved", records.approval_subject(SCOPE, candidate, validation), "approver", payload,
                   people, "golive-attest")
        return {"candidate": candidate, "validation": validation, "approvals": folder, "confirm": True}

    def _validated(self, seed: int, bad: Any) -> Result:
        source, evidence = os.path.join(self.place, "source-%d" % seed), os.path.join(self.place, "evidence-%d" % seed)
        candidate = self._candidate(source, seed, bad)
        registered = self._do("register", source=source)
        if registered.get("failed"):
            raise Undecided("a scratch candidate was not registered: %s" % registered["msg"][:300])
        if bad == INTEGRITY:
            _flip(os.path.join(self.place, SCOPE, names.CANDIDATES, names.folder(candidate), "files", "model.bin"))
        self._evidence(evidence, candidate, bad)
        return self._do("validate", candidate=candidate, evidence=evidence)

    def _candidate(self, folder: str, seed: int, bad: Any) -> str:
        os.makedirs(folder)
        kind, data = _model(self.profile, seed)
        features = [dict(one) for one in self.schema["features"]]
        if bad == SCHEMA:
            features[0]["name"] = str(features[0]["name"]) + "_other"
        declared = {"format": 1, "name": "scratch", "model": {"format": kind, "files": ["model.bin"]},
                    "schema": {"features": features, "outputs": self.schema["outputs"]},
                    "training": {"from": "2025-01-01T00:00:00Z", "until": "2025-02-01T00:00:00Z", "dataset": "sha256:" + "0" * 64,
                                 "code_commit": "0" * 40, "started": "2026-01-09T03:00:00Z",
                                 "ended": "2026-01-09T04:%02d:00Z" % seed}}
        for name, content in (("model.bin", data), (names.DECLARATION, canonical.encode(declared))):
            _write(os.path.join(folder, name), content)
        listed = manifest.encode([File(name, len(content), canonical.digest(content)) for name, content in (
            ("model.bin", data), (names.DECLARATION, canonical.encode(declared)))])
        _write(os.path.join(folder, "%s.lab-ci.sig" % names.MANIFEST), self._sign(listed, "lab-ci", "golive-evidence"))
        return canonical.digest(listed)

    def _evidence(self, folder: str, candidate: str, bad: Any) -> None:
        rows, windows = _track(self.profile, candidate, -1 if bad == OOS_METRICS else 1)
        os.makedirs(folder)
        _write(os.path.join(folder, names.PREDICTIONS), rows)
        ledger = {"sha256": "sha256:" + hashlib.sha256(rows).hexdigest(), "windows": windows}
        inputs = [{"name": one["name"], "dtype": one["dtype"]} for one in self.schema["features"]]
        canary = {"runtime": {"uid": 65534, "network": False, "unit": "scratch"}, "inputs": inputs,
                  "cases": _cases(self.profile, bad == RISK_CHECKS)}
        for (kind, name), issuer, result in ((records.TRACK_RECORD, "lab-ledger", ledger), (records.CANARY, "lab-drill", canary)):
            payload = {"name": name, "passed": True, "result": result, "opportunities": 1, "witness": "golive"}
            self._file(folder, kind, name, candidate, "issuer:" + kind, payload, [issuer], "golive-evidence")

    def _file(self, folder: str, kind: str, name: str, subject: str, role: str, payload: Mapping[str, Any], by: List[str],
              namespace: str) -> None:
        os.makedirs(folder, exist_ok=True)
        issued = _AT - timedelta(minutes=10)
        identity = "%s-%s" % (name, canonical.utc(issued).replace(":", "").replace("-", ""))
        data = canonical.encode({
            "kind": kind, "id": identity, "system": "scratch", "subject": subject, "issued": canonical.utc(issued),
            "expires": canonical.utc(_AT + timedelta(days=1)), "issuer": by[0], "role": role, "payload": dict(payload)})
        _write(os.path.join(folder, identity + ".json"), data)
        for one in by:
            _write(os.path.join(folder, "%s.json.%s.sig" % (identity, one)), self._sign(data, one, namespace))

    def _key(self, name: str, namespaces: str) -> str:
        path = os.path.join(self.place, SCOPE, "keys", name)
        self._keygen(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], b"")
        with open(path + ".pub", encoding="ascii") as handle:
            kind, key = handle.read().split()[:2]
        return '%s namespaces="%s",valid-before="20991231Z" %s %s\n' % (name, namespaces, kind, key)

    def _sign(self, data: bytes, name: str, namespace: str) -> bytes:
        return self._keygen(["-q", "-Y", "sign", "-f", os.path.join(self.place, SCOPE, "keys", name), "-n", namespace], data)

    @staticmethod
    def _keygen(words: List[str], data: bytes) -> bytes:
        try:
            return subprocess.run(["ssh-keygen", *words], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                                  timeout=20).stdout
        except (OSError, subprocess.SubprocessError) as exc:
            raise Undecided("ssh-keygen could not be used (%s)" % type(exc).__name__) from None

    # --- asking -----------------------------------------------------------------------------------------------------

    def _do(self, action: str, **more: Any) -> Result:
        """Run an action with the module's own defaults: a default that lets something through is seen here."""
        defaults = {name: one.get("default") for name, one in task.SPEC.items()}
        given = {**defaults, "action": action, "store": {"path": self.place}, "scope": SCOPE, "system": "scratch", "rehearsal": True,
                 "profile": self.profile, "bot_schema": self.schema, "signers": self.signers, "people": _PEOPLE, "issuers": _ISSUERS,
                 "approvers": self.approvers, "window": "03:00-05:00", **more}
        now: Callable[[], datetime] = lambda: self.now  # noqa: E731
        return task.perform(given, False, None, now=now)

    def _pointer(self) -> Any:
        try:
            with open(os.path.join(self.place, SCOPE, names.MODELS, names.POINTER), "rb") as handle:
                return json.load(handle)
        except FileNotFoundError:
            return None

    def _at(self) -> Any:
        return (self._pointer() or {}).get("digest")


def _model(profile: Mapping[str, Any], seed: int) -> Tuple[str, bytes]:
    formats = profile.get("formats") or []
    salt = hashlib.sha256(b"%d" % seed).digest()
    if "onnx" in formats:     # ir_version, a graph with a name, an opset
        return "onnx", b"\x08\x08" + b"\x3a\x22\x12\x20" + salt + b"\x42\x02\x10\x11"
    if "safetensors" in formats:
        index = b'{"w":{"dtype":"U8","shape":[32],"data_offsets":[0,32]}}'
        return "safetensors", len(index).to_bytes(8, "little") + index + salt
    raise Undecided("the profile allows no format of which a scratch model can be made (onnx, safetensors)")


def _track(profile: Mapping[str, Any], candidate: str, sign: int) -> Tuple[bytes, List[Dict[str, Any]]]:
    """Return predictions that earn (or lose) at each trade, one bar a day, as many windows and trades as the profile asks for."""
    count = int(max(limit(profile, "windows_min"), 1))
    trades = int(max(limit(profile, "trades_min"), limit(profile, "own_trades_min"), 10)) + 5
    guess = max(limit(profile, "enter_at"), 1e-6) * 1.5
    cost = limit(profile, "fee") + limit(profile, "slippage")
    embargo = timedelta(seconds=limit(profile, "embargo_s")) + timedelta(days=1)
    start = datetime(2025, 2, 1, tzinfo=timezone.utc) + embargo
    lines, windows = [], []
    for number in range(count):
        own = number == count - 1
        until = datetime(2025, 2, 1, tzinfo=timezone.utc) if own else start - embargo
        end = start + timedelta(days=trades)
        windows.append({"train_from": "2025-01-01T00:00:00Z", "train_until": canonical.utc(until), "test_from": canonical.utc(start),
                        "test_until": canonical.utc(end), "model": candidate if own else None})
        for day in range(trades):
            side = 1 if day % 2 else -1
            outcome = sign * side * (2 * cost + 0.01 + 0.001 * (day % 3))
            lines.append({"at": canonical.utc(start + timedelta(days=day)), "symbol": "SCRATCH", "window": number,
                          "prediction": side * guess, "outcome": round(outcome, 9)})
        start = end + embargo
    return b"".join(canonical.encode(one) + b"\n" for one in lines), windows


def _cases(profile: Mapping[str, Any], bad: bool) -> List[Dict[str, Any]]:
    size = min(limit(profile, "position_max"), limit(profile, "position_size"))
    found = []
    for kind in ("normal", "nan", "stale", "extreme"):
        for _ in range(int(max(1, limit(profile, "canary_min")))):
            trades = kind == "normal" or (bad and kind == "nan")
            number = None if kind in ("nan", "stale") else 0.1
            found.append({"kind": kind, "output": number, "again": number, "action": "trade" if trades else "hold",
                          "position": size if trades else 0})
    return found


def _flip(path: str) -> None:
    os.chmod(path, 0o600)
    with open(path, "r+b") as handle:
        handle.seek(-1, os.SEEK_END)
        last = handle.read(1)
        handle.seek(-1, os.SEEK_END)
        handle.write(bytes([last[0] ^ 1]))


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as handle:
        handle.write(data)
