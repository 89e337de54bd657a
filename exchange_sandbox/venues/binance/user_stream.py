"""Listen keys: how a client names its user data stream."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from .call import KEY, Call, Endpoint
from .errors import BinanceError
from .gate import FUTURES, READ
from .instruments import SPOT, USDM

if TYPE_CHECKING:
    from ...core import Exchange

#: a listen key lives so long after it was asked for or kept alive
LIFE_S = 3600.0


@dataclass
class ListenKey:
    """One stream's name, of one market of one account."""

    name: str
    account: str
    key: str
    market: str
    until: float


class ListenKeys:
    """All listen keys; there is one per account and market at a time, as at the venue."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.by_name: dict[str, ListenKey] = {}

    def find(self, name: str, market: str, now: float) -> Optional[ListenKey]:
        found = self.by_name.get(name)
        return found if found is not None and found.market == market and found.until > now else None

    def _own(self, call: Call, market: str) -> Optional[ListenKey]:
        return next(
            (
                item
                for item in self.by_name.values()
                if item.account == call.account.name and item.market == market and item.until > call.now
            ),
            None,
        )

    def _make(self, call: Call, market: str) -> Any:
        self.by_name = {name: item for name, item in self.by_name.items() if item.until > call.now}
        assert call.key is not None
        known = self._own(call, market)
        if known is None:
            name = secrets.token_urlsafe(48).replace("-", "A").replace("_", "B")[:64]
            known = self.by_name[name] = ListenKey(name, call.account.name, call.key.id, market, 0.0)
        known.until = call.now + LIFE_S
        return {"listenKey": known.name}

    def _given(self, call: Call, market: str) -> ListenKey:
        name = call.params.get("listenKey", "")
        found = self.find(name, market, call.now) if name else (self._own(call, market) if market == USDM else None)
        if found is None or found.account != call.account.name:
            raise BinanceError(-1125, "This listenKey does not exist.")
        return found

    def _keep(self, call: Call, market: str) -> Any:
        found = self._given(call, market)
        found.until = call.now + LIFE_S
        return {"listenKey": found.name} if market == USDM else {}

    def _close(self, call: Call, market: str) -> Any:
        del self.by_name[self._given(call, market).name]
        return {}

    def spot(self) -> Part:
        """Return the endpoints of spot (the older way; new clients subscribe on the WebSocket API)."""
        return Part(self, SPOT, "/api/v3/userDataStream", (READ,))

    def usdm(self) -> Part:
        return Part(self, USDM, "/fapi/v1/listenKey", (READ, FUTURES))


@dataclass
class Part:
    """The three endpoints of one market."""

    keys: ListenKeys
    market: str
    path: str
    rights: tuple[str, ...]

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        keys, market = self.keys, self.market
        return {
            ("POST", self.path): Endpoint(lambda call: keys._make(call, market), KEY, self.rights, 2),
            ("PUT", self.path): Endpoint(lambda call: keys._keep(call, market), KEY, self.rights, 2),
            ("DELETE", self.path): Endpoint(lambda call: keys._close(call, market), KEY, self.rights, 2),
        }
