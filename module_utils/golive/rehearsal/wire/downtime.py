"""Does a bot whose system has a daily downtime send no entry in it? One bot each over the start and over the end of the window.

For systems with a downtime only, so not among the drills that are run for all: `wire_drill: {names: [wire_downtime]}`.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .world import Copy, Exchange, NotSeen, wait_for

START, END = "03:00", "05:00"
BEFORE_S = 90            # how long before a border a bot is started: a loaded machine needs its time for the first order
SIGNALS = 5              # that the bot must have had in the downtime, on either side: without them its silence says nothing
# Trades all the time, and is not sent to paper by an exchange that answers slowly on a loaded machine: that is the drill wire_venue_fails.
FAST = {"strategy__max_hold_candles": 4, "failsafe__after_s": 300}
Make = Callable[..., Copy]


def orders_in_downtime(exchange: Exchange, make: Make) -> tuple[dict[str, Any], int]:
    """Orders before, none after the start, none before the end, orders after; the venue's clock and judge say which is which.

    The outer two prove that the same market makes this bot order. It is not started anew between the first two nor between the last two:
    one that asks for the window only at its start is seen. Exits are allowed; whether the profile wants that is the profile's.
    """
    first = _bot(exchange, make, _next(exchange, START) - BEFORE_S)
    wait_for(lambda: exchange.entries(first.account) >= 1, "an order before the downtime")
    begun = _next(exchange, START) + 5
    wait_for(lambda: _now(exchange) >= begun, "the start of the downtime", 2 * BEFORE_S)
    after_start, sent_after_start = _signals(first), _violations(exchange, first)
    first.end()
    if sent_after_start:     # such a bot may never order after the downtime, and is red already
        return {"control_stimulus_passed": True, "orders_after_start": sent_after_start, "window": f"{START}-{END}"}, after_start
    second = _bot(exchange, make, _next(exchange, END) - BEFORE_S)
    border, before_end = _next(exchange, END), _signals(second)
    if _now(exchange) >= border:
        raise NotSeen("signals before the end of the downtime")
    wait_for(lambda: _now(exchange) >= border, "the end of the downtime", 2 * BEFORE_S)
    sent = exchange.entries(second.account)
    wait_for(lambda: exchange.entries(second.account) > sent or _kept(exchange, second) > 0, "an order after the downtime")
    return {"control_stimulus_passed": _kept(exchange, first) >= 1 and _kept(exchange, second) >= 1,
            "orders_after_start": sent_after_start, "orders_before_end": _violations(exchange, second),
            "window": f"{START}-{END}"}, min(after_start, before_end)


def _bot(exchange: Exchange, make: Make, at: float) -> Copy:
    """Set the venue's clock and start a bot whose clock is the venue's, with an account that is judged by the downtime."""
    exchange.admin("POST", "clock", {"to": at})
    bot = make("wire", downtime={"start": START, "end": END}, **FAST)
    declared = {"mode": "live", "downtime": [{"from": f"{START}:00", "to": f"{END}:00", "exits_allowed": True}]}
    exchange.admin("PATCH", f"accounts/{bot.account}", {"profile": declared})
    return bot.start(ahead_s=float(exchange.admin("GET", "clock")["ahead"]))


def _signals(bot: Copy) -> int:
    """Wait until the bot has had its signals, and return how many they are."""
    had = len(bot.ledger("signal"))
    wait_for(lambda: len(bot.ledger("signal")) >= had + SIGNALS, "signals in the downtime")
    return len(bot.ledger("signal")) - had


def _rule(exchange: Exchange, bot: Copy) -> dict[str, int]:
    return dict(exchange.verdicts(bot.account)["rules"]["order_in_downtime"])


def _violations(exchange: Exchange, bot: Copy) -> int:
    return int(_rule(exchange, bot)["fail"])


def _kept(exchange: Exchange, bot: Copy) -> int:
    """Return how many orders the judge saw outside of the window (or allowed in it)."""
    return int(_rule(exchange, bot)["pass"])


def _now(exchange: Exchange) -> float:
    return float(exchange.admin("GET", "clock")["now"])


def _next(exchange: Exchange, at: str) -> float:
    """Return the next moment of a time of day on the venue's clock, in seconds since 1970."""
    hours, minutes = (int(word) for word in at.split(":"))
    now = _now(exchange)
    moment = now - now % 86400 + hours * 3600 + minutes * 60
    return moment if moment > now else moment + 86400


SCENARIOS: dict[str, Callable[[Exchange, Make], tuple[dict[str, Any], int]]] = {"wire_downtime": orders_in_downtime}
