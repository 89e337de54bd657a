"""Binance's limits: request weight per address and minute, orders per account, 429 and the ban (418) for who goes on after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import BinanceError

#: (seconds, letter in the header, most orders)
ORDER_WINDOWS = {"spot": ((10, "10S", 100), (86_400, "1D", 200_000)), "usdm": ((10, "10S", 300), (60, "1M", 1_200))}
#: requests that an address may still send after its first 429 of a window before it is banned
PATIENCE = 10
#: a ban begins at two minutes and grows to three days
FIRST_BAN_S, LONGEST_BAN_S = 120.0, 3 * 86_400.0
MOST_KEPT = 10_000


@dataclass
class Window:
    """A counter that begins anew with each window."""

    number: int = -1
    count: int = 0
    refused: int = 0

    def at(self, number: int) -> Window:
        if number != self.number:
            self.number, self.count, self.refused = number, 0, 0
        return self


@dataclass
class Limits:
    """Counters per address (weights) and per account (orders)."""

    weights: dict[str, int]
    used: dict[tuple[str, str], Window] = field(default_factory=dict)
    orders: dict[tuple[str, str, int], Window] = field(default_factory=dict)
    #: address -> (banned until, length of the last ban), exchange seconds
    banned: dict[str, tuple[float, float]] = field(default_factory=dict)

    def _orders(self, family: str, account: str, now: float) -> list[Window]:
        """Return the order counters of an account, in the order of ORDER_WINDOWS."""
        out = []
        for seconds, _, _ in ORDER_WINDOWS[family]:
            key = (family, account, seconds)
            window = self.orders.get(key)
            if window is None:
                window = self.orders[key] = Window()
            out.append(window.at(int(now // seconds)))
        return out

    def _used(self, kind: str, source: str, now: float) -> Window:
        window = self.used.get((kind, source))
        if window is None:
            window = self.used[(kind, source)] = Window()
        return window.at(int(now // 60))

    def check_ban(self, source: str, now: float) -> None:
        """Raise BinanceError while an address is banned."""
        if not self.banned:
            return
        until, _ = self.banned.get(source, (0.0, 0.0))
        if now < until:
            text = "Way too many requests; IP(%s) banned until %d. Please use the websocket for live updates to avoid bans."
            raise BinanceError(-1003, text % (source, int(until * 1000)), 418, int(until - now) + 1)

    def weigh(self, kind: str, source: str, weight: int, now: float, enforce: bool) -> int:
        """Add a weight; returns the sum of this minute. Raises BinanceError (429, later 418) above the limit."""
        if len(self.used) > MOST_KEPT:
            self.used.clear()
        window = self._used(kind, source, now)
        window.count += weight
        limit = self.weights[kind]
        if window.count <= limit or not enforce:
            return window.count
        window.refused += 1
        if window.refused > PATIENCE:
            _, last = self.banned.get(source, (0.0, 0.0))
            length = min(LONGEST_BAN_S, last * 2 or FIRST_BAN_S)
            self.banned[source] = (now + length, length)
            self.check_ban(source, now)
        text = "Too many requests; current limit of IP(%s) is %d requests per minute."
        raise BinanceError(-1003, text % (source, limit), 429, 60 - int(now) % 60)

    def used_now(self, kind: str, source: str, now: float) -> int:
        return self._used(kind, source, now).count

    def count_order(self, family: str, account: str, count: int, now: float, enforce: bool) -> None:
        """Count orders of an account. Raises BinanceError -1015 above the limit."""
        windows = self._orders(family, account, now)
        for window, (_, letter, most) in zip(windows, ORDER_WINDOWS[family], strict=True):
            if window.count + count > most and enforce:
                window.refused += 1
                raise BinanceError(-1015, "Too many new orders; current limit is %d orders per %s." % (most, letter), 429)
        for window in windows:
            window.count += count

    def order_headers(self, family: str, account: str, now: float) -> dict[str, str]:
        windows = zip(self._orders(family, account, now), ORDER_WINDOWS[family], strict=True)
        return {"X-MBX-ORDER-COUNT-" + letter: str(window.count) for window, (_, letter, _) in windows}
