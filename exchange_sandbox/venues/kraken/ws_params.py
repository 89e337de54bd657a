"""Translates WebSocket v2 order parameters into the REST names that the one order form reads."""

from __future__ import annotations

from typing import Any

from .errors import KrakenError

_PLAIN = {
    "order_type": "ordertype",
    "side": "type",
    "symbol": "pair",
    "order_userref": "userref",
    "cl_ord_id": "cl_ord_id",
    "deadline": "deadline",
    "stp_type": "stptype",
    "validate": "validate",
    "reduce_only": "reduce_only",
    "margin": "margin",
    "display_qty": "displayvol",
}
_KNOWN = {
    *_PLAIN,
    "order_qty",
    "cash_order_qty",
    "limit_price",
    "limit_price_type",
    "triggers",
    "time_in_force",
    "post_only",
    "expire_time",
    "conditional",
    "token",
    "fee_preference",
    "no_mpp",
    "sender_sub_id",
    "effective_time",
}


def _text(value: Any) -> str:
    return format(value, "f") if not isinstance(value, (str, bool)) and hasattr(value, "as_tuple") else str(value)


def to_form(params: dict[str, Any]) -> dict[str, Any]:
    """Return REST parameters of an add_order. Raises KrakenError for what is unknown or of the wrong shape."""
    unknown = sorted(set(params) - _KNOWN)
    if unknown:
        raise KrakenError("EGeneral:Invalid arguments:%s" % unknown[0][:40])
    form: dict[str, Any] = {rest: _text(params[name]) for name, rest in _PLAIN.items() if params.get(name) is not None}
    triggers = params.get("triggers") or {}
    conditional = params.get("conditional") or {}
    if not isinstance(triggers, dict) or not isinstance(conditional, dict):
        raise KrakenError("EGeneral:Invalid arguments:triggers")
    kind = form.get("ordertype", "")
    limit = "" if params.get("limit_price") is None else _text(params["limit_price"])
    if triggers:
        form["price"], form["price2"] = _text(triggers.get("price", "")), limit
        form["trigger"] = _text(triggers.get("reference", "last"))
        if triggers.get("price_type", "static") == "pct":
            form["price"] += "%"
        if kind.startswith("trailing-stop"):
            form["price"] = "+" + form["price"]
    else:
        form["price"] = limit
    flags = []
    if params.get("post_only"):
        flags.append("post")
    if params.get("fee_preference"):
        flags.append(str(params["fee_preference"]))
    form["volume"] = _text(params.get("order_qty", ""))
    if params.get("cash_order_qty") is not None:
        flags.append("viqc")
        form["volume"] = _text(params["cash_order_qty"])
    form["oflags"] = ",".join(flags)
    form["timeinforce"] = str(params.get("time_in_force", "gtc")).upper()
    if params.get("expire_time"):
        form["expiretm"] = _text(params["expire_time"])
    if conditional:
        stop = conditional.get("trigger_price")
        form["close[ordertype]"] = str(conditional.get("order_type", ""))
        form["close[price]"] = _text(stop if stop is not None else conditional.get("limit_price", ""))
        if stop is not None and conditional.get("limit_price") is not None:
            form["close[price2]"] = _text(conditional["limit_price"])
    return form
