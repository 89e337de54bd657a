"""The sandbox's configuration file: one JSON object, checked completely before anything starts."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Optional

from .errors import SandboxError
from .market import MarketSettings


@dataclass(frozen=True)
class Listener:
    """One listening socket; without certificate it is plain HTTP, allowed on loopback only."""

    host: str
    port: int
    certificate: Optional[str] = None
    private_key: Optional[str] = None
    #: an expired certificate of the same key for the cruelty certificate_expired; without it one is made that nobody vouches for
    expired_certificate: Optional[str] = None


@dataclass(frozen=True)
class Config:
    """See docs/reference/sandbox.md for each field."""

    state_dir: Path
    venue: Listener
    admin: Listener
    token_file: Path
    market: MarketSettings
    pairs: tuple[str, ...]
    #: pair -> file of recorded prices
    recordings: dict[str, Path]
    public_limit: float
    public_decay: float
    requests_max_mb: int
    venues: tuple[str, ...] = ("kraken",)
    #: Binance's request weights per minute and address: spot, usdm, sapi
    binance_weights: tuple[int, int, int] = (6_000, 2_400, 12_000)
    #: steps to take from the start on
    scenario: Optional[Path] = None


VENUES = ("kraken", "binance", "binance_usdm")
_REQUIRED = ("state_dir", "venue", "admin", "token_file")
_KNOWN = {
    *_REQUIRED,
    "market",
    "pairs",
    "venues",
    "binance_weights",
    "recordings",
    "allow_plain_http_on_loopback",
    "public_rate",
    "requests_max_mb",
    "scenario",
}


def load(path: Path) -> Config:
    """Read and check the file. Raises SandboxError with what, where, found, expected."""
    try:
        raw = json.loads(path.read_bytes())
    except OSError as exc:
        raise SandboxError("%s: cannot be read: %s" % (path, exc.strerror)) from None
    except ValueError as exc:
        raise SandboxError("%s: not JSON: %s" % (path, exc)) from None
    if not isinstance(raw, dict):
        raise SandboxError("%s: expected one JSON object" % path)
    unknown = sorted(set(raw) - _KNOWN)
    if unknown:
        raise SandboxError("%s: unknown setting %s; known: %s" % (path, ", ".join(unknown), ", ".join(sorted(_KNOWN))))
    for name in _REQUIRED:
        if name not in raw:
            raise SandboxError("%s: %s is missing" % (path, name))
    plain = bool(raw.get("allow_plain_http_on_loopback", False))
    rate, pairs, recordings = raw.get("public_rate", {}), raw.get("pairs", []), raw.get("recordings", {})
    if not isinstance(rate, dict) or set(rate) - {"max", "decay"}:
        raise SandboxError('%s: public_rate: expected {"max": number, "decay": number per second}' % path)
    if not isinstance(pairs, list) or not all(isinstance(name, str) for name in pairs):
        raise SandboxError("%s: pairs: expected a list of pair names" % path)
    venues = raw.get("venues", ["kraken"])
    if not isinstance(venues, list) or not venues or set(map(str, venues)) - set(VENUES):
        raise SandboxError("%s: venues: expected a list out of %s" % (path, ", ".join(VENUES)))
    if not isinstance(recordings, dict) or not all(isinstance(name, str) for name in recordings.values()):
        raise SandboxError("%s: recordings: expected an object of pair names and files" % path)
    return Config(
        state_dir=Path(raw["state_dir"]),
        token_file=Path(raw["token_file"]),
        venue=_listener(raw["venue"], "%s: venue" % path, plain),
        admin=_listener(raw["admin"], "%s: admin" % path, plain),
        market=_market(raw.get("market", {}), "%s: market" % path),
        pairs=tuple(pairs),
        recordings={name: Path(file) for name, file in recordings.items()},
        public_limit=_number(rate.get("max", 30), "%s: public_rate.max" % path),
        public_decay=_number(rate.get("decay", 5), "%s: public_rate.decay" % path),
        requests_max_mb=int(_number(raw.get("requests_max_mb", 64), "%s: requests_max_mb" % path)),
        venues=tuple(map(str, venues)),
        binance_weights=_weights(raw.get("binance_weights", {}), "%s: binance_weights" % path),
        scenario=None if raw.get("scenario") is None else Path(str(raw["scenario"])),
    )


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise SandboxError("%s: expected a number above 0, found %r" % (where, value))
    return float(value)


def _weights(raw: Any, where: str) -> tuple[int, int, int]:
    names = ("spot", "usdm", "sapi")
    if not isinstance(raw, dict) or set(raw) - set(names):
        raise SandboxError("%s: expected an object with %s" % (where, ", ".join(names)))
    known = zip(names, (6_000, 2_400, 12_000), strict=True)
    spot, usdm, sapi = (int(_number(raw.get(name, value), "%s.%s" % (where, name))) for name, value in known)
    return spot, usdm, sapi


def _listener(raw: Any, where: str, plain: bool) -> Listener:
    if not isinstance(raw, dict) or not isinstance(raw.get("host"), str) or not isinstance(raw.get("port"), int):
        raise SandboxError('%s: expected {"host": address, "port": number, "certificate": file, "private_key": file}' % where)
    listener = Listener(raw["host"], raw["port"], raw.get("certificate"), raw.get("private_key"), raw.get("expired_certificate"))
    if bool(listener.certificate) != bool(listener.private_key):
        raise SandboxError("%s: certificate and private_key belong together; give both or none" % where)
    if not listener.certificate:
        try:
            loopback = ipaddress.ip_address(listener.host).is_loopback
        except ValueError:
            loopback = False
        if not (plain and loopback):
            raise SandboxError(
                "%s: no certificate; plain HTTP is only served on 127.0.0.1 or ::1 and with "
                "allow_plain_http_on_loopback: true, found host %s" % (where, listener.host)
            )
    return listener


def _market(raw: Any, where: str) -> MarketSettings:
    known = {item.name: item for item in fields(MarketSettings)}
    if not isinstance(raw, dict) or set(raw) - set(known):
        raise SandboxError("%s: unknown setting; known: %s" % (where, ", ".join(known)))
    values: dict[str, Any] = {}
    for name, value in raw.items():
        values[name] = str(value) if name == "seed" else _number(value, "%s.%s" % (where, name))
        if name in ("levels", "history_min"):
            values[name] = int(values[name])
    return MarketSettings(**values)
