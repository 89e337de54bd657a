"""prometheus_query: what a series did over a window, as Prometheus stored it; a sample that is not there never counts as good."""

from __future__ import annotations

import re
from datetime import timedelta
from math import isfinite
from typing import Any, Dict, List, Mapping, Tuple
from urllib.parse import urlencode

from ..canonical import utc
from ..errors import Undecided
from . import _document
from .look import Look, Observed

WITNESS = "bot"  # the exporter of a series is the judged process, unless the question says whose word it is
DEADLINE_S = 15
ASK = {
    "url": "str; required; http(s)://host:port of Prometheus",
    "expr": "str; optional; a series or an expression, unless present is asked",
    "over": "str; optional; a counter that the increase of expr is divided by",
    "instance": "str; optional; value of the label instance that every series must carry",
    "window_s": "number; optional; seconds back from now; the last step alone is the default",
    "step_s": "number; required; seconds between two samples, as scraped",
    "absent_as_zero": "bool; optional; a missing sample counts as 0 in mean and min, false is the default",
    "over_time": "bool; optional; also the rate of a counter between neighbouring samples",
    "present": "list of str; optional; names of series that must exist now",
    "word": "str; optional; whose word the series is: bot (default), golive (Prometheus itself saw it), kernel",
}
FACTS = {
    "min": "number; least value of any series in the window",
    "max": "number; greatest value",
    "mean": "number; mean over the expected samples of the worst series",
    "last": "number; newest value, the worst (least) over the series",
    "increase": "number; growth of the counters in the window, resets counted",
    "resets": "int; how often a counter began anew",
    "ratio": "number; increase of expr divided by the increase of over",
    "rate_max": "number; greatest growth per second between neighbouring samples",
    "series": "int",
    "samples": "int; of the series with the fewest",
    "missing": "int; samples that should be there and are not",
    "absent": "list of str; names of present that have no sample now",
    "newest_age_s": "number; age of the newest sample of the oldest series",
}
_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}]*\})?\Z")
_POINTS_MAX = 11000  # Prometheus' own limit for one question

