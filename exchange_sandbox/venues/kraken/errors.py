"""Kraken's own words for what is wrong (docs.kraken.com, guides/general/errors)."""

from __future__ import annotations

from ...orders import Refusal


class KrakenError(Exception):
    """An answer of the venue: HTTP 200 with an error list (or another status where the front refuses)."""

    def __init__(self, text: str, status: int = 200) -> None:
        super().__init__(text)
        self.text, self.status = text, status


_REFUSALS = {
    "insufficient_funds": "EOrder:Insufficient funds",
    "insufficient_margin": "EOrder:Margin level too low",
    "reduce_only": "EOrder:Reduce only:No position exists",
    "post_only_would_cross": "EOrder:Post only order",
    "unknown_order": "EOrder:Unknown order",
    "invalid_volume": "EGeneral:Invalid arguments:volume",
}


def words(refusal: Refusal) -> KrakenError:
    """Translate the engine's refusal."""
    return KrakenError(_REFUSALS.get(refusal.code, "EOrder:Invalid order"))
