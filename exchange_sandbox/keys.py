"""API keys of the sandbox: rights, addresses, nonces. Secrets live only here and in one file of mode 0600."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import secrets
import string
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from . import KEY_PREFIX
from .errors import BadRequest, SandboxError
from .journal import write_atomically

#: nonces remembered per key for the nonce window
SEEN_KEPT = 4_096


@dataclass
class Key:
    """One API key. `secret` is the raw HMAC key; it is never printed, and `repr` leaves it out."""

    id: str
    account: str
    venue: str
    secret: bytes = field(repr=False)
    rights: tuple[str, ...]
    ip_allowlist: tuple[str, ...] = ()
    #: as the venue counts it: 0 = strictly rising
    nonce_window: int = 0
    created: float = 0.0
    name: str = ""
    revoked: bool = False
    valid_until: float = 0.0
    nonce: int = 0
    last_used: Optional[float] = None
    floor: int = 0
    seen: set[int] = field(default_factory=set, repr=False)

    def allows(self, address: str) -> bool:
        """Tell whether the key may be used from an address; an empty list allows all."""
        if not self.ip_allowlist:
            return True
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in ipaddress.ip_network(item, strict=False) for item in self.ip_allowlist)

    def take_nonce(self, nonce: int) -> bool:
        """Accept or refuse a nonce; an accepted one is never accepted again."""
        if nonce > self.nonce:
            self.nonce = nonce
        elif not self.nonce_window or nonce <= max(self.nonce - self.nonce_window, self.floor) or nonce in self.seen:
            return False
        if self.nonce_window:
            self.seen.add(nonce)
            if len(self.seen) > 2 * SEEN_KEPT:
                # Memory stays flat: what is older than the newest nonces is refused, whether it was seen or not.
                newest = sorted(self.seen)[-SEEN_KEPT:]
                self.seen, self.floor = set(newest), newest[0] - 1
        return True


class KeyStore:
    """All keys by id, kept in `keys.json`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.by_id: dict[str, Key] = {}
        if not path.exists():
            return
        try:
            for item in json.loads(path.read_bytes()):
                item["secret"] = base64.b64decode(item["secret"])
                item["rights"], item["ip_allowlist"] = tuple(item["rights"]), tuple(item["ip_allowlist"])
                self.by_id[item["id"]] = Key(**item)
        except (ValueError, TypeError, KeyError):
            raise SandboxError("%s is damaged; restore it, or move it away and mint the keys again" % path) from None

    def mint(
        self,
        account: str,
        venue: str,
        rights: tuple[str, ...],
        ip_allowlist: tuple[str, ...],
        nonce_window: int,
        created: float,
        name: str = "",
        key_id: Optional[str] = None,
        secret: Optional[bytes] = None,
    ) -> Key:
        """Make and store a key. Raises BadRequest for a bad address.

        Ids begin with SANDBOX: 56 base64 characters (Kraken), 64 letters and digits (Binance).
        """
        for item in ip_allowlist:
            try:
                ipaddress.ip_network(item, strict=False)
            except ValueError:
                raise BadRequest("ip_allowlist holds %r, which is no address and no network" % item[:60]) from None
        if venue == "kraken":
            tail, made = base64.b64encode(secrets.token_bytes(39)).decode()[: 56 - len(KEY_PREFIX)], secrets.token_bytes(64)
        else:
            # Binance's keys and secrets are 64 letters and digits, and the secret is used as it is written.
            tail, made = _letters(64 - len(KEY_PREFIX)), _letters(64).encode()
        key = Key(
            key_id or KEY_PREFIX + tail,
            account,
            venue,
            secret or made,
            rights,
            ip_allowlist,
            nonce_window,
            created,
            name=name or "rehearsal",
        )
        self.by_id[key.id] = key
        self.save()
        return key

    def save(self) -> None:
        """Write all keys; nonces are kept in the journal, not here."""
        rows: list[dict[str, Any]] = [
            {
                "id": key.id,
                "account": key.account,
                "venue": key.venue,
                "secret": base64.b64encode(key.secret).decode(),
                "rights": list(key.rights),
                "ip_allowlist": list(key.ip_allowlist),
                "nonce_window": key.nonce_window,
                "created": key.created,
                "name": key.name,
                "revoked": key.revoked,
                "valid_until": key.valid_until,
                "nonce": key.nonce,
                "last_used": key.last_used,
            }
            for key in self.by_id.values()
        ]
        write_atomically(self._path, json.dumps(rows).encode())


def _letters(count: int) -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(count))


@lru_cache(maxsize=4_096)
def hashed(key_id: str) -> str:
    """Return the 16 hex digits by which golive names a key."""
    return hashlib.sha256(key_id.encode()).hexdigest()[:16]
