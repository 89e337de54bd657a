"""The `main` of modules whose work is done by the action plugin of the same name, on the controller."""
from __future__ import annotations

import json
import sys


def refuse(name: str) -> None:
    """Fail: started without its action plugin, the module has nobody to talk to. What it was given is neither judged nor told."""
    said = f"{name} runs through its action plugin: use the repository's ansible.cfg, which names plugins/action"
    print(json.dumps({"failed": True, "changed": False, "msg": said}))
    sys.exit(1)
