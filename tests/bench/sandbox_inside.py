"""The sandbox without sockets: real requests through handler, gate, judge, engine, journal and recorder in this process.

    python -m tests.bench.sandbox_inside [--requests 1000000] [--record]

Costs a quarter of the way over TLS, so a million requests fit where the wire's million would take an hour. 64 requests are in the air at
once and share a write of the journal, as they do on the wire. Prints requests, CPU seconds, MiB of this process and MiB on disk; ends with
1 when memory has grown by more than 5 % over the last half.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from exchange_sandbox.app import _tune
from exchange_sandbox.config import Config, Listener
from exchange_sandbox.core import Exchange
from exchange_sandbox.judge import RULES
from exchange_sandbox.market import MarketSettings
from exchange_sandbox.recorder import EVER
from exchange_sandbox.venues.front import Asked
from exchange_sandbox.venues.kraken.instruments import BY_SYMBOL
from exchange_sandbox.venues.kraken.rest import Rest
from exchange_sandbox.venues.kraken.ws import WebSocket
from exchange_sandbox.venues.line import read
from tests.bench.sandbox_line import Kraken
from tests.bench.sandbox_memory import maker
from tests.integration.exchange_sandbox.long_runs import RECORDS, digest

AIR, STEP, MOST_GROWTH = 64, 50_000, 0.05
LEAST = 2 * STEP


def _asked(raw: bytes) -> Asked:
    """The request that a connection would read from the bytes of a client."""
    ordinary = read(raw, "127.0.0.1")
    assert ordinary is not None
    assert ordinary.asked is not None
    return ordinary.asked


async def _answer(rest: Rest, raw: bytes) -> bytes:
    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    assert rest.quick(_asked(raw), lambda answer: done.set_result(answer or b""))
    return await done


def rss_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def run(requests: int, directory: Path) -> tuple[list[dict[str, Any]], int, int]:
    """Send the requests; returns a row every STEP, the judge's fails, and how many answers were refusals."""
    here = Listener("127.0.0.1", 1)
    config = Config(directory, here, here, directory / "token", MarketSettings(tick_s=1.0), (), {}, 1e9, 1e9, 64)
    exchange = Exchange(config, [BY_SYMBOL["BTC/USDT"].instrument])
    rest = Rest(exchange)
    WebSocket(exchange, rest)
    makers = []
    for number in range(AIR):
        exchange.create_account("m%d" % number, {"USDT": Decimal(1_000_000)}, {}, "unlimited", {})
        key = exchange.keys.mint("m%d" % number, "kraken", ("query-funds", "modify-trades"), (), 0, 0.0)
        makers.append(maker(Kraken(key.id, exchange.secret_text(key))))
    exchange.start()
    _tune()
    rows: list[dict[str, Any]] = []
    refused = 0
    for turn in range(requests // AIR):
        if turn % 500 == 0:
            exchange.judge.delivered("127.0.0.1", "BTC/USDT", exchange.clock.now())
        answers = await asyncio.gather(*(_answer(rest, make(turn)) for make in makers))
        refused += sum(b'"error":["' in answer for answer in answers)
        if (turn + 1) * AIR // STEP > turn * AIR // STEP:
            size = sum(path.stat().st_size for path in directory.glob("*") if path.is_file()) / 1e6
            rows.append({"requests": (turn + 1) * AIR, "cpu_s": round(time.process_time()), "rss_mib": round(rss_mib(), 1)})
            rows[-1]["disk_mib"] = round(size)
            print(json.dumps(rows[-1]), flush=True)
    fails = sum(row["fail"] for row in (await exchange.recorder.verdicts(None, 0, EVER, RULES))["rules"].values())
    await exchange.stop()
    return rows, fails, refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if args.requests < LEAST:
        parser.error("--requests: at least %d, growth is measured over the last half" % LEAST)
    began = digest()
    with tempfile.TemporaryDirectory() as directory:
        rows, fails, refused = uvloop.run(run(args.requests, Path(directory)))
    growth = rows[-1]["rss_mib"] / rows[len(rows) // 2]["rss_mib"] - 1
    passed = growth <= MOST_GROWTH and not fails and not refused
    result = {
        "passed": passed,
        "requests": rows[-1]["requests"],
        "growth_of_last_half": round(growth, 4),
        "fails": fails,
        "refused": refused,
    }
    print(json.dumps(result))
    if args.record:
        record = {**result, "rows": rows, "digest": began, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        (RECORDS / "sandbox_memory.json").write_text(json.dumps(record, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
