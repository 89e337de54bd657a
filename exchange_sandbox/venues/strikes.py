"""Cruelties that strike single requests, the same for every venue. Several at once add up: delays are summed, dice are rolled for each."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Optional

from ..cruelty import Active
from ..seen import Seen
from .front import Answer

if TYPE_CHECKING:
    from ..core import Exchange

_HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>cloudflare</p></body></html>"


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Strikes:
    """Finds and applies the cruelties of a request. `names` are all names by which the endpoint may be meant."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def all(self, name: str, seen: Seen, names: Collection[str]) -> list[Active]:
        """Return every active cruelty of that name that strikes this request."""
        return list(self._striking(name, seen, names))

    def _striking(self, name: str, seen: Seen, names: Collection[str]) -> Iterator[Active]:
        for cruelty in self._exchange.cruelties_of(name, seen.account, seen.source):
            wanted = [item for item in str(cruelty.params.get("endpoints", "")).split(",") if item]
            if wanted and not any(item in names for item in wanted):
                continue
            if self._exchange.cruelties.strikes(cruelty):
                seen.cruelties.append(name)
                yield cruelty

    def first(self, name: str, seen: Seen, names: Collection[str]) -> Optional[Active]:
        """Return the first that strikes. The others keep their dice: two that end after one hit each strike two requests."""
        return next(self._striking(name, seen, names), None)

    async def before(self, seen: Seen, names: Collection[str]) -> Optional[Answer]:
        """Delay, drop or answer instead of the venue; None lets the request through. `rate_limit` is in the venue's own words."""
        delay = 0.0
        for item in self.all("latency", seen, names):
            delay += float(item.params["ms"]) + self._exchange.cruelties.uniform(0, float(item.params["jitter_ms"]))
        if delay:
            await asyncio.sleep(delay / 1000)
        held = self.all("timeouts", seen, names)
        if held:
            await asyncio.sleep(sum(float(item.params["hold_s"]) for item in held))
            raise Dropped
        if (error := self.first("http_5xx", seen, names)) is not None:
            seen.status = str(error.params["status"])
            return Answer(b"error code: %d" % int(error.params["status"]), int(error.params["status"]), "text/plain; charset=utf-8")
        if (error := self.first("html_error", seen, names)) is not None:
            seen.status = str(error.params["status"])
            text = _HTML.format("%d Bad gateway" % error.params["status"])
            return Answer(text.encode(), int(error.params["status"]), "text/html; charset=utf-8")
        return None
