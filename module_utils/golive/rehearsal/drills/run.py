"""Which drills have no record for the installed release yet: run them, and sign what was measured as `lab-drill`."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ... import rehearsal_signers
from ...errors import GoliveError
from ...kill_switch import kill_switch
from .. import records
from ..records import Controls, Outcome
from .hosts import NotSeen
from .scene import InUse, Scene

KIND = "drill"
Drill = Callable[[Scene], tuple[dict[str, Any], int]]


def run(root: Path, system: str, names: Sequence[str], directory: Path, subject: str, drills: Mapping[str, Drill],
        scene: Callable[[], AbstractContextManager[Scene]], controls: Controls = ()) -> list[Outcome]:
    """Run and sign what is missing. A drill whose conditions did not come true is signed as failed, with what was not seen."""
    rehearsal_signers.key_of(root, system, records.ISSUERS[KIND])  # without a key to sign with, nothing is broken on purpose
    todo = records.missing(root, system, KIND, names, directory, subject, controls)
    done = records.held(KIND, names, todo)
    for name in todo:
        done.append(records.sign(root, system, KIND, directory, subject, measure(name, drills[name], scene)))
    return done


def measure(name: str, drill: Drill, scene: Callable[[], AbstractContextManager[Scene]]) -> dict[str, Any]:
    """Run one drill in a scene of its own and return its payload.

    `passed` says that the drill came to its end and saw what it needs; whether the figures are good enough is the control's question.
    """
    try:
        with scene() as stage:
            result, opportunities = drill(stage)
        passed = True
    except InUse:
        raise
    except (NotSeen, GoliveError) as exc:
        result, opportunities, passed = {"not_seen": f"did not come true: {exc}"[:300]}, 0, False
    except (kill_switch.Refused, kill_switch.Silent) as exc:
        result, opportunities, passed = {"not_seen": f"the venue did not do what the drill asked: {exc}"[:300]}, 0, False
    except (LookupError, TypeError, ValueError) as exc:  # no text: it may be of an answer that holds a secret
        result, opportunities, passed = {"not_seen": f"an answer had another form than expected: {type(exc).__name__}"}, 0, False
    return {"name": name, "passed": passed, "result": result, "opportunities": opportunities, "witness": "venue"}
