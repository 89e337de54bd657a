"""OOS_METRICS: would the model have earned enough on data that it had not seen? Recomputed from recorded predictions, net of fees.

The candidate's own figures (`claims`) are never used; where they are far from ours that is told.
"""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .. import canonical
from ..errors import Undecided
from .judgement import OOS_METRICS, Judgement, limit, of, shown
from .track_record import Fold, Result, Rule

_WINDOW = {"train_from", "train_until", "test_from", "test_until", "model"}


class Window(NamedTuple):
    """One step of the walk forward. `model` is the digest of the candidate that was asked, None for an earlier fit of the same code."""

    train_from: datetime
    train_until: datetime
    test_from: datetime
    test_until: datetime
    model: Optional[str]


def rule(profile: Mapping[str, Any]) -> Rule:
    """Return how predictions become positions, from the profile. Raises Undecided where it does not say."""
    cost = limit(profile, "fee") + limit(profile, "slippage")
    if cost <= 0:
        raise Undecided("the profile's fee and slippage are not above 0: nothing trades for free")
    return Rule(limit(profile, "enter_at"), limit(profile, "position_size"), cost, limit(profile, "bars_per_year"))


def windows(stated: Any) -> List[Window]:
    """Return the windows that the signed record states. Raises Undecided for every other form."""
    if not isinstance(stated, list) or not stated:
        raise Undecided("the record states no walk-forward windows")
    found = []
    for number, one in enumerate(stated):
        if not isinstance(one, Mapping) or set(one) != _WINDOW or not (one["model"] is None or isinstance(one["model"], str)):
            raise Undecided("window %d does not have its form (%s)" % (number, ", ".join(sorted(_WINDOW))))
        times = [canonical.parse_utc(one[name]) for name in ("train_from", "train_until", "test_from", "test_until")]
        found.append(Window(times[0], times[1], times[2], times[3], one["model"]))
    return found


def judge(profile: Mapping[str, Any], stated: Sequence[Window], fold: Fold, candidate: str, trained_from: datetime,
          trained_until: datetime, claims: Mapping[str, Any]) -> Judgement:
    """Return the judgement.

    Profile: `embargo_s`, `windows_min`, `trades_min`, `sharpe_min`, `drawdown_max`, `hit_rate_min`, `return_min` (fractions),
    `own_trades_min` (trades of the candidate itself, after its own training).
    """
    embargo = timedelta(seconds=limit(profile, "embargo_s"))
    problems = _walk(stated, embargo) + _rows(stated, fold)
    own = [number for number, one in enumerate(stated) if one.model == candidate]
    for number in own:
        if stated[number].test_from < trained_until + embargo:
            problems.append("window %d asks this very model about data that it was trained on (training until %s, tested from %s)" % (
                number, canonical.utc(trained_until), canonical.utc(stated[number].test_from)))
        if (stated[number].train_from, stated[number].train_until) != (trained_from, trained_until):
            problems.append("window %d states another training period for this model than the model does" % number)
    if len(stated) < limit(profile, "windows_min"):
        problems.append("has %d walk-forward windows, at least %d are asked for" % (len(stated), limit(profile, "windows_min")))
    own_trades = sum(fold.windows[number].trades for number in own if number in fold.windows)
    if own_trades < limit(profile, "own_trades_min"):
        problems.append("this very model made %d trades after its training, at least %d are asked for" % (
            own_trades, limit(profile, "own_trades_min")))
    problems += _measures(profile, fold.overall)
    return of(OOS_METRICS, problems, _facts(stated, fold, own_trades, claims))


def _walk(stated: Sequence[Window], embargo: timedelta) -> List[str]:
    problems = []
    for number, one in enumerate(stated):
        if not (one.train_from < one.train_until and one.test_from < one.test_until):
            problems.append("window %d ends before it begins" % number)
        if one.test_from < one.train_until + embargo:
            problems.append("window %d is tested on its training period (or within %d s of it)" % (number, embargo.total_seconds()))
        if number and one.test_from < stated[number - 1].test_until:
            problems.append("window %d overlaps window %d: the same data would count twice" % (number, number - 1))
    return problems


def _rows(stated: Sequence[Window], fold: Fold) -> List[str]:
    problems = ["predictions name a window %d that the record does not state" % number for number in sorted(fold.windows)
                if not 0 <= number < len(stated)]
    for number, one in enumerate(stated):
        if number not in fold.windows:
            problems.append("window %d has no predictions" % number)
        elif not one.test_from <= fold.first[number] <= fold.last[number] < one.test_until:
            problems.append("window %d has predictions outside of its test period" % number)
    return problems


def _measures(profile: Mapping[str, Any], found: Result) -> List[str]:
    problems = []
    if found.trades < limit(profile, "trades_min"):
        problems.append("made %d trades, at least %d are asked for" % (found.trades, limit(profile, "trades_min")))
    for name, value, least in (("Sharpe ratio", found.sharpe, limit(profile, "sharpe_min")),
                               ("hit rate", found.hit_rate, limit(profile, "hit_rate_min")),
                               ("return", found.total_return, limit(profile, "return_min"))):
        if value is None:
            problems.append("the %s is not defined: there is no trade or no variation" % name)
        elif not value >= least:
            problems.append("%s %.4f, at least %g is asked for" % (name, value, least))
    if not found.drawdown <= limit(profile, "drawdown_max"):
        problems.append("drawdown %.4f, at most %g is allowed" % (found.drawdown, limit(profile, "drawdown_max")))
    return problems


def _facts(stated: Sequence[Window], fold: Fold, own_trades: int, claims: Mapping[str, Any]) -> Dict[str, Any]:
    found = fold.overall
    measured = {"sharpe": found.sharpe, "drawdown": found.drawdown, "hit_rate": found.hit_rate, "return": found.total_return,
                "trades": found.trades}
    facts: Dict[str, Any] = {name: None if value is None else value if isinstance(value, int) else shown(value)
                             for name, value in measured.items()}
    facts.update(bars=found.bars, windows=len(stated), own_trades=own_trades)
    facts["claims_differ"] = sorted(name for name, value in measured.items() if isinstance(claims.get(name), (int, float))
                                    and (value is None or abs(claims[name] - value) > 0.05 * max(1.0, abs(value))))
    return facts
