"""The CI of a rehearsal: runs the stand-in bot's suites on a clean copy of a commit and signs each result as `lab-ci`.

In production the bot's own CI does this and signs with its own key (docs/how-to). Nothing here runs in production.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import tomllib
from packaging.version import InvalidVersion, Version

from .. import envelope, rehearsal_signers, session
from ..errors import GoliveError
from ..probes.ci import subject

ISSUER, LASTS, FRESH = "lab-ci", timedelta(days=7), timedelta(hours=12)
BOT, TESTS, ADVISORIES = "molecule/lab/bots/kraken_micro", "tests/unit/bot", "molecule/lab/advisories.json"
# Tests whose names say that something goes wrong: the suite that the list calls error handling.
WRONG = "refus or kill or torn or damaged or changed or broken or gone or unclear or stops or lost or jumps"
# assert, pass and continue in except, pseudo-random numbers, processes without a shell: graded low by bandit.
LOW = frozenset({"S101", "S110", "S112", "S311", "S404", "S603", "S606", "S607"})


@dataclass(frozen=True)
class Result:
    """What one suite found. `opportunities` is how often it could have gone wrong; None: the suite could not be run here."""

    passed: bool
    opportunities: int
    result: dict[str, Any]


def run(root: Path, system: str, suites: list[str], directory: Path, commit: str = "HEAD") -> list[str]:
    """Run and sign the suites that have no young record for this commit, and return what was done, a line each."""
    full = _git(root, "rev-parse", "--verify", f"{commit}^{{commit}}")
    key, lines = rehearsal_signers.key_of(root, system, ISSUER), []
    now = datetime.now(timezone.utc)
    todo = [name for name in suites if not _young(root, system, directory, name, full, now)]
    if not todo:
        return [f"{name}: there is a record of {full[:12]}" for name in suites]
    with tempfile.TemporaryDirectory(prefix="golive-ci-") as folder:
        copy = Path(folder)
        archive = subprocess.run(["git", "-C", str(root), "archive", full], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(copy, filter="data")
        for name in todo:
            found = SUITES[name](copy)
            if found is None:
                lines.append(f"{name}: could not be run here, no record was written")
                continue
            payload = {"name": name, "passed": found.passed, "result": found.result, "opportunities": found.opportunities,
                       "witness": "golive"}
            data = envelope.build(kind="ci", name=name, system=system, subject=subject(full), issued=datetime.now(timezone.utc),
                                  lasts=LASTS, issuer=ISSUER, role="issuer", payload=payload)
            path = envelope.write(directory, data, key, ISSUER)
            lines.append(f"{name}: {'passed' if found.passed else 'FAILED'}, signed {path.name}")
    return lines


def _young(root: Path, system: str, directory: Path, name: str, commit: str, now: datetime) -> bool:
    """Return whether a record of this commit holds and is younger than a day, the shortest age that a control asks for."""
    good, _bad = envelope.reader(root, system, now, rehearsal=True).read_all(directory, "ci")
    return any(one.payload.get("name") == name and one.subject == subject(commit) and now - one.issued < FRESH for one in good)


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GoliveError("git did not answer", found=done.stderr.strip()[:160], todo="the rehearsal's CI needs the repository's history")
    return done.stdout.strip()


def _pytest(copy: Path, *words: str) -> Result:
    report = copy / "junit.xml"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", TESTS, *words], cwd=copy,
                   capture_output=True, check=False, timeout=600)
    try:
        cases = list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 (our own pytest wrote it)
    except (OSError, ET.ParseError):
        raise GoliveError("the tests of the bot did not run to their end", where=TESTS) from None
    bad = [one for one in cases if one.find("failure") is not None or one.find("error") is not None]
    skipped = [one for one in cases if one.find("skipped") is not None]
    components: dict[str, int] = {}
    for one in cases:
        name = str(one.get("classname", "")).rpartition("test_")[2].split(".")[0]
        components[name] = components.get(name, 0) + (one not in skipped)
    ran = len(cases) - len(skipped)
    return Result(ran > 0 and not bad, ran, {"tests": ran, "failed": len(bad), "skipped": len(skipped), "components": components})


def _all(copy: Path) -> Result:
    return _pytest(copy)


def _error_handling(copy: Path) -> Result:
    return _pytest(copy, "-k", WRONG)


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
    parser = argparse.ArgumentParser(prog="python -m golive.rehearsal.bot_ci", description=__doc__)
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, help="where records are filed; reports/<system>/evidence is the default")
    parser.add_argument("--suite", action="append", choices=sorted(SUITES))
    chosen = parser.parse_args(arguments)
    directory = chosen.directory or session.ROOT / "reports" / chosen.system / "evidence"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        print("\n".join(run(session.ROOT, chosen.system, chosen.suite or list(SUITES), directory)))
    except (GoliveError, OSError, subprocess.SubprocessError) as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
