"""Memory of the sandbox over a million requests of clients that trade: it has to stay flat once its caps are reached.

    python -m tests.bench.sandbox_memory [--requests 1000000] [--record]

Every tenth order trades at the market, the others rest and are cancelled. Prints a line every 50,000 requests (requests, seconds, MiB of
the process, MiB of its journals and records on disk) and ends with 1 when the last half has grown by more than 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.sandbox import KRAKEN_RIGHTS, look
from tests.bench.sandbox_line import Kraken, Line
from tests.bench.sandbox_process import Process
from tests.integration.exchange_sandbox.long_runs import RECORDS, digest

LINES, STEP, MOST_GROWTH = 16, 50_000, 0.05


def maker(client: Kraken) -> Callable[[int], bytes]:
    far = {"pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "price": "1000", "volume": "0.001"}

    def make(turn: int) -> bytes:
        part, number = turn % 3, turn // 3
        if part == 0:
            return client.private("Balance", {})
        if number % 10 == 0:
            side = "buy" if part == 1 else "sell"
            return client.private("AddOrder", {"pair": "XBTUSDT", "type": side, "ordertype": "market", "volume": "0.001"})
        if part == 1:
            return client.private("AddOrder", {**far, "cl_ord_id": "o%d" % number})
        return client.private("CancelOrder", {"cl_ord_id": "o%d" % number})

    return make


def _size_mib(directory: Path) -> float:
    return sum(path.stat().st_size for path in directory.glob("*") if path.is_file()) / 1e6


async def run(server: Process, requests: int, state: Path) -> list[dict[str, Any]]:
    """Send the requests; returns a row every STEP."""
    made = []
    for number in range(LINES):
        server.ask("POST", "accounts", {"name": "m%d" % number, "tier": "unlimited", "balances": {"USDT": "1000000"}})
        key = server.ask("POST", "keys", {"account": "m%d" % number, "rights": KRAKEN_RIGHTS})
        made.append(maker(Kraken(key["key"], key["secret"])))
    lines = [await Line.open("127.0.0.1", server.port, server.context) for _ in made]
    rows: list[dict[str, Any]] = []
    began, share = time.monotonic(), STEP // LINES
    for step in range(requests // STEP):
        refused = 0

        async def work(number: int, first: int) -> None:
            nonlocal refused
            for turn in range(first, first + share):
                status, body = await lines[number].ask(made[number](turn))
                refused += status != 200 or b'"error":["' in body

        await asyncio.to_thread(look, server, "kraken")
        await asyncio.gather(*(work(number, step * share) for number in range(LINES)))
        row = {
            "requests": (step + 1) * share * LINES,
            "seconds": round(time.monotonic() - began),
            "rss_mib": round(server.rss_mib(), 1),
            "disk_mib": round(_size_mib(state)),
            "refused": refused,
        }
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    measured = digest()
    with (
        tempfile.TemporaryDirectory() as directory,
        Process(Path(directory), True, pairs=["XBTUSDT"], market={"tick_s": 1.0}) as server,
    ):
        rows = uvloop.run(run(server, args.requests, Path(directory) / "state"))
        faults = server.metric("sandbox_faults_total")
    half = rows[len(rows) // 2]["rss_mib"]
    growth = rows[-1]["rss_mib"] / half - 1
    passed = growth <= MOST_GROWTH and not faults
    done = rows[-1]["requests"]
    result = {
        "passed": passed,
        "requests": done,
        "growth_of_last_half": round(growth, 4),
        "faults": faults,
        "rows": rows,
        "digest": measured,
    }
    print(json.dumps({name: value for name, value in result.items() if name != "rows"}))
    if args.record:
        (RECORDS / "sandbox_memory.json").write_text(
            json.dumps({**result, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}, indent=1) + "\n"
        )
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
