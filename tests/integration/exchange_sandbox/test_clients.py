"""Which client uses which endpoint: ccxt, python-kraken-sdk and python-binance work, unchanged but for the URL, and the table in the
reference is what the sandbox has recorded of them.

SANDBOX_WRITE_TABLE=1 writes the table anew.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest
from binance.client import Client as PythonBinance
from kraken.spot import Market, Trade, User

from .binance_client import BinanceClient, open_account, point_ccxt
from .conftest import Client, Sandbox, start_in

DOCUMENT = Path(__file__).parents[3] / "docs/reference/sandbox.md"
START, END = "<!-- clients -->", "<!-- /clients -->"


def _ccxt_kraken(sandbox: Sandbox, client: Client) -> None:
    bot = ccxt.kraken({"apiKey": client.key, "secret": client.secret, "enableRateLimit": False})
    bot.urls["api"]["public"] = bot.urls["api"]["private"] = sandbox.venue
    bot.load_markets()
    bot.fetch_status()
    bot.fetch_time()
    last = bot.fetch_ticker("SHIB/USDT")["last"]
    bot.fetch_ohlcv("SHIB/USDT", "1m")
    bot.fetch_trades("SHIB/USDT")
    bot.fetch_order_book("SHIB/USDT")
    assert bot.fetch_balance()["USDT"]["total"] > 0
    bot.fetch_trading_fee("SHIB/USDT")
    bought = bot.create_order("SHIB/USDT", "market", "buy", 600000)
    assert bot.fetch_order(bought["id"])["status"] == "closed"
    rest = bot.create_order("SHIB/USDT", "limit", "sell", 600000, last * 1.5)
    bot.edit_order(rest["id"], "SHIB/USDT", "limit", "sell", 500000, last * 1.6)
    assert len(bot.fetch_open_orders()) == 1
    bot.cancel_order(rest["id"])
    bot.cancel_all_orders()
    bot.cancel_all_orders_after(0)
    assert bot.fetch_closed_orders()
    assert bot.fetch_my_trades()
    assert bot.fetch_ledger("USDT")


def _kraken_sdk(sandbox: Sandbox, client: Client) -> None:
    market = Market(url=sandbox.venue)
    assert market.get_system_status()["status"] == "online"
    assert "SHIBUSDT" in market.get_asset_pairs(pair="SHIBUSDT")
    market.get_assets()
    last = float(market.get_ticker(pair="SHIBUSDT")["SHIBUSDT"]["c"][0])
    market.get_ohlc(pair="SHIBUSDT", interval=1)
    market.get_order_book(pair="SHIBUSDT")
    market.get_recent_trades(pair="SHIBUSDT")
    market.get_recent_spreads(pair="SHIBUSDT")
    user, trade = (
        User(key=client.key, secret=client.secret, url=sandbox.venue),
        Trade(key=client.key, secret=client.secret, url=sandbox.venue),
    )
    assert float(user.get_account_balance()["USDT"]) > 0
    user.get_balances()
    user.get_trade_balance()
    user.get_trade_volume(pair="SHIBUSDT")
    bought = trade.create_order(ordertype="market", side="buy", pair="SHIBUSDT", volume="600000")
    assert user.get_orders_info(txid=bought["txid"][0])
    rest = trade.create_order(ordertype="limit", side="sell", pair="SHIBUSDT", volume=600000, price="%.8f" % (last * 1.5))
    assert len(user.get_open_orders()["open"]) == 1
    trade.cancel_order(txid=rest["txid"][0])
    trade.cancel_all_orders()
    trade.cancel_all_orders_after_x(timeout=0)
    assert user.get_closed_orders()["count"] >= 2
    assert user.get_trades_history()["count"] >= 1
    user.get_ledgers_info()


def _ccxt_binance(sandbox: Sandbox, client: BinanceClient) -> None:
    bot = point_ccxt(ccxt.binance(), sandbox, client)
    bot.load_markets()
    bot.fetch_time()
    bot.fetch_status()
    last = bot.fetch_ticker("BTC/USDT")["last"]
    bot.fetch_ohlcv("BTC/USDT", "1m")
    bot.fetch_trades("BTC/USDT")
    bot.fetch_order_book("BTC/USDT")
    bot.fetch_balance()
    bot.fetch_trading_fee("BTC/USDT")
    bot.create_order("BTC/USDT", "market", "buy", 0.01)
    rest = bot.create_order("BTC/USDT", "limit", "sell", 0.004, last * 1.3)
    rest = bot.edit_order(rest["id"], "BTC/USDT", "limit", "sell", 0.004, last * 1.4)
    bot.fetch_order(rest["id"], "BTC/USDT")
    assert len(bot.fetch_open_orders("BTC/USDT")) == 1
    bot.cancel_order(rest["id"], "BTC/USDT")
    bot.create_order("BTC/USDT", "limit", "sell", 0.004, last * 1.3)
    bot.cancel_all_orders("BTC/USDT")
    assert bot.fetch_orders("BTC/USDT")
    assert bot.fetch_my_trades("BTC/USDT")
    bot.transfer("USDT", 10, "spot", "swap")
    bot.sapi_get_account_apirestrictions()


def _ccxt_usdm(sandbox: Sandbox, client: BinanceClient) -> None:
    bot, pair = point_ccxt(ccxt.binanceusdm(), sandbox, client), "BTC/USDT:USDT"
    bot.load_markets()
    last = bot.fetch_ticker(pair)["last"]
    bot.fetch_ohlcv(pair, "1m")
    bot.fetch_ohlcv(pair, "1m", params={"price": "mark"})
    bot.fetch_order_book(pair)
    bot.fetch_balance()
    bot.set_leverage(5, pair)
    bot.set_margin_mode("isolated", pair)
    bot.fetch_leverage_tiers([pair])
    bot.fetch_funding_rate(pair)
    bot.fetch_funding_rate_history(pair)
    bot.fetch_position_mode(pair)
    bot.create_order(pair, "market", "buy", 0.01)
    assert bot.fetch_positions([pair])[0]["contracts"] == 0.01
    stop = bot.create_order(pair, "market", "sell", 0.01, None, {"stopLossPrice": last * 0.9, "reduceOnly": True})
    bot.fetch_open_orders(pair, params={"trigger": True})
    bot.fetch_order(stop["id"], pair, {"trigger": True})
    bot.cancel_order(stop["id"], pair, {"trigger": True})
    rest = bot.create_order(pair, "limit", "buy", 0.01, last * 0.9)
    bot.edit_order(rest["id"], pair, "limit", "buy", 0.011, last * 0.9)
    bot.fetch_open_orders(pair)
    bot.fetch_order(rest["id"], pair)
    bot.cancel_order(rest["id"], pair)
    bot.cancel_all_orders(pair)
    bot.create_order(pair, "market", "sell", 0.01, None, {"reduceOnly": True})
    assert bot.fetch_my_trades(pair)
    assert bot.fetch_orders(pair)
    bot.fetch_funding_history(pair)


def _python_binance(sandbox: Sandbox, client: BinanceClient) -> None:
    bot = PythonBinance(client.key, client.secret, ping=False)
    bot.API_URL, bot.MARGIN_API_URL, bot.FUTURES_URL = sandbox.venue + "/api", sandbox.venue + "/sapi", sandbox.venue + "/fapi"
    bot.ping()
    bot.get_server_time()
    assert bot.get_symbol_info("BTCUSDT")["status"] == "TRADING"
    last = float(bot.get_symbol_ticker(symbol="BTCUSDT")["price"])
    bot.get_order_book(symbol="BTCUSDT")
    bot.get_klines(symbol="BTCUSDT", interval="1m")
    bot.get_recent_trades(symbol="BTCUSDT")
    bot.get_aggregate_trades(symbol="BTCUSDT")
    bot.get_ticker(symbol="BTCUSDT")
    bot.get_orderbook_ticker(symbol="BTCUSDT")
    bot.get_avg_price(symbol="BTCUSDT")
    assert bot.get_account()["canTrade"]
    assert bot.get_account_api_permissions()["enableReading"]
    bot.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.001)
    bot.order_market_buy(symbol="BTCUSDT", quantity=0.01)
    rest = bot.order_limit_sell(symbol="BTCUSDT", quantity=0.004, price="%.2f" % (last * 1.3))
    bot.get_order(symbol="BTCUSDT", orderId=rest["orderId"])
    assert len(bot.get_open_orders(symbol="BTCUSDT")) == 1
    bot.cancel_order(symbol="BTCUSDT", orderId=rest["orderId"])
    assert bot.get_all_orders(symbol="BTCUSDT")
    assert bot.get_my_trades(symbol="BTCUSDT")
    bot.futures_exchange_info()
    bot.futures_order_book(symbol="BTCUSDT")
    bot.futures_klines(symbol="BTCUSDT", interval="1m")
    bot.futures_mark_price(symbol="BTCUSDT")
    bot.futures_account()
    bot.futures_account_balance()
    bot.futures_change_leverage(symbol="BTCUSDT", leverage=7)
    bot.futures_change_margin_type(symbol="BTCUSDT", marginType="ISOLATED")
    bot.futures_get_position_mode()
    bot.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
    assert bot.futures_position_information(symbol="BTCUSDT")[0]["positionAmt"] == "0.010"
    rest = bot.futures_create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.01, price="%.1f" % (last * 0.9)
    )
    bot.futures_get_order(symbol="BTCUSDT", orderId=rest["orderId"])
    bot.futures_get_open_orders(symbol="BTCUSDT")
    bot.futures_cancel_order(symbol="BTCUSDT", orderId=rest["orderId"])
    bot.futures_cancel_all_open_orders(symbol="BTCUSDT")
    bot.futures_account_trades(symbol="BTCUSDT")
    bot.futures_income_history()
    bot.futures_leverage_bracket()


RUNS: dict[str, tuple[str, Callable[[Any, Any], None]]] = {
    "ccxt kraken": ("kraken", _ccxt_kraken),
    "python-kraken-sdk": ("kraken", _kraken_sdk),
    "ccxt binance": ("binance", _ccxt_binance),
    "ccxt binanceusdm": ("binance", _ccxt_usdm),
    "python-binance": ("binance", _python_binance),
}


def _table(seen: dict[str, set[str]]) -> str:
    names = list(RUNS)
    rows = ["| endpoint | %s |" % " | ".join(names), "| %s |" % " | ".join(["---"] * (len(names) + 1))]
    for endpoint in sorted({endpoint for found in seen.values() for endpoint in found}):
        rows.append("| `%s` | %s |" % (endpoint, " | ".join("yes" if endpoint in seen[name] else "" for name in names)))
    return "\n".join(rows)


@pytest.mark.timeout(600)
def test_the_table_of_endpoints_and_clients_is_what_they_do(tmp_path: Path) -> None:
    sandbox = start_in(
        tmp_path,
        venues=["kraken", "binance", "binance_usdm"],
        pairs=["SHIBUSDT", "XBTUSDT", "binance:BTCUSDT", "binance_usdm:BTCUSDT"],
        binance_weights={"spot": 10**9, "usdm": 10**9, "sapi": 10**9},
        market={"deviation": 1e-6, "history_min": 120},
    )
    seen: dict[str, set[str]] = {}
    try:
        for name, (venue, work) in RUNS.items():
            account, since = "c-" + secrets.token_hex(4), sandbox.ask("GET", "clock")["now"]
            if venue == "kraken":
                sandbox.account(account, tier="unlimited", venue="kraken")
                work(sandbox, sandbox.key(account))
            else:
                work(sandbox, open_account(sandbox, account, tier="unlimited"))
            assert sandbox.failed(account) == set(), name
            rows = sandbox.ask("GET", "requests?since=%s" % since)["requests"]
            seen[name] = {row["endpoint"] for row in rows if row["venue"] == venue and row["status"] == "200" and not row["error"]}
    finally:
        sandbox.stop()
    text, table = DOCUMENT.read_text(), _table(seen)
    before, _, rest = text.partition(START)
    shown, _, after = rest.partition(END)
    if os.environ.get("SANDBOX_WRITE_TABLE"):
        DOCUMENT.write_text(before + START + "\n" + table + "\n" + END + after)
        return
    assert shown.strip() == table, "write it anew: SANDBOX_WRITE_TABLE=1 pytest %s" % Path(__file__).name
