"""`python -m exchange_sandbox --config FILE` runs the rehearsal exchange."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from .app import serve
from .config import load
from .errors import SandboxError


def main() -> int:
    """Return 0 after a clean stop, 2 with one sentence on stderr when it cannot run."""
    parser = argparse.ArgumentParser(
        prog="exchange_sandbox", description="The rehearsal exchange: a venue that keeps the rules, keeps the score and can be cruel."
    )
    parser.add_argument("--config", required=True, type=Path, help="JSON configuration file (docs/reference/sandbox.md)")
    parser.add_argument("--check", action="store_true", help="only read and check the configuration")
    args = parser.parse_args()
    try:
        config = load(args.config)
        if args.check:
            return 0
        try:
            import uvloop  # noqa: PLC0415  optional: faster, not needed
        except ImportError:
            asyncio.run(serve(config))
        else:
            uvloop.run(serve(config))
    except SandboxError as exc:
        print("exchange_sandbox: %s" % exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
