"""The world of what the controller reads: signed records, the run directory, the audit chain, and a repository, all in a temporary root.

Everything is real but small: keys by ssh-keygen, signatures in golive's own form, a git repository with the stand-in bot. No host.
"""
from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive import audit, canonical, envelope, rehearsal_signers
from golive.leaks.index import Index
from golive.session import ROOT

from . import compiled
from .wanted import satisfying
from .world import Verdicts, World, ask_here, run

KINDS = {"drill": "drill", "ci": "ci", "load_test": "load"}
WORDS = {"drill": "name", "ci": "suite", "load_test": "profile"}
SLICE = 6
RELEASE = "sha256:" + "ab" * 32
COPIED = ("molecule/lab/bots/kraken_micro", "uv.lock", "docs/emergency.md", "playbooks")
NO_HOST = {"git": {"repo.no_secrets", "repo.no_secrets@store"}, "secret": {"exchange.key.dedicated_per_process", "secrets.backend"}}
#: secrets of this world, made here and known nowhere else
SECRET = {"key": "SANDBOX" + "K7" * 12, "secret": "cGxhbnRlZC1ieS10aGUtcmVkLXByb29mcy1hbmQtdXNlZC1ub3doZXJlLWVsc2U="}


class Controller(World):
    """Root with signers, run, evidence, attestations, waivers and a repository; every control that reads only these is green."""

    name = "controller"

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="golive-faults-"))
        self.reports = self.root / "reports" / compiled.SYSTEM
        self.run_dir = self.reports / self.run
        self.evidence = self.root / str(compiled.bound().values["evidence_directory"])
        self.heads = self.root / str(compiled.bound().values["audit_heads_file"])
        self.proofs = self.root / str(compiled.bound().values["red_proof_directory"])
        self.waivers = self.root / "waivers" / compiled.SYSTEM
        self.secrets = {name: json.dumps({"key": f"{SECRET['key']}{number}", "secret": SECRET["secret"]})
                        for number, name in enumerate(sorted(_references()))}
        self.secrets |= {name: Index.build({name: self.secrets[name.removeprefix("index:")]}).dump() for name in sorted(_indexes())}
        #: control -> fields of its question that the profile says otherwise now
        self.asked: dict[str, dict[str, Any]] = {}
        self._repository()
        self._people()
        self._run()
        self.records: dict[str, Path] = {}

    def catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        known = compiled.controls()
        return {**known, **{name: {**known[name], "ask": {**known[name]["ask"], **more}} for name, more in self.asked.items()}}

    def can_show(self) -> set[str]:
        found = set()
        for name, one in compiled.automated().items():
            if one["probe"] in (*KINDS, "report", "source") or name in NO_HOST.get(str(one["probe"]), ()):
                found.add(name)
        return found

    def ask(self, host: str, questions: dict[str, Any]) -> list[dict[str, Any]]:
        return ask_here(questions, {"root": str(self.root), "run_dir": str(self.run_dir), "system": compiled.SYSTEM}, self.secrets)

    def prepare(self, names: Iterable[str]) -> None:
        """Lay the records that these controls read; the others would only cost time."""
        shutil.rmtree(self.evidence, ignore_errors=True)
        self.evidence.mkdir(parents=True)
        self.records.clear()
        for name in names:
            control = compiled.controls()[name]
            if control["probe"] in KINDS:
                self.record(str(control["probe"]), str(control["ask"][WORDS[str(control["probe"])]]))
        if not self.records:  # who may issue evidence is asked of what there is
            self.record("ci", "all")
        self.gates()

    def look(self, names: Iterable[str]) -> Verdicts:
        """Observe in slices: each probe of a record verifies every record there is, so many records would cost their square."""
        todo, found = sorted(names), Verdicts()
        for start in range(0, len(todo), SLICE):
            found.update(super().look(todo[start:start + SLICE]))
        return found

    def record(self, probe: str, name: str, changes: Mapping[str, Any] | None = None, **more: Any) -> Path:
        """Sign and file a record by which every control that asks for it is green, changed as told, in the place of an earlier one."""
        asking = [one for one in compiled.controls().values()
                  if one["probe"] == probe and not one["attest"] and one["ask"].get(WORDS[probe]) == name]
        facts = satisfying(asking)
        result = {fact.removeprefix("result."): value for fact, value in facts.items()
                  if fact.startswith("result.") or (probe == "ci" and fact in ("failed", "tests", "findings_high"))}
        if probe == "ci":
            components = next((one["ask"]["components"] for one in asking if "components" in one["ask"]), [])
            result.update({"tests": max(30, int(result.get("tests", 0))), "failed": 0, "components": dict.fromkeys(components, 5)})
        least = max([int(one["min_opportunities"] or 1) for one in asking], default=1)
        payload = {"name": name, "passed": more.pop("passed", True), "result": {**result, **(changes or {})},
                   "opportunities": more.pop("opportunities", max(least, result.get("tests", 0))),
                   "witness": more.pop("witness", "golive")}
        kind = KINDS[probe]
        issuer = more.pop("issuer", f"lab-{kind}")
        subject = more.pop("subject", canonical.digest({"commit": self.commit}) if probe == "ci" else RELEASE)
        for old in self.evidence.glob(f"{name}-*.json*"):
            old.unlink()
        data = envelope.build(kind=kind, name=name, system=compiled.SYSTEM, subject=subject,
                              issued=datetime.now(UTC) - more.pop("ago", timedelta(seconds=5)),
                              lasts=more.pop("lasts", timedelta(days=400)), issuer=issuer, role="issuer", payload=payload)
        path = envelope.write(self.evidence, data, rehearsal_signers.key_of(self.root, compiled.SYSTEM, issuer), issuer)
        self.records[f"{probe}:{name}"] = path
        return path

    def gates(self, **changes: Mapping[str, Any]) -> None:
        """Write the gates of the run: every control passed, seen now; `changes` maps a control (dots as __) to what its verdict says."""
        told = {name.replace("__", "."): one for name, one in changes.items()}
        now = canonical.utc()
        by_phase: dict[str, list[dict[str, Any]]] = {}
        for name, one in compiled.controls().items():
            verdict = {"control": name, "verdict": "pass", "severity": one["severity"], "at": now, "closes": False, **told.get(name, {})}
            by_phase.setdefault(str(one["phase"]), []).append(verdict)
        for phase, verdicts in by_phase.items():
            self.write(f"{phase}/gate.json", {"phase": phase, "open": True, "at": now, "verdicts": verdicts})

    def write(self, name: str, value: Any) -> Path:
        """Write a file of the run, for its owner only."""
        path = self.run_dir / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(json.dumps(value) if not isinstance(value, str) else value, "utf-8")
        path.chmod(0o600)
        return path

    def commit_file(self, path: str, text: str) -> None:
        """Write a file of the repository and commit it, as a developer would; records of CI are then about another commit."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        self._git("add", "-f", path)
        self._git("commit", "-q", "-m", f"Change {path}")

    def back_to_first(self) -> None:
        """Take the repository back to its first commit, and forget what came after."""
        self._git("reset", "-q", "--hard", self.commit)
        self._git("reflog", "expire", "--expire=now", "--all")
        self._git("gc", "-q", "--prune=now")

    def _git(self, *words: str) -> str:
        who = ("-c", "user.name=faults", "-c", "user.email=faults@localhost", "-c", "commit.gpgsign=false")
        return run("git", *who, *words, cwd=self.root)

    def _repository(self) -> None:
        archive = run("git", "archive", "--format=tar", "-o", str(self.root / "tree.tar"), "HEAD", *COPIED, cwd=ROOT)
        run("tar", "-xf", str(self.root / "tree.tar"), "-C", str(self.root))
        (self.root / "tree.tar").unlink()
        (self.root / ".gitignore").write_text("/reports\n/signers\n/inventories\n/waivers\n/tests\n")
        run("git", "init", "-q", cwd=self.root, data=archive.encode())
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "What the controller reads of a repository")
        self.commit = self._git("rev-parse", "HEAD").strip()

    def _people(self) -> None:
        folder = self.root / "signers" / compiled.SYSTEM
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "signers" / compiled.SYSTEM / "roles.yml", folder)
        (folder / "production.allowed_signers").write_text("")
        rehearsal_signers.ensure(self.root, compiled.SYSTEM)
        self.waivers.mkdir(parents=True)

    def _run(self) -> None:
        self.run_dir.mkdir(parents=True, mode=0o700)
        self.run_dir.chmod(0o700)
        plain, frozen = compiled.plain(), compiled.bound().plain()
        self.write("compiled.json", plain)
        self.write("profile.json", frozen)
        release = {"catalogue": canonical.digest(plain["controls"]), "profile": frozen["digest"]}
        self.write("run.json", {"run": self.run, "system": compiled.SYSTEM, "rehearsal": True, "mode": "real", "release": release})
        self.write("release.json", {"artifact": RELEASE, "tree": RELEASE, "config": RELEASE})
        log = audit.AuditLog(str(self.reports / "audit.jsonl"))
        for act in ("open", "gate", "gate"):
            log.append(run=self.run, actor="golive", act=act, subject="preflight", detail={})
        self.heads.write_text(json.dumps([str(log.head())]))
        self.proofs.mkdir(parents=True, exist_ok=True)
        self.prove_all()

    def prove_all(self) -> None:
        """Write a red proof for every automated control, as a full campaign would."""
        from golive import bundle

        now = canonical.utc()
        proofs = [{"control": name, "probe": one["probe"], "probe_digest": bundle.probe(str(one["probe"])).digest, "verdict": "fail",
                   "at": now} for name, one in compiled.automated().items()]
        (self.proofs / "red_proofs.json").write_text(json.dumps({"proofs": proofs}))

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def _references() -> set[str]:
    found: set[str] = set()
    for one in compiled.controls().values():
        found |= {str(name) for name in one["ask"].get("references") or [] if one["probe"] in ("report", "secret")}
    return found | {name.removeprefix("index:") for name in _indexes()}


def _indexes() -> set[str]:
    return {str(name) for one in compiled.controls().values() if one["probe"] == "git" for name in one["ask"].get("secrets") or []}
