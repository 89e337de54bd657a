"""The command line."""
from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional

from .beside import CONSOLE
from .binance_calls import Binance
from .binance_futures import FuturesAccount
from .binance_spot import SpotAccount
from .kill import Kill
from .kraken import KrakenAccount
from .kraken_calls import Kraken
from .plan import Order, Step, View, dust, naked, steps, surely_opens, to_cancel
from .settings import SETTINGS, credential_from, key_files, moment_of, settings_from
from .venue import Venue
from .words import Problem


def venue_of(settings: Dict[str, Any], path: str = SETTINGS) -> Venue:
    """Return the account that the settings name. Raises Problem."""
    cancels, trades = key_files(settings)
    decode, ca_file = settings["venue"] == "kraken", settings.get("ca_file") or None
    first = credential_from(cancels, "kill_key", decode)
    second = credential_from(trades, "trade_key", decode) if trades else None
    priced = settings["policy"] == "flatten" or bool(settings.get("place_stops"))
    since = moment_of(settings["inventory_since"], path) if settings.get("inventory_since") is not None else None
    if settings["venue"] == "kraken":
        asks = Kraken(settings["url"], ca_file, *first)
        return KrakenAccount(asks, Kraken(settings["url"], ca_file, *second) if second else asks, settings, priced, since)
    one = Binance(settings["url"], ca_file, *first)
    two = Binance(settings["url"], ca_file, *second) if second else one
    if settings["venue"] == "binance":
        return SpotAccount(one, two, settings, priced, since)
    return FuturesAccount(one, two, settings, priced)


def dry_run(kill: Kill) -> int:
    """Say what would be done, in what order, and touch nothing."""
    orders = kill.attempt(kill.venue.open_orders)
    view: Optional[View] = kill.attempt(lambda: kill.venue.read(orders)) if orders is not None else None
    if view is None:
        return 2
    kill.say("0. would raise the epoch, void the ticket, stop and mask the bot, page")
    going: List[Order] = []
    left = view
    while True:         # a pull reads again after each round; here the rounds are thought through
        now = to_cancel(left, kill.policy, fenced=True)
        if not now:
            break
        going += now
        left = left._replace(orders=tuple(one for one in left.orders if one not in now))
    first = [one for one in going if surely_opens(one)]
    for number, (word, listed) in enumerate((("cancel", first), ("cancel", [one for one in going if one not in first]),
                                             ("keep", [one for one in view.orders if one not in going])), 1):
        for one in listed:
            kill.say("%d. would %s %s: %s" % (number, word, one.id, one.words or "%s %s %s" % (one.side, one.left, one.symbol)))
    for txid in view.unclear:
        kill.say("1. would not judge %s: look at it yourself" % txid)
    for position in view.positions:
        kill.say("position: %s %s %s%s" % (position.side, position.size, position.asset,
                                           ", too small to trade" if dust(position, view) else ""))
    last = steps(left, kill.policy, True, True)
    for step in last:
        kill.say("4. %s" % _told(step))
    closed = [step.position.key for step in last if step.do == "close"]
    for one in left.orders:
        if one.key in closed:
            kill.say("4. would then cancel %s, which is left behind" % one.id)
    for asset, amount in sorted(naked(left).items()):
        kill.say("no stop covers %s %s" % (amount, asset))
    kill.say("5. would read everything back until two readings are clean")
    return 0


def _told(step: Step) -> str:
    if step.do == "protect":
        return "would place a stop for %s %s" % (step.amount, step.position.asset)
    if step.do == "close":
        return "would close %s %s, reducing only" % (step.amount, step.position.symbol)
    return "would cancel %s and, behind the fence, sell the %s %s that it held" % (step.order.id, step.amount, step.position.asset)


USAGE = """usage: kill_switch.py [--now] [--dry-run] [--fenced] [--settings FILE]

Stop, now: cancel every entry order at the venue, fence the bot, keep the stops.

  --now            the same as no option; what the card says
  --dry-run        list orders, positions and what would be done, in order; touch nothing
  --fenced         you have powered the bot's host off yourself
  --settings FILE  default: %s""" % SETTINGS


class Options(NamedTuple):
    """The command line."""

    settings: str = SETTINGS
    dry_run: bool = False
    fenced: bool = False
    help: bool = False


def options_of(arguments: List[str]) -> Options:
    """Return the options. Raises Problem. (The library for this costs 15 ms of the cold start.)"""
    found, left = Options(), list(arguments)
    while left:
        word, _, value = left.pop(0).partition("=")
        if word == "--settings" and (value or left):
            found = found._replace(settings=value or left.pop(0))
        elif word == "--dry-run" and not value:
            found = found._replace(dry_run=True)
        elif word == "--fenced" and not value:
            found = found._replace(fenced=True)
        elif word in ("--help", "-h"):
            found = found._replace(help=True)
        elif word != "--now" or value:
            raise Problem("%s: unknown, or without its value; see --help" % word[:60])
    return found


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; see the head of the file."""
    began = time.monotonic()

    def say(text: str) -> None:
        clean = "".join(char if char.isprintable() else "?" for char in text)
        with contextlib.suppress(OSError):  # a terminal that is gone must not end the kill
            print("[%7.3f s] %s" % (time.monotonic() - began, clean), flush=True)

    try:
        chosen = options_of(sys.argv[1:] if arguments is None else arguments)
        if chosen.help:
            print(USAGE)
            return 0
        settings = settings_from(chosen.settings)
        venue = venue_of(settings, chosen.settings)
    except Problem as exc:
        print("kill_switch: %s" % exc, file=sys.stderr)
        print("by hand: %s" % CONSOLE, file=sys.stderr)
        return 64
    kill = Kill(settings, venue, say)
    if chosen.dry_run:
        return dry_run(kill)
    if chosen.fenced:
        kill.beside.fenced.set()
    record = kill.run()
    cost = record["cost"]
    say("%s after %.1f s, %d orders cancelled, cost: fees %s and slippage %s %s%s" % (
        record["state"], record["seconds"], record["cancelled"], cost["fees"], cost["slippage"], cost["currency"],
        "" if cost["complete"] else ", not all known"))
    with contextlib.suppress(OSError):
        print(json.dumps(record), flush=True)
    return 3 if record["state"] == "NAKED" else 0
