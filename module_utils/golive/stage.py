"""Is a stage of the ramp decided? From the audit chain (since when it is armed) and from what was read on the bot's host since. Pure.

The record is called `ramp_stage_<n>`: what lets stage n be armed is what stage n - 1 showed (docs/explanation/arming.md, the ramp).
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from .canonical import parse_utc
from .errors import Undecided

DONE = ("arm.done", "ramp.done")
BEGUN = ("arm.begin", "ramp.begin")
ENDED = ("disarm.done",)
RECORD = "ramp_stage_"


def began(lines: Sequence[Mapping[str, Any]], host: str, ticket: Mapping[str, Any]) -> datetime:
    """Return when the stage of the installed ticket was armed on a host without a break. Raises Undecided where the chain does not tell.

    A renewed ticket of the same stage, release and key goes on with it; a disarming, another stage, release or key ends it, and so does
    a kill: it raises the epoch, and what is armed after it begins anew.
    """
    same = (ticket["stage"], ticket["release"]["artifact"], ticket["key_fingerprint"], ticket["epoch"])
    begun: dict[str, Mapping[str, Any]] = {}
    since: datetime | None = None
    for line in lines:
        if line["subject"] != host:
            continue
        detail = line["detail"]
        if line["act"] in BEGUN:
            begun[str(detail.get("ticket"))] = detail
        elif line["act"] in ENDED:
            since = None
        elif line["act"] in DONE:
            said = begun.get(str(detail.get("ticket")), {})
            if (said.get("stage"), said.get("release"), said.get("key_fingerprint"), said.get("epoch")) != same:
                since = None
            elif since is None:
                since = parse_utc(line["at"])
    if since is None:
        raise Undecided(f"the audit chain does not tell since when {host} is in stage {ticket['stage']}")
    return since


def released(lines: Sequence[Mapping[str, Any]], since: datetime) -> datetime:
    """Return when entries began in a stage: when the gate of phase live was first written down behind its act.

    Alerts count from then on: the start that belongs to the act is a bot that went down and came back.
    """
    opened = [line for line in lines if line["act"] == "gate" and line["subject"] == "live" and line["detail"].get("open")]
    return min((moment for line in opened if (moment := parse_utc(line["at"])) >= since), default=since)


def red(verdicts: Sequence[Mapping[str, Any]], controls: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the controls that are decided in a stage, can lose money, and are red. Undecided ones are what days and fills are for.

    Those that read the records of stages themselves are left out: they judge what is being made here.
    """
    def counts(control: Mapping[str, Any]) -> bool:
        return control["decided_in"] == "stage" and not str((control.get("ask") or {}).get("name", "")).startswith(RECORD)

    return sorted({one["control"] for one in verdicts if one["verdict"] == "fail" and one["severity"] in ("critical", "high")
                   and counts(controls[one["control"]])})


def payload(*, number: int, stage: Mapping[str, Any], days: float, ledger: Mapping[str, Any], fills: int, alerts: int, signers: int,
            signers_min: int, red: Sequence[str] = ()) -> dict[str, Any]:
    """Return the record's payload. `ledger` are the facts of the questions pnl and orders; `fills` closed trades twice.

    A breach is a day that lost more than the stage allows, a broken chain of the ledger, an order that failed without the venue's word,
    or a control of the stage that is red (`red`, ids).
    """
    lost = Decimal(str(ledger["worst_day_loss"]))
    breaches = int(lost > Decimal(str(stage["daily_loss_quote"]))) + int(ledger["chain_intact"] is not True)
    breaches += int(ledger["unexplained_failures"]) + len(red)
    result = {"stage": str(stage["name"]), "days_in_stage": round(days, 3), "breaches": breaches, "critical_alerts": alerts,
              "signed": signers >= signers_min, "worst_day_loss": str(lost), "red": list(red)}
    passed = breaches == 0 and alerts == 0 and bool(result["signed"])
    return {"name": f"{RECORD}{number}", "passed": passed, "result": result, "opportunities": fills, "witness": "golive"}
