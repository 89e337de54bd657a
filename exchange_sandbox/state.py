"""What is on disk: the journal's facts and how the state is built from them again."""

from __future__ import annotations

import contextlib
import gc
import json
import os
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from .accounts import Account, LedgerEntry
from .engine import Engine, Fact, hold_asset
from .errors import SandboxError
from .fastjson import dumps
from .journal import Journal, read, write_atomically
from .keys import hashed
from .lending import Loan
from .orders import Fill, Order
from .positions import Position

if TYPE_CHECKING:
    from .core import Exchange

JOURNAL, SNAPSHOT = "journal.jsonl", "snapshot.json"
#: a journal above this size is folded into a snapshot, at the start and while running
FOLD_AT = 64_000_000
#: what ids are counted by, beside the trades of each pair
COUNTERS = ("O", "T", "L", "F", "border", "list", "transfer", "house", "seq")


def account_fact(account: Account) -> Fact:
    """Return the fact that an account exists, with its declarations."""
    return {
        "t": "account",
        "name": account.name,
        "profile": account.profile,
        "tier": account.tier,
        "limits": account.limits,
        "created": account.created,
        "venue": account.venue,
    }


def market_fact(exchange: Exchange) -> Fact:
    """Return the markets' and the clock's state, written every few seconds."""
    return {
        "t": "market",
        "clock": exchange.clock.state(),
        "markets": {name: item.state() for name, item in exchange.markets.by_symbol.items()},
        "ids": dict(exchange.engine.ids.state),
    }


def apply(engine: Engine, fact: Fact) -> None:
    """Build one fact into the engine's accounts and orders (books are built afterwards from the open orders)."""
    kind = fact["t"]
    if kind == "account":
        known = engine.accounts.get(fact["name"])
        account = known or Account(fact["name"], created=fact["created"])
        account.profile, account.tier, account.limits = fact["profile"], fact["tier"], fact["limits"]
        account.venue = fact.get("venue", "kraken")
        if known is None:
            engine.open_account(account)
    elif kind == "ledger":
        account = engine.accounts[fact["account"]]
        amount, fee, balance = (Decimal(fact[name]) for name in ("amount", "fee", "balance"))
        account.balances[fact["asset"]] = balance
        account.ledger.append(LedgerEntry(fact["id"], fact["ref"], fact["at"], fact["kind"], fact["asset"], amount, fee, balance))
        engine.take_fee(fact["asset"], fee)
    elif kind == "house":
        house = engine.accounts[fact["account"]]
        house.balances[fact["asset"]] = house.balance(fact["asset"]) + Decimal(fact["delta"])
    elif kind == "order":
        _put(engine, Order.from_dict(fact["order"]))
    elif kind == "fill":
        fill = Fill.from_dict(fact["fill"])
        account = engine.accounts[fill.account]
        account.fills.append(fill)
        account.add_volume(fill.at, fill.cost)
        if fact["order"] is not None:
            _put(engine, Order.from_dict(fact["order"]))
    elif kind == "totals":
        account = engine.accounts[fact["account"]]
        account.balances = {asset: Decimal(amount) for asset, amount in fact["balances"].items()}
        account.volume_by_day = {int(day): Decimal(cost) for day, cost in fact["volume"].items()}
    elif kind == "fees":
        engine.fees = {asset: Decimal(fee) for asset, fee in fact["fees"].items()}
    elif kind == "timer":
        engine.accounts[fact["account"]].cancel_all_at = fact["at"]
    elif kind == "loan":
        engine.lending.restore(Loan.from_dict(fact["loan"]))
    elif kind in ("countdown", "position", "modes", "funded"):
        _apply_contract(engine, kind, fact)


def _apply_contract(engine: Engine, kind: str, fact: Fact) -> None:
    if kind == "countdown":
        timers = engine.accounts[fact["account"]].countdowns
        timers.pop(fact["symbol"], None)
        if fact["at"] is not None:
            timers[fact["symbol"]] = fact["at"]
    elif kind == "position":
        position = Position.from_dict(fact["position"])
        engine.accounts[fact["account"]].futures.positions[(position.symbol, position.side)] = position
    elif kind == "modes":
        engine.accounts[fact["account"]].futures.choose(fact["modes"])
    else:
        engine.margin.funded = fact["at"]


