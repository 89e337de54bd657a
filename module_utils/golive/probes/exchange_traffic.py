"""exchange_traffic: how the rehearsal exchange judged what a bot sent, request by request, as its recorder kept it."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import urlencode

from ..errors import Undecided
from . import _document
from .look import Look, Observed

WITNESS = "venue"
DEADLINE_S = 20
ASK = {
    "url": "str; required; https://host:port of the rehearsal exchange's administration",
    "credential": "str; required; reference to its bearer token",
    "ca_file": "str; optional; CA of the rehearsal exchange on the looking host (on the controller: from the repository's root)",
    "account": "str; required; the account whose requests are judged",
    "rules": "list of str; required; rules of the exchange's judge",
    "window_s": "number; optional; seconds of exchange time back from now, everything is the default",
}
FACTS = {
    "violations": "int; requests that broke one of the rules",
    "unjudged": "int; requests for which one of the rules could not tell",
    "accepted_ratio": "number; requests that kept the rules among those that were judged",
    "requests": "int; of the account in the window",
    "order_requests": "int",
    "entries": "int",
    "violations.*": "int; by rule",
    "samples": "list of str; rule, endpoint and reason of the newest bad requests",
}
MARKER = "x-golive-sandbox"
_CAP = 4 << 20


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read the verdicts. Opportunities are the requests that the least judged rule spoke about: each rule must have had its chance."""
    rules = [str(one) for one in ask["rules"]]
    base = str(ask["url"]).rstrip("/")
    if not rules or not re.match(r"https?://[^/@]+\Z", base):
        raise Undecided("the question names no rule or no address")
    query = {"account": str(ask["account"])}
    if ask.get("window_s"):
        query["since"] = "%.3f" % (_number(_asked(base, "clock", {}, ask, look), "now", "unixtime", "time") - float(ask["window_s"]))
    found = _asked(base, "verdicts", query, ask, look)
    known, totals = found.get("rules"), found.get("totals")
    if not isinstance(known, dict) or not isinstance(totals, dict):
        raise Undecided("the rehearsal exchange answered without verdicts")
    return _folded(rules, known, totals)


def _asked(base: str, what: str, query: Mapping[str, str], ask: Mapping[str, Any], look: Look) -> Dict[str, Any]:
    url = "%s/sandbox/v1/%s%s" % (base, what, "?" + urlencode(query) if query else "")
    headers = {"Authorization": "Bearer " + look.secret(str(ask["credential"]))}
    answer = look.get(url, headers=headers, ca_file=_ca_file(ask, look), cap=_CAP)
    found = _document.mapping(answer.body)
    if answer.status != 200:
        raise Undecided("the rehearsal exchange answered %d: %s" % (answer.status, str(found.get("error") or "no reason")[:200]))
    if MARKER not in answer.headers:
        raise Undecided("the answer does not carry the mark of a rehearsal exchange")
    return found


def _ca_file(ask: Mapping[str, Any], look: Look) -> Optional[str]:
    if not ask.get("ca_file"):
        return None
    path = os.path.join(str(look.context.get("root") or "/"), str(ask["ca_file"]))
    if not os.path.isfile(path):
        raise Undecided("the authority of the exchange's certificate is not on %s: %s" % (look.host, str(ask["ca_file"])[:120]))
    return path


def _number(found: Mapping[str, Any], *names: str) -> float:
    for name in names:
        value = found.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    raise Undecided("the rehearsal exchange does not tell its time")


def _folded(rules: List[str], known: Mapping[str, Any], totals: Mapping[str, Any]) -> Observed:
    facts: Dict[str, Any] = {"violations": 0, "unjudged": 0, "samples": []}
    judged, passed = [], 0
    for rule in rules:
        row = known.get(rule)
        if not isinstance(row, dict):
            raise Undecided("the rehearsal exchange has no rule %s" % rule[:60])
        good, bad, open_ = (_count(row.get(word)) for word in ("pass", "fail", "unjudged"))
        facts["violations"] += bad
        facts["unjudged"] += open_
        facts["violations." + rule] = bad
        passed += good
        judged.append(good + bad)
        for one in _document.mappings(row.get("samples"))[-5:]:
            facts["samples"].append("%s: %s: %s" % (rule, str(one.get("endpoint"))[:80], str(one.get("why"))[:200]))
    for name in ("requests", "order_requests", "entries"):
        facts[name] = _count(totals.get(name))
    if sum(judged):
        facts["accepted_ratio"] = passed / sum(judged)
    return Observed(facts, opportunities=min(judged))


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Undecided("the rehearsal exchange counts in something that is no number")
    return value
