"""What does the venue say is at stake, how is it stopped, and is it live? Facts of this run only; what was not seen says so."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..operators import number
from .hostile import clean, moment
from .model import Sighting
from .records import FOLDERS, Record, Records

_EXPOSURE = (
    ("Equity", ("equity",), False),
    ("Positions", ("positions",), False),
    ("Open orders", ("open_orders",), False),
    ("Positions without a stop", ("positions_without_stop",), True),
    ("Foreign orders", ("foreign_orders",), True),
)
_STOP = (
    ("Age of the last drill", ("age_days",), " days"),
    ("Seconds to the first cancel", ("result.seconds_to_first_cancel",), " s"),
    ("Seconds to no entry orders", ("result.seconds_to_no_entries",), " s"),
    ("Seconds to the final state", ("result.seconds_to_final",), " s"),
)
_ARMED = frozenset({"live", "operate", "drift"})
"""Phases whose observations are about the bot that trades; before them the same probes look at the halves of paper."""


def _observations(records: Records, probes: tuple[str, ...], phases: frozenset[str]) -> list[Record]:
    """Return observations of these probes, newest first, whatever their verdict."""
    found = [(moment(one.get("at")) or "", FOLDERS.index(phase), one) for phase, kept in records.phases.items()
             if phase in phases for one in kept.observations if one.get("probe") in probes]
    return [one for _, _, one in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def _fact(records: Records, probes: tuple[str, ...], names: tuple[str, ...], control: str = "",
          phases: frozenset[str] = frozenset(FOLDERS)) -> tuple[Any, Record] | None:
    for one in _observations(records, probes, phases):
        facts = one.get("facts")
        # The wire half of paper trades on an account of its own: what it owns is not at stake.
        if not isinstance(facts, dict) or control not in str(one.get("control")) or "wire" in str(one.get("control")):
            continue
        for name in names:
            if facts.get(name) is not None:
                return facts[name], one
    return None


def _sighting(label: str, found: tuple[Any, Record] | None, suffix: str = "", *, alarming: bool = False) -> Sighting:
    if found is None:
        return Sighting(label, None)
    value, one = found
    if isinstance(value, list):
        text = "none" if not value else f"{len(value)}: {clean(', '.join(clean(item, 60) for item in value), 160)}"
        bad = bool(value)
    else:
        text, bad = _amount(value) + suffix, number(value) not in (None, 0)
    return Sighting(label, text, clean(one.get("witness") or "", 40), moment(one.get("at")), alarming and bad)


def _amount(value: Any) -> str:
    """Return a measured fraction with two digits, anything else as it is: money stays the text that the venue gave."""
    return f"{value:.2f}" if isinstance(value, float) else clean(value, 160)


def exposure(records: Records) -> tuple[Sighting, ...]:
    """Return what the venue said of the account; the bot's word never stands here."""
    return tuple(_sighting(label, _fact(records, ("exchange_account",), names), alarming=alarming)
                 for label, names, alarming in _EXPOSURE)


def venue(records: Records) -> Sighting:
    """Return the venue by the name that its certificate is valid for and who issued that, never as our own settings call it."""
    found = _fact(records, ("exchange_key", "exchange_account"), ("venue_host", "endpoint.host"))
    if found is None:
        return Sighting("Venue", None)
    facts = found[1].get("facts") or {}
    issuer = facts.get("tls_issuer") or facts.get("endpoint.tls_issuer")
    seen = _sighting("Venue", found)
    return replace(seen, value=f"{seen.value}, certified by {clean(issuer, 80)}") if issuer else seen


def stop(records: Records) -> tuple[Sighting, ...]:
    """Return what the last kill switch drill measured, and the path that needs only a phone."""
    path = _value(records, "kill_switch_phone_path")
    phone = Sighting("From a phone", clean(path) if isinstance(path, str) and path else None, "profile")
    return (phone, *(_sighting(label, _fact(records, ("drill",), names, "kill_switch.drilled"), suffix)
                     for label, names, suffix in _STOP))


def stop_command(records: Records) -> str:
    """Return the one command that stops everything."""
    inventory = {True: "lab", False: "production"}.get(records.rehearsal)  # type: ignore[arg-type]
    place = f" -i inventories/{clean(records.run['system'], 60)}/{inventory}.yml" if inventory else ""
    return f"ansible-playbook playbooks/operate/kill_switch.yml{place}"


def decided_ago(records: Records) -> str | None:
    """Return the age of the bot's last decision in words, None where no probe saw one since it trades."""
    found = _fact(records, ("ledger",), ("last_decision_age_s",), phases=_ARMED)
    seconds = number(found[0]) if found else None
    return None if seconds is None else f"bot last decided {seconds:.0f} s ago"


def trades_live(records: Records) -> bool | None:
    """Tell whether the live unit was seen running on a host with a ticket; None where no probe looked."""
    found = _fact(records, ("ticket",), ("unit_running",))
    return found[0] is True if found else None


def stage(records: Records) -> str | None:
    """Return `stage 1 of 3 (day1)` from the ticket that the bot's host holds, None where it was not seen."""
    found = _fact(records, ("ticket",), ("stage",))
    if found is None or not found[0]:
        return None
    stages = _value(records, "ramp_stages")
    names = [one.get("name") for one in stages if isinstance(one, dict)] if isinstance(stages, list) else []
    if found[0] in names:
        return f"stage {names.index(found[0]) + 1} of {len(names)} ({clean(found[0], 30)})"
    return f"stage {clean(found[0], 30)}"


def worst_case(records: Records) -> str | None:
    """Return `worst day lost 3.20 of 10.0 allowed`, None where the ledger of the live bot was not read."""
    lost = _fact(records, ("ledger",), ("worst_day_loss",), phases=_ARMED)
    allowed = _value(records, "ramp_stage_now")
    limit = allowed.get("daily_loss_quote") if isinstance(allowed, dict) else None
    return f"worst day lost {clean(lost[0], 30)} of {clean(limit, 30)} allowed" if lost and limit is not None else None


def _value(records: Records, name: str) -> Any:
    values = records.profile.get("values")
    return values.get(name) if isinstance(values, dict) else None
