"""The two long runs of the sandbox, and their records: malformed requests without end, and a good client that draws only `pass`.

    python -m tests.integration.exchange_sandbox.long_runs fuzz|good [--requests 100000] [--record]

`--record` writes tests/records/sandbox_<run>.json, bound to the digest of the sandbox's code: tests/unit/exchange_sandbox/test_records.py
is red while a record is missing, red itself, or of other code. A seeded slice of both runs in the ordinary suite (test_slices.py).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import uvloop

from tests.bench.sandbox_line import Binance, Kraken, Line, public
from tests.bench.sandbox_process import ROOT, Process
from tests.integration.exchange_sandbox import test_bad_input as words
from tests.integration.exchange_sandbox.binance_client import RIGHTS as BINANCE_RIGHTS
from tests.integration.exchange_sandbox.conftest import RIGHTS as KRAKEN_RIGHTS

RECORDS = ROOT / "tests/records"
VENUES = ["kraken", "binance", "binance_usdm"]
SETTINGS: dict[str, Any] = {
    "venues": VENUES,
    "pairs": ["SHIBUSDT", "XBTUSDT", "binance:BTCUSDT", "binance_usdm:BTCUSDT"],
    "binance_weights": {"spot": 10**12, "usdm": 10**12, "sapi": 10**12},
    # quotes so deep that clients on a fast machine do not empty the book between two ticks
    "market": {"tick_s": 5.0, "history_min": 60, "level_value": 400_000.0},
}
#: an answer that takes longer than this is a hang, however loaded the machine is
HANG_S = 300.0
#: many at once, so that on a busy machine one turn of the process serves many requests
LINES = 128
#: what may grow after the first third of a run, in which all that is kept by design (orders, fills, bookings, records) has become full;
#: and per entry what waits for its verdict (the good client declares an hour for its stops, so none of them falls during the run)
FLAT_MIB, KIB_PER_ENTRY = 32.0, 4.0
BINANCE_NAMES = [
    "symbol",
    "side",
    "type",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "timeInForce",
    "newClientOrderId",
    "orderId",
    "origClientOrderId",
    "recvWindow",
    "trailingDelta",
    "reduceOnly",
    "closePosition",
    "positionSide",
    "workingType",
    "algoType",
    "triggerPrice",
    "callbackRate",
    "activatePrice",
    "algoId",
    "clientAlgoId",
    "leverage",
    "marginType",
    "dualSidePosition",
    "countdownTime",
    "limit",
    "startTime",
    "endTime",
    "fromId",
    "interval",
    "symbols",
    "batchOrders",
    "orderidlist",
    "cancelReplaceMode",
    "cancelOrderId",
    "amount",
    "asset",
    "incomeType",
    "aboveType",
    "belowType",
    "abovePrice",
    "belowStopPrice",
    "listenKey",
    "newOrderRespType",
    "selfTradePreventionMode",
    "goodTillDate",
]
BINANCE_VALUES = [
    *words.VALUES,
    "BTCUSDT",
    "ETHUSDT",
    "NOPE",
    "BUY",
    "SELL",
    "LIMIT",
    "MARKET",
    "STOP_MARKET",
    "TRAILING_STOP_MARKET",
    "LIMIT_MAKER",
    "STOP_LOSS_LIMIT",
    "GTC",
    "IOC",
    "FOK",
    "GTX",
    "GTD",
    "LONG",
    "SHORT",
    "BOTH",
    "CONDITIONAL",
    "0.001",
    "85000",
    "70000.005",
    "1m",
    "3d",
    "false",
    "ISOLATED",
    "CROSSED",
    "STOP_ON_FAILURE",
    "ALLOW_FAILURE",
    '["BTCUSDT"]',
    '[{"symbol":"BTCUSDT"}]',
    "[1,2,3]",
    "EXPIRE_BOTH",
    "MARK_PRICE",
    "FULL",
    "RESULT",
    "-0.1",
    "1e2",
]


def digest() -> str:
    """Return the digest of the sandbox's code."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "exchange_sandbox").rglob("*.py")):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return "sha256:" + found.hexdigest()


