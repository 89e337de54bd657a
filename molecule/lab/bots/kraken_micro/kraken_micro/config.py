"""The bot's configuration: one JSON file, every key known, every number checked before anything starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from .errors import BotError

MODES = ("shadow", "wire", "live")
ON_DISCONNECT = ("keep_stops", "cancel_all")


@dataclass(frozen=True)
class CircuitBreaker:
    """Latched stops: once tripped, only a person releases them (`kraken_micro release`)."""

    enabled: bool
    max_daily_loss: Decimal  # quote currency, > 0: loss of one UTC day at which entries end
    total_loss: Decimal  # quote currency, < 0: profit and loss since the ledger began at which the bot kills itself


@dataclass(frozen=True)
class Risk:
    """Limits that every entry is held against; the stricter of these and of the stage wins."""

    max_position_size: Decimal  # quote currency per trade
    max_daily_loss: Decimal  # quote currency, > 0; ends entries until the next UTC day
    max_concurrent_positions: int
    max_price_age_s: Decimal  # seconds; an older price ends entries
    stop_loss_fraction: Decimal  # of the entry price
    max_spread_fraction: Decimal
    max_orders_per_minute: int


@dataclass(frozen=True)
class Strategy:
    """Mean reversion on closed candles."""

    candle_s: Decimal
    window: int  # candles
    entry_z: Decimal  # enter when the close is this many standard deviations below its mean
    exit_z: Decimal  # leave when it is back above this
    max_hold_candles: int


@dataclass(frozen=True)
class Venue:
    """Where the venue is and how long it may take."""

    rest_url: str
    ws_url: str
    ws_private_url: str
    ca_file: str | None
    timeout_s: Decimal
    max_slippage_fraction: Decimal  # price guard of immediate orders
    poll_s: Decimal  # orders, balances and status are asked for at least this often


@dataclass(frozen=True)
class Failsafe:
    """When trouble at the venue ends live trading."""

    after_s: Decimal  # no good answer for this long
    window_s: Decimal
    max_error_ratio: Decimal  # in the window, for a venue that flaps
    min_calls: int
    on_disconnect: str  # keep_stops | cancel_all: what becomes of resting orders when this bot is silent
    disconnect_timeout_s: Decimal  # of the venue's timer; longer than decisions are apart


@dataclass(frozen=True)
class Paper:
    """How the bot's own dry run fills its orders."""

    start_balance: Decimal
    taker_fee: Decimal
    slippage_fraction: Decimal


@dataclass(frozen=True)
class Limits:
    """What the bot may use of its host; exported as ratios, enforced by the unit."""

    memory_bytes: int
    file_descriptors: int
    threads: int
    cpu_cores: Decimal
    disk_bytes: int


@dataclass(frozen=True)
class Paths:
    """Where the bot keeps and finds things."""

    state_dir: str
    control_dir: str
    log_file: str
    release_file: str | None
    exit_only_file: str | None


@dataclass(frozen=True)
class Dashboard:
    """Where the page, `/health` and `/metrics` are served."""

    host: str
    port: int


@dataclass(frozen=True)
class Config:
    """The whole configuration. `digest` is over the file's meaning, not over its bytes."""

    instance: str
    mode: str
    stage: str
    rehearsal: bool
    position_size_usdt: Decimal
    max_positions: int
    trade_pairs: tuple[str, ...]
    circuit_breaker: CircuitBreaker
    risk: Risk
    strategy: Strategy
    venue: Venue
    failsafe: Failsafe
    paper: Paper
    limits: Limits
    paths: Paths
    dashboard: Dashboard
    decide_s: Decimal
    heartbeat_s: Decimal
    faults: dict[str, Any]
    raw: dict[str, Any]

    @property
    def digest(self) -> str:
        """Return `sha256:…` of the whole configuration in canonical JSON."""
        return digest(self.raw)

    @property
    def risk_digest(self) -> str:
        """Return `sha256:…` of everything that limits losses: a change of it starts the paper evidence again."""
        names = ("position_size_usdt", "max_positions", "trade_pairs", "circuit_breaker", "risk")
        return digest({name: self.raw[name] for name in names})

    @property
    def position_size(self) -> Decimal:
        """Return the size of an entry in quote currency: the stricter of stage and list."""
        return min(self.position_size_usdt, self.risk.max_position_size)

    @property
    def positions_allowed(self) -> int:
        """Return how many positions may be open: the stricter of stage and list."""
        return min(self.max_positions, self.risk.max_concurrent_positions)


def digest(value: Any) -> str:
    """Return `sha256:…` over canonical JSON (sorted keys, no blanks)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def load(path: str | Path) -> Config:
    """Read and check a configuration file. Raises BotError that names the key, what was found and what is expected."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BotError(f"{path}: the configuration cannot be read ({exc.__class__.__name__}); render it again") from None
    try:
        # Numbers keep their written form: 5.0 stays "5.0" in digests and never becomes a binary fraction.
        raw = json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except ValueError as exc:
        raise BotError(f"{path}: not JSON ({exc}); render it again") from None
    return parse(raw, str(path))


