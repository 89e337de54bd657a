"""What does the venue say is at stake, how is it stopped, and is it live? Facts of this run only; what was not seen says so."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..operators import number
from .hostile import clean, moment
from .model import Sighting
from .records import FOLDERS, Record, Records

_EXPOSURE = (
    ("Equity", ("equity", "equity_quote", "balance_total"), False),
    ("Positions", ("positions", "position_count", "open_positions"), False),
    ("Open orders", ("open_orders", "orders", "order_count"), False),
    ("Positions without a stop", ("positions_without_stop", "naked", "naked_positions"), True),
    ("Foreign orders", ("foreign_orders", "orders_foreign", "foreign"), True),
)
_STOP = (
    ("Age of the last drill", ("age_days",), " days"),
    ("Seconds to the first cancel", ("result.seconds_to_first_cancel",), " s"),
    ("Seconds to no entry orders", ("result.seconds_to_no_entries",), " s"),
    ("Seconds to the final state", ("result.seconds_to_final", "result.seconds_to_final_state"), " s"),
)
_DECISION_AGE = ("decision_age_s", "last_decision_age_s", "seconds_since_decision")
_VENUE_TLS = ("tls_name", "tls.name", "tls_subject", "tls.subject")
_LIVE_ACTS = ("mode.switch_to_live", "switch_to_live", "go_live", "ramp", "ramp.up")


def _observations(records: Records, probes: tuple[str, ...]) -> Iterator[Record]:
    """Yield observations of these probes, newest first, whatever their verdict."""
    found = [(moment(one.get("at")) or "", FOLDERS.index(phase), one)
             for phase, kept in records.phases.items() for one in kept.observations if one.get("probe") in probes]
    for _, _, one in sorted(found, key=lambda entry: entry[:2], reverse=True):
        yield one


def _fact(records: Records, probes: tuple[str, ...], names: tuple[str, ...], control: str = "") -> tuple[Any, Record] | None:
    for one in _observations(records, probes):
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
        text, bad = clean(value, 160) + suffix, number(value) not in (None, 0)
    return Sighting(label, text, clean(one.get("witness") or "", 40), moment(one.get("at")), alarming and bad)


def exposure(records: Records) -> tuple[Sighting, ...]:
    """Return what the venue said of the account; the bot's word never stands here."""
    return tuple(_sighting(label, _fact(records, ("exchange_account",), names), alarming=alarming)
                 for label, names, alarming in _EXPOSURE)


def venue(records: Records) -> Sighting:
    """Return the venue as the certificate of its answers names it, never as our own settings do."""
    return _sighting("Venue", _fact(records, ("exchange_account", "exchange_key"), _VENUE_TLS))


def stop(records: Records) -> tuple[Sighting, ...]:
    """Return what the last kill switch drill measured, and the path that needs only a phone."""
    values = records.profile.get("values")
    path = values.get("kill_switch_phone_path") if isinstance(values, dict) else None
    phone = Sighting("From a phone", clean(path) if isinstance(path, str) and path else None, "profile")
    return (phone, *(_sighting(label, _fact(records, ("drill",), names, "kill_switch.drilled"), suffix)
                     for label, names, suffix in _STOP))


def stop_command(records: Records) -> str:
    """Return the one command that stops everything."""
    inventory = {True: "lab", False: "production"}.get(records.run.get("rehearsal"))  # type: ignore[arg-type]
    place = f" -i inventories/{clean(records.run['system'], 60)}/{inventory}.yml" if inventory else ""
    return f"ansible-playbook playbooks/operate/kill_switch.yml{place}"


def decided_ago(records: Records) -> str | None:
    """Return the age of the bot's last decision in words, None where no probe saw one."""
    found = _fact(records, ("process", "http", "exchange_account"), _DECISION_AGE)
    return f"bot last decided {clean(found[0], 20)} s ago" if found and number(found[0]) is not None else None


def switched_to_live(records: Records) -> bool:
    """Tell whether this run saw real orders enabled: an act of its own, or a process observed in live mode."""
    if any(line.get("act") in _LIVE_ACTS for line in records.audit):
        return True
    found = _fact(records, ("process", "unit", "units"), ("mode", "bot_mode"))
    return found is not None and found[0] == "live"


def stage(records: Records) -> str | None:
    """Return `stage 1 of 4` from the act that set it or the ticket that was seen, None where neither is in this run."""
    for line in reversed(records.audit):
        detail = line.get("detail")
        if isinstance(detail, dict) and detail.get("stage") is not None:
            return _stage_words(detail)
    for names in (("stage",), ("ticket.stage",)):
        found = _fact(records, ("ticket", "file", "arming_ticket", "process"), names)
        if found is not None:
            return _stage_words(dict(found[1].get("facts") or {}, stage=found[0]))
    return None


def _stage_words(detail: Record) -> str:
    of = detail.get("stages")
    return f"stage {clean(detail['stage'], 20)}" + (f" of {clean(of, 20)}" if of is not None else "")


def worst_case(records: Records) -> str | None:
    """Return `worst case today 10 of 20`, None where the run did not see both."""
    used = _fact(records, ("exchange_account", "ledger", "guard"), ("worst_case_today", "loss_today"))
    limit = _fact(records, ("exchange_account", "ledger", "guard"), ("worst_case_limit", "loss_limit_today"))
    return f"worst case today {clean(used[0], 30)} of {clean(limit[0], 30)}" if used and limit else None
