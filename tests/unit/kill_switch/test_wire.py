"""Each request of the kill switch against what ccxt sends for the same call: path, parameters, signature.

What differs on purpose stands in the test: we add a deadline (Kraken `deadline`, Binance `recvWindow`), and client ids of our own.
"""
from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import pytest
from golive.kill_switch.parts.binance_calls import Binance
from golive.kill_switch.parts.binance_futures import FuturesAccount
from golive.kill_switch.parts.binance_spot import SpotAccount
from golive.kill_switch.parts.kraken import KrakenAccount
from golive.kill_switch.parts.kraken_calls import Kraken
from golive.kill_switch.parts.plan import Order, Position

SECRET = base64.b64encode(b"a secret of no account").decode()
FILTERS = [{"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "1000", "stepSize": "0.01"},
           {"filterType": "MARKET_LOT_SIZE", "minQty": "0.01", "maxQty": "500", "stepSize": "0.01"},
           {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "10000", "tickSize": "0.01"},
           {"filterType": "NOTIONAL", "minNotional": "5"}]
SPOT_INFO = {"symbol": "SOLUSDT", "status": "TRADING", "baseAsset": "SOL", "quoteAsset": "USDT", "isSpotTradingAllowed": True,
             "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
             "permissions": ["SPOT"], "filters": FILTERS}
FUTURES_INFO = {"symbol": "SOLUSDT", "pair": "SOLUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "SOL",
                "quoteAsset": "USDT", "marginAsset": "USDT", "deliveryDate": 4133404800000, "onboardDate": 1569398400000,
                "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"], "filters": FILTERS}
KRAKEN_PAIR = {"altname": "SOLUSDT", "wsname": "SOL/USDT", "aclass_base": "currency", "base": "SOL", "aclass_quote": "currency",
               "quote": "USDT", "pair_decimals": 2, "cost_decimals": 5, "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [2, 3],
               "leverage_sell": [2, 3], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "fee_volume_currency": "ZUSD", "margin_call": 80,
               "margin_stop": 40, "ordermin": "0.02", "costmin": "0.5", "tick_size": "0.01", "status": "online"}


class Ours:
    """Listens in place of the connection: keeps what was sent and answers from a list."""

    def __init__(self, answers: list[Any]) -> None:
        self.sent: list[tuple[str, str, dict[str, Any], dict[str, str]]] = []
        self._answers = list(answers)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.sent.append((method, *parsed(path, body, headers), headers))
        return 200, {}, json.dumps(self._answers.pop(0) if self._answers else {}).encode()

    def drop(self) -> None:
        pass


def parsed(url: str, body: bytes | str | None, headers: dict[str, str] | None) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(url)
    raw = body.decode() if isinstance(body, bytes) else body or ""
    kind = {name.lower(): value for name, value in (headers or {}).items()}.get("content-type", "")
    given = json.loads(raw) if "json" in kind else dict(parse_qsl(parts.query) + parse_qsl(raw))
    return parts.path, {name: value if isinstance(value, list) else str(value) for name, value in given.items()}


class Theirs:
    """ccxt with a fetch that sends nothing."""

    def __init__(self, exchange: Any, answers: list[Any]) -> None:
        self.exchange, self.sent, self._answers = exchange, [], list(answers)
        exchange.fetch = self._fetch

    def _fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        self.sent.append((method, *parsed(url, body, headers), headers))
        return self._answers.pop(0) if self._answers else {}


def without(params: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in names}


def binance(kind: str) -> Any:
    exchange = getattr(ccxt, kind)({"apiKey": "k", "secret": SECRET, "options": {"warnOnFetchOpenOrdersWithoutSymbol": False,
                                                                              "fetchMarkets": {"types": ["spot"]}}})
    exchange.options.update(crossMarginPairsData=[], isolatedMarginPairsData=[])
    info = SPOT_INFO if kind == "binance" else FUTURES_INFO
    exchange.set_markets([exchange.parse_market(info)])
    return exchange


def spot(answers: list[Any]) -> tuple[SpotAccount, Ours]:
    calls, heard = Binance("http://127.0.0.1:1", None, "k", SECRET.encode()), Ours(answers)
    calls._line, calls._ahead = heard, 0.0      # type: ignore[assignment]
    account = SpotAccount(calls, calls, {"pairs": ["SOLUSDT"]}, True, None)
    account._info["SOLUSDT"] = SPOT_INFO
    return account, heard


def futures(answers: list[Any]) -> tuple[FuturesAccount, Ours]:
    calls, heard = Binance("http://127.0.0.1:1", None, "k", SECRET.encode()), Ours(answers)
    calls._line, calls._ahead = heard, 0.0      # type: ignore[assignment]
    return FuturesAccount(calls, calls, {"pairs": ["SOLUSDT"]}, True), heard


