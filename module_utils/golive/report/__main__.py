"""python -m golive.report RUN|latest: rebuilds every report of a run from its directory, also of a run that was killed."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .. import rundir
from ..errors import GoliveError
from . import build, console, write


def main(arguments: list[str] | None = None) -> int:
    """Rebuild and print. Exit 0: written (whatever the verdict), 2: one sentence on stderr says why not."""
    parser = argparse.ArgumentParser(prog="python -m golive.report", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run id, the path of a run directory, or `latest`")
    parser.add_argument("--system", help="which system, where reports/ holds more than one")
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    parser.add_argument("--share", action="store_true", help="write an edition for other eyes into RUN/share/: no addresses, no values")
    parser.add_argument("--quiet", action="store_true", help="print the path of the report only")
    chosen = parser.parse_args(arguments)
    try:
        run_dir = find(chosen.run, chosen.reports, chosen.system)
        report = build(run_dir, shared=chosen.share, running=going_on(run_dir))
        written = write(report, run_dir / "share" if chosen.share else run_dir)
    except GoliveError as exc:
        print(f"golive.report: {exc}", file=sys.stderr)
        return 2
    path = next((one for one in written if one.suffix == ".html"), written[0])
    if chosen.quiet:
        print(path)
    else:
        console.show(report, report_path=str(path))
    return 0


def find(run: str, reports: Path, system: str | None) -> Path:
    """Return the run directory that a person means. Raises GoliveError with the choices there are."""
    if "/" in run or (Path(run) / "run.json").exists():
        return Path(run)
    systems = [system] if system else sorted(path.name for path in reports.glob("*") if path.is_dir())
    found = [reports / name / run for name in systems if (reports / name / run).is_dir()]
    if len(found) == 1:
        return found[0].resolve()
    if len(found) > 1:
        raise GoliveError(f"more than one system has a run {run!r}", found=", ".join(path.parent.name for path in found),
                          todo="say which with --system")
    raise GoliveError(f"there is no run {run!r}", where=str(reports / (system or "")),
                      todo="name a run id of reports/<system>/, a path, or latest; make golive starts one")


def going_on(run_dir: Path) -> bool:
    """Tell whether a living process holds the lock of the system for this very run."""
    run_dir = run_dir.resolve()
    if not (run_dir.parent / rundir.LOCK).is_file():
        return False
    try:
        return rundir.current(run_dir.parent).run == run_dir.name
    except GoliveError:
        return False


if __name__ == "__main__":
    sys.exit(main())
