"""The CI of a rehearsal: runs the stand-in bot's suites on a clean copy of a commit and signs each result as `lab-ci`.

In production the bot's own CI does this and signs with its own key (docs/how-to). Nothing here runs in production.

The deployed commit of a rehearsal is HEAD. A checkout may be dirty while golive is developed; what a suite tests may not:
then the release that is built from the checkout would not be what was tested, and nothing is run or signed.
A commit that holds the same bytes as one that was tested (`result.tested`) gets the same result with its own subject and practically
the time of the real run (`result.ran_at`); outside words (advisories, the package index) grow old and are asked again.
"""
from __future__ import annotations

import functools
import json
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import tomllib
from packaging.version import InvalidVersion, Version

from .. import canonical, envelope, rehearsal_signers, session
from ..errors import GoliveError
from ..probes.ci import subject
from . import command

ISSUER, LASTS, FRESH = "lab-ci", timedelta(days=7), timedelta(hours=12)
BOT, TESTS, ADVISORIES = "molecule/lab/bots/kraken_micro", "tests/unit/bot", "molecule/lab/advisories.json"
# Tests whose names say that something goes wrong: the suite that the list calls error handling.
WRONG = ("refus", "kill", "torn", "damaged", "changed", "broken", "gone", "unclear", "stops", "lost", "jumps")
# assert, pass and continue in except, pseudo-random numbers, processes without a shell: graded low by bandit.
LOW = frozenset({"S101", "S110", "S112", "S311", "S404", "S603", "S606", "S607"})


# What decides a result, from the repository's root: the same bytes give the same result.
LOCK = ("uv.lock", "pyproject.toml")
TESTED = {"all": (BOT, TESTS, *LOCK), "error_handling": (BOT, TESTS, *LOCK), "sast": (BOT, *LOCK),
          "dependency_vulnerabilities": ("uv.lock", ADVISORIES), "dependency_freshness": ("uv.lock",)}


@dataclass(frozen=True)
class Result:
    """What one suite found. `opportunities` is how often it could have gone wrong; None: the suite could not be run here."""

    passed: bool
    opportunities: int
    result: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What was done for one suite: `op` is none (a record holds), create (run and signed), carry (same bytes) or silent (cannot run)."""

    suite: str
    op: str
    text: str

    def change(self) -> dict[str, Any]:
        """Return the change in the form that every set module reports."""
        return {"object": f"evidence:ci/{self.suite}", "op": "create", "before": None, "after": None}


def run(root: Path, system: str, suites: list[str], directory: Path, commit: str = "HEAD", *, dry: bool = False,
        now: datetime | None = None) -> list[Outcome]:
    """Run and sign the suites that have no young record for this commit. A dry run only tells which it would sign.

    Raises GoliveError when the checkout differs from the commit in what is tested.
    """
    full = _git(root, "rev-parse", "--verify", f"{commit}^{{commit}}")
    key = rehearsal_signers.key_of(root, system, ISSUER)
    now = now or datetime.now(timezone.utc)
    records = [one for one in envelope.reader(root, system, now, rehearsal=True).read_all(directory, "ci")[0] if now - one.issued < FRESH]
    done = {name: Outcome(name, "none", f"there is a record of {full[:12]}") for name in suites
            if any(one.payload.get("name") == name and one.subject == subject(full) for one in records)}
    todo = [name for name in suites if name not in done]
    if todo:
        _same_as_commit(root, full, sorted({path for name in todo for path in TESTED[name]}))
        with tempfile.TemporaryDirectory(prefix="golive-ci-") as folder:
            for name in todo:
                done[name] = _one(root, system, name, directory, full, key, records, Path(folder), now, dry)
    return [done[name] for name in suites]


def _one(root: Path, system: str, name: str, directory: Path, commit: str, key: Path, records: list[envelope.Envelope], copy: Path,
         now: datetime, dry: bool) -> Outcome:
    tested = tested_digest(root, commit, name)
    old = next((one for one in records if one.payload.get("name") == name and one.payload["result"].get("tested") == tested), None)
    if old is not None:
        if not dry:
            # A second later than the record it carries, so that it is the newest of its name; the time of the real run stays with it.
            _sign(system, name, directory, commit, key, min(now, old.issued + timedelta(seconds=1)), dict(old.payload))
        return Outcome(name, "carry", f"{old.id} is about the same bytes")
    if dry and name != "dependency_freshness":  # the one suite that only the package index can answer is asked even in a dry run
        return Outcome(name, "create", "would be run and signed")
    if not any(copy.iterdir()):
        archive = subprocess.run(["git", "-C", str(root), "archive", commit], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(copy, filter="data")
    found = SUITES[name](copy)
    if found is None:
        return Outcome(name, "silent", "could not be run here, no record was written")
    if dry:
        return Outcome(name, "create", "would be signed")
    result = {**found.result, "tested": tested, "ran_on": commit, "ran_at": canonical.utc(now)}
    payload = {"name": name, "passed": found.passed, "result": result, "opportunities": found.opportunities, "witness": "golive"}
    path = _sign(system, name, directory, commit, key, now, payload)
    return Outcome(name, "create", f"{'passed' if found.passed else 'FAILED'}, signed {path.name}")


def _sign(system: str, name: str, directory: Path, commit: str, key: Path, issued: datetime, payload: dict[str, Any]) -> Path:
    """File a record; the commit stands in its name, because one run may be about several commits of the same bytes."""
    data = envelope.build(kind="ci", name=f"{name}-{commit[:12]}", system=system, subject=subject(commit), issued=issued, lasts=LASTS,
                          issuer=ISSUER, role="issuer", payload=payload)
    return envelope.write(directory, data, key, ISSUER)


def tested_digest(root: Path, commit: str, suite: str) -> str:
    """Return the digest of everything that decides a suite's result: the tested files, this file and the Python that runs them."""
    listed = _git(root, "ls-tree", "-r", commit, "--", *TESTED[suite])
    return canonical.digest({"files": listed, "suite": suite, "ci": canonical.file_digest(__file__), "python": sys.version})


