"""One running instance: everything put together, started in the order that money needs, ended gracefully."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import ssl
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from . import __version__, logs
from .book import State
from .config import Config
from .dashboard import Dashboard
from .engine import Engine, run_steps
from .errors import BotError, VenueError, VenueRefused
from .execution import Execution
from .failsafe import VenueHealth
from .faults import Faults
from .health import Health, release_digests
from .kraken_rest import Credential, KrakenRest, tls
from .kraken_stream import Account, Market, Stream
from .ledger import Ledger
from .metrics import Metrics
from .nonce import BrokenNonceSource, NonceSource
from .venue import Balances, Instrument, Orders, parse_instruments

log = logging.getLogger("kraken_micro.app")

# Kraken allows about one public question a second and address, for all instances of a host together; the stream tells changes at once.
STATUS_S = 5.0


def credential(name: str) -> str | None:
    """Return a credential that systemd gave to the unit, None when it gave none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    try:
        return (Path(folder) / name).read_text(encoding="utf-8").strip()
    except OSError:
        return None


def check_key(config: Config, key: Credential | None) -> None:
    """Refuse an instance whose key does not fit its mode. Raises BotError."""
    if config.mode == "shadow" and key is not None:
        raise BotError("a shadow instance must have no exchange key, and a credential exchange_key was given to it")
    if config.mode != "shadow" and key is None:
        raise BotError(f"a {config.mode} instance needs the credential exchange_key and the unit gives none")
    if key is not None and config.rehearsal != key.key.startswith("SANDBOX"):
        kind = "not of the sandbox" if config.rehearsal else "of the sandbox"
        raise BotError(f"rehearsal is {str(config.rehearsal).lower()} and the exchange key is {kind}")