def _put(engine: Engine, order: Order) -> None:
    engine.orders[order.id] = order
    engine.history[order.account][order.id] = order
    if order.client_id is not None:
        engine.by_client[(order.account, order.client_id)] = order.id
    opened = engine.open_by_account[order.account]
    if order.is_open:
        opened[order.id] = order
    else:
        opened.pop(order.id, None)


def rebuild_books(engine: Engine) -> None:
    """Put the open orders back into books and trigger lists, in their old time priority, and sum up what they hold."""
    for account in engine.accounts.values():
        if not account.house:
            account.holds = {}
    opened = [order for orders in engine.open_by_account.values() for order in orders.values()]
    for order in sorted(opened, key=lambda item: item.seq):
        instrument = engine.instruments.get(order.symbol)
        if instrument is None:
            raise SandboxError("the journal holds an order of %s, which is not configured; add the pair again" % order.symbol)
        engine.accounts[order.account].change_hold(hold_asset(order, instrument), order.held)
        if order.list_id is not None:
            engine.lists.setdefault(order.list_id, []).append(order.id)
        if order.status == "pending":
            engine.stops[order.symbol][order.id] = order
        else:
            engine.books[order.symbol].add(order)


def load(exchange: Exchange) -> Journal:
    """Build the state from snapshot and journal, and return the journal to go on with."""
    directory, engine = exchange.config.state_dir, exchange.engine
    nonces: dict[str, int] = {}
    last_market: dict[str, Any] = {}
    snapshot = directory / SNAPSHOT
    generation = 0
    steps: Iterable[list[Fact]] = []
    if snapshot.exists():
        try:
            stored = json.loads(snapshot.read_bytes())
        except ValueError:
            raise SandboxError("%s is damaged; restore it or move it away together with the journals" % snapshot) from None
        steps, generation = stored["steps"], stored["generation"]
    for number in range(max(0, generation - 10), generation):
        _path(directory, number).unlink(missing_ok=True)  # folded, and the fold died before it could take them away
    path = _path(directory, generation)
    # A fold that did not end leaves its journal and the next one.
    while _path(directory, generation + 1).exists():
        steps = chain(steps, read(_path(directory, generation)))
        generation += 1
        path = _path(directory, generation)
    fresh = True
    for step in chain(steps, read(path)):
        fresh = False
        for fact in step:
            if fact["t"] == "nonce":
                nonces[fact["key"]] = max(fact["nonce"], nonces.get(fact["key"], 0))
            elif fact["t"] == "market":
                last_market = fact
            else:
                apply(engine, fact)
    _ids(engine, last_market, fresh)
    rebuild_books(engine)
    _restore(exchange, nonces, last_market)
    if path.exists() and path.stat().st_size > FOLD_AT:
        generation += 1
        _fold(exchange, generation, last_market)
        path = _path(directory, generation)
    exchange.generation = generation
    return Journal(path)


def fold_running(exchange: Exchange) -> None:
    """Begin a new journal, and let a child process write what lies before it as a snapshot; nothing may be queued.

    The child has the whole state of this moment (fork) and no part in the exchange; requests wait for the fork only. Until it has ended,
    snapshot, old and new journal together are the state on disk.
    """
    old, last_market = exchange.journal, market_fact(exchange)
    exchange.generation += 1
    exchange.journal = Journal(_path(exchange.config.state_dir, exchange.generation))
    old.close()
    child = os.fork()
    if child:
        exchange.folding = child
        return
    status = 1
    try:
        gc.disable()
        os.closerange(3, 65_536)  # a connection that the parent closes must not live on here
        with contextlib.suppress(OSError):
            os.nice(10)  # a unit's filter of system calls may refuse it (@resources)
        _fold(exchange, exchange.generation, last_market)
        status = 0
    finally:
        os._exit(status)


def fold_ended(exchange: Exchange, wait: bool = False) -> None:
    """Look after the child of a fold. Raises SandboxError when it failed: the journals are then still whole."""
    if exchange.folding is None:
        return
    child, status = os.waitpid(exchange.folding, 0 if wait else os.WNOHANG)
    if child:
        exchange.folding = None
        if status:
            raise SandboxError("the journal could not be folded")