def _same_as_commit(root: Path, commit: str, paths: list[str]) -> None:
    """Refuse a checkout whose tested files are not the commit's: the release is built from the checkout."""
    told = _git(root, "diff", "--name-only", commit, "--", *paths).splitlines()
    told += _git(root, "ls-files", "--others", "--exclude-standard", "--", *paths).splitlines()
    if told:
        raise GoliveError("what is tested differs from the commit that counts as deployed", where=", ".join(sorted(told)[:3]),
                          found="changes that are not committed", expected=f"the files of {commit[:12]}",
                          todo="commit them, then run again")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GoliveError("git did not answer", found=done.stderr.strip()[:160], todo="the rehearsal's CI needs the repository's history")
    return done.stdout.strip()


@functools.lru_cache(maxsize=1)
def _cases(copy: Path) -> tuple[ET.Element, ...]:
    """Run the bot's tests once for all suites that are made of them."""
    report = copy / "junit.xml"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", TESTS], cwd=copy,
                   capture_output=True, check=False, timeout=600)
    try:
        return tuple(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 (our own pytest wrote it)
    except (OSError, ET.ParseError):
        raise GoliveError("the tests of the bot did not run to their end", where=TESTS) from None


def counted(cases: tuple[ET.Element, ...]) -> Result:
    """Return what test cases in junit's form say. No test that ran is no pass."""
    bad = [one for one in cases if one.find("failure") is not None or one.find("error") is not None]
    skipped = [one for one in cases if one.find("skipped") is not None]
    components: dict[str, int] = {}
    for one in cases:
        name = str(one.get("classname", "")).rpartition("test_")[2].split(".")[0]
        components[name] = components.get(name, 0) + (one not in skipped)
    ran = len(cases) - len(skipped)
    return Result(ran > 0 and not bad, ran, {"tests": ran, "failed": len(bad), "skipped": len(skipped), "components": components})


def _all(copy: Path) -> Result:
    return counted(_cases(copy))


def _error_handling(copy: Path) -> Result:
    return counted(tuple(one for one in _cases(copy) if any(word in str(one.get("name")) for word in WRONG)))


def _sast(copy: Path) -> Result:
    """ruff's security rules over the bot. They are bandit's; what bandit grades as low is counted apart, all else as high."""
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--select", "S", "--output-format", "json", BOT], cwd=copy,
                          capture_output=True, text=True, check=False)
    try:
        findings = json.loads(done.stdout)
    except ValueError:
        raise GoliveError("the static analysis did not run", found=done.stderr.strip()[:160]) from None
    files = sum(1 for _one in (copy / BOT).rglob("*.py"))
    high = [one for one in findings if one.get("code") not in LOW]
    where = sorted(f"{Path(one['filename']).name}:{one['location']['row']} {one['code']}" for one in high)
    return Result(not high, files, {"findings_high": len(high), "findings_low": len(findings) - len(high), "failed": len(high),
                                    "findings": where, "files": files})


