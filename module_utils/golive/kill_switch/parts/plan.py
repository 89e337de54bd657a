"""What a reading calls for: pure decisions over orders and positions, the same for every venue. Nothing here asks or acts.

The three laws, held by the model in tests/unit/kill_switch/test_model.py over every interleaving of small worlds:
no position loses its stop by our doing; no order of ours opens or enlarges a position; nothing of the owner's is sold or cancelled.
"""
from __future__ import annotations

from decimal import Decimal
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Tuple

from .words import ZERO, stepped

Key = Tuple[str, str, str]      # (market, asset, leg): what a position is told from others by


class Order(NamedTuple):
    """An open order. `asset`: what it exposes to the market (spot: the base asset, else the symbol); `leg`: LONG or SHORT in hedge mode.

    `left`: base currency or contracts still open; `trigger`: price of a stop (0: it follows the market); `reduces`: the venue itself
    holds it to making a position smaller; `whole`: it closes whatever the position is; `service`: which of the venue's lists holds it.
    """

    id: str
    symbol: str
    asset: str
    market: str
    side: str
    stop: bool
    left: Decimal
    trigger: Decimal = ZERO
    reduces: bool = False
    whole: bool = False
    leg: str = ""
    client_id: str = ""
    service: str = "order"
    words: str = ""

    @property
    def key(self) -> Key:
        """Return the position that it belongs to."""
        return (self.market, self.asset, self.leg)


class Position(NamedTuple):
    """A position of the bot's. `market`: spot, margin or futures; `size` is positive; `symbol` is where it is closed."""

    symbol: str
    asset: str
    market: str
    side: str
    size: Decimal
    leg: str = ""
    leverage: str = ""

    @property
    def key(self) -> Key:
        """Return what it is told from others by."""
        return (self.market, self.asset, self.leg)

    @property
    def exit_side(self) -> str:
        """Return the side that makes it smaller."""
        return "sell" if self.side == "long" else "buy"


class Rule(NamedTuple):
    """What the venue takes for a symbol: smallest order, grids of quantity and price, smallest value, largest order (0: none)."""

    minimum: Decimal = ZERO
    lot: Decimal = ZERO
    tick: Decimal = ZERO
    notional: Decimal = ZERO
    most: Decimal = ZERO


class View(NamedTuple):
    """One reading of what is the bot's: its open orders and positions; prices and rules by symbol; ids of orders nobody can judge."""

    orders: Tuple[Order, ...]
    positions: Tuple[Position, ...] = ()
    prices: Mapping[str, Decimal] = {}
    rules: Mapping[str, Rule] = {}
    unclear: Tuple[str, ...] = ()


class Policy(NamedTuple):
    """What the profile wants. `may_place`: a stop may be placed where one is missing. `shared`: the owner trades on the same account."""

    flatten: bool = False
    shared: bool = False
    may_place: bool = False

    @property
    def strict(self) -> bool:
        """Say whether what the account holds may be more than the bot's."""
        return self.shared or self.flatten


class Step(NamedTuple):
    """One thing to do: `cancel` an order, `protect` or `close` a position by an amount, or `claim` its stop and sell that amount."""

    do: str
    order: Order = Order("", "", "", "", "", False, ZERO)
    position: Position = Position("", "", "", "", ZERO)
    amount: Decimal = ZERO


def dust(position: Position, view: View) -> bool:
    """Say whether a position is too small for the venue to take an order for it."""
    rule, price = view.rules.get(position.symbol, Rule()), view.prices.get(position.symbol, ZERO)
    amount = stepped(position.size, rule.lot)
    return amount <= 0 or amount < rule.minimum or (price > 0 and amount * price < rule.notional)


def opens(order: Order, position: Position) -> bool:
    """Say whether an order can open or enlarge a position (size 0: there is none). In doubt it can."""
    if order.market == "spot":
        return order.side == "buy"
    if order.reduces or order.whole:
        return False
    if order.leg:
        return order.side == ("buy" if order.leg == "LONG" else "sell")
    # One-way: the other side makes it smaller, and beyond its size turns it round. Only a stop is worth that doubt.
    return position.size <= 0 or order.side != position.exit_side or not order.stop or order.left > position.size


def surely_opens(order: Order) -> bool:
    """Say whether an order goes whatever the positions are: the first cancel waits for no second reading."""
    if order.market != "spot" and not order.leg and order.stop:
        return False
    return opens(order, Position(order.symbol, order.asset, order.market, "long" if order.side == "sell" else "short", order.left))


class Cover(NamedTuple):
    """What becomes of the orders of one position: `sure` is covered whatever happens, `doubtful` stops may reach beyond it."""

    cancel: Tuple[Order, ...]
    sure: Decimal
    doubtful: Tuple[Order, ...]


