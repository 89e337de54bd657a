"""Load runs of a rehearsal: the released bot's nonce source under eight threads, signed as `lab-load`.

`python -m golive.rehearsal.load --system S`; 0 done, 2 not done.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .. import envelope, rehearsal_signers, release_build, session
from ..errors import GoliveError
from .wire.world import unpack

ISSUER, LASTS = "lab-load", timedelta(days=7)
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


def run(root: Path, system: str, directory: Path, archive: Path, subject: str) -> str:
    """Run and sign, unless there is a record of this release that holds, and return what was done."""
    key = rehearsal_signers.key_of(root, system, ISSUER)
    good, _bad = envelope.reader(root, system, datetime.now(timezone.utc), rehearsal=True).read_all(directory, "load")
    if any(one.payload.get("name") == "nonce_generation" and one.subject == subject for one in good):
        return f"nonce_generation: there is a record of {subject[7:19]}"
    with tempfile.TemporaryDirectory(prefix="golive-load-") as folder:
        result = nonces(unpack(archive, Path(folder) / "release"), Path(folder) / "state")
    payload = {"name": "nonce_generation", "passed": result["duplicates"] == 0 and result["rising"], "result": result,
               "opportunities": result["drawn"], "witness": "golive"}
    data = envelope.build(kind="load", name="nonce_generation", system=system, subject=subject, issued=datetime.now(timezone.utc),
                          lasts=LASTS, issuer=ISSUER, role="issuer", payload=payload)
    path = envelope.write(directory, data, key, ISSUER)
    return f"nonce_generation: {result['per_second']:.0f} a second, {result['duplicates']} duplicates, signed {path.name}"


def main(arguments: list[str] | None = None) -> int:
    """Run the load."""
    parser = argparse.ArgumentParser(prog="python -m golive.rehearsal.load", description=__doc__)
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, help="where records are filed; reports/<system>/evidence is the default")
    chosen = parser.parse_args(arguments)
    directory = chosen.directory or session.ROOT / "reports" / chosen.system / "evidence"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        built = release_build.build("bot")
        print(run(session.ROOT, chosen.system, directory, Path(built.path), f"sha256:{built.sha256}"))
    except (GoliveError, OSError, subprocess.SubprocessError) as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
