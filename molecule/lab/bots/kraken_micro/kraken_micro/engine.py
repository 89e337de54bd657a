"""The decision loop: look, hold against the limits, protect, then trade. One task, so nothing overtakes anything."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from decimal import Decimal

from . import controls, misbehave, risk
from .book import Book, Order, Position, State
from .config import Config
from .dead_man import DeadMan
from .errors import VenueError
from .execution import PREFIX, Execution, Intent
from .failsafe import VenueHealth
from .faults import Faults
from .kraken_stream import Account, Market
from .ledger import Ledger
from .metrics import Metrics
from .paper import PaperDesk
from .signals import Candles, Signal, decide
from .venue import Balances, Instrument, Orders

log = logging.getLogger("kraken_micro.engine")

# A position that has no stop for this long although the venue answers is sold instead.
NAKED_S = 10.0


class Engine:
    """Decides. `place` of the venue or of the dry run is reached from here only."""

    def __init__(
        self,
        config: Config,
        state: State,
        ledger: Ledger,
        market: Market,
        instruments: dict[str, Instrument],
        metrics: Metrics,
        health: VenueHealth,
        faults: Faults,
        execution: Execution | None = None,
        orders: Orders | None = None,
        balances: Balances | None = None,
        account: Account | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config, self.state, self.ledger, self.market, self.metrics = config, state, ledger, market, metrics
        self._instruments, self._health, self._faults, self._clock = instruments, health, faults, clock
        self._execution, self._orders, self._balances, self._account = execution, orders, balances, account
        self.dead_man = None if orders is None or config.mode == "shadow" else DeadMan(config.failsafe, orders)
        self._paper = PaperDesk(ledger, state.paper, market, config.paper, metrics)
        keep = config.strategy.window + config.strategy.max_hold_candles + 2
        self.candles = {pair: Candles(config.strategy.candle_s, keep) for pair in config.trade_pairs}
        self._decided: dict[str, Decimal] = {}
        self._naked_since: dict[str, float] = {}
        self.reconciled = execution is None
        self.foreign_orders: int | None = None
        self._next_poll = 0.0
        self.kill_wanted: str | None = None
        self.trouble: str | None = None
        self._trouble_since = 0.0
        self.halts: list[str] = ["starting"]
        self.controls = controls.Orders(no_entries=True)
        self.last_decision = 0.0
        self.decisions = 0
        self.losses = risk.Losses(config, state, self.book, ledger, faults, clock)
        market.on_price.append(self._on_price)

    @property
    def effective_mode(self) -> str:
        """Return the mode in force: shadow, wire or live; paper after the failsafe; halted after a kill."""
        if self.state.latches.killed:
            return "halted"
        if self.config.mode != "shadow" and self.state.latches.failsafe:
            return "paper"
        return self.config.mode

    @property
    def real(self) -> bool:
        """Return whether new orders go to the venue."""
        return self.effective_mode in ("wire", "live")

    @property
    def book(self) -> Book:
        """Return the book that decisions are about."""
        return self.state.venue if self.config.mode != "shadow" and not self.state.latches.failsafe else self.state.paper

    def prices(self) -> dict[str, Decimal]:
        """Return what a position could be sold for now, per pair."""
        return {pair: price.bid for pair, price in self.market.prices.items()}

    async def step(self) -> None:
        """Decide once. Venue errors end the step, not the bot."""
        if self._faults.on("stop_deciding") and self.decisions > 0:
            return
        self.controls = controls.Orders() if self._faults.on("ignore_control_files") else controls.read(self.config.paths, self.config)
        if self.losses.measure(self.prices()):
            self.kill_wanted = self.state.latches.breaker
        if self.controls.kill:
            self.kill_wanted = self.kill_wanted or "kill file"
        if self.kill_wanted and not self.state.latches.killed:
            self.ledger.append("kill", reason=self.kill_wanted)
            log.critical("killed", extra={"reason": self.kill_wanted})
        try:
            if self._execution is not None:
                await self._venue_work()
        except VenueError as exc:
            log.warning("venue work failed", extra={"reason": str(exc)[:200]})
        self._watch_failsafe()
        if self.state.latches.failsafe or self.config.mode == "shadow":
            self._paper.trigger_stops()
        self.halts = self._standing()
        if not self.state.latches.killed:
            await self._trade()
        self.last_decision = self._clock()
        self.decisions += 1
        if self.dead_man is not None:
            await self.dead_man.decided(flat=not self.state.venue.positions and not self.state.venue.unresolved())
        self.metrics.show_engine(self.effective_mode, self.halts, self.last_decision, len(self.book.positions))
        self.metrics.show_money(self.losses.total, self.losses.day)
        seen = [self.market.prices[pair].at if pair in self.market.prices else 0.0 for pair in self.config.trade_pairs]
        self.metrics.last_price.set(min(seen))

    async def stop(self, reason: str) -> None:
        """End gracefully: no entry stays open, every position keeps its stop, the ledger says why."""
        self.halts = ["stopping"]
        if self._execution is not None:
            try:
                await self._venue_work()
                await self._cancel_entries()
            except VenueError as exc:
                log.error("stopped without the venue's answer", extra={"reason": str(exc)[:200]})
        naked = [position.pair for position in self._naked()]
        self.ledger.append("stop", reason=reason, unprotected=naked, profit=self.losses.total, simulated=not self.real)

    # --- what comes before trading -------------------------------------------------------------------------------

    def _standing(self) -> list[str]:
        reasons = risk.standing_reasons(self.state.latches, self.controls, self.config, risk.day_of(self._clock()))
        if self.trouble and self.config.mode != "shadow" and not self.state.latches.failsafe:
            reasons.append("venue_trouble")
        return reasons

    async def _venue_work(self) -> None:
        """Resolve what is unknown, read what happened, keep every position protected; at least every `poll_s` seconds."""
        assert self._execution is not None
        due = time.monotonic() >= self._next_poll
        hinted = self._account is not None and self._account.executed.is_set()
        for order in self.state.venue.unresolved():
            await self._execution.resolve(order.client_id)
        if due and self._faults.on("flood_orders"):
            await misbehave.flood(self._orders, self.market.prices, self._instruments)
        if due or hinted:
            if self._account is not None:
                self._account.executed.clear()
            self._next_poll = time.monotonic() + float(self.config.venue.poll_s)
            await self._execution.refresh()
            await self._reconcile()
        await self._protect()
        if self.state.latches.killed:
            await self._cancel_entries()

    async def _reconcile(self) -> None:
        """Hold our orders against the venue's: an order of ours that we do not know, or one that is gone, ends entries.

        A stop may be triggered between two questions, so a difference is asked about once more before it counts.
        """
        assert self._execution is not None
        unknown, gone = await self._differences()
        if unknown or gone:
            await self._execution.refresh()
            unknown, gone = await self._differences()
        good = not unknown and not gone
        if good != self.reconciled:
            level, text = (logging.INFO, "reconciled") if good else (logging.ERROR, "not reconciled")
            log.log(level, text, extra={"unknown": unknown, "gone": gone})
        self.reconciled = good

    async def _differences(self) -> tuple[list[str], list[str]]:
        """Return our orders that only the venue has open, and those that only we do."""
        assert self._orders is not None
        ours, foreign = set(), 0
        for state in await self._orders.open():
            if (state.client_id or "").startswith(PREFIX):
                ours.add(str(state.client_id))
            else:
                foreign += 1
        self.foreign_orders = foreign
        known = {order.client_id for order in self.state.venue.open_orders() if order.status == "open"}
        return sorted(ours - known), sorted(known - ours)

    def _naked(self) -> list[Position]:
        """Return the venue's positions without a stop over their whole volume. Dust that no order can cover is not one."""
        found = []
        for position in self.state.venue.positions.values():
            instrument = self._instruments.get(position.pair)
            if instrument is not None and position.volume < instrument.minimum_volume:
                continue
            stop = self.state.venue.orders.get(position.stop_client_id or "")
            if stop is None or stop.volume - stop.executed < position.volume:
                found.append(position)
        return found

    async def _protect(self) -> None:
        assert self._execution is not None
        if self._faults.on("no_stop"):
            return
        naked = self._naked()
        for pair in set(self._naked_since) - {position.pair for position in naked}:
            del self._naked_since[pair]
        for position in naked:
            since = self._naked_since.setdefault(position.pair, time.monotonic())
            old = self.state.venue.orders.get(position.stop_client_id or "")
            if old is not None and not await self._execution.cancel(old):
                continue
            if time.monotonic() - since > NAKED_S:
                await self._sell(position, "unprotected")
                continue
            await self._execution.place(self._stop_intent(position))

    def _stop_intent(self, position: Position) -> Intent:
        instrument = self._instruments[position.pair]
        price = instrument.price_down(position.price * (1 - self.config.risk.stop_loss_fraction))
        return Intent(instrument, "stop", "sell", "stop-loss", position.volume, price, position.signal, position.stops)

    async def _cancel_entries(self) -> None:
        assert self._execution is not None
        for order in self.state.venue.open_orders():
            if order.action == "entry" and order.txid:
                await self._execution.cancel(order)

    def _watch_failsafe(self) -> None:
        """End live trading when the venue is in trouble: entries at once, the mode as soon as no position is naked.

        A venue that takes no stop is not waited for longer than `failsafe.after_s`: protecting goes on in paper mode.
        """
        if self.config.mode == "shadow" or self.state.latches.failsafe or self._faults.on("retry_for_ever"):
            return
        if self.trouble is None:
            self.trouble, self._trouble_since = self._health.trouble(), time.monotonic()
        if self.trouble is None:
            return
        naked, unresolved = [one.pair for one in self._naked()], [one.client_id for one in self.state.venue.unresolved()]
        if (naked or unresolved) and time.monotonic() - self._trouble_since < float(self.config.failsafe.after_s):
            return
        record = {"to": "paper", "reason": self.trouble, "positions": sorted(self.state.venue.positions),
                  "unprotected": naked, "unresolved": unresolved}  # fmt: skip
        self.ledger.append("mode", **{"from": self.config.mode}, **record, profit=self.losses.total)
        self.losses = risk.Losses(self.config, self.state, self.book, self.ledger, self._faults, self._clock)
        log.critical("failsafe: trading on paper", extra=record)

    # --- trading --------------------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        for pair in self.config.trade_pairs:
            closed = self.candles[pair].closed
            if not closed or self._decided.get(pair) == closed[-1].start:
                continue
            self._decided[pair] = closed[-1].start
            signal = self._signal(pair)
            position = self.book.positions.get(pair)
            try:
                if position is not None:
                    await self._maybe_leave(position, signal, closed[-1].start)
                elif signal is not None and signal.side == "buy":
                    await self._maybe_enter(signal)
            except VenueError as exc:
                log.warning("trade ended early", extra={"pair": pair, "reason": str(exc)[:200]})

    def _signal(self, pair: str) -> Signal | None:
        if self._faults.on("no_signals"):
            return None
        signal = decide(pair, self.candles[pair].closed, self.config.strategy)
        if signal is not None and self._faults.on("random_signals"):
            return Signal(signal.id, pair, random.choice(("buy", "sell")), signal.price, signal.z, signal.candle)
        return signal

    async def _maybe_enter(self, signal: Signal) -> None:
        pair, instrument = signal.pair, self._instruments[signal.pair]
        self._log_signal(signal)
        size = self.controls.size or self.config.position_size
        if self._faults.on("ignore_position_size"):
            size *= Decimal(str(self._faults.number("ignore_position_size")))
        reasons = [] if self._faults.on("skip_risk_gate") else self._standing() or await self._gate(pair, size)
        price = self.market.prices.get(pair)
        volume = limit = Decimal(0)
        if not reasons and price is not None:
            limit = price.ask * (1 + self.config.venue.max_slippage_fraction)
            if not self._faults.on("no_rounding"):
                limit = instrument.price_up(limit)
            volume = size / limit if self._faults.on("no_rounding") else instrument.volume_down(size / limit)
            if volume < instrument.minimum_volume or volume * price.bid < instrument.minimum_cost:
                reasons = ["below_minimum"]
        self.ledger.append(
            "risk", signal=signal.id, pair=pair, allowed=not reasons, reasons=reasons, size=size,
            limits={"position": self.config.position_size, "positions": self.config.positions_allowed}, simulated=not self.real,
        )  # fmt: skip
        if self._faults.on("silent_orders"):
            return
        if reasons:
            self.metrics.orders.labels("blocked").inc()
            return
        intent = Intent(instrument, "entry", "buy", "limit", volume, limit, signal.id)
        if self.real and self._execution is not None:
            await self._execution.place(intent)
            await self._protect()
            return
        self._paper.place(intent)
        if self._faults.on("paper_sends_orders"):
            await misbehave.leak(self._orders, intent)
        if pair in self.book.positions and not self._faults.on("no_stop"):
            self._paper.place(self._stop_intent(self.book.positions[pair]))

    async def _gate(self, pair: str, size: Decimal) -> list[str]:
        price = self.market.prices.get(pair)
        quote = pair.split("/")[1]
        balance = self._paper.free()
        if self.real:
            assert self._balances is not None
            balance_or_none = await self._balances.free(quote)
        else:
            balance_or_none = balance
        situation = risk.Situation(
            pair=pair,
            size=size,
            price_age=self.market.age(pair),
            spread_fraction=(price.ask - price.bid) / price.ask if price is not None else None,
            balance=balance_or_none,
            venue_status=self.market.status,
            orders_last_minute=self._execution.sent_last_minute() if self._execution is not None else 0,
            unresolved_orders=len(self.book.unresolved()),
            unprotected_positions=len(self._naked()) if self.real else 0,
            reconciled=self.reconciled or not self.real,
        )
        return risk.entry_reasons(situation, self.config, self.book, self.controls, self._faults)

    async def _maybe_leave(self, position: Position, signal: Signal | None, candle: Decimal) -> None:
        held = Decimal(position.opened_ms) / 1000 + self.config.strategy.max_hold_candles * self.config.strategy.candle_s
        too_long = candle >= held
        if not too_long and (signal is None or signal.side != "sell"):
            return
        age = self.market.age(position.pair)
        if age is None or age > self.config.risk.max_price_age_s:
            return  # the stop at the venue protects; a price that nobody has seen lately is no price to sell at
        if signal is not None:
            self._log_signal(signal)
        reason = "held_long" if too_long else "signal"
        if not self.real:
            stop = self.book.orders.get(position.stop_client_id or "")
            if stop is not None:
                self._paper.cancel(stop)
            self._paper.place(self._exit_intent(position, reason))
            if position.pair in self.book.positions:
                self._paper.place(self._stop_intent(position))
            return
        await self._sell(position, reason)
        await self._protect()

    async def _sell(self, position: Position, reason: str) -> Order | None:
        """Free what the stop holds, then sell at once within the price guard; what is left gets a stop again."""
        assert self._execution is not None
        stop = self.state.venue.orders.get(position.stop_client_id or "")
        if stop is not None and not await self._execution.cancel(stop):
            return None
        if position.pair not in self.state.venue.positions or position.pair not in self.market.prices:
            return None
        return await self._execution.place(self._exit_intent(position, reason))

    def _exit_intent(self, position: Position, reason: str) -> Intent:
        instrument, price = self._instruments[position.pair], self.market.prices[position.pair]
        limit = instrument.price_down(price.bid * (1 - self.config.venue.max_slippage_fraction))
        self.ledger.append("exit", pair=position.pair, signal=position.signal, reason=reason, simulated=not self.real)
        return Intent(instrument, "exit", "sell", "limit", position.volume, limit, position.signal, position.exits)

    def _log_signal(self, signal: Signal) -> None:
        self.ledger.append(
            "signal", signal=signal.id, pair=signal.pair, side=signal.side, price=signal.price, z=signal.z,
            candle=signal.candle, price_age=round(self.market.age(signal.pair) or 0, 3), simulated=not self.real,
        )  # fmt: skip

    # --- what is seen of it ---------------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        """Write down that decisions are made, and what the positions are worth."""
        self.ledger.append(
            "heartbeat", decisions=self.decisions, last_decision_ms=int(self.last_decision * 1000), mode=self.effective_mode,
            positions=len(self.book.positions), prices={pair: price.bid for pair, price in self.market.prices.items()},
            profit=self.losses.total, day_profit=self.losses.day, halts=self.halts, simulated=self.book is self.state.paper,
        )  # fmt: skip
        log.info("deciding", extra={"decisions": self.decisions, "mode": self.effective_mode, "halts": self.halts})

    def _on_price(self, pair: str, price: object) -> None:
        if pair in self.candles:
            self.candles[pair].add(Decimal(str(round(self._clock(), 3))), self.market.prices[pair].last)


async def run_steps(engine: Engine, stopping: asyncio.Event) -> None:
    """Decide every `decide_s` seconds and write heartbeats until told to stop."""
    heartbeat_due = 0.0
    while not stopping.is_set():
        await engine.step()
        if time.monotonic() >= heartbeat_due:
            engine.heartbeat()
            heartbeat_due = time.monotonic() + float(engine.config.heartbeat_s)
        try:
            await asyncio.wait_for(stopping.wait(), float(engine.config.decide_s))
        except TimeoutError:
            continue
