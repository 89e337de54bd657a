"""Runs the command: python -m golive.exchange --venue kraken --credential fd:3 3< key.json."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
