"""The clock of the store's host had jumped two hours ahead and was put right: its audit logs go back in time.

A container's clock is its machine's, so the jump itself cannot be made in the lab; what it leaves behind is.
"""
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from .harness.fault import Fault, NotTaken, red
from .harness.lab import Lab

FILES = ("/var/log/vault/audit.log", "/var/log/vault-second/audit.log")
MARK = "golive red proof of a jumped clock"


def _break(world: Lab) -> None:
    later = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    line = json.dumps({"time": later, "type": "request", "note": MARK})
    for file in FILES:
        world.on("vault", f"echo '{line}' >> {file}")


def _confirm(world: Lab) -> str:
    said = [json.loads(world.on("vault", f"grep '{MARK}' {file}"))["time"] for file in FILES]
    now = world.on("vault", "date -u +%Y-%m-%dT%H:%M:%S").strip()
    if not all(one > now for one in said):
        raise NotTaken(f"the last lines are of {said}, the clock says {now}")
    return f"grep finds a line of {said[0]} in both logs, the clock of the host says {now}"


def _heal(world: Lab) -> None:
    for file in FILES:  # in place: the store holds the file open and appends to it
        world.on("vault", f"grep -v '{MARK}' {file} > /run/kept.log && cat /run/kept.log > {file} && rm /run/kept.log")


TRIALS = (Fault("lab", "clock", red("secrets.audit_written"), _break, _confirm, _heal, settle_s=20, order=4),)
