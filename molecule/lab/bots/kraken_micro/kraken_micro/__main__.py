"""The command line: run an instance, or ask about one."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import __version__, app, diagnose, nonce, replay, validate
from .config import Config, load
from .errors import BotError


def main(argv: list[str] | None = None) -> int:
    """Run a command; 0 good, 1 the answer is no, 2 it was refused, 3 the host is in the way (disk, port)."""
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except BotError as exc:
        print(f"kraken-micro: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        # A full disk or a port in use may be well again: the unit tries again.
        print(f"kraken-micro: {exc}", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kraken_micro", description="A small honest bot for Kraken spot.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--bench-nonce", action="store_true", help="draw nonces and count them")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="answer in JSON (the only form)")
    commands = parser.add_subparsers(dest="command")
    ask = commands.add_parser("diagnose", help="first questions of an incident")
    ask.add_argument("--topic", choices=("api", "performance"), required=True)
    again = commands.add_parser("replay", help="signals of recorded candles, twice and shuffled")
    again.add_argument("--candles", required=True)
    again.add_argument("--pair")
    free = commands.add_parser("release", help="release a latch; the bot must be stopped")
    free.add_argument("--latch", choices=("breaker", "killed", "failsafe"), required=True)
    free.add_argument("--by", required=True)
    free.add_argument("--reason", required=True)
    texts = {
        "run": "run the instance until SIGTERM",
        "config": "check the configuration and print its digests",
        "check": "try every component",
    }
    plain = [commands.add_parser(name, help=text) for name, text in texts.items()]
    for command in (parser, ask, again, free, *plain):
        command.add_argument("--config", default=os.environ.get("BOT_CONFIG"), help="configuration file; default: $BOT_CONFIG")
    for command in (ask, again, *plain):
        command.add_argument("--json", action="store_true", help="answer in JSON (the only form)")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.bench_nonce:
        delay = 0.0
        if options.config:
            delay = float(load(options.config).faults.get("nonce_delay_ms", 0)) / 1000
        with tempfile.TemporaryDirectory() as folder:
            return _tell(nonce.bench(Path(folder) / "nonce", options.threads, options.seconds, delay), True)
    if options.command is None:
        raise BotError("no command was given; see --help")
    if options.config is None:
        raise BotError("no configuration was named; give --config or set BOT_CONFIG")
    config = load(options.config)
    if options.command == "run":
        app.run(config)
        return 0
    if options.command == "release":
        app.release_latch(config, options.latch, options.by, options.reason)
        return 0
    return _tell(*_report(options, config))


def _report(options: argparse.Namespace, config: Config) -> tuple[dict[str, Any], bool]:
    if options.command == "diagnose":
        report = diagnose.report(config, options.topic)
        return report, report["complete"]
    if options.command == "check":
        report = validate.report(config)
        return report, report["operational"]
    if options.command == "replay":
        report = replay.report(options.pair or config.trade_pairs[0], replay.load_candles(options.candles), config.strategy)
        return report, report["repeats"] and report["depends_on_order"]
    return {"digest": config.digest, "risk_digest": config.risk_digest}, True


def _tell(report: dict[str, Any], good: bool) -> int:
    print(json.dumps(report, indent=2, sort_keys=True))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