class Desk:
    """Accounts and signers on a running sandbox."""

    def __init__(self, server: Process) -> None:
        self.server = server

    def open(self, venue: str, **profile: Any) -> Kraken | Binance:
        name = "%s-%s" % (venue, uuid.uuid4().hex[:8])
        balances = {"USDT": "1000000"} if venue == "kraken" else {"USDT": "1000000", "um:USDT": "1000000"}
        data = {"name": name, "venue": venue, "tier": "unlimited", "balances": balances, "profile": profile}
        self.server.ask("POST", "accounts", data)
        made = self.server.ask("POST", "keys", {"account": name, "rights": KRAKEN_RIGHTS if venue == "kraken" else BINANCE_RIGHTS})
        return Kraken(made["key"], made["secret"]) if venue == "kraken" else Binance(made["key"], made["secret"])

    async def many(self, venues: list[str], **profile: Any) -> list[Kraken | Binance]:
        """Open an account for each venue named, many at a time."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(24) as pool:
            return list(await asyncio.gather(*(loop.run_in_executor(pool, partial(self.open, venue, **profile)) for venue in venues)))


# -- malformed requests ----------------------------------------------------------------------------------------------------


def _kraken_private(dice: random.Random, client: Kraken) -> bytes:
    params = {dice.choice(words.NAMES[:-1]): dice.choice(words.VALUES) for _ in range(dice.randint(0, 6))}
    if dice.random() < 0.5:
        params = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": "0.00000100", "volume": "600000", **params}
    return client.private(dice.choice(words.ENDPOINTS), params)


def _kraken_public(dice: random.Random, _: Any) -> bytes:
    query = urlencode({dice.choice(words.NAMES): dice.choice(words.VALUES) for _ in range(dice.randint(0, 4))})
    return public("/0/public/%s?%s" % (quote(dice.choice(words.PUBLIC)), query), dice.choice(["GET", "DELETE"]))


def _binance(paths: list[tuple[str, str]]) -> Callable[[random.Random, Any], bytes]:
    def make(dice: random.Random, client: Binance) -> bytes:
        method, path = dice.choice(paths)
        params = {dice.choice(BINANCE_NAMES): dice.choice(BINANCE_VALUES) for _ in range(dice.randint(0, 7))}
        if dice.random() < 0.6:
            params = {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.001",
                "price": "60000",
                **params,
            }
        if dice.random() < 0.05:
            return client.plain(method, path, urlencode(params))
        return client.signed(method, path, params)

    return make


def _endpoints() -> list[tuple[str, str]]:
    """Return every endpoint of Binance that the sandbox has, and some it has not."""
    from exchange_sandbox.app import build_exchange
    from exchange_sandbox.config import Config, Listener
    from exchange_sandbox.market import MarketSettings
    from exchange_sandbox.venues.binance.rest import Rest

    with tempfile.TemporaryDirectory() as directory:
        door = Listener("127.0.0.1", 1)
        pairs = ("binance:BTCUSDT", "binance_usdm:BTCUSDT")
        config = Config(Path(directory), door, door, Path(directory), MarketSettings(history_min=1), pairs, {}, 1e9, 1e9, 8, tuple(VENUES))
        exchange = build_exchange(config)
        known = sorted(Rest(exchange).endpoints)
        exchange.recorder.close()
        exchange.journal.close()
    return [*known, ("GET", "/api/v3/nothing"), ("PATCH", "/fapi/v1/order"), ("POST", "/sapi/v1/nothing"), ("GET", "/dapi/v1/order")]


async def _fuzz_line(
    server: Process, make: Callable[[random.Random, Any], bytes], client: Any, seed: int, count: int, seen: Counter[str]
) -> None:
    dice, line = random.Random(seed), await Line.open("127.0.0.1", server.port)
    for _ in range(count):
        status, body = await asyncio.wait_for(line.ask(make(dice, client)), HANG_S)
        seen["status %d" % status] += 1
        if status >= 500:
            seen["bad: 5xx"] += 1
        try:
            json.loads(body)
        except ValueError:
            seen["bad: no JSON"] += 1
    line.close()


async def _fuzz_stream(server: Process, path: str, seed: int, count: int, seen: Counter[str]) -> None:
    """Send malformed messages on a stream; each gets an answer, and the stream lives on."""
    dice = random.Random(seed)
    methods = [
        "subscribe",
        "unsubscribe",
        "add_order",
        "cancel_order",
        "ping",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "LIST_SUBSCRIPTIONS",
        "order.place",
        "order.cancel",
        "account.status",
        "userDataStream.subscribe.signature",
        "depth",
        "nothing",
        5,
        None,
    ]
    odd: list[Any] = [
        None,
        0,
        -1,
        1.5,
        True,
        "",
        "buy",
        "BTC/USD",
        [],
        ["btcusdt@depth"],
        ["x@y"],
        [None],
        {},
        {"a": 1},
        "9" * 40,
        1e308,
        2**70,
    ]
    names = ["channel", "symbol", "depth", "side", "type", "quantity", "apiKey", "signature", "timestamp", "limit", "params", "id", "token"]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect("http://127.0.0.1:%d%s" % (server.port, path), max_msg_size=0) as stream,
    ):
        answers = 0
        for number in range(count):
            if dice.random() < 0.2:
                text = dice.choice(["", "{", "[]", "null", "1", '"x"', "[" * 5_000, '{"method":1}', '{"params":[]}', "\x00", "é"])
            else:
                params: Any = {dice.choice(names): dice.choice(odd) for _ in range(dice.randint(0, 5))}
                params = dice.choice([params, params, dice.choice(odd)])
                text = json.dumps(
                    {"method": dice.choice(methods), dice.choice(["id", "req_id"]): dice.choice([number, "x", None, -5]), "params": params}
                )
            await stream.send_str(text)
            seen["stream message"] += 1
            while True:
                message = await asyncio.wait_for(stream.receive(), HANG_S)
                assert message.type is aiohttp.WSMsgType.TEXT, (text, message)
                data = json.loads(message.data)
                if isinstance(data, dict) and ("time_out" in data or "result" in data or "error" in data or "status" in data):
                    answers += 1
                    break


async def _fuzz(server: Process, requests: int, seed: int) -> dict[str, Any]:
    desk, paths, seen = Desk(server), _endpoints(), Counter[str]()
    kinds: list[tuple[Callable[[random.Random, Any], bytes], str]] = [
        (_kraken_private, "kraken"),
        (_kraken_private, "kraken"),
        (_kraken_public, "kraken"),
        *((_binance(paths), "binance") for _ in range(4)),
    ]
    streams = ["/v2", "/ws", "/market/ws", "/ws-api/v3", "/ws-fapi/v1"]
    per_stream = max(1, requests // 10 // len(streams))
    per_line = max(1, (requests - per_stream * len(streams)) // LINES + 1)
    memory: list[float] = []

    async def watch() -> None:
        while True:
            memory.append(round(server.rss_mib(), 1))
            await asyncio.sleep(5)

    watcher = asyncio.create_task(watch())
    warm = await desk.many([kinds[number % len(kinds)][1] for number in range(LINES)])
    await asyncio.gather(
        *(_fuzz_line(server, kinds[number % len(kinds)][0], warm[number], seed * 1000 + number, per_line, seen) for number in range(LINES)),
        *(_fuzz_stream(server, path, seed * 2000 + number, per_stream, seen) for number, path in enumerate(streams)),
    )
    watcher.cancel()
    total = per_line * LINES + per_stream * len(streams)
    states = [server.ask("GET", "state/" + row["name"]) for row in server.ask("GET", "accounts")["accounts"]]
    faults, log = server.metric("sandbox_faults_total"), (server.directory / "log").read_text()
    negative = sum(1 for state in states for amount in state["balances"].values() if float(amount) < 0)
    early = memory[len(memory) // 3] if memory else 0.0
    return {
        "run": "fuzz",
        "requests": total,
        "answers": dict(sorted(seen.items())),
        "faults": int(faults),
        "log_lines": len(log.splitlines()),
        "negative_balances": negative,
        "memory_mib": [memory[0], early, memory[-1]] if memory else [],
    }


# -- a good client ---------------------------------------------------------------------------------------------------------


def _good_kraken(client: Kraken, turn: int) -> bytes:
    """Look, enter, protect, look after it, exit: one round is eight requests."""
    order, last = {"pair": "SHIBUSDT", "volume": "600000"}, "%s-%d"
    step, number = turn % 8, turn // 8
    if step == 0:
        return public("/0/public/Ticker?pair=SHIBUSDT")
    if step == 1:
        return client.private("AddOrder", {**order, "type": "buy", "ordertype": "market", "cl_ord_id": last % ("e", number)})
    if step == 2:
        stop = {"type": "sell", "ordertype": "stop-loss", "price": "0.00000100", "cl_ord_id": last % ("s", number)}
        return client.private("AddOrder", {**order, **stop})
    if step in (3, 7):
        return client.private("OpenOrders" if step == 3 else "Balance", {})
    if step == 4:
        return client.private("CancelOrder", {"cl_ord_id": last % ("s", number)})
    if step == 5:
        return client.private("AddOrder", {**order, "type": "sell", "ordertype": "market", "cl_ord_id": last % ("x", number)})
    return client.private("TradesHistory", {})


def _good_binance(client: Binance, turn: int) -> bytes:
    step, number = turn % 8, turn // 8
    base = {"symbol": "BTCUSDT", "quantity": "0.010"}
    if step == 0:
        return public("/fapi/v1/ticker/price?symbol=BTCUSDT")
    if step in (1, 5):
        order = {**base, "side": "BUY" if step == 1 else "SELL", "type": "MARKET", "newClientOrderId": "%s-%d" % (step, number)}
        return client.signed("POST", "/fapi/v1/order", {**order, **({} if step == 1 else {"reduceOnly": "true"})})
    if step == 2:
        stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "20000", "closePosition": "true"}
        return client.signed("POST", "/fapi/v1/algoOrder", {"algoType": "CONDITIONAL", **stop, "clientAlgoId": "s-%d" % number})
    if step == 3:
        return client.signed("GET", "/fapi/v1/openAlgoOrders", {"symbol": "BTCUSDT"})
    if step == 4:
        return client.signed("DELETE", "/fapi/v1/algoOrder", {"clientAlgoId": "s-%d" % number})
    if step == 6:
        return client.signed("GET", "/fapi/v3/positionRisk", {"symbol": "BTCUSDT"})
    return client.signed("GET", "/fapi/v3/account", {})


async def _good(server: Process, requests: int, seed: int) -> dict[str, Any]:
    desk, refused = Desk(server), Counter[str]()
    per_line = requests // LINES // 8 * 8 + 8
    profile = {"mode": "live", "stale_s": 3600, "stop_within_s": 3600}
    memory: list[float] = []

    async def work(number: int) -> None:
        client = clients[number]
        line = await Line.open("127.0.0.1", server.port)
        for turn in range(per_line):
            request = _good_kraken(client, turn) if isinstance(client, Kraken) else _good_binance(client, turn)
            status, body = await asyncio.wait_for(line.ask(request), HANG_S)
            if status != 200 or (b'"error":["' in body):
                refused[body[:120].decode(errors="replace")] += 1
            if number == 0 and turn % 40 == 0:
                memory.append(round(server.rss_mib(), 1))
        line.close()

    clients = await desk.many(["kraken" if number % 2 else "binance" for number in range(LINES)], **profile)
    await asyncio.gather(*(work(number) for number in range(LINES)))
    report = server.ask("GET", "verdicts")
    totals = {name: report["totals"][name] for name in ("requests", "pass", "fail", "unjudged", "order_requests", "entries")}
    rules = {name: row["pass"] for name, row in report["rules"].items() if row["pass"]}
    early = memory[len(memory) // 3]
    return {
        "run": "good",
        "requests": totals["requests"],
        "totals": totals,
        "passes_per_rule": rules,
        "refused": dict(refused.most_common(5)),
        "faults": int(server.metric("sandbox_faults_total")),
        "memory_mib": [memory[0], early, memory[-1]],
    }


RUNS = {"fuzz": _fuzz, "good": _good}


def run(name: str, requests: int, seed: int, directory: Path) -> dict[str, Any]:
    """Carry out a run and return its record."""
    started, began = time.monotonic(), digest()
    with Process(directory, False, **SETTINGS) as server:
        cpu = server.cpu_s()
        record = uvloop.run(RUNS[name](server, requests, seed))
        record["server_cpu_s"] = round(server.cpu_s() - cpu, 1)
    record.update(
        {
            "seed": seed,
            "seconds": round(time.monotonic() - started),
            "digest": began,
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )
    record["passed"] = green(record) and digest() == began
    return record


def green(record: dict[str, Any]) -> bool:
    """Tell whether a record of one sandbox shows what it should."""
    first, early, last = record["memory_mib"]
    flat = last - early < FLAT_MIB + record.get("totals", {}).get("entries", 0) * KIB_PER_ENTRY / 1024 and first > 0
    if record["run"] == "good":
        totals = record["totals"]
        return bool(
            flat and totals["pass"] == totals["requests"] == record["requests"] > 0 and not record["refused"] and not record["faults"]
        )
    bad = [name for name in record["answers"] if name.startswith("bad")]
    return bool(flat and not bad and not record["faults"] and not record["log_lines"] and not record["negative_balances"])


def combine(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one record of runs that went side by side, each on a sandbox of its own (a machine with more cores is used better)."""

    def add(name: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for part in parts:
            total.update(part.get(name, {}))
        return dict(sorted(total.items()))

    known = ("totals", "passes_per_rule", "refused", "answers")
    return {
        "run": parts[0]["run"],
        "requests": sum(part["requests"] for part in parts),
        **{name: add(name) for name in known if any(name in part for part in parts)},
        "faults": sum(part["faults"] for part in parts),
        "memory_mib": [part["memory_mib"] for part in parts],
        "server_cpu_s": round(sum(part["server_cpu_s"] for part in parts), 1),
        "seconds": max(part["seconds"] for part in parts),
        "seed": [part["seed"] for part in parts],
        "digest": parts[0]["digest"],
        "at": max(part["at"] for part in parts),
        "passed": all(green(part) for part in parts) and len({(part["run"], part["digest"]) for part in parts}) == 1,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=sorted(RUNS))
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--record", action="store_true")
    parser.add_argument(
        "--combine", nargs="+", type=Path, metavar="FILE", help="make one record of the outputs of runs that went side by side"
    )
    args = parser.parse_args()
    if args.combine:
        record = combine([json.loads(path.read_text()) for path in args.combine])
        record["passed"] = record["passed"] and record["run"] == args.run
    else:
        with tempfile.TemporaryDirectory() as directory:
            record = run(args.run, args.requests, args.seed, Path(directory))
    text = json.dumps(record, indent=2) + "\n"
    print(text)
    if args.record:
        RECORDS.mkdir(exist_ok=True)
        (RECORDS / ("sandbox_%s.json" % args.run)).write_text(text)
    return 0 if record["passed"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
