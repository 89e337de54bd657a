"""Writes the generated tables of docs/reference/sandbox.md: rules, cruelties, endpoints, market settings, from the code itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from .cruelties import CATALOGUE
from .judge import RULES
from .market import MarketSettings
from .rates import KRAKEN_TIERS
from .venues.binance.call import Endpoint
from .venues.binance.instruments import SYMBOLS
from .venues.binance.market_data import MarketData
from .venues.binance.spot_account import SpotAccount
from .venues.binance.spot_orders import SpotOrders
from .venues.binance.spot_public import SpotPublic
from .venues.binance.um_account import UmAccount
from .venues.binance.um_algo import UmAlgo
from .venues.binance.um_orders import UmOrders
from .venues.binance.um_public import UmPublic
from .venues.binance.user_stream import ListenKeys
from .venues.binance.wallet import Wallet
from .venues.kraken.auth import COSTS, RIGHTS
from .venues.kraken.instruments import PAIRS


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| %s |" % " | ".join(head), "| %s |" % " | ".join("---" for _ in head)]
    return "\n".join([*lines, *("| %s |" % " | ".join(row) for row in rows)])


def rules() -> str:
    return _table(["rule", "a request keeps it when"], [["`%s`" % name, text] for name, text in RULES.items()])


def cruelties() -> str:
    rows = []
    for name, spec in CATALOGUE.items():
        params = ", ".join("`%s` = %s" % (key, repr(default) if default != "" else "(empty)") for key, (default, _) in spec.params.items())
        rows.append(["`%s`" % name, spec.where, spec.title, params or "none", spec.imitates])
    return _table(["name", "strikes", "what happens", "parameters and defaults", "imitates"], rows)


def pairs() -> str:
    rows = []
    for pair in PAIRS:
        item = pair.instrument
        rows.append(
            [
                pair.id,
                pair.wsname,
                item.symbol,
                format(item.tick, "f"),
                format(item.lot, "f"),
                format(item.min_qty, "f"),
                format(item.min_notional, "f"),
            ]
        )
    return _table(["REST id", "wsname", "WebSocket v2", "tick", "lot", "ordermin", "costmin"], rows)


def endpoints() -> str:
    rows = [["`%s`" % name, " or ".join(rights) or "none", "%g" % COSTS.get(name, 1.0)] for name, rights in RIGHTS.items()]
    return _table(["private endpoint", "right", "cost on the call counter"], rows)


def tiers() -> str:
    rows = [
        [name, "%g" % tier.max, "%g" % tier.decay, "%g" % tier.trade_max, "%g" % tier.trade_decay, str(tier.open_orders)]
        for name, tier in KRAKEN_TIERS.items()
    ]
    return _table(["tier", "call counter", "falls per s", "trading counter per pair", "falls per s", "open orders per pair"], rows)


def market() -> str:
    defaults = MarketSettings()
    return _table(["setting", "default"], [["`%s`" % item.name, repr(getattr(defaults, item.name))] for item in fields(MarketSettings)])


def symbols() -> str:
    rows = []
    for symbol in SYMBOLS:
        item = symbol.instrument
        top = "" if item.contract is None else "%dx" % item.contract.brackets[0].leverage
        numbers = [format(value, "f") for value in (item.tick, item.lot, item.min_notional)]
        rows.append(["spot" if item.contract is None else "USD-M", symbol.id, item.symbol, *numbers, top])
    return _table(["market", "symbol", "name here", "tick", "lot", "least value", "leverage up to"], rows)


def binance_endpoints() -> str:
    rows = []
    for (method, path), endpoint in sorted(binance_table().items(), key=lambda item: (item[0][1], item[0][0])):
        weight = "%d (all symbols: 40)" % -endpoint.weight if endpoint.weight < 0 else str(endpoint.weight)
        rows.append(["`%s %s`" % (method, path), endpoint.security, " or ".join(endpoint.rights) or "none", weight])
    return _table(["endpoint", "needs", "right", "weight"], rows)


def binance_table() -> dict[tuple[str, str], Endpoint]:
    """Return every REST endpoint of Binance. The parts only keep what they are given until they are asked."""
    nothing: Any = None
    keys, data = ListenKeys(nothing), MarketData(nothing, nothing, nothing)
    parts: list[Any] = [SpotPublic(data), SpotOrders(nothing), SpotAccount(nothing), Wallet(nothing), keys.spot()]
    parts += [UmPublic(data), UmOrders(nothing), UmAlgo(nothing), UmAccount(nothing), keys.usdm()]
    return {name: endpoint for part in parts for name, endpoint in part.endpoints().items()}


SECTIONS = {"rules": rules, "cruelties": cruelties, "pairs": pairs, "endpoints": endpoints, "tiers": tiers, "market": market}


SECTIONS.update({"symbols": symbols, "binance-endpoints": binance_endpoints})


def fill(text: str) -> str:
    """Return a document with each block between `<!-- NAME -->` and `<!-- /NAME -->` written anew."""
    for name, make in SECTIONS.items():
        start, end = "<!-- %s -->" % name, "<!-- /%s -->" % name
        before, rest = text.split(start, 1)
        text = before + start + "\n" + make() + "\n" + end + rest.split(end, 1)[1]
    return text
