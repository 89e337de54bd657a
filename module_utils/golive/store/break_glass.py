"""Opens the whole store for one person in an emergency, for minutes, with a trace that is written before the door opens."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hvac

from ..errors import GoliveError
from . import bring_up, client
from .client import said
from .settings import Settings, token_directory

LONGEST_MIN = 60


def place(system: str) -> Path:
    """Return where the token lies while the glass is broken: in memory, this user's."""
    return token_directory() / f"break-glass-{system}"


def open_(settings: Settings, keepers: bring_up.Keepers, system: str, who: str, reason: str, minutes: int,
          note: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    """Make a token that may do everything and ends by itself; return `{accessor, minutes, place}`, never the token.

    `note(act, detail)` is called before a root token is asked for, and again with the accessor; if it fails nothing is opened.
    """
    if not who.strip() or len(reason.strip()) < 10:
        raise GoliveError("the glass is broken by a person, for a reason", found=f"who {who!r}, {len(reason.strip())} characters of reason",
                          todo="give break_glass_who and break_glass_reason (10 characters or more)")
    if not 0 < minutes <= LONGEST_MIN:
        raise GoliveError("the glass stays open for minutes", found=str(minutes), expected=f"1 to {LONGEST_MIN}")
    if place(system).exists():
        raise GoliveError("the glass is broken already", where=str(place(system)), todo="close it first: -e break_glass=close")
    note("break_glass", {"who": who, "reason": reason, "minutes": minutes})
    root = bring_up._root(client.unauthenticated(settings, bring_up.PATIENT_S), keepers)
    try:
        life = {"ttl": f"{minutes}m", "explicit_max_ttl": f"{minutes}m", "renewable": False}
        meta = {"who": who[:60], "reason": reason[:200]}
        made = said(lambda: root.auth.token.create_orphan(policies=["root"], display_name="break-glass", meta=meta, **life),
                    "make the emergency's token")["auth"]
        client.private_file(place(system), made["client_token"].encode("ascii"))
    finally:
        said(root.auth.token.revoke_self, "revoke the root token")
    note("break_glass_open", {"who": who, "accessor": made["accessor"], "minutes": minutes})
    return {"accessor": made["accessor"], "minutes": minutes, "place": str(place(system))}


def close(settings: Settings, system: str, note: Callable[[str, dict[str, Any]], None]) -> bool:
    """Revoke the emergency's token and remove it; return whether there was one. One that has ended is only removed."""
    if not place(system).is_file():
        return False
    holder = client.unauthenticated(settings)
    holder.token = place(system).read_text("ascii")
    try:
        said(holder.auth.token.revoke_self, "revoke the emergency's token")
    except GoliveError as exc:
        if "permission denied" not in str(exc) and "invalid token" not in str(exc):
            raise
    place(system).unlink()
    note("break_glass_close", {})
    return True


def root_tokens(connected: hvac.Client) -> list[str]:
    """Return the accessors of tokens that may do everything and live now. There should be none outside an emergency."""
    listed = said(lambda: connected.list("auth/token/accessors"), "list its tokens")
    found = []
    for accessor in listed["data"]["keys"] if listed else []:
        try:
            one = connected.auth.token.lookup_accessor(accessor)["data"]
        except hvac.exceptions.VaultError:
            continue  # it has ended since
        if "root" in (one.get("policies") or []):
            found.append(accessor)
    return sorted(found)
