"""A trading secret stands in a file of the run, reversed and base64-encoded, as a debug line would leave it."""
from __future__ import annotations

import base64
import json

from .harness.controller import SECRET, Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files

SPELLED = base64.b64encode(SECRET["secret"].encode()).decode()


def _confirm(world: Controller) -> str:
    held = json.loads((world.run_dir / "debug.json").read_text())["header"]
    if base64.b64decode(held).decode() != SECRET["secret"]:
        raise NotTaken("the file does not hold the secret")
    return "debug.json decodes to the secret of this world"


TRIALS = (on_files("file", lambda world: world.write("debug.json", {"header": SPELLED}), _confirm,
                   lambda world: (world.run_dir / "debug.json").unlink(), "controller.no_trade_secret"),)