Samples = List[Tuple[float, float]]


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Ask Prometheus. Opportunities are the samples, or the growth of `over`. Raises Undecided with `until` while the window is short."""
    word = str(ask.get("word") or WITNESS)
    if ask.get("present"):
        return Observed(_presence(ask, look), witness=word)
    expr = str(ask.get("expr") or "")
    if not expr:
        raise Undecided("the question names neither expr nor present")
    step, window = float(ask["step_s"]), float(ask.get("window_s") or ask["step_s"])
    step = max(step, window / _POINTS_MAX)
    found = _range(ask, look, _selected(expr, ask), window, step)
    facts = _folded(found, window, step, bool(ask.get("absent_as_zero")), bool(ask.get("over_time")))
    opportunities: float = facts["samples"]
    if ask.get("over"):
        below = sum(_increase(one)[0] for one in _range(ask, look, _selected(str(ask["over"]), ask), window, step))
        opportunities = below
        if below > 0:
            facts["ratio"] = facts["increase"] / below
    return Observed(facts, witness=word, opportunities=int(opportunities))


def _selected(expr: str, ask: Mapping[str, Any]) -> str:
    """Return the expression narrowed to one instance; only a bare metric name can be narrowed."""
    name = ask.get("instance")
    if not name:
        return expr
    if not _SELECTOR.match(expr) or "{" in expr:
        raise Undecided("instance needs a bare metric name, not an expression")
    return '%s{instance="%s"}' % (expr, str(name).replace("\\", "").replace('"', ""))


def _presence(ask: Mapping[str, Any], look: Look) -> Dict[str, Any]:
    absent, ages = [], []
    for name in ask["present"]:
        found = _question(ask, look, "query", {"query": "timestamp(%s)" % name})
        times = [value for series in found for _at, value in _points([series.get("value")])]
        if times:
            ages.append(look.now().timestamp() - min(times))
        else:
            absent.append(str(name))
    facts: Dict[str, Any] = {"absent": absent, "series": len(ages)}
    if ages:
        facts["newest_age_s"] = round(max(ages), 3)
    return facts


def _range(ask: Mapping[str, Any], look: Look, expr: str, window: float, step: float) -> List[Samples]:
    """Return the samples of each series. Raises Undecided when there is none, or when the window is not yet full."""
    end = look.now()
    if _SELECTOR.match(expr):  # the samples themselves: a range query would fill holes with the value before them
        series = _question(ask, look, "query", {"query": "%s[%dms]" % (expr, window * 1000), "time": "%.3f" % end.timestamp()})
    else:
        series = _question(
            ask,
            look,
            "query_range",
            {"query": expr, "start": "%.3f" % (end.timestamp() - window), "end": "%.3f" % end.timestamp(), "step": "%.3f" % step},
        )
    found = [samples for samples in (_points(one.get("values")) for one in series) if samples]
    if not found:
        raise Undecided("Prometheus has no sample of %s in the last %g s" % (expr[:120], window))
    first = min(samples[0][0] for samples in found)
    short = (first - (end.timestamp() - window)) - max(2 * step, 0.01 * window)
    if short > 0 and not _older(ask, look, expr, end.timestamp() - window, window):
        raise Undecided(
            "there are samples of %s for %.0f of %.0f s only" % (expr[:120], end.timestamp() - first, window),
            until=utc(end + timedelta(seconds=short)),
        )
    return found


def _older(ask: Mapping[str, Any], look: Look, expr: str, before: float, window: float) -> bool:
    """Return whether the series existed before the window: then a hole at its start is a hole, not youth."""
    query = {"query": expr, "start": "%.3f" % (before - window), "end": "%.3f" % before, "step": "%.3f" % max(window / 20, 1)}
    return any(_points(one.get("values")) for one in _question(ask, look, "query_range", query))


def _folded(found: List[Samples], window: float, step: float, zero: bool, over_time: bool) -> Dict[str, Any]:
    expected = max(1, int(window / step))
    values = [value for samples in found for _at, value in samples]
    fewest = min(len(samples) for samples in found)
    missing = max(0, expected - fewest)
    growth = [_increase(samples) for samples in found]
    means = [sum(value for _at, value in one) / (max(len(one), expected) if zero else len(one)) for one in found]
    facts: Dict[str, Any] = {
        "min": 0.0 if zero and missing else min(values),
        "max": max(values),
        "mean": min(means),
        "last": min(one[-1][1] for one in found),
        "increase": sum(one[0] for one in growth),
        "resets": sum(one[1] for one in growth),
        "series": len(found),
        "samples": fewest,
        "missing": missing,
    }
    if over_time:
        rates = [_rate(before, after) for one in found for before, after in zip(one, one[1:])]
        if rates:
            facts["rate_max"] = max(rates)
    return facts


def _increase(samples: Samples) -> Tuple[float, int]:
    """Return how much a counter grew and how often it began anew; after a reset the new value is growth."""
    grown, resets = 0.0, 0
    for (_a, before), (_b, after) in zip(samples, samples[1:]):
        resets += after < before
        grown += after - before if after >= before else after
    return grown, resets


def _rate(before: Tuple[float, float], after: Tuple[float, float]) -> float:
    seconds = after[0] - before[0]
    return max(0.0, after[1] - before[1]) / seconds if seconds > 0 else 0.0


def _points(raw: Any) -> Samples:
    """Return the finite samples in order of time; NaN (a ratio of nothing) is no sample."""
    found: Samples = []
    for pair in raw if isinstance(raw, list) else []:
        try:
            at, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, IndexError, KeyError):
            continue
        if isfinite(at) and isfinite(value):
            found.append((at, value))
    return sorted(found)


def _question(ask: Mapping[str, Any], look: Look, kind: str, query: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Return the series of an answer. Raises Undecided for everything that is not a successful answer, in its own words."""
    answer = look.get(
        "%s/api/v1/%s" % (str(ask["url"]).rstrip("/"), kind),
        data=urlencode(query).encode("ascii"),
        method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    document = _document.mapping(answer.body)
    if answer.status != 200 or document.get("status") != "success":
        raise Undecided("Prometheus answered %d: %s" % (answer.status, str(document.get("error") or "no reason")[:200]))
    data = document.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list):
        raise Undecided("Prometheus answered without a result")
    return _document.mappings(result)
