"""`python -m golive.rehearsal.wire --system S`: drills that have no record for this release yet; 0 done, 2 not done."""
from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ... import envelope, rehearsal_signers, release_build, session
from ...errors import GoliveError
from .scenarios import SCENARIOS
from .world import Copy, Exchange, NotSeen, unpack

ISSUER, LASTS = "lab-drill", timedelta(days=7)


def run(root: Path, system: str, names: list[str], directory: Path, archive: Path, subject: str) -> list[str]:
    """Run and sign what has no record of this release that holds, and return what was done, a line each."""
    key = rehearsal_signers.key_of(root, system, ISSUER)
    good, _bad = envelope.reader(root, system, datetime.now(timezone.utc), rehearsal=True).read_all(directory, "drill")
    done = {one.payload.get("name") for one in good if one.subject == subject and one.payload.get("passed")}
    lines = [f"{name}: there is a record of {subject[7:19]}" for name in names if name in done]
    todo = [name for name in SCENARIOS if name in names and name not in done]  # in their own order: the last moves the clock
    if not todo:
        return lines
    with tempfile.TemporaryDirectory(prefix="golive-wire-") as folder:
        app, exchange = unpack(archive, Path(folder) / "release"), Exchange(Path(folder) / "exchange", root)
        try:
            for name in todo:
                payload = drill(name, exchange, app, Path(folder) / name)
                data = envelope.build(kind="drill", name=name, system=system, subject=subject, issued=datetime.now(timezone.utc),
                                      lasts=LASTS, issuer=ISSUER, role="issuer", payload=payload)
                path = envelope.write(directory, data, key, ISSUER)
                words = payload["result"].get("not_seen", "passed" if payload["passed"] else "FAILED")
                lines.append(f"{name}: {words}, signed {path.name}")
        finally:
            exchange.stop()
    return lines


def drill(name: str, exchange: Exchange, app: Path, folder: Path) -> dict[str, Any]:
    """Drive one scenario and return its payload; what did not come true is a failed drill, and the record says what."""
    copies: list[Copy] = []

    def make(mode: str, **changes: Any) -> Copy:
        copies.append(Copy(folder / str(len(copies)), app, exchange, mode, changes))
        return copies[-1]

    try:
        result, opportunities = SCENARIOS[name](exchange, make)
        passed = all(value is not False for key, value in result.items() if key == "control_stimulus_passed")
    except NotSeen as exc:
        result, opportunities, passed = {"not_seen": f"did not come true: {exc}"}, 0, False
    finally:
        exchange.calm()
        for one in copies:
            one.end(9)
    return {"name": name, "passed": passed, "result": result, "opportunities": opportunities, "witness": "venue"}


def main(arguments: list[str] | None = None) -> int:
    """Run the drills."""
    parser = argparse.ArgumentParser(prog="python -m golive.rehearsal.wire", description=__doc__)
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, help="where records are filed; reports/<system>/evidence is the default")
    parser.add_argument("--drill", action="append", choices=sorted(SCENARIOS))
    chosen = parser.parse_args(arguments)
    directory = chosen.directory or session.ROOT / "reports" / chosen.system / "evidence"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        built = release_build.build("bot")
        lines = run(session.ROOT, chosen.system, chosen.drill or list(SCENARIOS), directory, Path(built.path), f"sha256:{built.sha256}")
    except (GoliveError, OSError, subprocess.SubprocessError) as exc:
        print(exc, file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0
