"""The dead man's timer: what becomes of resting orders when the bot is silent, by the profile's `on_disconnect`.

`keep_stops`: the venue's timer is kept off; stops outlive the bot. `cancel_all`: the venue cancels when the decision loop has not
refreshed the timer in time. The timers take stops away as well (Kraken: every order of the account, one-shot, also after a maintenance;
Binance USD-M: per symbol; Binance spot has none), so `cancel_all` is for bots that are flat or quote, and the timer is off while a
position is open.

Standard library only. The calls are made by the bot's own client: `call(name, fields)`, so that its nonces stay its own.
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

KEEP_STOPS, CANCEL_ALL = "keep_stops", "cancel_all"
TIMERS = {"kraken": "CancelAllOrdersAfter", "binance_usdm": "countdownCancelAll"}
DECISIONS_MIN = 3           # the timer has to outlast so many decisions, or it fires in everyday work
TIMEOUT_MAX_S = 86_399


class Plan(NamedTuple):
    """What the profile says about a bot and its account. Seconds; `protects_by_orders`: it holds positions behind resting stops."""

    on_disconnect: str
    venue: str
    account: str
    protects_by_orders: bool
    decision_every_s: float
    timeout_s: float


def refusals(plan: Plan) -> List[str]:
    """Return why this combination must not be armed, one sentence each; empty: it may."""
    if plan.on_disconnect not in (KEEP_STOPS, CANCEL_ALL):
        return ["on_disconnect: expected %s or %s, found %r" % (KEEP_STOPS, CANCEL_ALL, plan.on_disconnect)]
    if plan.on_disconnect == KEEP_STOPS:
        return []
    found = []
    if plan.venue not in TIMERS:
        found.append("on_disconnect cancel_all: %s has no timer, so nothing would cancel; use keep_stops" % plan.venue)
    if plan.protects_by_orders:
        found.append("on_disconnect cancel_all: this bot holds positions behind stops, and the timer of %s takes stops away with the rest: "
                     "a position would be left bare; use keep_stops" % plan.venue)
    if plan.account == "shared":
        found.append("on_disconnect cancel_all: the account is shared, and the timer of %s cancels the owner's orders as well; "
                     "use keep_stops or an account of the bot's own" % plan.venue)
    if plan.timeout_s < DECISIONS_MIN * plan.decision_every_s:
        found.append("on_disconnect cancel_all: a timer of %g s would fire between decisions that are %g s apart; expected %g s or more"
                     % (plan.timeout_s, plan.decision_every_s, DECISIONS_MIN * plan.decision_every_s))
    if not 1 <= plan.timeout_s <= TIMEOUT_MAX_S:
        found.append("on_disconnect cancel_all: expected a timer of 1 to %d s, found %g" % (TIMEOUT_MAX_S, plan.timeout_s))
    return found


#: names in a profile, in the order of Plan
PROFILE = ("on_disconnect", "exchange_venue", "exchange_account_shared", "bot_protects_by_orders", "bot_decision_max_age_s",
           "on_disconnect_timeout_s")


def refused_by(profile: Mapping[str, Any]) -> List[str]:
    """Return why a bot with this profile must not be armed, one sentence each. What the profile does not say refuses too."""
    missing = [name for name in PROFILE if profile.get(name) is None]
    if missing:
        return ["what becomes of orders when the bot is silent is not known: the profile does not say %s" % ", ".join(missing)]
    word, venue, shared, protects, decides, timeout = [profile[name] for name in PROFILE]
    try:
        plan = Plan(str(word), str(venue), "shared" if shared else "dedicated", bool(protects), float(decides), float(timeout))
    except (TypeError, ValueError):
        return ["bot_decision_max_age_s and on_disconnect_timeout_s: expected seconds, found %r and %r" % (decides, timeout)]
    return refusals(plan)


def request(venue: str, timeout_s: float, symbols: Sequence[str]) -> List[Dict[str, Any]]:
    """Return the requests that set the timer (0: off): one at Kraken, one a symbol at Binance, there in milliseconds."""
    if venue == "kraken":
        return [{"call": TIMERS[venue], "timeout": int(timeout_s)}]
    if venue == "binance_usdm":
        return [{"call": TIMERS[venue], "symbol": symbol, "countdownTime": int(timeout_s * 1000)} for symbol in symbols]
    return []


class DeadMan:
    """The timer of one account, refreshed by the decision loop and by nothing else: a process that lives and does not decide is dead."""

    def __init__(self, plan: Plan, symbols: Sequence[str], call: Callable[[str, Mapping[str, Any]], Any]) -> None:
        """Raises ValueError with the refusals."""
        found = refusals(plan)
        if found:
            raise ValueError("; ".join(found))
        self._plan, self._symbols, self._call = plan, list(symbols), call
        self._on: Optional[bool] = None     # not known: a process before us may have left a timer running

    def decided(self, flat: bool) -> None:
        """Tell that a decision was made. Flat: the timer starts anew; not flat, or keep_stops: it is off. Raises what `call` raises."""
        if self._plan.on_disconnect == CANCEL_ALL and flat:
            self._set(self._plan.timeout_s)
            self._on = True
        elif self._on is not False:
            self._off()

    def before_a_stop(self) -> None:
        """Switch the timer off before a stop is placed: from then on there is something that must outlive us."""
        if self._on is not False:
            self._off()

    def _off(self) -> None:
        self._set(0)
        self._on = False

    def _set(self, timeout_s: float) -> None:
        for fields in request(self._plan.venue, timeout_s, self._symbols):
            self._call(str(fields["call"]), {name: value for name, value in fields.items() if name != "call"})