def kraken(answers: list[Any], **settings: Any) -> tuple[KrakenAccount, Ours]:
    calls = Kraken("http://127.0.0.1:1", None, "k", base64.b64decode(SECRET))
    heard = Ours([{"error": [], "result": one} for one in answers])
    calls._line = heard     # type: ignore[assignment]
    account = KrakenAccount(calls, calls, {"pairs": ["SOLUSDT"], **settings}, True, None)
    account._pairs, account._asked, account._ahead = {"SOLUSDT": KRAKEN_PAIR}, ["SOLUSDT"], 0.0
    return account, heard


def kraken_ccxt() -> Any:
    exchange = ccxt.kraken({"apiKey": "k", "secret": SECRET})
    exchange.fetch = lambda *args, **more: {"error": [], "result": {"SOLUSDT": KRAKEN_PAIR}} if "AssetPairs" in args[0] else {
        "error": [], "result": {}}
    exchange.load_markets()
    return exchange


SOL = Position("SOLUSDT", "SOLUSDT", "futures", "long", Decimal(3))
SPOT_SOL = Position("SOLUSDT", "SOL", "spot", "long", Decimal(3))


def order(id_: str, service: str = "order", market: str = "futures") -> Order:
    return Order(id_, "SOLUSDT", "SOLUSDT", market, "buy", False, Decimal(1), service=service)


def same(ours: Ours, theirs: Theirs, *differs: str) -> None:
    (method, path, params, headers), (their_method, their_path, their_params, their_headers) = ours.sent[0], theirs.sent[-1]
    drop = ("timestamp", "signature", "recvWindow", "nonce", *differs)
    assert (method, path) == (their_method, their_path)
    assert without(params, *drop) == without(their_params, *drop)
    key = "X-MBX-APIKEY" if "X-MBX-APIKEY" in headers else "API-Key"
    assert headers[key] == their_headers[key]


def test_binance_futures_lists_and_cancels() -> None:
    account, heard = futures([[], []])
    account.open_orders()
    exchange = binance("binanceusdm")
    theirs = Theirs(exchange, [[]])
    exchange.fetch_open_orders()
    same(heard, theirs)
    heard.sent.pop(0)
    theirs = Theirs(exchange, [[]])
    exchange.fetch_open_orders(params={"trigger": True})
    same(heard, theirs)
    for service, params in (("order", {}), ("algo", {"trigger": True})):
        account, heard = futures([{}])
        account.cancel([order("77", service)])
        theirs = Theirs(exchange, [{"orderId": 77, "algoId": 77, "symbol": "SOLUSDT"}])
        exchange.cancel_order("77", "SOL/USDT:USDT", params)
        same(heard, theirs)


def test_binance_futures_cancels_in_batches() -> None:
    account, heard = futures([[{}, {}]])
    account.cancel([order("77"), order("78")])
    exchange = binance("binanceusdm")
    theirs = Theirs(exchange, [[]])
    exchange.cancel_orders(["77", "78"], "SOL/USDT:USDT")
    (_, path, params, _), (_, their_path, their_params, _) = heard.sent[0], theirs.sent[-1]
    assert path == their_path
    # the venue's documents write orderIdList, ccxt orderidlist; the venue reads both
    assert {name.lower(): value for name, value in without(params, "signature", "timestamp", "recvWindow").items()} \
        == {name.lower(): value for name, value in without(their_params, "signature", "timestamp", "recvWindow").items()}


@pytest.mark.parametrize("leg", ["", "LONG"])
def test_binance_futures_closes_and_protects(leg: str) -> None:
    mode = {"reduceOnly": True, "hedged": bool(leg)}
    exchange = binance("binanceusdm")
    account, heard = futures([{"executedQty": "3", "cumQuote": "390", "orderId": 1}, []])
    account.close(SOL._replace(leg=leg), Decimal(3), Decimal("130.5"), None)
    theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 1}])
    exchange.create_order("SOL/USDT:USDT", "limit", "sell", 3, 130.5, {**mode, "timeInForce": "IOC"})
    same(heard, theirs, "newClientOrderId")
    account, heard = futures([{}])
    account.protect(SOL._replace(leg=leg), Decimal(3), Decimal("120.5"), "id", None)
    theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "algoId": 1}])
    exchange.create_order("SOL/USDT:USDT", "market", "sell", 3, None, {**mode, "stopLossPrice": 120.5})
    same(heard, theirs, "clientAlgoId")


def test_binance_futures_asks_for_positions() -> None:
    account, heard = futures([[]])
    account.read(())
    exchange = binance("binanceusdm")
    exchange.options["leverageBrackets"] = {"SOL/USDT:USDT": []}
    theirs = Theirs(exchange, [[]])
    exchange.fetch_positions_risk(params={"useV2": False})
    same(heard, theirs)


