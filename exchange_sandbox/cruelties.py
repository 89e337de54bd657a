"""The catalogue of cruelties: parameters with defaults, and the real incident or venue text that each imitates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spec:
    """One cruelty. `where`: http, order, stream, market, venue, key."""

    title: str
    where: str
    imitates: str
    #: name -> (default, meaning)
    params: dict[str, tuple[Any, str]] = field(default_factory=dict)


_RATIO = (1.0, "share of the requests it strikes")
_TIMES = (0, "ends after so many hits; 0 = no end")
_ENDPOINTS = ("", "comma-separated endpoints, empty = all")
_PAIR = ("", "pair, empty = all")

CATALOGUE: dict[str, Spec] = {
    "latency": Spec(
        "Answers come late",
        "http",
        "Kraken status page, degraded performance: API latency of seconds at volatile hours",
        {"ms": (500, "delay"), "jitter_ms": (0, "added at random, up to"), "endpoints": _ENDPOINTS},
    ),
    "http_5xx": Spec(
        "Server errors before the request is looked at",
        "http",
        "Cloudflare 520 to 524 in front of the Kraken API (freqtrade and ccxt issues)",
        {"ratio": _RATIO, "status": (503, "HTTP status"), "endpoints": _ENDPOINTS, "times": _TIMES},
    ),
    "timeouts": Spec(
        "The connection is held and closed without an answer",
        "http",
        "requests.exceptions.ReadTimeout against api.kraken.com",
        {"ratio": _RATIO, "hold_s": (10, "held so long, real seconds"), "endpoints": _ENDPOINTS, "times": _TIMES},
    ),
    "rate_limit": Spec(
        "Requests are refused as too many",
        "http",
        "Kraken: EAPI:Rate limit exceeded, HTTP 429",
        {
            "ratio": _RATIO,
            "status": (200, "HTTP status, 429 where the front refuses"),
            "retry_after_s": (5, "Retry-After header"),
            "endpoints": _ENDPOINTS,
        },
    ),
    "html_error": Spec(
        "An HTML page instead of JSON",
        "http",
        "Cloudflare error page with HTTP 200 or 5xx in front of the API",
        {"ratio": _RATIO, "status": (502, "HTTP status"), "endpoints": _ENDPOINTS, "times": _TIMES},
    ),
    "half_json": Spec(
        "The answer breaks off in the middle",
        "http",
        "truncated JSON from a proxy: Unterminated string / Expecting value",
        {"ratio": _RATIO, "endpoints": _ENDPOINTS, "times": _TIMES},
    ),
    "drop_ack_after_execution": Spec(
        "The order is executed, the answer is lost",
        "http",
        "Kraken: order placed although the client saw a timeout or 520; krakenfx/kraken-cli: check open orders before resubmitting",
        {"ratio": _RATIO, "endpoints": ("AddOrder", "comma-separated endpoints"), "times": _TIMES},
    ),
    "reject_orders": Spec(
        "Orders are refused",
        "order",
        "Kraken: EOrder errors",
        {"ratio": _RATIO, "error": ("EOrder:Insufficient funds", "the venue's words"), "times": _TIMES},
    ),
    "cancel_fails_once": Spec(
        "Cancelling fails the first times",
        "order",
        "Kraken: EService:Busy / EOrder:Unknown order on a cancel under load",
        {"times": (1, "so many cancels fail"), "error": ("EService:Busy", "the venue's words")},
    ),
    "balance_source_failure": Spec(
        "A source of the balance fails",
        "order",
        "Kraken: EService:Unavailable on Balance while trading works",
        {
            "endpoints": ("Balance,BalanceEx,TradeBalance", "comma-separated sources that fail"),
            "error": ("EService:Unavailable", "the venue's words"),
        },
    ),
    "maintenance": Spec("The venue is in maintenance", "venue", "Kraken SystemStatus: maintenance, private calls EService:Unavailable", {}),
    "cancel_only": Spec(
        "Only cancels are taken", "venue", "Kraken SystemStatus: cancel_only; EService:Market in cancel_only mode", {"pair": _PAIR}
    ),
    "post_only": Spec(
        "Only post-only orders are taken", "venue", "Kraken SystemStatus: post_only; EService:Market in post_only mode", {"pair": _PAIR}
    ),
    "delisting": Spec(
        "A pair is no longer tradable",
        "venue",
        "Kraken delists pairs: EQuery:Unknown asset pair / status delisted",
        {"pair": ("SHIBUSDT", "pair")},
    ),
    "clock_skew": Spec(
        "The venue's clock differs from the bot's",
        "venue",
        "Invalid nonce and timestamp errors of hosts without NTP",
        {"seconds": (30, "added to Time, SystemStatus and stream timestamps")},
    ),
    "certificate_expired": Spec(
        "The venue shows an expired certificate to new connections",
        "venue",
        "expiry of Let's Encrypt's DST root on 2021-09-30: clients failed with CERTIFICATE_VERIFY_FAILED: certificate has expired",
        {},
    ),
    "key_revoked": Spec("The key stops working in mid-session", "key", "Kraken: EAPI:Invalid key after a key is deleted", {}),
    "right_removed": Spec(
        "A right is taken from the key in mid-session",
        "key",
        "Kraken: EGeneral:Permission denied after a key is edited",
        {"right": ("modify-trades", "the right")},
    ),
    "ws_drop": Spec(
        "Stream connections are cut",
        "stream",
        "Kraken WebSocket disconnects without close frame (1006)",
        {"every_s": (5, "exchange seconds between cuts")},
    ),
    "ws_silence": Spec(
        "The stream stays open and says nothing",
        "stream",
        "half-open sockets: connected, no messages, no heartbeat",
        {"heartbeats": (False, "heartbeats go on")},
    ),
    "ws_repeat": Spec(
        "Stream messages are sent twice", "stream", "at-least-once delivery after a reconnect of the venue's fan-out", {"ratio": _RATIO}
    ),
    "ws_out_of_order": Spec("Stream messages change places", "stream", "updates older than the snapshot", {"ratio": _RATIO}),
    "ws_gap": Spec(
        "Messages are left out, the sequence number jumps",
        "stream",
        "missed private messages: sequence gap",
        {"ratio": (0.2, "share of messages lost")},
    ),
    "ws_checksum_mismatch": Spec(
        "The book's checksum is wrong", "stream", "Kraken book checksum mismatches (ccxt disabled the check for it)", {"ratio": _RATIO}
    ),
    "ws_half_json": Spec("A stream message breaks off", "stream", "truncated frames", {"ratio": (0.2, "share of messages")}),
    "ws_refused": Spec(
        "New stream connections are refused", "stream", "Cloudflare 429 on reconnect storms (150 attempts per 10 minutes per IP)", {}
    ),
    "duplicate_fills": Spec("Each fill is reported twice", "stream", "duplicate execution reports after a failover", {"ratio": _RATIO}),
    "price_jump": Spec(
        "The price jumps",
        "market",
        "flash crash on Kraken BTC/EUR and ETH/USD (2017-05-07, 2021-02-22)",
        {"pair": _PAIR, "pct": (-10, "percent of the price")},
    ),
    "freeze_feed": Spec("Market data stand still while the venue answers", "market", "stale tickers while the API is up", {"pair": _PAIR}),
    "empty_book": Spec(
        "The order book is empty", "market", "post-maintenance reopening with empty books (Kraken 2018-01-13)", {"pair": _PAIR}
    ),
    "thin_book": Spec("The spread is wide", "market", "illiquid hours", {"pair": _PAIR, "factor": (20, "times the normal distance")}),
    "losing_fills": Spec(
        "Every entry loses: the price falls right after it is filled, and recovers after the exit",
        "market",
        "adverse selection",
        {"pct": (30, "percent of the price")},
    ),
    "partial_fill_then_disconnect": Spec(
        "An order is filled in part and the stream is cut",
        "market",
        "partial fill during a reconnect",
        {"share": (0.4, "share of the quantity filled before the cut")},
    ),
}
