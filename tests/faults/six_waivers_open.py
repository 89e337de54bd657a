"""Six waivers are open at once."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from golive import envelope, rehearsal_signers

from .harness import compiled
from .harness.controller import RELEASE, Controller
from .harness.fault import NotTaken
from .harness.run_breaks import on_files

WAIVED = ("deps.up_to_date", "logs.no_unhandled_errors", "exchange.api_latency", "exchange.ws_uptime", "market.quote_peg", "bot.restart")


def _open(world: Controller) -> None:
    for name in WAIVED:
        payload = {"control": name, "reason": "known and accepted for one day", "release": RELEASE, "facts": {"seen": 1},
                   "audit_head": "1:x"}
        data = envelope.build(kind="waiver", name=name, system=compiled.SYSTEM, subject=RELEASE, issued=datetime.now(UTC),
                              lasts=timedelta(hours=24), issuer="lab-approver", role="approver", payload=payload)
        envelope.write(world.waivers, data, rehearsal_signers.key_of(world.root, compiled.SYSTEM, "lab-approver"), "lab-approver")


def _confirm(world: Controller) -> str:
    count = len(list(world.waivers.glob("*.json.lab-approver.sig")))
    if count != len(WAIVED):
        raise NotTaken(f"{count} waivers are signed")
    return f"{count} signed waivers lie in the folder"


def _heal(world: Controller) -> None:
    for path in world.waivers.glob("*"):
        path.unlink()


TRIALS = (
    on_files("record", _open, _confirm, _heal, "waivers.within_policy"),
)
