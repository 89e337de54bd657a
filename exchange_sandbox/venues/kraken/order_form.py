"""Reads Kraken's order parameters (REST names; the WebSocket names are translated into them) and applies the venue's filters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Optional

from ...instruments import Instrument
from ...judge import Intent
from ...money import ONE, ROUND_DOWN, ZERO, is_multiple, parse, places
from ...orders import STOP_TYPES, Order
from .errors import KrakenError
from .instruments import Pair, find_pair

TYPES = ("market", "limit", *STOP_TYPES)
SETTLE = "settle-position"
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[\x21-\x7e]{1,18}")
_CLOSE_NAMES = ("close[ordertype]", "close[price]", "close[price2]")
_RELATIVE = re.compile(r"[+\-#]?[0-9.]+%?")
#: documented parameters that no rule here covers: accepted by the venue, unjudged by the judge
UNCOVERED = ("displayvol", "starttm", "asset_class", "broker")


@dataclass
class Form:
    """A readable order request."""

    pair: Pair
    intent: Intent
    order: Order
    validate: bool
    uncovered: tuple[str, ...]


def _text(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    return value if value.__class__ is str else "" if value is None else str(value)


def truthy(value: Any) -> bool:
    """Read a flag of a form: true and 1 mean yes."""
    return value != "" and str(value).lower() in ("true", "1")


def _choice(params: dict[str, Any], name: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = _text(params, name) or default
    if value not in allowed:
        raise KrakenError("EGeneral:Invalid arguments:%s" % name)
    return value


def _number(params: dict[str, Any], name: str) -> Optional[Decimal]:
    raw = _text(params, name)
    if raw in ("", "0"):
        return None
    try:
        value = parse(raw)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:%s" % name) from None
    if value <= 0:
        raise KrakenError("EGeneral:Invalid arguments:%s" % name)
    return value


def _price(params: dict[str, Any], name: str, base: Decimal, item: Instrument, side: str) -> Optional[Decimal]:
    """Read a price; `+5`, `-5`, `#5` and a trailing `%` are relative to the last price, as documented for AddOrder."""
    raw = _text(params, name)
    if raw == "" or (raw[0] not in "+-#" and not raw.endswith("%")):
        return _number(params, name)
    if not _RELATIVE.fullmatch(raw):
        raise KrakenError("EGeneral:Invalid arguments:%s" % name)
    try:
        distance = parse(raw.strip("+-#%"))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:%s" % name) from None
    if raw.endswith("%"):
        distance = base * distance / 100
    sign = {"+": ONE, "-": -ONE}.get(raw[0], ONE if side == "buy" else -ONE)
    return max(item.tick, (base + sign * distance).quantize(item.tick))


def read(params: dict[str, Any], account: str, order_id: str, last_price: dict[str, Decimal], now: float) -> Form:
    """Return the order that a request describes. Raises KrakenError for what the venue could not even read; filters come later."""
    pair = find_pair(_text(params, "pair")[:32])
    if pair is None:
        raise KrakenError("EQuery:Unknown asset pair")
    item = pair.instrument
    side = _choice(params, "type", ("buy", "sell"))
    kind = _choice(params, "ordertype", (*TYPES, SETTLE))
    leverage = _leverage(params, pair)
    if kind == SETTLE and not leverage:
        raise KrakenError("EGeneral:Invalid arguments:leverage")
    # Volume 0 settles all that there is.
    qty = ZERO if kind == SETTLE and _text(params, "volume") in ("", "0") else _number(params, "volume")
    if qty is None:
        raise KrakenError("EGeneral:Invalid arguments:volume")
    last = last_price[item.symbol]
    limit, stop, trail = _prices(params, kind, side, item, last)
    given = _text(params, "oflags")
    flags = [flag for flag in given.split(",") if flag] if given else []
    if flags and set(flags) - {"post", "fcib", "fciq", "nompp", "viqc"}:
        raise KrakenError("EGeneral:Invalid arguments:oflags")
    by_cost = "viqc" in flags
    if by_cost and kind != "market":
        raise KrakenError("EGeneral:Invalid arguments:viqc")
    client_id = _text(params, "cl_ord_id") or None
    if client_id is not None and not _UUID.fullmatch(client_id):
        raise KrakenError("EGeneral:Invalid arguments:cl_ord_id")
    user_ref = _userref(params)
    tif = _choice(params, "timeinforce", ("GTC", "IOC", "GTD", "FOK"), "GTC")
    close = _close(params)
    reduce_only = truthy(params.get("reduce_only", ""))
    intent = Intent(item, side, kind, qty, limit, stop, client_id, reduce_only, by_cost, close is not None)
    if by_cost:
        qty = (qty / last).quantize(item.lot, rounding=ROUND_DOWN)
    order = Order(
        id=order_id,
        account=account,
        symbol=item.symbol,
        side=side,
        type=kind,
        qty=qty,
        limit_price=limit,
        stop_price=stop,
        trail=trail,
        trigger=_choice(params, "trigger", ("last", "index"), "last"),
        tif=tif,
        post_only="post" in flags,
        reduce_only=reduce_only,
        expire_at=_expiry(params, tif, now),
        client_id=client_id,
        user_ref=user_ref,
        flags=",".join(flags if "fcib" in flags or "fciq" in flags else [*flags, "fciq"]),
        stp=_choice(params, "stptype", ("cancel-newest", "cancel-oldest", "cancel-both"), "cancel-newest"),
        close=close,
        leverage=leverage,
    )
    if order.post_only and kind != "limit":
        raise KrakenError("EGeneral:Invalid arguments:oflags")
    return Form(
        pair,
        intent,
        order,
        truthy(params.get("validate", "")),
        tuple(name for name in UNCOVERED if _text(params, name) not in ("", "none")),
    )


def _prices(
    params: dict[str, Any], kind: str, side: str, item: Instrument, last: Decimal
) -> tuple[Optional[Decimal], Optional[Decimal], Optional[Decimal]]:
    """Return limit price, trigger price and trailing distance of an order type."""
    if kind in ("market", SETTLE):
        return None, None, None
    if kind.startswith("trailing-stop"):
        raw = _text(params, "price").lstrip("+")
        try:
            distance = parse(raw.rstrip("%"))
        except ValueError:
            raise KrakenError("EGeneral:Invalid arguments:price") from None
        if distance <= 0:
            raise KrakenError("EGeneral:Invalid arguments:price")
        trail = (last * distance / 100 if raw.endswith("%") else distance).quantize(item.tick)
        stop = last - trail if side == "sell" else last + trail
        limit = _price(params, "price2", stop, item, side) if kind.endswith("limit") else None
        if kind.endswith("limit") and limit is None:
            raise KrakenError("EGeneral:Invalid arguments:price2")
        return limit, max(stop, item.tick), trail
    price = _price(params, "price", last, item, side)
    if price is None:
        raise KrakenError("EGeneral:Invalid arguments:price")
    if kind == "limit":
        return price, None, None
    if not kind.endswith("limit"):
        return None, price, None
    limit = _price(params, "price2", price, item, side)
    if limit is None:
        raise KrakenError("EGeneral:Invalid arguments:price2")
    return limit, price, None


def _leverage(params: dict[str, Any], pair: Pair) -> int:
    """Read the leverage of an order on margin: a number (REST) or margin = true, the pair's highest (WebSocket). 0 = not on margin."""
    raw = _text(params, "leverage")
    if raw in ("", "none", "0"):
        if not truthy(params.get("margin", "")):
            return 0
        raw = str(max(pair.leverages, default=1))
    try:
        value = int(raw.removesuffix(":1"))
    except ValueError:
        value = 0
    if value not in pair.leverages:
        raise KrakenError("EGeneral:Invalid arguments:leverage")
    return value


