"""The two web applications of the sandbox, venue and administration, and their life."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from typing import Any

from aiohttp import web

from . import MARKER_HEADER, MARKER_VALUE
from .admin import Admin, middleware
from .config import Config, Listener
from .core import Exchange
from .errors import SandboxError
from .recording import read
from .venues.binance.gate import ALL_RIGHTS as BINANCE_RIGHTS
from .venues.binance.instruments import SYMBOLS, Symbol, by_name
from .venues.binance.rest import Rest as BinanceRest
from .venues.binance.sockets import Sockets
from .venues.front import Front
from .venues.kraken.auth import ALL_RIGHTS
from .venues.kraken.instruments import PAIRS, Pair, find_pair
from .venues.kraken.rest import Rest
from .venues.kraken.ws import WebSocket
from .venues.line import LineServer


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    response.headers[MARKER_HEADER] = MARKER_VALUE


def build_exchange(config: Config) -> Exchange:
    """Make the exchange with the configured pairs. Raises SandboxError for a pair that no venue knows."""
    everything: list[Pair | Symbol] = [
        *(pair for pair in PAIRS if "kraken" in config.venues),
        *(item for item in SYMBOLS if item.market in config.venues),
    ]
    by_symbol = {item.instrument.symbol: item for item in everything}

    def find(name: str) -> Pair | Symbol | None:
        found = by_name(name) or find_pair(name)
        return found if found is not None and found.instrument.symbol in by_symbol else None

    unknown = [name for name in config.pairs if find(name) is None]
    if unknown:
        raise SandboxError("pairs: unknown %s; known: %s" % (", ".join(unknown), ", ".join(by_symbol)))
    named = [find(name) for name in config.pairs]
    chosen = [item for item in named if item is not None] if config.pairs else everything
    recordings = {}
    for name, file in config.recordings.items():
        recorded = find(name)
        if recorded is None or recorded not in chosen:
            raise SandboxError("recordings: unknown pair %s; known: %s" % (name, ", ".join(item.id for item in chosen)))
        recordings[recorded.instrument.symbol] = read(file)
    exchange = Exchange(config, [item.instrument for item in chosen], recordings=recordings)
    running = exchange.engine.instruments

    def symbol_of(name: str) -> str | None:
        item = find(name)
        return item.instrument.symbol if item is not None and item.instrument.symbol in running else None

    exchange.pair_finders.append(symbol_of)
    return exchange


def venue_front(exchange: Exchange) -> Front:
    """What is served on the venue's port."""
    front = Front()
    if "kraken" in exchange.config.venues:
        rest = Rest(exchange)
        rest.add_routes(front)
        WebSocket(exchange, rest).add_routes(front)
    if {"binance", "binance_usdm"}.intersection(exchange.config.venues):
        binance = BinanceRest(exchange)
        binance.add_routes(front)
        Sockets(exchange, binance).add_routes(front)
    return front


def admin_app(exchange: Exchange, token: bytes) -> web.Application:
    """The application on the administration port."""
    app = web.Application(middlewares=[middleware(token)], client_max_size=1_000_000)
    app.on_response_prepare.append(_mark)
    rights: dict[str, tuple[str, ...]] = {}
    if "kraken" in exchange.config.venues:
        rights["kraken"] = ALL_RIGHTS
    if {"binance", "binance_usdm"}.intersection(exchange.config.venues):
        rights["binance"] = BINANCE_RIGHTS
    Admin(exchange, rights).add_routes(app)
    return app


def read_token(config: Config) -> bytes:
    """Return the administration token. Raises SandboxError when it is missing or short."""
    try:
        token = config.token_file.read_bytes().strip()
    except OSError as exc:
        raise SandboxError("%s: the administration token cannot be read: %s" % (config.token_file, exc.strerror)) from None
    if len(token) < 16:
        raise SandboxError("%s: the administration token is shorter than 16 characters; write a longer one" % config.token_file)
    return token


def _quiet() -> logging.Logger:
    """What clients send wrong at the level of HTTP is answered with 400, not logged with their bytes; our own faults are reported by us."""
    logger = logging.getLogger("exchange_sandbox.http")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def _tls(listener: Listener) -> ssl.SSLContext | None:
    if listener.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(listener.certificate, listener.private_key)
    except (OSError, ssl.SSLError) as exc:
        raise SandboxError(
            "%s: certificate or key cannot be used: %s" % (listener.certificate, getattr(exc, "reason", None) or exc.strerror)
        ) from None
    return context


class Server:
    """Both listeners over one exchange."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.exchange: Exchange | None = None
        self._runners: list[web.BaseRunner] = []

    async def start(self) -> None:
        """Load the state and listen. Raises SandboxError."""
        token = read_token(self._config)
        contexts = [_tls(listener) for listener in (self._config.venue, self._config.admin)]
        self.exchange = build_exchange(self._config)
        self.exchange.start()
        venue = self._config.venue
        if contexts[0] is not None and venue.certificate is not None and venue.private_key is not None:
            self.exchange.doors.watch(contexts[0], venue.certificate, venue.private_key, venue.expired_certificate)
            self.exchange.has_tls = True
        settings: dict[str, Any] = {"access_log": None, "logger": _quiet()}
        venue_runner = web.ServerRunner(LineServer(venue_front(self.exchange), **settings), handle_signals=False, shutdown_timeout=1.0)
        admin_runner = web.AppRunner(admin_app(self.exchange, token), handle_signals=False, shutdown_timeout=1.0, **settings)
        runners: tuple[web.BaseRunner, ...] = (venue_runner, admin_runner)
        for runner, listener, context in zip(runners, (self._config.venue, self._config.admin), contexts, strict=True):
            await runner.setup()
            self._runners.append(runner)
            if listener is self._config.venue and runner.server is not None:
                self._count(runner.server)
            try:
                await web.TCPSite(runner, listener.host, listener.port, ssl_context=context, backlog=1024).start()
            except OSError as exc:
                raise SandboxError("cannot listen on %s:%d: %s" % (listener.host, listener.port, exc.strerror)) from None

    def _count(self, server: Any) -> None:
        """Let the door know each connection whose handshake was completed, and how it ended."""
        made, lost, doors = server.connection_made, server.connection_lost, self.exchange.doors if self.exchange is not None else None

        def connection_made(handler: Any, transport: Any) -> None:
            if doors is not None:
                doors.made(handler, transport)
            made(handler, transport)

        def connection_lost(handler: Any, exc: Any = None) -> None:
            if doors is not None:
                doors.ended(handler, handler.heard)
            lost(handler, exc)

        server.connection_made, server.connection_lost = connection_made, connection_lost

    async def stop(self) -> None:
        """Stop listening and leave everything on disk."""
        for runner in self._runners:
            await runner.cleanup()
        if self.exchange is not None:
            await self.exchange.stop()


async def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    server = Server(config)
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, done.set)
    try:
        await server.start()
        _tune()
        _notify("READY=1")
        await done.wait()
    finally:
        await server.stop()


def _tune() -> None:
    """Keep pauses short: what exists now lives as long as we do and need not be searched for garbage; a full search waits for many
    objects; and the thread that has written the journal gets its turn within a millisecond."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(0.001)


def _notify(text: str) -> None:
    """Tell systemd (Type=notify) that we are ready; nothing happens elsewhere."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as handle:
        handle.connect("\0" + path[1:] if path.startswith("@") else path)
        handle.sendall(text.encode())


__all__: list[Any] = ["Server", "admin_app", "build_exchange", "serve", "venue_front"]
