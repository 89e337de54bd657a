"""How many positions does the venue know of this account? Asked before a start with an expired ticket, while the bot is down."""

from __future__ import annotations

import asyncio
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import aiohttp

from .config import Config
from .errors import BotError
from .failsafe import VenueHealth
from .kraken_rest import Credential, KrakenRest, tls
from .metrics import Metrics
from .nonce import NonceSource
from .venue import parse_instruments, usual

SEALED = "/etc/golive/arm/exchange_key.cred"


class LookAheadNonces(NonceSource):
    """Nonces for a question beside the bot: above everything it gave out, below everything it will give out, nothing written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._least = self._read() + 1
        self.given = 0

    def next(self) -> int:
        """Return the next nonce; waits out the reserve (1 s at most), so that the bot's next one is certainly larger."""
        while (now := time.time_ns() // 1000) < self._least:
            time.sleep(min(1.0, (self._least - now) / 1e6))
        self._least = now + 1
        self.given += 1
        return now


def unsealed(path: str = SEALED) -> Credential:
    """Return the key of the live instance, opened on this host. Raises BotError."""
    done = subprocess.run(
        ["systemd-creds", "decrypt", "--name=exchange_key", path, "-"], capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise BotError(f"{path}: cannot be opened on this host ({done.stderr.decode(errors='replace').strip()[:120]})")
    return Credential.parse(done.stdout.decode())


def count(config: Config, credential: Credential | None = None) -> int:
    """Return the number of configured pairs of which the account holds a tradable amount. Raises BotError when nobody says."""
    return asyncio.run(_count(config, credential or unsealed()))


async def _count(config: Config, credential: Credential) -> int:
    venue = config.venue
    context = tls(venue.ca_file) if venue.rest_url.startswith("https:") else None
    nonces = LookAheadNonces(Path(config.paths.state_dir) / "nonce")
    async with aiohttp.ClientSession() as session:
        rest = KrakenRest(
            session, venue.rest_url, float(venue.timeout_s), Metrics(), VenueHealth(config.failsafe), context, credential, nonces
        )
        instruments = parse_instruments(await rest.public("AssetPairs"), config.trade_pairs)
        balances = {usual(name): Decimal(value) for name, value in (await rest.private("Balance")).items()}
    return sum(balances.get(pair.split("/")[0], Decimal(0)) >= one.minimum_volume > 0 for pair, one in instruments.items())
