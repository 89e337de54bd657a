"""Is this host ready for paper trading? `validate_paper_trading_setup.py --json [--config FILE]`, as the go-live list names it."""

from __future__ import annotations

import argparse
import sys

from kraken_micro.__main__ import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="answer in JSON (the only form)")
    parser.add_argument("--config", default="/etc/bot/shadow.json")
    sys.exit(main(["check", "--config", parser.parse_args().config]))
