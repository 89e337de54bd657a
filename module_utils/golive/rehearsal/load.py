"""Load runs of a rehearsal: the released bot's nonce source under eight threads, signed as `lab-load`.

`python -m golive.rehearsal.load --system S`; 0 done, 2 not done.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import rehearsal_signers, release_build, session
from ..errors import GoliveError
from . import command, records
from .records import Controls, Outcome
from .wire.world import unpack

KIND = "load"
Load = Callable[[Path, Path], dict[str, Any]]
THREADS, ROUNDS, EACH = 8, 5, 5000
# Runs in a process of its own, with nothing but the release on its path. Prints the rate and the nonces of each round.
_DRAW = """
import json, sys, threading, time
from kraken_micro.nonce import NonceSource
threads, rounds, each = map(int, sys.argv[2:])
source, rates, every = NonceSource(sys.argv[1]), [], []
for _ in range(rounds):
    drawn = [[] for _ in range(threads)]
    workers = [threading.Thread(target=lambda mine=mine: mine.extend(source.next() for _ in range(each))) for mine in drawn]
    started = time.perf_counter()
    [one.start() for one in workers]
    [one.join() for one in workers]
    rates.append(threads * each / (time.perf_counter() - started))
    every += [nonce for mine in drawn for nonce in mine]
    rising = all(a < b for mine in drawn for a, b in zip(mine, mine[1:]))
print(json.dumps({"rates": rates, "drawn": len(every), "duplicates": len(every) - len(set(every)), "rising": rising}))
"""


def nonces(app: Path, folder: Path, threads: int = THREADS, rounds: int = ROUNDS, each: int = EACH) -> dict[str, Any]:
    """Draw nonces and return `{per_second, per_second_worst, duplicates, drawn, rising}`. Raises GoliveError when it does not run."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, "-c", _DRAW, str(folder / "nonce"), str(threads), str(rounds), str(each)], capture_output=True,
                          text=True, check=False, env={"PYTHONPATH": str(app), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=300)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        words = (done.stderr.strip().splitlines() or ["no words"])[-1][:160]
        raise GoliveError("the nonce source of the release did not run", found=words) from None
    rates = found["rates"]
    return {"per_second": round(sum(rates) / len(rates), 1), "per_second_worst": round(min(rates), 1), "duplicates": found["duplicates"],
            "drawn": found["drawn"], "rising": found["rising"], "threads": threads}


def _nonce_generation(app: Path, folder: Path) -> dict[str, Any]:
    result = nonces(app, folder)
    return {"passed": result["duplicates"] == 0 and result["rising"], "result": result, "opportunities": result["drawn"]}


LOADS: Mapping[str, Load] = {"nonce_generation": _nonce_generation}


def run(root: Path, system: str, names: Sequence[str], directory: Path, archive: Path, subject: str,
        controls: Controls = ()) -> list[Outcome]:
    """Run and sign what has no record of this release that holds, and return what was done."""
    rehearsal_signers.key_of(root, system, records.ISSUERS[KIND])
    todo = records.missing(root, system, KIND, names, directory, subject, controls)
    done = records.held(KIND, names, todo)
    for name in todo:
        with tempfile.TemporaryDirectory(prefix="golive-load-") as folder:
            found = LOADS[name](unpack(archive, Path(folder) / "release"), Path(folder) / "state")
        payload = {"name": name, **found, "witness": "golive"}
        done.append(records.sign(root, system, KIND, directory, subject, payload))
    return done


def main(arguments: list[str] | None = None) -> int:
    """Run the load."""
    def act(system: str, names: list[str], directory: Path) -> Iterator[str]:
        built = release_build.build("bot")
        for one in run(session.ROOT, system, names, directory, built.path, f"sha256:{built.sha256}"):
            yield f"{one.name}: {one.text}"
    return command.answer("golive.rehearsal.load", __doc__, "--load", LOADS, act, arguments)


if __name__ == "__main__":
    sys.exit(main())
