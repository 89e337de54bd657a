"""Load on the sandbox over TLS with kept connections: signed requests, latency at a fixed rate, stream messages, memory.

    python -m tests.bench.sandbox [--seconds 10] [--requests 30000] [--profile FILE] [--state DIR]

The generator runs on the same machine as a process of its own; its CPU seconds are shown apart. Wall figures of a shared machine say
little; CPU seconds a request are what the code costs. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import resource
import statistics
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.sandbox_line import Binance, Kraken, Line
from tests.bench.sandbox_process import Process

KRAKEN_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
BINANCE_RIGHTS = ["enableReading", "enableSpotAndMarginTrading", "enableFutures"]
LINES = 64
WINDOW = 250
#: no market moves while requests are measured: what moves costs the same per second whatever the load
CALM = {"flow": 0.05, "tick_s": 5.0}


def own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def loop_ms() -> float:
    """Return what a million additions take: 45 ms where nothing else is on the cores of the machine of the published figures."""
    begun, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return round((time.process_time() - begun) * 1000, 1)


def makers(server: Process, venue: str, count: int) -> list[Callable[[int], bytes]]:
    """Return one maker of requests a connection, each with its own account and key: a third reads, a third orders, a third cancels."""
    out: list[Callable[[int], bytes]] = []
    for number in range(count):
        name = "%s%d-%s" % (venue, number, uuid.uuid4().hex[:6])
        server.ask("POST", "accounts", {"name": name, "venue": venue, "tier": "unlimited", "balances": {"USDT": "1000000"}})
        rights = KRAKEN_RIGHTS if venue == "kraken" else BINANCE_RIGHTS
        made = server.ask("POST", "keys", {"account": name, "rights": rights})
        out.append(_kraken(Kraken(made["key"], made["secret"])) if venue == "kraken" else _binance(Binance(made["key"], made["secret"])))
    return out


def _kraken(client: Kraken) -> Callable[[int], bytes]:
    far = {"pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "price": "1000", "volume": "0.001"}

    def make(turn: int) -> bytes:
        if turn % 3 == 0:
            return client.private("Balance", {})
        if turn % 3 == 1:
            return client.private("AddOrder", {**far, "cl_ord_id": "o%d" % turn})
        return client.private("CancelOrder", {"cl_ord_id": "o%d" % (turn - 1)})

    return make


def _binance(client: Binance) -> Callable[[int], bytes]:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "40000", "quantity": "0.001"}

    def make(turn: int) -> bytes:
        if turn % 3 == 0:
            return client.signed("GET", "/api/v3/account", {})
        if turn % 3 == 1:
            return client.signed("POST", "/api/v3/order", {**order, "newClientOrderId": "o%d" % turn})
        return client.signed("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "o%d" % (turn - 1)})

    return make


def look(server: Process, venue: str) -> None:
    """Get market data once, as a client does that then trades on them: an entry on data never seen would be unjudged."""
    path = "/0/public/Ticker?pair=XBTUSDT" if venue == "kraken" else "/api/v3/ticker/price?symbol=BTCUSDT"
    with urllib.request.urlopen("https://127.0.0.1:%d%s" % (server.port, path), context=server.context, timeout=60) as answer:
        answer.read()


async def as_fast_as_it_goes(server: Process, makers_: list[Callable[[int], bytes]], requests: int) -> dict[str, Any]:
    """Every connection sends its next request when its last was answered."""
    lines = [await Line.open("127.0.0.1", server.port, server.context) for _ in makers_]
    share, failed, count = requests // len(lines), 0, 0
    marks: list[tuple[float, float]] = []

    async def work(line: Line, make: Callable[[int], bytes]) -> None:
        nonlocal failed, count
        for turn in range(share):
            if count % WINDOW == 0:
                marks.append((server.cpu_s(), time.perf_counter()))
            count += 1
            status, body = await line.ask(make(turn))
            failed += status != 200 or b'"error":["' in body

    cpu, own, started = server.cpu_s(), own_cpu_s(), time.perf_counter()
    await asyncio.gather(*(work(line, make) for line, make in zip(lines, makers_, strict=True)))
    wall, done = time.perf_counter() - started, share * len(lines)
    for line in lines:
        line.close()
    server_cpu, own_cpu = server.cpu_s() - cpu, own_cpu_s() - own
    windows = sorted((after[0] - before[0], after[1] - before[1]) for before, after in pairwise(marks))
    best = windows[: max(1, len(windows) // 10)]
    return {
        "requests": done,
        "refused": failed,
        "wall_s": round(wall, 2),
        "per_s_wall": round(done / wall),
        "server_cpu_s": round(server_cpu, 2),
        "generator_cpu_s": round(own_cpu, 2),
        "server_us_per_request": round(server_cpu / done * 1e6),
        "per_server_cpu_s": round(done / max(server_cpu, 0.01)),
        # What the code costs where nothing else is on the cores: the cheapest tenth of all windows of WINDOW requests.
        "server_us_per_request_undisturbed": round(statistics.median(cpu for cpu, _ in best) / WINDOW * 1e6),
        "per_s_wall_best_window": round(WINDOW / min(wall for _, wall in windows)),
    }


async def at_a_rate(server: Process, makers_: list[Callable[[int], bytes]], rate: int, seconds: float) -> dict[str, Any]:
    """Open loop: requests start on schedule whatever the answers do; latency counts from the scheduled moment."""
    lines = [await Line.open("127.0.0.1", server.port, server.context) for _ in makers_]
    took: list[float] = []
    every = len(lines) / rate
    began = time.perf_counter() + 0.1

    async def work(number: int, line: Line, make: Callable[[int], bytes]) -> None:
        due = began + number * every / len(lines)
        turn = 0
        while due < began + seconds:
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            await line.ask(make(turn))
            took.append(time.perf_counter() - due)
            turn, due = turn + 1, due + every

    cpu, own = server.cpu_s(), own_cpu_s()
    await asyncio.gather(*(work(number, *pair) for number, pair in enumerate(zip(lines, makers_, strict=True))))
    for line in lines:
        line.close()
    took.sort()
    return {
        "rate": rate,
        "requests": len(took),
        "p50_ms": round(statistics.median(took) * 1000, 2),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
        "server_cpu_s": round(server.cpu_s() - cpu, 2),
        "generator_cpu_s": round(own_cpu_s() - own, 2),
    }


async def streams(server: Process, listeners: int, seconds: float) -> dict[str, Any]:
    """So many connections listen to everything of every pair; frames that arrive are counted by their length, not parsed."""
    counts = [0] * listeners

    async def listen(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=server.context)
        key = base64.b64encode(os.urandom(16)).decode()
        head = "GET /v2 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        writer.write((head + "Sec-WebSocket-Key: %s\r\n\r\n" % key).encode())
        await reader.readuntil(b"\r\n\r\n")
        pairs = ["BTC/USDT", "BTC/USD", "ETH/USDT", "XRP/USDT", "SOL/USDT", "SHIB/USDT"]
        for channel in ("book", "ticker", "trade"):
            text = json.dumps({"method": "subscribe", "params": {"channel": channel, "symbol": pairs}}).encode()
            mask = os.urandom(4)
            body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(text))
            writer.write(bytes([0x81, 0xFE]) + len(text).to_bytes(2, "big") + mask + body)
        while True:
            first = await reader.readexactly(2)
            size = first[1] & 0x7F
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await reader.readexactly(8), "big")
            await reader.readexactly(size)
            counts[number] += 1

    tasks = [asyncio.create_task(listen(number)) for number in range(listeners)]
    # Each subscription is answered and has a snapshot; what is measured begins when everybody is past them.
    while min(counts) < 3 * 6 * 2 + 20:
        await asyncio.sleep(0.1)
    before, cpu, own, started = sum(counts), server.cpu_s(), own_cpu_s(), time.perf_counter()
    await asyncio.sleep(seconds)
    wall, seen = time.perf_counter() - started, sum(counts) - before
    server_cpu = server.cpu_s() - cpu
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "listeners": listeners,
        "messages": seen,
        "per_s_wall": round(seen / wall),
        "server_cpu_s": round(server_cpu, 2),
        "generator_cpu_s": round(own_cpu_s() - own, 2),
        "per_server_cpu_s": round(seen / max(server_cpu, 0.01)),
    }


async def measure(args: argparse.Namespace, directory: Path) -> dict[str, Any]:
    out: dict[str, Any] = {"load_average": os.getloadavg()[0], "cpus": os.cpu_count(), "loop_ms": [loop_ms()]}
    for venue in ("kraken", "binance"):
        (directory / venue).mkdir()
        profile = Path(args.profile + "." + venue) if args.profile else None
        with Process(
            directory / venue, True, profile, venues=[venue], market=CALM, binance_weights=dict.fromkeys(("spot", "usdm", "sapi"), 10**9)
        ) as server:
            clients = makers(server, venue, LINES)
            look(server, venue)
            await as_fast_as_it_goes(server, clients, args.requests // 20)
            before = server.rss_mib()
            look(server, venue)
            out[venue] = await as_fast_as_it_goes(server, makers(server, venue, LINES), args.requests)
            out[venue]["rss_mib"] = [round(before, 1), round(server.rss_mib(), 1)]
            look(server, venue)
            out[venue + "_at_1000"] = await at_a_rate(server, makers(server, venue, LINES), 1_000, args.seconds)
    (directory / "streams").mkdir()
    profile = Path(args.profile + ".streams") if args.profile else None
    with Process(directory / "streams", True, profile, market={"tick_s": 0.1, "flow": 1.0}) as server:
        out["streams"] = await streams(server, 300, args.seconds)
    out["loop_ms"].append(loop_ms())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--requests", type=int, default=30_000)
    parser.add_argument("--profile", default="")
    parser.add_argument("--state", help="directory for the sandbox's state: another disk, or /dev/shm to leave the disk out of it")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.state) as directory:
        print(json.dumps(uvloop.run(measure(args, Path(directory))), indent=2))


if __name__ == "__main__":
    main()