def test_binance_spot_lists_cancels_and_sells() -> None:
    exchange = binance("binance")
    account, heard = spot([[]])
    account.open_orders()
    theirs = Theirs(exchange, [[]])
    exchange.fetch_open_orders()
    same(heard, theirs)
    account, heard = spot([{}])
    account.cancel([order("77", market="spot")])
    theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 77}])
    exchange.cancel_order("77", "SOL/USDT")
    same(heard, theirs)
    account, heard = spot([{"executedQty": "3", "cummulativeQuoteQty": "390"}])
    account.close(SPOT_SOL, Decimal(3), Decimal("130.5"), None)
    theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 1}])
    exchange.create_order("SOL/USDT", "limit", "sell", 3, 130.5, {"timeInForce": "IOC"})
    same(heard, theirs, "newClientOrderId")
    account, heard = spot([{}])
    account.protect(SPOT_SOL, Decimal(3), Decimal("120.5"), "id", None)
    theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 1}])
    exchange.create_order("SOL/USDT", "market", "sell", 3, None, {"stopLossPrice": 120.5})
    same(heard, theirs, "newClientOrderId", "newOrderRespType")      # we need no fills of an order that waits


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_binance_signs_as_ccxt_signs(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = binance("binance")
    monkeypatch.setattr(exchange, "nonce", lambda: 1700000000123)
    monkeypatch.setattr("golive.kill_switch.parts.binance_calls.time.time", lambda: 1700000000.1234)
    account, heard = spot([{}])
    account._asks.signed(method, "/api/v3/order", symbol="SOLUSDT", orderId="7")
    sent = heard.sent[0][2]
    # ccxt puts the time first and the window last; a signature is over the text as it is sent, so the same text is signed by both
    signed = exchange.hmac(exchange.encode("symbol=SOLUSDT&orderId=7&recvWindow=5000&timestamp=1700000000123"), exchange.encode(SECRET),
                           __import__("hashlib").sha256)
    assert sent["signature"] == signed


def test_kraken_lists_cancels_and_sells() -> None:
    exchange = kraken_ccxt()
    envelope = {"error": [], "result": {"open": {}, "count": 1}}
    account, heard = kraken([{"open": {}}])
    account.open_orders()
    theirs = Theirs(exchange, [envelope])
    exchange.fetch_open_orders()
    same(heard, theirs)
    account, heard = kraken([{"count": 1}])
    account.cancel([order("OAAAAA-BBBBB-CCCCCC")])
    theirs = Theirs(exchange, [envelope])
    exchange.cancel_order("OAAAAA-BBBBB-CCCCCC")
    same(heard, theirs)
    account, heard = kraken([{"txid": ["O1"]}, {"O1": {"vol_exec": "3", "cost": "390", "fee": "1"}}])
    account.close(SPOT_SOL, Decimal(3), Decimal("130.5"), None)
    theirs = Theirs(exchange, [{"error": [], "result": {"txid": ["O1"], "descr": {"order": "sell 3 SOLUSDT @ limit 130.5"}}}])
    exchange.create_order("SOL/USDT", "limit", "sell", 3, 130.5, {"timeInForce": "IOC", "clientOrderId": "x"})
    same(heard, theirs, "cl_ord_id")
    account, heard = kraken([{"txid": ["O1"]}])
    account.protect(SPOT_SOL, Decimal(3), Decimal("120.5"), "x", None)
    theirs = Theirs(exchange, [{"error": [], "result": {"txid": ["O1"], "descr": {"order": "sell 3 SOLUSDT @ stop loss 120.5"}}}])
    exchange.create_order("SOL/USDT", "market", "sell", 3, None, {"stopLossPrice": 120.5, "clientOrderId": "x"})
    same(heard, theirs, "cl_ord_id")


def test_kraken_cancels_in_batches() -> None:
    account, heard = kraken([{"count": 2}])
    account.cancel([order("O1"), order("O2")])
    exchange = kraken_ccxt()
    theirs = Theirs(exchange, [{"error": [], "result": {"count": 2}}])
    exchange.cancel_orders(["O1", "O2"])
    same(heard, theirs)


def test_kraken_closes_margin_with_reduce_only_and_the_positions_own_leverage() -> None:
    position = Position("SOLUSDT", "SOLUSDT", "margin", "short", Decimal(3), leverage="3")
    account, heard = kraken([{"txid": ["O1"]}, {"O1": {"vol_exec": "3", "cost": "390", "fee": "1"}}])
    account.close(position, Decimal(3), Decimal("130.5"), None)
    exchange = kraken_ccxt()
    theirs = Theirs(exchange, [{"error": [], "result": {"txid": ["O1"], "descr": {"order": "buy 3 SOLUSDT @ limit 130.5"}}}])
    exchange.create_order("SOL/USDT", "limit", "buy", 3, 130.5, {"timeInForce": "IOC", "reduceOnly": True, "leverage": "3",
                                                                "clientOrderId": "x"})
    same(heard, theirs, "cl_ord_id")
