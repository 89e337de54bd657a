"""On the host of a node: restart its unit. Standard library, Python 3.9; `python3 -ISE -` gets this file and one call of `main`."""
from __future__ import annotations

import json
import subprocess
from typing import Any, Dict

LIMIT_S = 90


def main(given: Dict[str, Any]) -> None:
    """Restart `unit` and print `--golive <nonce> {}`, or `{"problem": sentence}` in systemd's own words."""
    found: Dict[str, str] = {}
    try:
        done = subprocess.run(["systemctl", "restart", str(given["unit"])], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S,
                              check=False)
        if done.returncode != 0:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            found["problem"] = "systemctl restart %s: %s" % (given["unit"], (words or ["exit %d" % done.returncode])[0][:200])
    except (OSError, subprocess.SubprocessError) as exc:
        found["problem"] = "systemctl restart %s: %s" % (given["unit"], type(exc).__name__)
    print("--golive %s %s" % (given["nonce"], json.dumps(found)))
