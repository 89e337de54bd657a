"""Small worlds of a venue, a bot and two kill switches that run the real plan; every interleaving of their steps can be walked.

A switch reads orders and positions apart, plans, and does one request at a time; between any two of them the bot may move, an order may
fill, a stop may trigger, the turn may pass on, the fence may close, and a switch may die. The turn is the venue's clock: what a switch
places or sells reaches the venue within the turn in which it began to read, or is refused; a cancel may come at any time.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from golive.kill_switch.parts import plan

RULE = plan.Rule(minimum=Decimal(1), lot=Decimal(1), tick=Decimal(1))
SYMBOL = "X"


class Rest(NamedTuple):
    """A resting order of the bot's or of a switch. kind: entry, stop, soft (a futures stop without reduce-only), exit (no stop)."""

    id: str
    kind: str
    side: str
    left: int
    ours: bool = False


class Switch(NamedTuple):
    """Where a switch is in its work: what it has read, and what is still to be done of it."""

    state: str = "look"                     # look, read, confirm, act, sell, over, dead
    orders: tuple[Rest, ...] = ()
    fenced: bool = False
    turn: bool = False                      # it began in its turn, and the turn has not passed on
    queue: tuple[plan.Step, ...] = ()
    amount: int = 0
    clean: bool = False                     # one reading behind the fence left nothing to do; the second ends it


class World(NamedTuple):
    """One state. `position`: what the bot's own orders made (spot: coins; futures: signed contracts); `owner`: coins of the owner's."""

    position: int
    owner: int
    orders: tuple[Rest, ...]
    bot: int = -1                           # moves that it still makes; -1: fenced
    switches: tuple[Switch, ...] = (Switch(), Switch())
    crashes: int = 0                        # how many switches may still die
    slot: int = 0
    placed: int = 0
    moved: int = 0


class Broken(AssertionError):
    """A law was broken; says which, and by which way it came to that."""


class Rules(NamedTuple):
    """What is walked: the market, the policy, and whether orders fill in part and stops trigger."""

    market: str = "spot"
    policy: plan.Policy = plan.Policy(flatten=True, shared=True, may_place=True)
    partial: bool = True
    triggers: bool = True
    placed_max: int = 2


@cache
def wanted(size: int, seen: tuple[Rest, ...], fenced: bool, turn: bool, rules: Rules) -> tuple[tuple[plan.Step, ...], bool]:
    """Return what the real plan says to a reading, and whether something is left for another turn."""
    market = rules.market
    orders = tuple(plan.Order(one.id, SYMBOL, SYMBOL, market, one.side, one.kind in ("stop", "soft"), Decimal(one.left), Decimal(1),
                              reduces=market == "futures" and one.kind == "stop") for one in seen)
    positions = (plan.Position(SYMBOL, SYMBOL, market, "long" if size > 0 else "short", Decimal(abs(size))),) if size else ()
    view = plan.View(orders, positions, {SYMBOL: Decimal(10)}, {SYMBOL: RULE})
    todo = tuple(plan.steps(view, rules.policy, fenced, turn or market != "spot"))
    return todo, not todo and bool(plan.steps(view, rules.policy, True, True))


def exits(world: World) -> int:
    """Return how much of the position resting stops cover."""
    return sum(one.left for one in world.orders if one.side == ("sell" if world.position > 0 else "buy") and one.kind in ("stop", "soft"))


def free(world: World) -> int:
    """Return the coins that no resting sell holds."""
    return world.position + world.owner - sum(one.left for one in world.orders if one.side == "sell")


def without(world: World, order: Rest) -> World:
    return world._replace(orders=tuple(one for one in world.orders if one.id != order.id))


def swap(world: World, index: int, switch: Switch) -> World:
    return world._replace(switches=tuple(switch if at == index else one for at, one in enumerate(world.switches)))


def sign(order: Rest) -> int:
    return 1 if order.side == "buy" else -1