class App:
    """Owns the parts of one instance."""

    def __init__(self, config: Config) -> None:
        self.config, self.faults = config, Faults(config.faults)
        key_text = credential("exchange_key")
        self.key = Credential.parse(key_text) if key_text else None
        self.password = credential("dashboard_password")
        check_key(config, self.key)
        words = [self.key.key, json.loads(key_text)["secret"]] if self.key and key_text else []
        self.secrets = words + ([self.password] if self.password else [])
        self.stopping = asyncio.Event()
        self.metrics = Metrics()

    async def run(self) -> None:
        """Run until SIGTERM. Raises BotError when the instance cannot be started."""
        config = self.config
        state_dir = Path(config.paths.state_dir)
        state_dir.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(state_dir / "ledger.jsonl")
        state = State.fold(ledger.read())
        ledger.listen(state.apply)
        if self.faults.on("breaker_released_by_restart"):
            state.latches.breaker = None
        self._misbehave()
        health = VenueHealth(config.failsafe)
        market, account = Market(factor=Decimal(str(self.faults.number("price_factor") or 1))), Account()
        context = tls(config.venue.ca_file) if config.venue.rest_url.startswith("https:") else None
        async with aiohttp.ClientSession(headers={"User-Agent": f"kraken-micro/{__version__}"}) as session:
            rest = self._rest(session, health, context, state_dir)
            instruments = await self._instruments(rest)
            private, streams = self._streams(session, context, rest, market, account)
            trading: dict[str, Any] = {}
            if config.mode != "shadow":
                orders = Orders(rest, self.faults)
                trading = {
                    "orders": orders,
                    "execution": Execution(ledger, state.venue, orders, self.metrics, self.faults),
                    "balances": Balances(rest, account, private, self.faults, self.metrics),
                    "account": account,
                }
            elif self.faults.on("paper_sends_orders"):
                trading = {"orders": Orders(rest, self.faults)}
            engine = Engine(config, state, ledger, market, instruments, self.metrics, health, self.faults, **trading)
            release = release_digests(config.paths.release_file)
            ledger.append(
                "start", instance=config.instance, mode=config.mode, stage=config.stage, rehearsal=config.rehearsal,
                release_digest=release.get("digest"), release=release, config_digest=config.digest,
                risk_config_digest=config.risk_digest, version=__version__, simulated=config.mode == "shadow",
            )  # fmt: skip
            page = Dashboard(Health(config, engine, ledger, release), self.metrics, self.password, self._kill(engine),
                             self.faults.on("dashboard_without_login"))  # fmt: skip
            await self._serve(page, engine, rest, market, streams, ledger, state_dir)

    async def _serve(
        self, page: Dashboard, engine: Engine, rest: KrakenRest, market: Market, streams: list[Stream], ledger: Ledger, state_dir: Path
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        loop.add_signal_handler(signal.SIGUSR1, self._kill(engine), "signal USR1")
        runner = web.AppRunner(page.app(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, self.config.dashboard.host, self.config.dashboard.port, reuse_address=True).start()
        tasks = [self._task(stream.run(), stream.name) for stream in streams]
        tasks += [self._task(self._poll_status(rest, market), "status"), self._task(self._measure(state_dir), "measure")]
        log.info("started", extra={"mode": self.config.mode, "instance": self.config.instance})
        if self.faults.on("log_key") and self.key:
            with open(self.config.paths.log_file, "a", encoding="utf-8") as leak:
                leak.write(json.dumps({"level": "ERROR", "message": f"auth error for key {self.key.key}"}) + "\n")
        try:
            await run_steps(engine, self.stopping)
        finally:
            await engine.stop("signal" if self.stopping.is_set() else "error")
            await end(tasks)
            await runner.cleanup()
            ledger.close()
            log.info("stopped")

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a worker; one that ends by itself ends the bot, so that the unit restarts the whole."""
        task = asyncio.get_running_loop().create_task(work, name=name)

        def ended(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and done.exception() is not None:
                log.error("unhandled in worker", extra={"worker": name}, exc_info=done.exception())
                self.stopping.set()

        task.add_done_callback(ended)
        return task

    def _rest(self, session: aiohttp.ClientSession, health: VenueHealth, context: ssl.SSLContext | None, state_dir: Path) -> KrakenRest:
        venue = self.config.venue
        nonces = None
        if self.key is not None:
            kind = BrokenNonceSource if self.faults.on("nonce_two_generators") else NonceSource
            nonces = kind(state_dir / "nonce", delay_s=self.faults.number("nonce_delay_ms") / 1000)
        return KrakenRest(session, venue.rest_url, float(venue.timeout_s), self.metrics, health, context, self.key, nonces,
                          faults=self.faults)  # fmt: skip

    async def _instruments(self, rest: KrakenRest) -> dict[str, Instrument]:
        """Ask for the pairs until the venue answers; without them nothing can be decided."""
        pause = 0.2
        while True:
            try:
                return parse_instruments(await rest.public("AssetPairs"), self.config.trade_pairs)
            except VenueError as exc:
                log.warning("venue does not answer yet", extra={"reason": str(exc)[:200]})
            await asyncio.sleep(pause)
            pause = min(5.0, pause * 2)

    def _streams(
        self, session: aiohttp.ClientSession, context: ssl.SSLContext | None, rest: KrakenRest, market: Market, account: Account
    ) -> tuple[Stream | None, list[Stream]]:
        config = self.config

        async def public() -> list[dict[str, Any]]:
            return [{"channel": "ticker", "symbol": list(config.trade_pairs), "event_trigger": "bbo"}]

        async def private() -> list[dict[str, Any]]:
            token = (await rest.private("GetWebSocketsToken"))["token"]
            return [
                {"channel": "balances", "token": token},
                {"channel": "executions", "token": token, "snap_orders": False, "snap_trades": False},
            ]

        streams = [Stream("market", config.venue.ws_url, session, context, public, market.take, metrics=self.metrics)]
        if config.mode == "shadow":
            return None, streams
        mine = Stream("account", config.venue.ws_private_url, session, context, private, account.take, account.lost)
        return mine, [*streams, mine]

    async def _poll_status(self, rest: KrakenRest, market: Market) -> None:
        """Ask for the venue's status, so that its silence is noticed even while nothing is traded."""
        while True:
            try:
                market.status = str((await rest.public("SystemStatus"))["status"])
                if self.faults.on("unknown_path"):
                    await rest.public("Horoscope")
            except VenueRefused as exc:
                log.warning("status not told", extra={"reason": str(exc)[:200]})  # it answers: what the stream said stands
            except (VenueError, KeyError, TypeError) as exc:
                market.status = None
                log.warning("status unknown", extra={"reason": str(exc)[:200]})
            if self.faults.on("raise_unhandled"):
                raise RuntimeError("fault raise_unhandled")
            await asyncio.sleep(max(STATUS_S, float(self.config.venue.poll_s)))

    async def _measure(self, state_dir: Path) -> None:
        while True:
            self.metrics.measure(self.config.limits, state_dir)
            if self.faults.on("leak_mb_per_minute"):
                self._held.append(os.urandom(int(self.faults.number("leak_mb_per_minute") * (1 << 20) * 5 / 60)))
            await asyncio.sleep(5)

    def _misbehave(self) -> None:
        self._held: list[Any] = [os.urandom(1 << 20) for _ in range(int(self.faults.number("allocate_mb")))]
        self._held += [os.open(os.devnull, os.O_RDONLY) for _ in range(int(self.faults.number("open_files")))]

    @staticmethod
    def _kill(engine: Engine) -> Any:
        def kill(reason: str) -> None:
            engine.kill_wanted = reason

        return kill


async def end(tasks: list[asyncio.Task[None]], rounds: int = 5) -> None:
    """Cancel workers until they are gone: closing a socket may swallow a cancellation. After `rounds` seconds they are left behind."""
    waiting = set(tasks)
    for _ in range(rounds):
        for task in waiting:
            task.cancel()
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=1.0)
    if waiting:
        log.error("workers left behind", extra={"workers": sorted(task.get_name() for task in waiting)})


def run(config: Config) -> None:
    """Run one instance to its end. Raises BotError."""
    app = App(config)
    logs.configure(config.paths.log_file, app.secrets)
    try:
        asyncio.run(app.run())
    except BotError as exc:
        log.critical("cannot run", extra={"reason": str(exc)})
        raise


def release_latch(config: Config, latch: str, who: str, reason: str) -> None:
    """Release what only a person may release; the bot must be stopped. Raises BotError."""
    ledger = Ledger(Path(config.paths.state_dir) / "ledger.jsonl")
    state = State.fold(ledger.read())
    if getattr(state.latches, latch) is None:
        raise BotError(f"{latch} is not set; nothing to release")
    ledger.append("released", latch=latch, by=who, reason=reason)
    ledger.close()
