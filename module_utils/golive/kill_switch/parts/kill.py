"""One pull of the switch: look, do what the plan says, look again, until nothing is left to do behind a confirmed fence."""
from __future__ import annotations

import hashlib
import json
import os
import time
from decimal import Decimal
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from .beside import CONSOLE, Beside
from .plan import Key, Order, Policy, Position, Rule, Step, View, dust, naked, steps, surely_opens, takes_a_stop_away
from .settings import selling_of
from .turn import Turn
from .venue import Fill, Venue
from .words import ZERO, Gone, Refused, Silent, number, stepped

UNFENCED_PAUSE_S = 2.0          # two calls a round stay within the slowest tier's budget for a quarter of a minute, then it waits
RATE_PAUSE_S = 3.0              # Kraken's counter falls by 0.33 to 1 a second
WARN_EVERY_S = 5.0
REFUSALS_MAX = 3
PASSING = ("EService", "Internal error", "Invalid nonce", "(-1021)", "too late")       # refusals that say nothing about the order


class Kill:
    """One pull of the switch."""

    def __init__(self, settings: Dict[str, Any], venue: Venue, say: Callable[[str], None]) -> None:
        self.settings, self.venue, self.say = settings, venue, say
        self.started = time.monotonic()
        self.marks: Dict[str, float] = {}
        self.cancelled: List[str] = []
        self.troubles: List[str] = []
        self.beside = Beside(settings, self.mark, self.trouble, say)
        self.policy = Policy(settings["policy"] == "flatten", settings.get("account") == "shared", bool(settings.get("place_stops")))
        self.turn = Turn(settings, venue.now, self.trouble) if self.policy.strict and settings["venue"] != "binance_usdm" else None
        self._until: Optional[float] = None             # how long this turn lasts, by the venue's clock
        self.selling = selling_of(settings)
        self.view: Optional[View] = None
        self._reference: Dict[str, Decimal] = {}        # price of each symbol when it was first read: what closing is measured against
        self.fees, self.slippage, self.costs_known = ZERO, ZERO, True
        self._blocked: Set[Key] = set()
        self._unprotectable: Set[Key] = set()
        self._refusals: Dict[Tuple[str, Key], int] = {}

    def elapsed(self) -> float:
        """Return the seconds since the switch was pulled."""
        return time.monotonic() - self.started

    def run(self) -> Dict[str, Any]:
        """Pull the switch and return the record once it is over."""
        self.beside.start()
        self.say("by hand: %s" % self.settings.get("console", CONSOLE))
        state = self.until_clean()
        self.beside.finish()
        return self.record(state)

    # -- the loop ---------------------------------------------------------------------------------------------------------
    def until_clean(self) -> str:
        """Go on until two readings, settle_s apart and begun behind the fence, leave nothing to do; return the final state."""
        settle = float(self.settings.get("settle_s", 10.0))
        clean_since: Optional[float] = None
        warned = 0.0
        while True:
            fenced = self.beside.fenced.is_set()    # before the reading: what it shows is then the bot's last word
            self._until = self.attempt(self.turn.until) if self.turn is not None and fenced else None
            view, busy = self.look()
            if view is None or busy:
                clean_since = None
            if view is None:
                continue
            todo = self.todo(view, fenced)
            if todo:
                clean_since = None
                if not any(takes_a_stop_away(step) for step in todo) or self._still(view):
                    self.do(todo, view)
                continue
            if busy:
                continue
            if view.unclear:
                clean_since = None
                self.trouble("these orders cannot be judged, look at them yourself: %s" % ", ".join(view.unclear[:20]))
                time.sleep(min(1.0, settle))
                continue
            now = time.monotonic()
            if not fenced:
                clean_since = None
                if now - warned > WARN_EVERY_S:
                    self.say("no entry order is at the venue, but the bot is not fenced: it may still be trading")
                    warned = now
                self.beside.fenced.wait(min(UNFENCED_PAUSE_S, max(settle, 0.2)))
                continue
            if self._waits(view):
                clean_since = None
                time.sleep(0.2)
                continue
            if clean_since is None:
                clean_since = now
            elif now - clean_since >= settle:
                return self.final(view)
            # Two readings, not a stream of them: the venue counts each call, and the next trouble may need what is left.
            time.sleep(settle)

    def look(self) -> Tuple[Optional[View], bool]:
        """Cancel what goes in any case, and return the rest of the reading, and whether anything was cancelled."""
        orders = self.attempt(self.venue.open_orders)
        if orders is None:
            return None, False
        urgent = [one for one in orders if surely_opens(one)]
        if urgent:
            self.cancel(urgent)
            if not self.policy.flatten and not self.policy.may_place:
                return None, True               # the next look shows what is left; under a flood every call counts
        else:
            self.mark("no_entries_s")
        view = self.attempt(lambda: self.venue.read(tuple(one for one in orders if one not in urgent)))
        if view is not None:
            if urgent:
                gone = {one.id for one in urgent}
                view = view._replace(orders=tuple(one for one in view.orders if one.id not in gone))
            self.view = view
            for symbol, price in view.prices.items():
                self._reference.setdefault(symbol, price)
        return view, bool(urgent)

    def todo(self, view: View, fenced: bool) -> List[Step]:
        """Return what the plan asks for and what can be done now."""
        if fenced and self.policy.flatten and self.elapsed() - self.marks.get("fenced_s", 0.0) > self.selling.give_up_s:
            for position in view.positions:
                if position.key not in self._blocked and not dust(position, view):
                    self.block(position, "not closed within %.0f s" % self.selling.give_up_s)
        mine = self.turn is None or self._until is not None
        return self._possible(steps(view, self.policy, fenced, mine, frozenset(self._blocked)))

    def _possible(self, wanted: Sequence[Step]) -> List[Step]:
        return [step for step in wanted if step.do != "protect" or step.position.key not in self._unprotectable]

    def _waits(self, view: View) -> bool:
        """Say whether something is left to do in another turn."""
        return bool(self._possible(steps(view, self.policy, True, True, frozenset(self._blocked))))

    def _still(self, view: View) -> bool:
        """Ask for the orders again: one that was filled while positions were read would make another look superfluous."""
        again = self.attempt(self.venue.open_orders)
        return again is not None and {(one.id, one.left) for one in again} == {(one.id, one.left) for one in view.orders}

    # -- what is done -----------------------------------------------------------------------------------------------------
    def do(self, todo: Sequence[Step], view: View) -> None:
        """Carry out the steps of one round; each stands alone."""
        self.cancel([step.order for step in todo if step.do == "cancel"])
        for step in todo:
            if step.do == "protect":
                self.guarded(step, lambda step=step: self.protect(step.position, step.amount, view, self._deadline(step)))  # type: ignore[misc]
            elif step.do == "close":
                self.guarded(step, lambda step=step: self.close(step.position, step.amount, view, self._deadline(step)))  # type: ignore[misc]
            elif step.do == "claim":
                self.guarded(step, lambda step=step: self.claim(step, view))  # type: ignore[misc]

    def _deadline(self, step: Step) -> Optional[float]:
        """Return until when the venue may take an order of ours; None where the venue itself holds it to reducing."""
        return self._until if step.position.market == "spot" else None

    def cancel(self, orders: Sequence[Order]) -> None:
        """Cancel in the venue's batches; an id that is gone meanwhile is what was wanted. What a batch refuses goes one by one."""
        for part in self._parts(orders):
            try:
                done = self.venue.cancel(part)
            except Refused as exc:
                if len(part) == 1 or exc.limited:
                    self.attempt(_raiser(exc))
                    return
                self.trouble("the venue refused the batch (%s), cancelling one by one" % exc)
                done = [one.id for one in part if self.attempt(lambda one=one: self.venue.cancel([one]))]  # type: ignore[misc]
            except (Silent, KeyError, TypeError, AttributeError, ValueError) as exc:
                self.attempt(_raiser(exc))
                return
            if done:
                self.mark("first_cancel_s")
            self.cancelled += done

    def _parts(self, orders: Sequence[Order]) -> List[List[Order]]:
        groups: Dict[Tuple[str, str], List[Order]] = {}
        for one in orders:
            groups.setdefault((one.service, one.symbol) if self.venue.per_symbol else ("", ""), []).append(one)
        size = self.venue.batch
        return [group[start:start + size] for group in groups.values() for start in range(0, len(group), size)]

    def guarded(self, step: Step, act: Callable[[], Any]) -> None:
        """Do a step; one that the venue refuses again and again is given up, so that the end can be told."""
        before = len(self.troubles)
        refused: List[Refused] = []

        def once() -> Any:
            try:
                return act()
            except Gone:
                return None
            except Refused as exc:
                refused.append(exc)
                raise
        self.attempt(once)
        if not refused or refused[0].limited or any(word in str(refused[0]) for word in PASSING):
            return
        key = (step.do, step.position.key)
        self._refusals[key] = self._refusals.get(key, 0) + 1
        if self._refusals[key] >= REFUSALS_MAX:
            if step.do == "protect":
                self._unprotectable.add(step.position.key)
            else:
                self.block(step.position, self.troubles[-1] if len(self.troubles) > before else str(refused[0]))

    def block(self, position: Position, why: str) -> None:
        """Close a position no further; it is protected instead."""
        self._blocked.add(position.key)
        self.trouble("%s is not closed any further: %s" % (position.symbol, why))

    def protect(self, position: Position, amount: Decimal, view: View, until: Optional[float]) -> None:
        """Place a stop for an amount. Its client id is the same for every switch that sees the same, so that only one is placed."""
        price, rule = view.prices.get(position.symbol, ZERO), view.rules.get(position.symbol, Rule())
        if price <= 0:
            raise Silent("no price of %s" % position.symbol)
        share = number((self.settings.get("place_stops") or {}).get("distance_pct")) / 100
        trigger = stepped(price * (1 - share if position.side == "long" else 1 + share), rule.tick)
        count = sum(1 for one in view.orders if one.key == position.key)
        seed = "%s|%s|%s|%d" % (self.settings["system"], position.symbol, position.leg, count)
        prefix = str(self.settings.get("client_id_prefix") or "")
        client_id = (prefix + "k" + hashlib.sha256(seed.encode()).hexdigest())[:18]
        self.venue.protect(position, amount, max(trigger, rule.tick), client_id, until)
        self.say("a stop was placed for %s %s" % (amount, position.asset))

    def claim(self, step: Step, view: View) -> None:
        """Cancel a resting sell and, because it was ours to cancel, sell what was left of it before the deadline, or protect it again."""
        limit = self.limit(step.position, step.amount, view)
        if limit is None:
            return
        self.venue.rehearse(step.position, step.amount, limit)     # a stop is not taken away for a sale that the venue would refuse
        until = self._until if self._until is not None else self.venue.now()
        left = min(self.venue.claim(step.order), step.amount)
        self.cancelled.append(step.order.id)
        position, rule = step.position, view.rules.get(step.position.symbol, Rule())
        while left > 0 and not dust(position._replace(size=left), view) and self.venue.now() < until:
            amount = stepped(min(left, rule.most) if rule.most > 0 else left, rule.lot)
            try:
                fill = self.close(position, amount, view, until)
            except Refused as exc:
                self.trouble("the venue refused: %s" % exc)
                if not exc.limited:
                    break
                self.pause(exc)
                continue
            left -= fill.amount
            if fill.amount <= 0:
                break
        if left > 0 and not dust(position._replace(size=left), view):
            self.protect(position, stepped(left, rule.lot), view, until)

    def limit(self, position: Position, amount: Decimal, view: View) -> Optional[Decimal]:
        """Return the worst price that price guard and loss cap allow for an amount, None when there is none: the position is blocked."""
        price, rule = view.prices.get(position.symbol, ZERO), view.rules.get(position.symbol, Rule())
        if price <= 0:
            raise Silent("no price of %s" % position.symbol)
        reference = self._reference.get(position.symbol, price)
        fee = amount * price * self.selling.fee_pct / 100
        room = (self.selling.loss_cap - self.fees - self.slippage - fee) / amount       # quote currency a unit
        guard = price * self.selling.guard_pct / 100
        if position.side == "long":
            limit = stepped(max(price - guard, reference - room), rule.tick, up=True)
            short = limit > price
        else:
            limit = stepped(min(price + guard, reference + room), rule.tick)
            short = limit < price
        if room <= 0 or short:
            self.block(position, "closing it would cost more than %s %s" % (self.selling.loss_cap, self.settings["quote"]))
            return None
        return limit

    def close(self, position: Position, amount: Decimal, view: View, until: Optional[float]) -> Fill:
        """Trade one slice at the price guard or better, as far as the loss cap still allows."""
        limit = self.limit(position, amount, view)
        if limit is None:
            return Fill()
        reference = self._reference.get(position.symbol, limit)
        try:
            fill = self.venue.close(position, amount, limit, until)
        except Silent:
            self.costs_known = False            # it may have traded; the next reading shows the position, not its price
            raise
        self.mark("first_close_s")
        self.fees += fill.fee
        worse = fill.amount * reference - fill.money
        self.slippage += worse if position.side == "long" else -worse
        return fill

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do one step; trouble at the venue is said once in its own words, and tried again after a short pause."""
        try:
            return act()
        except Gone:
            return None
        except Refused as exc:
            self.trouble("the venue refused: %s" % exc)
            self.pause(exc)
        except Silent as exc:
            self.trouble("the venue did not answer: %s" % exc)
            time.sleep(0.25)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError) as exc:
            self.trouble("the venue's answer has another form than documented: %s" % type(exc).__name__)
            time.sleep(0.5)
        return None

    def pause(self, exc: Refused) -> None:
        """Wait as the venue asks."""
        time.sleep(max(exc.wait_s, RATE_PAUSE_S) if exc.limited else 1.0 if "Unavailable" in str(exc) else 0.1)

    # -- the record -------------------------------------------------------------------------------------------------------
    def final(self, view: View) -> str:
        """Return the state in one word, and say what is naked or too small to be traded."""
        self.mark("final_s")
        bare = naked(view)
        small = [one for one in view.positions if one.size > 0 and dust(one, view)]
        if small:
            self.say("too small to trade, left: %s" % ", ".join("%s %s" % (one.size, one.asset) for one in small))
        if bare:
            self.say("NAKED: no stop covers " + ", ".join("%s %s" % (amount, asset) for asset, amount in sorted(bare.items())))
            return "NAKED"
        return "held with stops" if any(one.size > 0 and not dust(one, view) for one in view.positions) else "flat"

    def mark(self, name: str) -> None:
        """Remember when something was true for the first time, in seconds since the start."""
        self.marks.setdefault(name, round(self.elapsed(), 3))

    def trouble(self, text: str) -> None:
        """Say a trouble once."""
        if text not in self.troubles:
            self.troubles.append(text)
            self.say(text)

    def record(self, state: str) -> Dict[str, Any]:
        """Write and return what happened; a disk that is full is said, and stops nothing."""
        view = self.view or View(())
        record = {"system": self.settings["system"], "state": state, "seconds": round(self.elapsed(), 3), "marks": self.marks,
                  "cancelled": len(set(self.cancelled)), "fenced": self.beside.fenced.is_set(), "epoch": self.beside.epoch,
                  "troubles": self.troubles, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "policy": self.settings["policy"],
                  "naked": {asset: str(amount) for asset, amount in naked(view).items()},
                  "positions": [{"symbol": one.symbol, "side": one.side, "leg": one.leg, "size": str(one.size), "dust": dust(one, view)}
                                for one in view.positions if one.size > 0],
                  "cost": {"currency": self.settings["quote"], "fees": str(self.fees), "slippage": str(self.slippage),
                           "complete": self.costs_known}, "left_alone": self.venue.left_alone()}
        try:
            os.makedirs(self.settings["record_directory"], mode=0o750, exist_ok=True)
            name = "kill-%s-%d.json" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.getpid())
            with open(os.path.join(self.settings["record_directory"], name), "w", encoding="utf-8") as handle:
                json.dump(record, handle, indent=1)
        except OSError as exc:
            self.say("this record could not be written: %s" % exc.strerror)
        return record


def _raiser(exc: BaseException) -> Callable[[], Any]:
    def again() -> Any:
        raise exc
    return again

