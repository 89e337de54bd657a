"""Breaks of a ledger: a forged one, with a whole hash chain of its own, is mounted over it; the bot's own writing goes on beneath."""
from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from golive.canonical import encode

from .fault import Fault, NotTaken, red
from .lab import Lab

Records = list[dict[str, Any]]
GENESIS = "0" * 64
#: A forged ledger stands still while the bot writes on beneath: what asks for its newest record may turn too, as late as it is asked.
NEWEST = {"shadow": ("ledger.paper_continuous_hours", "ledger.paper_continuous_hours@day1", "ledger.paper_days", "process.decides",
                     "process.uptime_ratio"),
          "live": ("process.decides@live",)}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def chained(records: Records) -> bytes:
    """Return the records numbered and chained anew, as a writer would have written them."""
    lines, head = [], GENESIS
    for number, record in enumerate(records, 1):
        body = {key: value for key, value in record.items() if key != "hash"} | {"seq": number, "prev": head}
        head = hashlib.sha256(encode(body)).hexdigest()
        lines.append(_line({**body, "hash": head}))
    return b"".join(lines)


def forged(instance: str, change: Callable[[Records, float], Records], *controls: str, whole: bool = True, **more: Any) -> Fault:
    """Return the fault by which the ledger of an instance reads as `change(records, now in ms)` makes it."""
    path, copy = f"/var/lib/bot/{instance}/ledger.jsonl", "/run/golive-fault-ledger"

    def break_(world: Lab) -> None:
        lines = [line for line in world.read("bot", path).split(b"\n")[:-1] if line]
        changed = change([json.loads(line) for line in lines], time.time() * 1000)
        data = chained(changed) if whole else b"".join(_line(one) for one in changed)
        world.kept["ledger"] = (len(lines), hashlib.sha256(data).hexdigest())
        world.on("bot", f"cat > {copy}; chown --reference={path} {copy}; chmod --reference={path} {copy}; mount --bind {copy} {path}",
                 data=data)

    def confirm(world: Lab) -> str:
        count, digest = world.kept["ledger"]
        seen = world.on("bot", f"sha256sum {path}; mount | grep -c {path}").split()
        if seen[0] != digest:
            raise NotTaken("sha256sum sees another file")
        return f"sha256sum sees the forged ledger ({count} records before), mount lists {seen[-1]} mount over it"

    def heal(world: Lab) -> None:
        world.on("bot", f"umount {path}; rm -f {copy}", check=False)

    quiet = (*more.pop("unwatched", ()), *(one for one in NEWEST.get(instance, ()) if one not in controls))
    return Fault("lab", "file", red(*controls), break_, confirm, heal, unwatched=quiet, **more)
