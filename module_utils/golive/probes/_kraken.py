"""Kraken spot as a reader sees it: public market data and the own account, by a key of the reader's own that may only query."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import urlencode

from ..errors import GoliveError, Undecided
from ..exchange import credential, fence
from ..exchange.model import Credential, Refused, Request
from ..exchange.reading import document, field, mapping, texts
from ..exchange.redact import redact
from ..exchange.transport import Endpoint, Peer, Transport, Trouble, endpoint
from ..exchange.venues.kraken import sign

HOST = "https://api.kraken.com"
_NOBODY = Credential("", "")


class Said(Exception):
    """The venue refused the question; `words` are its own, redacted."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Kraken:
    """Asks one endpoint. Every question opens its own verified TLS connection; nothing is ever ordered, cancelled or moved."""

    def __init__(self, base_url: str, ca_file: str, rehearsal: bool, seconds: float) -> None:
        try:
            self.where: Endpoint = endpoint(base_url or HOST, ca_file)
            self._transport = Transport(self.where)
        except GoliveError as exc:
            raise Undecided(str(exc)) from None
        self._rehearsal, self._deadline = rehearsal, time.monotonic() + seconds
        self._credential, self._nonce = _NOBODY, 0
        self.peer, self.marked = Peer(self.where.host, "", ""), False

    def log_in(self, reference: str, value: str) -> None:
        """Take the key that a reference holds (JSON with key and secret). Raises Undecided, also where the fence forbids its use."""
        try:
            self._credential = credential.parse(value.encode("utf-8"), reference)
            addresses = self._transport.addresses(self._deadline)
        except GoliveError as exc:
            raise Undecided(str(exc)) from None
        except Trouble as exc:
            raise Undecided(exc.what) from None
        refused = fence.before(self._rehearsal, self._credential.key, addresses)
        if refused:
            raise Undecided(refused)

    def public(self, method: str, **params: str) -> Any:
        """Return the result of a public question. Raises Said for the venue's refusal, Undecided for no usable answer."""
        query = "?" + urlencode(params) if params else ""
        return self._result(Request("GET", "/0/public/%s%s" % (method, query), {}))

    def private(self, method: str, **params: str) -> Any:
        """Return the result of a question about the account; it spends one nonce of the reader's own key."""
        if not self._credential.key:
            raise Undecided("the question needs a key that may query, and names none")
        # Microseconds: above every millisecond counter that the same key may have seen before.
        self._nonce = max(self._nonce + 1, time.time_ns() // 1000)
        path, nonce = "/0/private/" + method, str(self._nonce)
        body = urlencode({"nonce": nonce, **params})
        headers = {"API-Key": self._credential.key, "API-Sign": sign(self._credential.secret, path, nonce, body),
                   "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
        return self._result(Request("POST", path, headers, body.encode("ascii")))

    def _result(self, request: Request) -> Any:
        try:
            answer, self.peer = self._transport.send(request, self._deadline)
            refused = fence.after(self._rehearsal, answer.headers)
            self.marked = fence.MARKER_HEADER in answer.headers
            if refused and request.method == "POST":
                raise Undecided(refused)
            found = mapping(document(answer), "the answer")
            errors = texts(found, "error")
            if errors:
                raise Said(redact("; ".join(errors), self._credential, list(request.headers.values())))
            return field(found, "result")
        except Trouble as exc:
            raise Undecided(exc.what) from None
        except Refused as exc:
            raise Undecided("the venue's answer is not as documented: %s" % redact(exc.words, self._credential)) from None


def number(value: Any) -> Optional[Decimal]:
    """Return a finite decimal, None for everything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def need(value: Any, what: str) -> Decimal:
    """Return a decimal that must be there. Raises Undecided that names the field."""
    found = number(value)
    if found is None:
        raise Undecided("the venue's answer has no number in %s" % what)
    return found


def one(result: Any, what: str) -> Mapping[str, Any]:
    """Return the only object in a result that is keyed by names of pairs."""
    rows: List[Any] = [row for row in result.values() if isinstance(row, dict)] if isinstance(result, dict) else []
    if len(rows) != 1:
        raise Undecided("the venue's answer to %s is not about one pair" % what)
    found: Dict[str, Any] = rows[0]
    return found
