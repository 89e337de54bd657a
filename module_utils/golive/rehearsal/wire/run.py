"""`python -m golive.rehearsal.wire --system S`: drills that have no record for this release yet; 0 done, 2 not done."""
from __future__ import annotations

import contextlib
import http.client
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ... import rehearsal_signers, release_build, session
from .. import command, records
from ..records import Controls, Outcome
from . import downtime
from .scenarios import SCENARIOS
from .world import Copy, Exchange, NotSeen, unpack

KIND = "drill"
WORKERS = 2  # each with an exchange of its own; a drill mostly waits for the market


def run(root: Path, system: str, names: Sequence[str], directory: Path, archive: Path, subject: str,
        controls: Controls = ()) -> list[Outcome]:
    """Run and sign what has no record of this release that holds, and return what was done."""
    rehearsal_signers.key_of(root, system, records.ISSUERS[KIND])  # without a key to sign with, nothing is driven
    missing = records.missing(root, system, KIND, names, directory, subject, controls)
    todo = [name for name in known() if name in missing]  # in their own order: the last move the clock
    done = records.held(KIND, names, todo)
    if not todo:
        return done
    with tempfile.TemporaryDirectory(prefix="golive-wire-") as folder:
        place = Path(folder)
        app = unpack(archive, place / "release")

        def work(label: str, waiting: deque[str]) -> list[Outcome]:
            exchange, made = Exchange(place / f"exchange-{label}", root), []
            try:
                while (name := _next(waiting)) is not None:
                    made.append(records.sign(root, system, KIND, directory, subject, drill(name, exchange, app, place / f"{name}-{label}")))
            finally:
                exchange.stop()
            return made

        shared = deque(todo)
        with ThreadPoolExecutor(WORKERS) as pool:
            parts = list(pool.map(lambda number: work(str(number), shared), range(min(WORKERS, len(todo)))))
        made = {one.name: one for part in parts for one in part}
        # On a starved machine a market may not move in time: what was not seen is looked for once more, alone. Both records stay.
        again = deque(name for name in todo if not made[name].passed)
        if again:
            made |= {one.name: one for one in work("again", again)}
    return done + [made[name] for name in todo]


def known() -> dict[str, Callable[..., tuple[dict[str, Any], int]]]:
    """Return all drills: those of every system, and after them those that only some need."""
    return {**SCENARIOS, **downtime.SCENARIOS}


def _next(waiting: deque[str]) -> str | None:
    """Return what is to be driven next. What moves the clock is at the end, so that its exchange drives nothing afterwards."""
    try:
        return waiting.popleft()
    except IndexError:
        return None


def drill(name: str, exchange: Exchange, app: Path, folder: Path) -> dict[str, Any]:
    """Drive one scenario and return its payload; what did not come true is a failed drill, and the record says what."""
    copies: list[Copy] = []

    def make(mode: str, **changes: Any) -> Copy:
        copies.append(Copy(folder / str(len(copies)), app, exchange, mode, changes))
        return copies[-1]

    try:
        result, opportunities = known()[name](exchange, make)
        passed = result.get("control_stimulus_passed") is not False
    except (NotSeen, OSError, http.client.HTTPException, subprocess.TimeoutExpired) as exc:
        # A copy or the exchange that did not answer in time is a drill that did not come true, not the end of the journey.
        result, opportunities, passed = {"not_seen": f"did not come true: {exc or type(exc).__name__}"[:300]}, 0, False
    finally:
        for one in copies:
            one.end(9)
        with contextlib.suppress(OSError, http.client.HTTPException):  # one that does not answer now fails the next drill by itself
            exchange.calm()
    return {"name": name, "passed": passed, "result": result, "opportunities": opportunities, "witness": "venue"}


def main(arguments: list[str] | None = None) -> int:
    """Run the drills."""
    def act(system: str, names: list[str], directory: Path) -> Iterator[str]:
        built = release_build.build("bot")
        for one in run(session.ROOT, system, names, directory, built.path, f"sha256:{built.sha256}"):
            yield f"{one.name}: {one.text}"
    return command.answer("golive.rehearsal.wire", __doc__, "--drill", SCENARIOS, act, arguments)
