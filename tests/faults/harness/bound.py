"""What a campaign's record is bound to: the code whose change could change its outcome. A record bound to another digest counts no more."""
from __future__ import annotations

from collections.abc import Iterable

from golive.canonical import digest, file_digest
from golive.session import ROOT

SETS = tuple(f"module_utils/golive/sets/{name}.py" for name in (
    "core", "managed_files", "path_state", "units", "loaded", "foreseen", "drop_ins", "accounts", "packages", "dependencies"))
#: how a set comes to a host and its answer back
STREAM = ("module_utils/golive/streaming.py", "module_utils/golive/streamed.py", "module_utils/golive/sets/task.py")
#: record -> files (patterns from the root) on which its outcome rests
RESTS_ON: dict[str, tuple[str, ...]] = {
    "drift_campaign": ("tests/faults/mutate/hosts.py", "tests/faults/mutate/surroundings.py", *SETS,
                       "module_utils/golive/judge.py", "playbooks/operate/drift.yml"),
    "mutation_campaign": ("tests/faults/mutate/judgement.py", "tests/faults/mutate/records.py", "module_utils/golive/judge.py",
                          "module_utils/golive/operators.py", "module_utils/golive/envelope.py"),
    "bypass_campaign": ("tests/faults/bypass.py", "plugins/callback/golive.py", "module_utils/golive/arming.py",
                        "module_utils/golive/rundir.py"),
    "crash_campaign": ("tests/faults/journeys/crash.py", "tests/faults/journeys/breaks.py", "tests/faults/journeys/state.py",
                       *SETS, *STREAM, "module_utils/golive/arm_host.py", "module_utils/golive/rundir.py"),
    "prediction_campaign": ("tests/faults/journeys/predicted.py", "tests/faults/journeys/state.py", *SETS, *STREAM),
    "leak_campaign": ("tests/faults/journeys/leaks.py", "tests/faults/journeys/canary_runs.py",
                      "module_utils/golive/leaks/*.py", "module_utils/golive/secrets.py"),
}
#: built, and not run to its end yet: there is no record, or one that says so; the page does
NEVER_RUN: tuple[str, ...] = ()


def files(patterns: Iterable[str]) -> list[str]:
    """Return the files that patterns name, sorted."""
    return sorted({str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)})


def now(record: str) -> str:
    """Return the digest to which a record made now is bound."""
    return digest({name: file_digest(str(ROOT / name)) for name in files(RESTS_ON[record])})