def locked(copy: Path) -> dict[str, str]:
    """Return name and version of everything that the bot's release is made of, out of the project's lock file."""
    packages = {one["name"]: one for one in tomllib.loads((copy / "uv.lock").read_text("utf-8"))["package"]}
    direct = [one["name"] for one in packages["golive"]["optional-dependencies"]["bot"]]
    found, todo = dict[str, str](), direct
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = packages[name]["version"]
            todo += [one["name"] for one in packages[name].get("dependencies", [])]
    return found


def judged(versions: Mapping[str, str], advisories: list[Mapping[str, str]]) -> list[str]:
    """Return `package version: id` for each advisory of high or critical severity that is not fixed in the locked version."""
    found = []
    for one in advisories:
        version = versions.get(one["package"])
        if version is not None and one["severity"] in ("high", "critical") and Version(version) < Version(one["fixed_in"]):
            found.append(f"{one['package']} {version}: {one['id']}")
    return sorted(found)


def _vulnerabilities(copy: Path) -> Result:
    """Ask the advisory service through pip-audit; what it skips is not judged, so then the lab's snapshot stands in, and says so."""
    versions = locked(copy)
    (copy / "locked.txt").write_text("".join(f"{name}=={version}\n" for name, version in sorted(versions.items())))
    done = subprocess.run([sys.executable, "-m", "pip_audit", "-r", "locked.txt", "--no-deps", "--disable-pip", "-f", "json"], cwd=copy,
                          capture_output=True, text=True, check=False, timeout=120)
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        told = []
    if told and not any("skip_reason" in one for one in told):
        bad = [f"{one['name']} {one['version']}: {vuln['id']}" for one in told for vuln in one.get("vulns", [])]
        return Result(not bad, len(told), {"findings_high": len(bad), "failed": len(bad), "findings": bad, "source": "pip-audit"})
    snapshot = json.loads((copy / ADVISORIES).read_text("utf-8"))
    bad = judged(versions, snapshot["advisories"])
    return Result(not bad, len(versions), {"findings_high": len(bad), "failed": len(bad), "findings": bad,
                                           "source": f"lab snapshot of {snapshot['taken']}"})


def _freshness(copy: Path) -> Result | None:
    """Compare the direct dependencies with the newest release that the package index offers; silent index: no record."""
    packages = {one["name"]: one for one in tomllib.loads((copy / "uv.lock").read_text("utf-8"))["package"]}
    behind, asked = [], 0
    for name in [one["name"] for one in packages["golive"]["optional-dependencies"]["bot"]]:
        done = subprocess.run([sys.executable, "-m", "pip", "index", "versions", name], capture_output=True, text=True, check=False,
                              timeout=60)
        try:
            newest = Version(done.stdout.split("(", 1)[1].split(")", 1)[0])
        except (IndexError, InvalidVersion):
            return None
        asked += 1
        if Version(packages[name]["version"]).major < newest.major:
            behind.append(f"{name} {packages[name]['version']}, newest is {newest}")
    return Result(not behind, asked, {"failed": len(behind), "behind": behind})


SUITES: dict[str, Callable[[Path], Result | None]] = {
    "all": _all, "error_handling": _error_handling, "sast": _sast, "dependency_vulnerabilities": _vulnerabilities,
    "dependency_freshness": _freshness}


def main(arguments: list[str] | None = None) -> int:
    """`python -m golive.rehearsal.bot_ci --system S`: run what has no record yet; 0 done (also with red suites), 2 not done."""
    def act(system: str, names: list[str], directory: Path) -> Iterator[str]:
        return (f"{one.suite}: {one.text}" for one in run(session.ROOT, system, names, directory))
    return command.answer("golive.rehearsal.bot_ci", __doc__, "--suite", SUITES, act, arguments)


if __name__ == "__main__":
    sys.exit(main())