def parse(raw: Any, where: str = "configuration") -> Config:
    """Check a decoded configuration."""
    if not isinstance(raw, dict):
        raise BotError(f"{where}: found {type(raw).__name__}, expected an object")
    raw = json.loads(json.dumps(raw, default=str), parse_float=str)  # one form for digests: fractions as they were written
    plain = dict(raw)
    plain.setdefault("faults", {})
    config: Config = _build(Config, plain | {"raw": raw}, where, "")
    _check(config, where)
    return config


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _build(kind: Any, raw: Any, where: str, prefix: str) -> Any:
    if not isinstance(raw, dict):
        raise BotError(f"{where}: {prefix or 'configuration'} is {type(raw).__name__}, expected an object")
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    for name in raw:
        if name not in names:
            raise BotError(f"{where}: unknown key {prefix}{name}; known here are {', '.join(n for n in names if n != 'raw')}")
    values = {}
    for name in names:
        if name not in raw:
            raise BotError(f"{where}: key {prefix}{name} is missing")
        values[name] = _value(hints[name], raw[name], where, prefix + name)
    return kind(**values)


def _value(kind: Any, raw: Any, where: str, name: str) -> Any:
    if is_dataclass(kind):
        return _build(kind, raw, where, name + ".")
    if kind is Decimal:
        return _decimal(raw, where, name)
    if get_origin(kind) is dict:
        if not isinstance(raw, dict):
            raise BotError(f"{where}: {name} is {type(raw).__name__}, expected an object")
        return raw
    if get_origin(kind) is tuple:
        if not isinstance(raw, list) or not raw or not all(isinstance(item, str) for item in raw):
            raise BotError(f"{where}: {name} must be a list of texts that is not empty")
        return tuple(raw)
    kinds = get_args(kind) or (kind,)
    if not any(type(raw) is one for one in kinds):
        wanted = " or ".join("null" if one is type(None) else one.__name__ for one in kinds)
        raise BotError(f"{where}: {name} is {raw!r:.60}, expected {wanted}")
    return raw


def _decimal(raw: Any, where: str, name: str) -> Decimal:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise BotError(f"{where}: {name} is {raw!r:.60}, expected a number")
    try:
        value = Decimal(raw)
    except ArithmeticError:
        raise BotError(f"{where}: {name} is {raw!r:.60}, expected a number") from None
    if not value.is_finite():
        raise BotError(f"{where}: {name} is {raw!r:.60}, expected a finite number")
    return value


def _check(config: Config, where: str) -> None:
    """Hold the values against each other; the first contradiction is told."""
    rules = [
        (config.mode in MODES, f"mode is {config.mode!r}, expected one of {', '.join(MODES)}"),
        (config.instance.isidentifier(), f"instance is {config.instance!r}, expected a simple name"),
        (config.position_size_usdt > 0, "position_size_usdt must be above 0"),
        (config.max_positions >= 1, "max_positions must be at least 1"),
        (config.circuit_breaker.max_daily_loss > 0, "circuit_breaker.max_daily_loss is a loss and must be above 0"),
        (config.circuit_breaker.total_loss < 0, "circuit_breaker.total_loss is profit and loss and must be below 0"),
        (config.risk.max_position_size > 0, "risk.max_position_size must be above 0"),
        (config.risk.max_daily_loss > 0, "risk.max_daily_loss must be above 0"),
        (config.risk.max_concurrent_positions >= 1, "risk.max_concurrent_positions must be at least 1"),
        (config.risk.max_price_age_s > 0, "risk.max_price_age_s must be above 0"),
        (0 < config.risk.stop_loss_fraction < 1, "risk.stop_loss_fraction must lie between 0 and 1"),
        (config.strategy.window >= 3, "strategy.window must be at least 3 candles"),
        (config.strategy.candle_s > 0, "strategy.candle_s must be above 0"),
        (config.decide_s > 0 and config.heartbeat_s > 0, "decide_s and heartbeat_s must be above 0"),
        (all(pair.count("/") == 1 for pair in config.trade_pairs), "trade_pairs must be written as BASE/QUOTE"),
        (len({pair.split("/")[-1] for pair in config.trade_pairs}) == 1, "trade_pairs must share one quote currency"),
        (len(set(config.trade_pairs)) == len(config.trade_pairs), "trade_pairs holds a pair twice"),
        (config.failsafe.on_disconnect in ON_DISCONNECT,
         f"failsafe.on_disconnect is {config.failsafe.on_disconnect!r}, expected one of {', '.join(ON_DISCONNECT)}"),
        (config.failsafe.on_disconnect == "keep_stops" or "no_stop" in config.faults,
         "failsafe.on_disconnect is 'cancel_all', and this bot holds positions behind stops: the venue's timer takes stops away with the "
         "rest, so a position would be left bare; use keep_stops"),
        (1 <= config.failsafe.disconnect_timeout_s <= 86399 and config.failsafe.disconnect_timeout_s >= 3 * config.decide_s,
         "failsafe.disconnect_timeout_s must be 1 to 86399 and at least three decisions long (decide_s)"),
        (config.dashboard.host in ("127.0.0.1", "::1") or bool(config.faults), "dashboard.host must be 127.0.0.1 or ::1"),
        (config.rehearsal or not config.faults, "faults are for rehearsals; remove them"),
    ]
    for good, text in rules:
        if not good:
            raise BotError(f"{where}: {text}")
