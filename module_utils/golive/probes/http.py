"""http: status, headers, age of the data shown, and whether a page shows what the ledger says."""
from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, Optional, Tuple

from ..canonical import parse_utc
from ..errors import GoliveError, Undecided
from .look import Look

WITNESS = "golive"
DEADLINE_S = 15
ASK = {
    "url": "str; required; http(s) address",
    "json_url": "str; optional; JSON object beside the page with `last_decision_at` and `last_fill.seq`",
    "ledger": "str; optional; ledger whose last fill the page must show",
    "ca_file": "str; optional; authority of the certificate",
    "credential": "str; optional; reference to a password (HTTP Basic, user golive)",
    "contains": "str; optional; regular expression looked for in the body",
}
FACTS = {
    "status": "int",
    "seconds": "number; wall time of the answer",
    "bytes": "int",
    "header.*": "str; security-relevant headers",
    "data_age_s": "number; seconds since the decision that the page shows; the older one of page and JSON",
    "shown_fill": "int; sequence number of the last fill that the page shows, 0 for none",
    "equals_ledger": "bool; that fill is the last one of the ledger (which may grow while we look)",
    "contains": "bool",
    "json.*": "JSON; scalars of the top level of a JSON body",
}
_HEADERS = ("content-type", "content-security-policy", "strict-transport-security", "x-content-type-options", "x-frame-options",
            "www-authenticate", "server", "location", "cache-control", "referrer-policy")
_TAIL = 1 << 20


def observe(ask: Dict[str, Any], look: Look) -> Dict[str, Any]:
    """Return the facts of one page, and of the JSON and ledger beside it."""
    before = last_fill(ask["ledger"]) if ask.get("ledger") else None
    headers = {}
    if ask.get("credential"):
        import base64  # noqa: PLC0415

        pair = "golive:" + look.secret(ask["credential"])
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
    answer = look.get(ask["url"], headers=headers, ca_file=ask.get("ca_file"))
    text = answer.body.decode("utf-8", "replace")
    facts: Dict[str, Any] = {"status": answer.status, "seconds": round(answer.seconds, 4), "bytes": len(answer.body)}
    facts.update(("header." + name, answer.headers[name]) for name in _HEADERS if name in answer.headers)
    if "json" in answer.headers.get("content-type", ""):
        facts.update(("json." + key, one) for key, one in _json(text, ask["url"]).items() if not isinstance(one, (dict, list)))
    if ask.get("contains"):
        facts["contains"] = re.search(ask["contains"], text) is not None
    if ask.get("json_url"):
        facts.update(_live_data(ask, look, text, before))
    return facts


def _live_data(ask: Dict[str, Any], look: Look, text: str, before: Optional[int]) -> Dict[str, Any]:
    """Hold page and JSON against the clock and the ledger: a page that answers while the bot behind it stands is old."""
    answer = look.get(ask["json_url"], ca_file=ask.get("ca_file"))
    if answer.status != 200:
        raise Undecided("%s answered %d" % (ask["json_url"], answer.status))
    document = _json(answer.body.decode("utf-8", "replace"), ask["json_url"])
    now = look.now()
    ages = []
    for shown in (_attribute(text, "data-last-decision"), document.get("last_decision_at")):
        if shown is not None:
            try:
                ages.append((now - parse_utc(shown)).total_seconds())
            except GoliveError:
                raise Undecided("the page has not decided anything yet") from None
    if len(ages) < 2:
        raise Undecided("the page does not say when the bot decided last")
    facts: Dict[str, Any] = {"data_age_s": round(max(0.0, *ages), 3)}
    number = _attribute(text, "data-last-fill-seq")
    if before is not None and number is not None and number.isdigit():
        facts["shown_fill"] = int(number)
        facts["equals_ledger"] = before <= int(number) <= last_fill(ask["ledger"])
    return facts


def last_fill(path: str) -> int:
    """Return the sequence number of the last fill of a ledger, 0 for none. Raises Undecided when it cannot be read."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as handle:
            start, found = size, b""
            while start > 0 and b'"kind":"fill"' not in found:
                step = min(_TAIL, start)
                start -= step
                handle.seek(start)
                found = handle.read(step) + found[:4096]
            handle.seek(start)
            lines = handle.read(size - start).splitlines()
    except OSError as exc:
        raise Undecided("the ledger %s cannot be read: %s" % (path, exc.strerror)) from None
    for line in reversed(lines):
        if b'"kind":"fill"' in line:
            sequence = _sequence(line)
            if sequence is not None:
                return sequence
    return 0


def _sequence(line: bytes) -> Optional[int]:
    try:
        record = json.loads(line.decode("utf-8"))
        return int(record["seq"]) if record["kind"] == "fill" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _json(text: str, where: str) -> Dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Undecided("%s did not answer JSON" % where) from None
    if not isinstance(value, dict):
        raise Undecided("%s did not answer a JSON object" % where)
    return value


def _attribute(text: str, name: str) -> Optional[str]:
    found: Optional[Tuple[str, ...]] = None
    match = re.search(r'\b%s="([^"]{0,60})"' % re.escape(name), text)
    if match is not None:
        found = match.groups()
    return found[0] if found else None