def cover(position: Position, orders: List[Order], strict: bool, fenced: bool) -> Cover:
    """Sort the orders of a position. `strict` (spot): what the bot holds is not all that the account holds, so sells are counted.

    A stop that nothing but its own size holds back can turn a position round, or sell the owner's coins, once others have closed it.
    Such stops are kept as far as they fit into what is not covered yet. One that does not fit stays only while nothing else covers.
    Before the fence nothing goes but what opens: the bot may be about to need its stops.
    """
    counted = strict and position.market == "spot"
    cancel = [one for one in orders if opens(one, position) and not (one.stop and one.side == position.exit_side)]
    rest = [one for one in orders if one not in cancel]
    hard = [one for one in rest if one.reduces or one.whole or one.leg or (one.market == "spot" and not counted)]
    sure = position.size if any(one.whole for one in hard) else sum((one.left for one in hard if one.stop), ZERO)
    doubtful = []
    for one in sorted((one for one in rest if one not in hard and one.stop), key=lambda one: (-one.left, one.id)):
        if sure >= position.size and fenced:
            cancel.append(one)
        elif sure + one.left <= position.size:
            sure += one.left
        else:
            doubtful.append(one)
    if doubtful and sure >= position.size and fenced:
        cancel, doubtful = cancel + doubtful, []
    taken = position.size if doubtful else sure
    for one in rest:
        if one not in hard and not one.stop:
            if taken + one.left > position.size and fenced:
                cancel.append(one)
            else:
                taken += one.left
    return Cover(tuple(cancel), min(sure, position.size), tuple(doubtful))


def covers(view: View, policy: Policy, fenced: bool) -> Dict[Key, Cover]:
    """Return what becomes of all orders, by position; what belongs to no position goes, an entry at once, a left stop after the fence."""
    orders: Dict[Key, List[Order]] = {}
    for order in view.orders:
        orders.setdefault(order.key, []).append(order)
    found, strict = {}, policy.strict
    for position in view.positions:
        if position.size > 0 and not (strict and dust(position, view)):
            found[position.key] = cover(position, orders.pop(position.key, []), strict, fenced)
    for key, left in orders.items():
        found[key] = Cover(tuple(one for one in left if fenced or opens(one, Position("", "", key[0], "long", ZERO))), ZERO, ())
    return found


def to_cancel(view: View, policy: Policy, fenced: bool) -> List[Order]:
    """Return the orders that go. As long as there are entries, only these: one that fills meanwhile needs the stops that are there."""
    going = [order for one in covers(view, policy, fenced).values() for order in one.cancel]
    sides = {position.key: position.exit_side for position in view.positions if position.size > 0}
    entries = [one for one in going if surely_opens(one) or one.side != sides.get(one.key, one.side)]
    return entries or going


def stops_of(position: Position, view: View) -> List[Order]:
    """Return the resting stops that make a position smaller, the largest first."""
    found = [one for one in view.orders if one.key == position.key and one.stop and one.side == position.exit_side]
    return sorted(found, key=lambda one: (-one.left, one.id))


def uncovered(position: Position, view: View) -> Decimal:
    """Return how much of a position no resting stop covers."""
    stops = stops_of(position, view)
    if any(one.whole for one in stops):
        return ZERO
    return max(ZERO, position.size - sum((one.left for one in stops), ZERO))


def naked(view: View) -> Dict[str, Decimal]:
    """Return {asset or symbol and leg: amount} of positions that no stop covers; less than the smallest order is dust."""
    found = {}
    for position in view.positions:
        amount = uncovered(position, view)
        if amount > 0 and not dust(position._replace(size=amount), view):
            found[" ".join(part for part in (position.asset, position.leg) if part)] = amount
    return found


def steps(view: View, policy: Policy, fenced: bool, turn: bool, blocked: FrozenSet[Key] = frozenset()) -> List[Step]:
    """Return what to do now, in order; afterwards the venue is read again. Empty: nothing is left to do, or it is not our turn.

    Entries go first. What the venue itself holds to reducing (futures, margin) is closed at once. Spot knows no such thing: there we
    place and sell only behind a confirmed fence and in our `turn`, so that neither the bot nor another switch sells the same twice.
    A stop holds the coins that it would sell; it is cancelled for the sale of what it held and not before.
    `blocked`: positions that are not closed any further (loss cap, refusals); these are protected instead.
    """
    found = covers(view, policy, fenced)
    going = to_cancel(view, policy, fenced)
    if going:
        return [Step("cancel", order=one) for one in going]
    closing: List[Step] = []
    guarding: List[Step] = []
    for position in view.positions:
        counted = policy.strict and position.market == "spot"
        if position.size <= 0 or dust(position, view) or (counted and not (fenced and turn)):
            continue
        rule = view.rules.get(position.symbol, Rule())
        resting = [one for one in exits_of(position, view) if not dust(position._replace(size=one.left), view)]
        if policy.flatten and position.key not in blocked:
            if counted and resting:
                closing.append(Step("claim", order=resting[0], position=position, amount=min(resting[0].left, position.size)))
            else:
                amount = stepped(position.size, rule.lot)
                closing.append(Step("close", position=position, amount=min(amount, rule.most) if rule.most > 0 else amount))
            continue
        amount = stepped(position.size - found[position.key].sure, rule.lot)
        if policy.may_place and amount > 0 and not dust(position._replace(size=amount), view):
            guarding.append(Step("protect", position=position, amount=amount))
    return closing + guarding


def exits_of(position: Position, view: View) -> List[Order]:
    """Return the resting orders that make a position smaller: stops before others, the largest first."""
    found = [one for one in view.orders if one.key == position.key and one.side == position.exit_side]
    return sorted(found, key=lambda one: (not one.stop, -one.left, one.id))


def takes_a_stop_away(step: Step) -> bool:
    """Say whether a step cancels a resting stop or exit: only on a reading that is seen to be of one moment."""
    return step.do == "cancel" and not surely_opens(step.order)