# -- what the venue and the bot do ------------------------------------------------------------------------------------------
def nature(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Fills, triggers, the bot, the fence and time."""
    for order in world.orders:
        if order.kind in ("entry", "exit"):
            amounts = {order.left, 1} if rules.partial else {order.left}
            for amount in amounts:
                rest = () if amount == order.left else (order._replace(left=order.left - amount),)
                after = without(world, order)
                after = after._replace(orders=(*after.orders, *rest), position=world.position + sign(order) * amount)
                if order.kind == "entry" or after.position >= 0:
                    yield "%s of %s fills" % (amount, order.id), after
        elif rules.triggers:
            yield from trigger(world, order, rules)
    if world.bot >= 0:
        yield "the bot is fenced", world._replace(bot=-1)
    if world.bot > 0:
        yield from bot(world, rules)
    yield "the turn passes on", world._replace(slot=1 - world.slot, switches=tuple(one._replace(turn=False) for one in world.switches))


def trigger(world: World, order: Rest, rules: Rules) -> Iterator[tuple[str, World]]:
    """A stop is reached. What the venue holds to reducing is cut; else it trades what it says, and then it matters whose it was."""
    after = without(world, order)
    if rules.market == "futures" and order.kind == "stop":
        amount = min(order.left, max(0, -sign(order) * world.position))
        yield "stop %s triggers" % order.id, after._replace(position=world.position + sign(order) * amount)
        return
    moved = after._replace(position=world.position + sign(order) * order.left)
    turned = moved.position and (not world.position or (moved.position > 0) != (world.position > 0))
    if turned or abs(moved.position) > abs(world.position):
        if order.ours:
            raise Broken("a stop that a switch placed sold what is not the bot's, or turned the position round")
        return                              # the bot's own order does harm: not our doing, and not walked any further
    yield "stop %s triggers" % order.id, moved


def bot(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """The bot places an entry again, protects, or sells out; it never sees what the switches do."""
    name = "b%d" % world.moved
    more = world._replace(bot=world.bot - 1, moved=world.moved + 1)
    if not any(one.kind == "entry" for one in world.orders) and abs(world.position) < 2:
        yield "the bot places an entry", more._replace(orders=(*world.orders, Rest(name, "entry", "buy", 1)))
    if world.position > exits(world) and (rules.market != "spot" or free(world) >= world.position - exits(world)):
        yield "the bot protects", more._replace(orders=(*world.orders, Rest(name, "stop", "sell", world.position - exits(world))))
    if world.position > 0 and rules.market == "spot" and free(world) >= 1:
        yield "the bot sells one", more._replace(position=world.position - 1)


# -- what a switch does -----------------------------------------------------------------------------------------------------
def act(world: World, index: int, rules: Rules) -> Iterator[tuple[str, World]]:
    """One step of one switch."""
    me, name = world.switches[index], "switch %d " % index
    if me.state in ("over", "dead"):
        return
    if world.crashes:
        yield name + "dies", swap(world._replace(crashes=world.crashes - 1), index, Switch("dead"))
    if me.state == "look":
        yield name + "reads orders", swap(world, index, me._replace(state="read", orders=world.orders, fenced=world.bot < 0,
                                                                    turn=world.slot == index))
    elif me.state == "read":
        yield name + "reads positions", swap(world, index, decide(world, index, rules))
    elif me.state == "confirm":
        same = set(me.orders) == set(world.orders)
        yield name + "reads orders again", swap(world, index, me._replace(state="act", orders=()) if same else Switch())
    elif me.state == "act":
        step, left = me.queue[0], me.queue[1:]
        for told, after in carry_out(world, index, step, me._replace(queue=left) if left else Switch(), rules):
            yield name + told, after
    elif me.state == "sell":
        for told, after in sell(world, index, rules):
            yield name + told, after


def decide(world: World, index: int, rules: Rules) -> Switch:
    """Let the real plan say what to do."""
    me = world.switches[index]
    todo, later = wanted(world.position, tuple(sorted(me.orders)), me.fenced, me.turn, rules)
    if todo:
        unsure = any(plan.takes_a_stop_away(step) for step in todo)
        return me._replace(state="confirm" if unsure else "act", queue=todo, orders=me.orders if unsure else (), clean=False)
    if not me.fenced or later:
        return Switch()
    return Switch("over") if me.clean else Switch(clean=True)


def carry_out(world: World, index: int, step: plan.Step, rest: Switch, rules: Rules) -> Iterator[tuple[str, World]]:
    """Do one step of a plan at the venue as it is now."""
    me = world.switches[index]
    found = next((one for one in world.orders if one.id == step.order.id), None)
    if step.do == "cancel":
        if found is None:
            yield "finds it gone", swap(world, index, rest)
            return
        after = without(world, found)
        others_sell = any(one.state == "sell" for at, one in enumerate(world.switches) if at != index)
        if me.fenced and exits(world) >= abs(world.position) > exits(after) and not others_sell:
            raise Broken("a switch cancelled the stop of an open position")
        yield "cancels " + found.id, swap(after, index, rest)
    elif step.do == "claim":
        if found is None:
            yield "finds the claim gone", swap(world, index, Switch())
            return
        yield "claims " + found.id, swap(without(world, found), index,
                                         me._replace(state="sell", amount=min(found.left, int(step.amount)), queue=(), orders=()))
    elif step.do == "protect":
        yield from protect(world, index, int(step.amount), rest, rules)
    elif rules.market == "spot":
        for told, after in sell(swap(world, index, me._replace(amount=int(step.amount))), index, rules):
            yield told, swap(after, index, rest)
    else:
        for amount in {int(step.amount), 1} if rules.partial else {int(step.amount)}:
            side = 1 if step.position.exit_side == "buy" else -1
            done = min(amount, max(0, -side * world.position))      # reduce-only: the venue cuts it
            yield "closes %d" % done, swap(world._replace(position=world.position + side * done), index, rest)


def protect(world: World, index: int, amount: int, rest: Switch, rules: Rules) -> Iterator[tuple[str, World]]:
    """Place a stop: not after its turn, and on spot only over coins that are there."""
    late = rules.market == "spot" and not world.switches[index].turn
    if late or (rules.market == "spot" and free(world) < amount) or world.placed >= rules.placed_max:
        yield "may not place a stop", swap(world, index, rest)
        return
    placed = Rest("k%d" % world.placed, "stop", "sell" if world.position >= 0 else "buy", amount, ours=True)
    after = world._replace(orders=(*world.orders, placed), placed=world.placed + 1)
    if rules.market == "spot" and sum(one.left for one in after.orders if one.ours) > max(0, after.position):
        raise Broken("a switch placed a stop over more than the bot holds")
    yield "places a stop", swap(after, index, rest)


def sell(world: World, index: int, rules: Rules) -> Iterator[tuple[str, World]]:
    """Sell what was claimed, while it is our turn; what did not go is protected again."""
    me = world.switches[index]
    if not me.turn or free(world) < me.amount:
        yield "may not sell", swap(world, index, Switch())
        return
    for amount in {me.amount, 1, 0} if rules.partial else {me.amount}:
        if amount > me.amount:
            continue
        after = world._replace(position=world.position - amount)
        if after.position < 0:
            raise Broken("a switch sold coins of the owner's")
        if amount == me.amount:
            yield "sells", swap(after, index, Switch())
        else:
            for told, then in protect(after, index, me.amount - amount, Switch(), rules):
                yield "sells %d and %s" % (amount, told), then


# -- the walk ---------------------------------------------------------------------------------------------------------------
def naked(world: World, rules: Rules) -> bool:
    """Say whether the switches ended with a position that no stop covers, although they were able to place one."""
    over = any(one.state == "over" for one in world.switches)
    return over and exits(world) < abs(world.position) and world.placed < rules.placed_max


def walk(start: World, rules: Rules, most: int = 2_000_000) -> tuple[int, list[World]]:
    """Walk every interleaving; return how many states there are, and those in which the switches are through. Raises Broken."""
    came: dict[World, Any] = {start: None}
    ends: list[World] = []
    queue = deque([start])
    while queue:
        world = queue.popleft()
        if all(one.state in ("over", "dead") for one in world.switches):
            ends.append(world)
        try:
            if ends and ends[-1] is world and naked(world, rules):
                raise Broken("the switches ended with a position that no stop covers")
            moves = [*nature(world, rules), *(move for index in range(len(world.switches)) for move in act(world, index, rules))]
        except Broken as exc:
            raise Broken("%s\n%s" % (exc, "\n".join(way(came, world)))) from None
        for told, after in moves:
            tidy = after._replace(orders=tuple(sorted(after.orders)))
            if tidy not in came:
                came[tidy] = (world, told)
                queue.append(tidy)
        assert len(came) <= most, "the world is larger than it should be"
    return len(came), ends


def way(came: dict[World, Any], world: World) -> list[str]:
    """Return how a world came about, a line a step."""
    steps: list[str] = []
    at: World | None = world
    while at is not None:
        before = came[at]
        steps.append("%s -> position %d, orders %s" % (before[1] if before else "start", at.position,
                                                       [(one.id, one.kind, one.side, one.left) for one in at.orders]))
        at = before[0] if before else None
    return list(reversed(steps))
