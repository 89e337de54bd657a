"""Has what the bot sees moved away from what the model was trained on? Population stability index, by feature.

PSI = sum over the bins of (live - trained) * ln(live / trained). Usual reading: below 0.1 stable, above 0.25 shifted.
"""
from __future__ import annotations

import math
from typing import Any, Dict, Mapping, Sequence

from ..errors import Undecided

FLOOR = 1e-4     # share of an empty bin: the logarithm of 0 is not defined, and one empty bin must not be infinite drift


def index(trained: Sequence[float], live: Sequence[float]) -> float:
    """Return the PSI of two histograms over the same bins (counts or shares). Raises Undecided where there is nothing to compare."""
    if len(trained) != len(live) or not trained or any(_bad(one) for one in [*trained, *live]):
        raise Undecided("the histograms do not have the same bins")
    if sum(trained) <= 0 or sum(live) <= 0:
        raise Undecided("a histogram is empty")
    pairs = [(max(one / sum(trained), FLOOR), max(other / sum(live), FLOOR)) for one, other in zip(trained, live)]
    return sum((other - one) * math.log(other / one) for one, other in pairs)


def of_features(trained: Mapping[str, Any], live: Mapping[str, Any]) -> Dict[str, float]:
    """Return the PSI of every feature that the model was trained on. Raises Undecided for one that was not recorded live."""
    if not trained:
        raise Undecided("the approved model does not say how its features were distributed in training")
    found = {}
    for name, one in sorted(trained.items()):
        other = live.get(name)
        if not isinstance(one, Mapping) or not isinstance(other, Mapping) or one.get("edges") != other.get("edges"):
            raise Undecided("the live histogram of feature %s is missing or has other bins" % name)
        found[name] = round(index(one.get("shares") or [], other.get("counts") or []), 6)
    return found


def _bad(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0
