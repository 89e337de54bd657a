"""`python -m tests.faults.journeys.campaigns [NAME…]`: every campaign on the lab which `make golive` built, then the page.

Each goes on where it was broken off as far as its record is bound to the code as it is. The crashes come behind everything that needs the
lab as it is, for they begin with bare hosts; the leaks behind them, for they search what the crashes wrote.
"""
from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from golive.session import ROOT

from .. import proof_page
from ..harness import bound

#: name -> module and arguments; {reference} and {outputs} lie in a temporary folder
CAMPAIGNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mutation_campaign": (("tests.faults.mutate",),),
    "drift_campaign": (("tests.faults.mutate.drifting", "--count", "320"),),
    "bypass_campaign": (("tests.faults.bypass",),),
    "prediction_campaign": (("tests.faults.journeys.predicted",),),
    "crash_campaign": (("tests.faults.journeys.crash", "--take", "--reference", "{reference}"),
                       ("tests.faults.journeys.crash", "--reference", "{reference}", "--outputs", "{outputs}")),
    "leak_campaign": (("tests.faults.journeys.leaks", "--outputs", "{outputs}"),),
}


def main() -> int:
    """Run the named campaigns, by default all; 2 when one of them is red."""
    asked = sys.argv[1:] or list(CAMPAIGNS)
    unknown = sorted(set(asked) - set(bound.RESTS_ON))
    if unknown:
        print(f"no campaign of this name: {', '.join(unknown)}; there are {', '.join(CAMPAIGNS)}", file=sys.stderr)
        return 1
    worst = 0
    with tempfile.TemporaryDirectory(prefix="golive-campaigns-") as folder:
        places = {"reference": str(Path(folder) / "reference.json"), "outputs": str(Path(folder) / "outputs")}
        for name in asked:
            began = time.monotonic()
            codes = [subprocess.run([sys.executable, "-m", *(one.format(**places) for one in words)], cwd=ROOT, check=False).returncode
                     for words in CAMPAIGNS[name]]
            worst = max(worst, *codes)
            print(f"{name}: exit {max(codes)} ({time.monotonic() - began:.0f} s)", flush=True)
    proof_page.main()
    return 2 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
