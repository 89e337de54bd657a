"""alert_rule: the loaded alert rules against the profile's thresholds; each fires beyond its number and is quiet before it."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, Mapping, NamedTuple, Optional
from urllib.parse import urlencode

from ..errors import Undecided
from . import _document
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 30
ASK = {
    "url": "str; required; http(s)://host:port of Prometheus",
    "thresholds": "list; required; {name, series, operator, threshold} for each rule that must be there",
    "names": "list of str; optional; judge these rules only",
}
FACTS = {
    "rules": "int; alert rules that are loaded",
    "missing": "list of str; names without a loaded rule",
    "different": "list of str; name: what the loaded rule says, where its number or operator is another one",
    "unhealthy": "list of str; name: Prometheus' last error with it",
    "without_series": "list of str; names whose expression matches nothing now: such a rule can never fire",
    "not_firing": "list of str; names that stay quiet just beyond their number",
    "not_quiet": "list of str; names that fire just before their number",
    "firing": "list of str; names that fire now",
}
_RULE = re.compile(r"(?P<series>.+?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<number>-?[0-9.]+(?:[eE][+-]?[0-9]+)?)\Z", re.DOTALL)
# Just beyond and just before the number, per operator: the steps are a thousandth of it.
_BEYOND = {"<": -1, "<=": -1, ">": 1, ">=": 1}


class Rule(NamedTuple):
    """A loaded rule: its expression taken apart, and what Prometheus says of it."""

    series: str
    operator: str
    number: Decimal
    state: str
    health: str
    error: str


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Compare and try. The trial evaluates `vector(x) <operator> <number>` in Prometheus itself: it stores nothing, it sends nothing."""
    loaded = _loaded(ask, look)
    wanted = [_threshold(one) for one in ask["thresholds"] if isinstance(one, dict)]
    if ask.get("names"):
        wanted = [one for one in wanted if one["name"] in set(ask["names"])]
        unknown = set(ask["names"]) - {one["name"] for one in wanted}
        if unknown:
            raise Undecided("there is no threshold called %s" % sorted(unknown)[0][:60])
    if not wanted:
        raise Undecided("the question names no threshold")
    facts: Dict[str, Any] = {"rules": len(loaded), "missing": [], "different": [], "unhealthy": [], "without_series": [], "not_firing": [],
                             "not_quiet": [], "firing": sorted(name for name, one in loaded.items() if one.state == "firing")}  # fmt: skip
    for one in wanted:
        rule = loaded.get(one["name"])
        if rule is None:
            facts["missing"].append(one["name"])
        else:
            _compare(one, rule, facts, ask, look)
    return Observed(facts, opportunities=len(wanted) - len(facts["missing"]))


def _threshold(one: Mapping[str, Any]) -> Dict[str, Any]:
    number = _decimal(one.get("threshold"))
    if number is None or one.get("operator") not in _BEYOND or not str(one.get("series") or "") or not str(one.get("name") or ""):
        raise Undecided("a threshold lacks name, series, operator or number: %s" % str(one.get("name"))[:60])
    return {"name": str(one["name"]), "operator": str(one["operator"]), "threshold": number, "series": str(one["series"])}


def _compare(one: Mapping[str, Any], rule: Rule, facts: Dict[str, Any], ask: Mapping[str, Any], look: Look) -> None:
    name = one["name"]
    if rule.number != one["threshold"] or rule.operator != one["operator"]:
        facts["different"].append("%s: %s %s" % (name, rule.operator, rule.number))
    if rule.health not in ("ok", "unknown") or rule.error:
        facts["unhealthy"].append("%s: %s" % (name, rule.error or rule.health))
    if not _answers(rule.series, ask, look):
        facts["without_series"].append(name)
    if rule.operator not in _BEYOND:
        return
    step = (abs(rule.number) / 1000 or Decimal("0.001")) * _BEYOND[rule.operator]
    for value, should, word in ((rule.number + step, True, "not_firing"), (rule.number - step, False, "not_quiet")):
        # The number is taken from the loaded rule, so that what is tried is what would page.
        if _answers("vector(%s) %s %s" % (value, rule.operator, rule.number), ask, look) is not should:
            facts[word].append(name)


def _loaded(ask: Mapping[str, Any], look: Look) -> Dict[str, Rule]:
    data = _asked(ask, look, "rules?type=alert", None).get("data")
    groups = _document.mappings(data.get("groups") if isinstance(data, dict) else None)
    found: Dict[str, Rule] = {}
    for one in (rule for group in groups for rule in _document.mappings(group.get("rules"))):
        match = _RULE.match(str(one.get("query") or "").strip())
        number = _decimal(match.group("number")) if match else None
        name, words = str(one.get("name")), (str(one.get("state")), str(one.get("health")), str(one.get("lastError") or "")[:200])
        if match and number is not None:
            found[name] = Rule(match.group("series"), match.group("operator"), number, *words)
        else:
            found[name] = Rule(str(one.get("query") or ""), "no comparison", Decimal(0), *words)
    return found


def _answers(expr: str, ask: Mapping[str, Any], look: Look) -> bool:
    data = _asked(ask, look, "query", {"query": expr}).get("data")
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list):
        raise Undecided("Prometheus answered without a result")
    return bool(result)


def _asked(ask: Mapping[str, Any], look: Look, what: str, query: Optional[Mapping[str, str]]) -> Dict[str, Any]:
    url = "%s/api/v1/%s" % (str(ask["url"]).rstrip("/"), what)
    if query is None:
        answer = look.get(url)
    else:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = look.get(url, data=urlencode(query).encode("ascii"), method="POST", headers=headers)
    document = _document.mapping(answer.body)
    if answer.status != 200 or document.get("status") != "success":
        raise Undecided("Prometheus answered %d: %s" % (answer.status, str(document.get("error") or "no reason")[:200]))
    return document


def _decimal(value: Any) -> Optional[Decimal]:
    if isinstance(value, bool):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
