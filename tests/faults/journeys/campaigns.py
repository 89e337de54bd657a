"""`python -m tests.faults.journeys.campaigns [--again] [NAME…]`: every campaign on the lab which `make golive` built, then the page.

Each goes on where it was broken off as far as its record is bound to the code as it is. The crashes come behind everything that needs the
lab as it is, for they begin with bare hosts; behind them the predictions, which take over what was predicted into each crash, and go on
with the lab that is built again; the leaks last, for they search what all of these wrote.
"""
from __future__ import annotations

import json
import subprocess
import sys
import time

from golive.session import ROOT

from .. import proof_page
from ..harness import bound

#: name -> modules and arguments
CAMPAIGNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mutation_campaign": (("tests.faults.mutate",),),
    "drift_campaign": (("tests.faults.mutate.drifting", "--count", "320"),),
    "bypass_campaign": (("tests.faults.bypass",),),
    "crash_campaign": (("tests.faults.journeys.crash",),),
    "prediction_campaign": (("tests.faults.journeys.predicted", "--drifted", "3"),),
    "leak_campaign": (("tests.faults.journeys.leaks",),),
}

#: takes the lab apart, or minutes to an hour: not made again while its record holds
APART = ("prediction_campaign", "crash_campaign", "leak_campaign")


def campaign_holds(name: str) -> bool:
    """Return whether a campaign that takes the lab apart has a whole record made with the code as it is. The others go on by themselves."""
    path = bound.ROOT / f"tests/records/{name}.json"
    if name not in APART or "--again" in sys.argv or not path.is_file():
        return False
    record = json.loads(path.read_text("utf-8"))
    return bool(record.get("bound") == bound.now(name) and record.get("whole"))


def main() -> int:
    """Run the named campaigns, by default all; 2 when one of them is red."""
    asked = [one for one in sys.argv[1:] if one != "--again"] or list(CAMPAIGNS)
    unknown = sorted(set(asked) - set(bound.RESTS_ON))
    if unknown:
        print(f"no campaign of this name: {', '.join(unknown)}; there are {', '.join(CAMPAIGNS)}", file=sys.stderr)
        return 1
    worst = 0
    for name in asked:
        if campaign_holds(name):
            print(f"{name}: its record holds for the code as it is", flush=True)
            continue
        began = time.monotonic()
        codes = [subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode for words in CAMPAIGNS[name]]
        worst = max(worst, *codes)
        print(f"{name}: exit {max(codes)} ({time.monotonic() - began:.0f} s)", flush=True)
    proof_page.main()
    return 2 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
