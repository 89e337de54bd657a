"""What can go wrong between the bot and the world, by what may be concluded from it."""

from __future__ import annotations


class BotError(Exception):
    """The bot was given something it cannot work with; `str()` says what, where and what to do."""


class VenueError(BotError):
    """A call to the venue had no good end. The text is the venue's own, redacted."""


class VenueRefused(VenueError):
    """The venue answered and said no: the request was certainly not carried out."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors)[:500])
        self.errors = errors

    @property
    def busy(self) -> bool:
        """True when the refusal is about the venue's state and not about the request."""
        return any(text.startswith(("EService:", "EGeneral:Internal", "EGeneral:Temporary")) for text in self.errors)

    @property
    def rate_limited(self) -> bool:
        """True when the venue asks for fewer requests."""
        return any("ate limit" in text or "Too many requests" in text or "Throttled" in text for text in self.errors)

    @property
    def bad_nonce(self) -> bool:
        """True when the nonce was not above the last one the venue saw for this key."""
        return any(text.startswith("EAPI:Invalid nonce") for text in self.errors)


class VenueUnclear(VenueError):
    """No usable answer (timeout, broken connection, 5xx, not JSON): the request may have been carried out."""
