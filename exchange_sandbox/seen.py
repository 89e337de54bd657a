"""One request while it is handled and judged: who, when, what, outcome and a verdict per rule; never a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

PASS, FAIL, UNJUDGED = "pass", "fail", "unjudged"
#: parameters that may be written down; everything else is dropped (keys, signatures, tokens, one-time passwords)
RECORDED = frozenset(
    (
        "pair",
        "symbol",
        "type",
        "side",
        "ordertype",
        "order_type",
        "price",
        "price2",
        "limit_price",
        "triggers",
        "volume",
        "order_qty",
        "cl_ord_id",
        "userref",
        "order_userref",
        "oflags",
        "timeinforce",
        "time_in_force",
        "expiretm",
        "deadline",
        "validate",
        "reduce_only",
        "leverage",
        "txid",
        "order_id",
        "interval",
        "since",
        "count",
        "timeout",
        "asset",
        "nonce",
        "close[ordertype]",
        "close[price]",
        "close[price2]",
        "trigger",
        "post_only",
        "channel",
        "depth",
        "stptype",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "stopPrice",
        "triggerPrice",
        "newClientOrderId",
        "origClientOrderId",
        "clientAlgoId",
        "orderId",
        "algoId",
        "reduceOnly",
        "closePosition",
        "positionSide",
        "workingType",
        "countdownTime",
        "marginType",
        "dualSidePosition",
        "recvWindow",
        "timestamp",
        "limit",
        "startTime",
        "endTime",
        "cancelReplaceMode",
        "callbackRate",
        "streams",
    )
)
VALUE_KEPT = 120


@dataclass
class Seen:
    """A judged request. `at` is exchange time, `real` the wall clock, both in seconds since 1970."""

    id: int
    at: float
    real: float
    venue: str
    transport: str
    endpoint: str
    source: str
    agent: str = ""
    account: Optional[str] = None
    key: Optional[str] = None
    params: dict[str, str] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    #: HTTP status or "ws"; "dropped" when no answer was sent
    status: str = ""
    error: str = ""
    latency_ms: float = 0.0
    cruelties: list[str] = field(default_factory=list)
    #: entry, exit, protect, cancel or empty
    intent: str = ""
    order_request: bool = False

    def note(self, params: dict[str, Any]) -> None:
        """Keep the allow-listed parameters, cut to length."""
        for name, value in params.items():
            if name in RECORDED:
                self.params[name] = str(value)[:VALUE_KEPT]

    def ok(self, rule: str) -> None:
        self.verdicts.setdefault(rule, PASS)

    def bad(self, rule: str, why: str) -> None:
        self.verdicts[rule] = FAIL
        self.why[rule] = why[:200]

    def unknown(self, rule: str, why: str) -> None:
        if self.verdicts.get(rule) != FAIL:
            self.verdicts[rule] = UNJUDGED
            self.why[rule] = why[:200]

    def overall(self) -> str:
        """Return fail if any rule failed, unjudged if any could not tell or no rule applied, else pass."""
        words = self.verdicts.values()
        if FAIL in words:
            return FAIL
        return UNJUDGED if UNJUDGED in words or not words else PASS

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "at": self.at,
            "real": self.real,
            "venue": self.venue,
            "transport": self.transport,
            "endpoint": self.endpoint,
            "source": self.source,
            "agent": self.agent[:80],
            "account": self.account,
            "key": self.key,
            "params": self.params,
            "verdict": self.overall(),
            "verdicts": self.verdicts,
            "why": self.why,
            "status": self.status,
            "error": self.error,
            "latency_ms": round(self.latency_ms, 3),
            "cruelties": self.cruelties,
            "intent": self.intent,
            "order_request": self.order_request,
        }