def _path(directory: Path, generation: int) -> Path:
    return directory / ("%d.%s" % (generation, JOURNAL))


def _ids(engine: Engine, last_market: dict[str, Any], fresh: bool) -> None:
    """Continue the counters behind everything that was ever given out, also after the last market fact."""
    state = engine.ids.state
    state.update(last_market.get("ids", {}))
    if fresh:
        return
    # Counters move with every order; between two market facts far fewer than this are used. One that no fact knows has moved, too.
    for name in {*state, *COUNTERS, *("trade:" + symbol for symbol in engine.instruments)}:
        state[name] = state.get(name, 0) + (1_000_000 if name in ("house", "seq") else 100_000)
    top = max((order.seq for order in engine.orders.values()), default=0)
    engine.ids.state["seq"] = max(engine.ids.state.get("seq", 0), top)


def _restore(exchange: Exchange, nonces: dict[str, int], last_market: dict[str, Any]) -> None:

    for key in exchange.keys.by_id.values():
        key.nonce = max(key.nonce, nonces.get(hashed(key.id), 0))
    if last_market:
        exchange.clock.restore(last_market["clock"])
        now = exchange.clock.now()
        for name, stored in last_market["markets"].items():
            if name in exchange.markets.by_symbol:
                exchange.markets.by_symbol[name].restore(stored, now)


def _order_of(engine: Engine, fill: Fill) -> Optional[dict[str, Any]]:
    order = engine.orders.get(fill.order_id)
    return None if order is None else order.to_dict()


def _totals(engine: Engine) -> list[Fact]:
    """Return what older, forgotten bookings and fills add up to: a snapshot must not depend on how many of them are kept."""
    facts: list[Fact] = [
        {"t": "fees", "fees": {asset: str(fee) for asset, fee in engine.fees.items()}},
        {"t": "funded", "at": engine.margin.funded},
    ]
    for account in engine.accounts.values():
        balances = {asset: str(amount) for asset, amount in account.balances.items()}
        volume = {str(day): str(cost) for day, cost in account.volume_by_day.items()}
        facts.append({"t": "totals", "account": account.name, "balances": balances, "volume": volume})
    return facts


def _fold(exchange: Exchange, generation: int, last_market: dict[str, Any]) -> None:
    """Write the present state as the snapshot before the journal of a generation; it replaces the ones before."""
    engine = exchange.engine
    step: list[Fact] = []
    for account in engine.accounts.values():
        if account.house:
            continue
        step.append(account_fact(account))
        step.extend(
            {
                "t": "ledger",
                "account": account.name,
                "id": entry.id,
                "ref": entry.ref,
                "at": entry.at,
                "kind": entry.kind,
                "asset": entry.asset,
                "amount": str(entry.amount),
                "fee": str(entry.fee),
                "balance": str(entry.balance),
            }
            for entry in account.ledger
        )
        step.append({"t": "timer", "account": account.name, "at": account.cancel_all_at})
        step.extend({"t": "countdown", "account": account.name, "symbol": symbol, "at": at} for symbol, at in account.countdowns.items())
        step.append({"t": "modes", "account": account.name, "modes": account.futures.modes()})
        step.extend({"t": "position", "account": account.name, "position": item.to_dict()} for item in account.futures.open())
        step.extend({"t": "loan", "loan": item.to_dict()} for item in engine.lending.of(account))
        step.extend({"t": "fill", "fill": fill.to_dict(), "order": _order_of(engine, fill)} for fill in account.fills)
    step.extend({"t": "order", "order": order.to_dict()} for order in engine.orders.values())
    step.extend(_totals(engine))
    step.extend({"t": "nonce", "key": hashed(key.id), "nonce": key.nonce} for key in exchange.keys.by_id.values())
    if last_market:
        step.append({**last_market, "ids": dict(engine.ids.state)})
    directory = exchange.config.state_dir
    write_atomically(directory / SNAPSHOT, dumps({"generation": generation, "steps": [step]}))
    for number in range(max(0, generation - 10), generation):
        _path(directory, number).unlink(missing_ok=True)
