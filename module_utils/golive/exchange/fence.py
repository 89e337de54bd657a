"""Keeps rehearsal and production apart: marker in the answer, form of the key id, address of the venue.

Each side refuses what belongs to the other, before the key is used where that can be known before.
Source of the rules: the design's trading-safety, section 7.
"""

from __future__ import annotations

from typing import List, Mapping, Optional

KEY_PREFIX = "SANDBOX"
MARKER_HEADER = "x-golive-sandbox"
MARKER = "rehearsal"


def before(rehearsal: bool, key: str, addresses: List[str]) -> Optional[str]:
    """Return why nothing may be sent, or None. `addresses` is empty where a proxy resolves the name."""
    import ipaddress  # noqa: PLC0415

    minted = key.startswith(KEY_PREFIX)
    if rehearsal and not minted:
        return "this is a rehearsal and the key is not one of the rehearsal exchange; it was not used"
    if not rehearsal and minted:
        return "the key is one of the rehearsal exchange and this is no rehearsal; it was not used"
    for address in addresses:
        public = ipaddress.ip_address(address.split("%", 1)[0]).is_global
        if public and rehearsal:
            return "this is a rehearsal and the venue's name resolves to a public address; the key was not used"
        if not public and not rehearsal:
            return "the venue's name resolves to an address that is not public (a hosts entry or a lab); the key was not used"
    return None


def after(rehearsal: bool, headers: Mapping[str, str]) -> Optional[str]:
    """Return why the answer does not count, or None."""
    marked = MARKER_HEADER in headers
    if rehearsal and headers.get(MARKER_HEADER, "").strip().lower() != MARKER:
        return "this is a rehearsal and the answer does not carry the mark of the rehearsal exchange"
    if not rehearsal and marked:
        return "the answer carries the mark of a rehearsal exchange and this is no rehearsal"
    return None
