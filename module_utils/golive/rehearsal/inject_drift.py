"""The drill behind drift.detection_proven: change something by hand, let the scheduled run look, and see whether it names the object.

`python -m golive.rehearsal.inject_drift --inventory inventories/<system>/lab.yml`; 0 found and named, 1 not found, 2 not done. For a
rehearsal only. What runs is what the timer runs, and its result is read by what reads the timer's (`golive.operate.drift_result`). What was
changed is put back whatever happens; a drill that was killed leaves a wrong mode of one file, which the next build corrects.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .. import envelope, lab, profile, rehearsal_signers, session
from ..errors import GoliveError
from ..lab.inventory import read_lab
from ..operate import drift_result
from .drills.hosts import Host

NAME, ISSUER, LASTS = "inject_drift", "lab-drill", timedelta(days=7)
PATH = "/etc/tmpfiles.d/golive-bot.conf"  # managed, harmless, read at boot only
RUNS_MOST = 2


def drill(host: Host, look: Callable[[], Path | None], *, most: int = RUNS_MOST) -> tuple[dict[str, Any], Path | None]:
    """Change, look until it is found (at most `most` runs), put back. Returns the record's `{passed, result, …}` and the last run's folder.

    `look` makes one scheduled run and returns the directory of its closed report, None where it could not tell.
    """
    before = host.need("stat", "--format=%a", PATH).strip()
    wrong = "600" if before != "600" else "644"  # nobody gains by it
    runs, named, folder = 0, False, None
    try:
        host.need("chmod", wrong, PATH)
        if host.need("stat", "--format=%a", PATH).strip() != wrong:  # a break that did not take hold proves nothing
            raise GoliveError("the change by hand did not take hold", where=host.name, found=PATH)
        while runs < most and not named:
            folder, runs = look(), runs + 1
            named = folder is not None and _names(folder, host.name)
    finally:
        host.need("chmod", before, PATH)
    result = {"runs_until_found": runs if named else most + 1, "named_object": named, "object": f"file:{PATH}"}
    return {"name": NAME, "passed": named, "result": result, "opportunities": runs, "witness": "golive"}, folder


def _names(folder: Path, host: str) -> bool:
    lines = [json.loads(line) for line in (folder / "changes.jsonl").read_text("utf-8").splitlines()] \
        if (folder / "changes.jsonl").is_file() else []
    return any((one["host"], one["object"], one["op"], one["check"]) == (host, f"file:{PATH}", "update", True) for one in lines)


def scheduled(root: Path, inventory: Path, reports: Path) -> Path | None:
    """Run what the timer runs; return the run that told, by the timer's own reading of exit code and closed report."""
    began = time.time()
    code = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(inventory),
                           "playbooks/operate/drift.yml"], cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode
    outcome, reason, run = drift_result.judged(str(reports), began, {"EXIT_CODE": "exited", "EXIT_STATUS": str(code)})
    print(f"{outcome.replace('_', ' ')}: {reason}")
    return reports / run if run is not None and outcome == "red" else None


def _sign(root: Path, system: str, values: Mapping[str, Any], payload: Mapping[str, Any], folder: Path) -> Path:
    try:
        bound = json.loads((folder / "release.json").read_text("utf-8"))["artifact"]
    except (OSError, ValueError, KeyError):
        raise GoliveError("the scheduled run did not see which release the bot's host holds", where=folder.name,
                          todo="run make golive up to deploy first") from None
    data = envelope.build(kind="drill", name=NAME, system=system, subject=bound, issued=datetime.now(UTC), lasts=LASTS,
                          issuer=ISSUER, role="issuer", payload=payload)
    directory = root / str(values["evidence_directory"])
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return envelope.write(directory, data, rehearsal_signers.key_of(root, system, ISSUER), ISSUER)


def _host(inventory: Path) -> Host:
    made = read_lab(inventory)
    said = (f"UserKnownHostsFile={made.known_hosts}", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "BatchMode=yes",
            "IdentitiesOnly=yes", "ConnectTimeout=10")
    options = ("-F", "none", "-i", str(made.key_file), *(word for one in said for word in ("-o", one)))
    bot = made.host("bot")
    return Host(bot.name, bot.address, ("ssh", *options, f"golive@{bot.address}"))


def main(argv: Sequence[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m golive.rehearsal.inject_drift", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--inventory", type=Path, default=lab.inventory.DEFAULT_INVENTORY)
    chosen = parser.parse_args(argv)
    root, inventory = session.ROOT, chosen.inventory.absolute()
    system = inventory.parent.name
    try:
        host = _host(inventory)
        payload, folder = drill(host, lambda: scheduled(root, inventory, session.reports_of(system)))
        if folder is None:
            raise GoliveError("the scheduled run could not tell anything, so nothing is proven", where=system, todo="look at its output")
        path = _sign(root, system, profile.from_files(inventory.parent, "rehearsal"), payload, folder)
    except GoliveError as exc:
        print(exc, file=sys.stderr)
        return 2
    print(f"{'named' if payload['passed'] else 'NOT named'} after {payload['opportunities']} runs, signed {path.name}")
    return 0 if payload["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