def _userref(params: dict[str, Any]) -> Optional[int]:
    raw = _text(params, "userref")
    if raw == "":
        return None
    try:
        value = int(raw)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:userref") from None
    if not -(2**31) <= value < 2**31:
        raise KrakenError("EGeneral:Invalid arguments:userref")
    return value


def _expiry(params: dict[str, Any], tif: str, now: float) -> Optional[float]:
    raw = _text(params, "expiretm")
    if raw in ("", "0"):
        if tif == "GTD":
            raise KrakenError("EGeneral:Invalid arguments:expiretm")
        return None
    try:
        value = now + float(raw[1:]) if raw[0] == "+" else float(raw)
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:expiretm") from None
    if not now < value < now + 366 * 86_400:
        raise KrakenError("EGeneral:Invalid arguments:expiretm")
    return value


def _close(params: dict[str, Any]) -> Optional[dict[str, str]]:
    """Read the conditional close order: `close[ordertype]` and so on in a form, an object in JSON."""
    names = ("ordertype", "price", "price2")
    nested = params.get("close")
    source = nested if isinstance(nested, dict) else dict(zip(names, map(params.get, _CLOSE_NAMES), strict=True))
    close = {name: str(value) for name in names if (value := source.get(name)) is not None and value != ""}
    if not close:
        return None
    _check_close(close)
    return close


def _check_close(close: dict[str, str]) -> None:
    if close.get("ordertype") not in TYPES[1:6]:
        raise KrakenError("EGeneral:Invalid arguments:close[ordertype]")
    for name in ("price", "price2"):
        try:
            if name in close and parse(close[name]) <= 0:
                raise ValueError
        except ValueError:
            raise KrakenError("EGeneral:Invalid arguments:close[%s]" % name) from None
    if "price" not in close or (close["ordertype"].endswith("-limit") and "price2" not in close):
        raise KrakenError("EGeneral:Invalid arguments:close[price]")


def check_filters(order: Order, pair: Pair, last: Decimal) -> None:
    """Apply tick, lot and minimums as the venue words them. Raises KrakenError."""
    item = pair.instrument
    for price in (order.limit_price, order.stop_price if order.trail is None else None):
        if price is not None and not is_multiple(price, item.tick):
            raise KrakenError(
                "EOrder:Invalid price:%s price can only be specified up to %d decimals." % (pair.altname, item.price_decimals)
            )
    if places(order.qty) > item.lot_decimals:
        raise KrakenError("EGeneral:Invalid arguments:volume")
    if order.qty < item.min_qty:
        raise KrakenError("EGeneral:Invalid arguments:volume minimum not met")
    price = order.limit_price or order.stop_price or last
    if price * order.qty < item.min_notional:
        raise KrakenError("EOrder:Cost minimum not met")


def check_deadline(params: dict[str, Any], now: float) -> Optional[str]:
    """Check `deadline` (RFC 3339, documented: at most 60 s ahead). Returns None when absent, '' when good. Raises KrakenError."""
    raw = _text(params, "deadline")
    if raw == "":
        return None
    try:
        moment = datetime.fromisoformat(raw.replace("Z", "+00:00"))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:deadline") from None
    ahead = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    if ahead <= 0:
        raise KrakenError("EService:Deadline elapsed")
    if ahead > 61:
        raise KrakenError("EGeneral:Invalid arguments:deadline")
    return ""


__all__ = ["UNCOVERED", "ZERO", "Form", "check_deadline", "check_filters", "read", "truthy"]
