"""Binance's own words for what is wrong (developers.binance.com, spot errors.md and USD-M error codes)."""

from __future__ import annotations

from typing import Any, Optional

from ...orders import Refusal


class BinanceError(Exception):
    """An answer `{"code": ..., "msg": ...}` with its HTTP status; `data` is what a few endpoints add."""

    def __init__(self, code: int, text: str, status: int = 400, retry_after: Optional[int] = None, data: Any = None) -> None:
        super().__init__(text)
        self.code, self.text, self.status, self.retry_after, self.data = code, text, status, retry_after, data

    def body(self) -> dict[str, Any]:
        out: dict[str, Any] = {"code": self.code, "msg": self.text}
        if self.data is not None:
            out["data"] = self.data
        return out


def missing(name: str) -> BinanceError:
    return BinanceError(-1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed." % name)


def malformed(name: str) -> BinanceError:
    return BinanceError(-1100, "Illegal characters found in parameter '%s'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'." % name)


INVALID_SYMBOL = (-1121, "Invalid symbol.")
UNKNOWN_ORDER = (-2011, "Unknown order sent.")
NO_SUCH_ORDER = (-2013, "Order does not exist.")
INVALID_KEY = (-2015, "Invalid API-key, IP, or permissions for action.")

_SPOT = {
    "insufficient_funds": (-2010, "Account has insufficient balance for requested action."),
    "post_only_would_cross": (-2010, "Order would immediately match and take."),
    "unknown_order": UNKNOWN_ORDER,
    "invalid_volume": (-1013, "Filter failure: LOT_SIZE"),
}
_USDM = {
    "insufficient_funds": (-2019, "Margin is insufficient."),
    "post_only_would_cross": (
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    "unknown_order": UNKNOWN_ORDER,
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "invalid_volume": (-4003, "Quantity less than or equal to zero."),
}


def words(refusal: Refusal, contract: bool) -> BinanceError:
    """Translate the engine's refusal."""
    code, text = (_USDM if contract else _SPOT).get(refusal.code, (-2010, "NEW_ORDER_REJECTED"))
    return BinanceError(code, text)
