"""Breaks at the rehearsal exchange: cruelties, accounts in a wrong state, keys with wrong rights, requests that no good bot sends.

What cannot be taken back at a venue (a foreign order stays in its history) happens on an account of its own, whose key the plan carries
instead of the right one.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from .bot_breaks import LIVE, PORTS, SHADOW, WIRE
from .fault import Fault, NotTaken, red
from .lab import Lab

QUERY = ["query-funds", "query-open-trades", "query-closed-trades", "query-ledger"]
TRADE = [*QUERY, "modify-trades", "close-trades"]
PREFIX = "vault:kv/kraken-micro/exchange/"
# A bot that went back to paper because the venue failed stays there until somebody says why it may trade again.
RELEASE = """
python3 -c 'import json, urllib.request as u
h = json.load(u.urlopen("http://127.0.0.1:PORT/health", timeout=10))
raise SystemExit(not h["latches"]["failsafe"])' || exit 0
systemctl stop bot-INSTANCE
cd /opt/bot/current/app
su -s /bin/sh bot -c 'bin/bot release --config /etc/bot/INSTANCE.json --latch failsafe --by faults --reason "break healed"' || refused=1
systemctl start bot-INSTANCE
exit ${refused:-0}
"""


def release(world: Lab, *instances: str) -> None:
    """Let bots trade again that went back to paper because the venue had failed them."""
    for instance in instances:
        if "active" in world.on("bot", f"systemctl is-active bot-{instance} || true").split():
            world.on("bot", RELEASE.replace("PORT", PORTS[instance]).replace("INSTANCE", instance))


class Client:
    """A raw Kraken client that can send what no good bot would."""

    def __init__(self, world: Lab, key: str, secret: str) -> None:
        self.base, self.key, self.secret = f"https://{world.addresses['venue']}", key, secret
        self.tls = ssl.create_default_context(cafile=str(world.ca))

    def send(self, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        """Send one request and return the venue's JSON."""
        request = urllib.request.Request(self.base + path, data=body, headers={"User-Agent": "fault", **headers})
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.tls) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as exc:
            return {"error": [f"HTTP {exc.code}"]}

    def call(self, endpoint: str, *, nonce: int | None = None, flip: bool = False, query: str = "", **params: Any) -> dict[str, Any]:
        """Call a private endpoint; `flip` spoils the signature, `query` is put into the address."""
        path = "/0/private/" + endpoint
        number = str(time.time_ns() // 1_000 if nonce is None else nonce)
        body = urlencode({"nonce": number, **params}).encode()
        inner = hashlib.sha256(number.encode() + body).digest()
        signature = bytearray(hmac.new(base64.b64decode(self.secret), path.encode() + inner, hashlib.sha512).digest())
        signature[0] ^= int(flip)
        return self.send(path + query, body, {"API-Key": self.key, "API-Sign": base64.b64encode(signature).decode(),
                                              "Content-Type": "application/x-www-form-urlencoded"})

    def good(self, endpoint: str, **params: Any) -> Any:
        """Call and insist that the venue took it."""
        answer = self.call(endpoint, **params)
        if answer["error"]:
            raise NotTaken(f"{endpoint}: {answer['error']}")
        return answer["result"]

    def price(self, pair: str) -> float:
        """Return the last price of a pair."""
        answer = self.send("/0/public/Ticker?pair=" + pair, None, {})
        return float(next(iter(answer["result"].values()))["c"][0])


def mint(world: Lab, account: str, rights: Sequence[str] = TRADE, addresses: Sequence[str] = (), age_s: float = 0) -> dict[str, str]:
    """Make a key of an account at the rehearsal exchange, as if it had been made that long ago."""
    made = world.admin("POST", "keys", {"account": account, "rights": list(rights), "ip_allowlist": list(addresses), "age_s": age_s})
    return {"key": made["key"], "secret": made["secret"]}


def deliver(world: Lab, name: str, credential: dict[str, str]) -> None:
    """Let plans carry this credential where the store's own is asked for."""
    reference = f"{PREFIX}{name}#key"
    world.kept.setdefault(reference, world.value(reference))
    world.values[reference] = json.dumps(credential)


def restore(world: Lab, *names: str) -> None:
    """Let plans carry again what the store holds."""
    for name in names:
        reference = f"{PREFIX}{name}#key"
        if reference in world.kept:
            world.values[reference] = world.kept.pop(reference)


def other_account(spoil: Callable[[Lab, Client], None], seen: Callable[[dict[str, Any]], str], *controls: str,
                  balances: dict[str, str] | None = None, names: Sequence[str] = ("query",), **more: Any) -> Fault:
    """Return the fault by which the account is in a state that `spoil` makes; `seen` reads the venue's own state of it."""
    account = f"fault{secrets.token_hex(4)}"

    def break_(world: Lab) -> None:
        world.admin("POST", "accounts", {"name": account, "balances": balances or {"USDT": "150"}})
        spoil(world, Client(world, **mint(world, account)))
        for name in names:
            deliver(world, name, mint(world, account, QUERY))

    def confirm(world: Lab) -> str:
        words = seen(world.admin("GET", f"state/{account}"))
        if not words:
            raise NotTaken(f"the venue does not show it on {account}")
        return f"the venue's own state of {account}: {words}"

    return Fault("lab", "venue", red(*controls), break_, confirm, lambda world: restore(world, *names), **more)


def other_key(name: str, rights: Sequence[str], addresses: Sequence[str] | None, *controls: str, account: str = "live",
              age_days: float = 0, **more: Any) -> Fault:
    """Return the fault by which the key under a reference has these rights, addresses (None: those of the bot's egress) and age."""

    def break_(world: Lab) -> None:
        allowed = world.profile["exchange_egress_addresses"] if addresses is None else addresses
        deliver(world, name, mint(world, account, rights, allowed, age_days * 86400))

    def confirm(world: Lab) -> str:
        key = json.loads(world.values[f"{PREFIX}{name}#key"])["key"]
        shown = next(one for one in world.admin("GET", "keys")["keys"] if one["key"] == key)
        if set(shown["rights"]) != set(rights):
            raise NotTaken(f"the venue shows {shown['rights']}")
        if time.time() - shown["created"] < age_days * 86400:
            raise NotTaken(f"the venue shows it as created at {shown['created']}")
        words = f"the venue shows rights {', '.join(shown['rights'])} and addresses {', '.join(shown['ip_allowlist']) or 'any'}"
        return words + (f", made {age_days:g} days ago" if age_days else "")

    expected = {**red(*controls), **more.pop("verdicts", {})}
    return Fault("lab", "venue", expected, break_, confirm, lambda world: restore(world, name), **more)


def cruelty(name: str, params: dict[str, Any], *controls: str, account: str | None = None, **more: Any) -> Fault:
    """Return the fault by which the venue is cruel. Whatever looks at a window of the bot's trading suffers with it: not watched."""
    expected = {**red(*controls), **more.pop("verdicts", {})}
    quiet = tuple(one for one in (*WIRE, *SHADOW, *LIVE, *more.pop("unwatched", ())) if one not in expected)

    def break_(world: Lab) -> None:
        made = world.admin("POST", "cruelties", {"name": name, "for_s": 900, "account": account, "params": params})
        world.kept["cruelty"] = made["id"]

    def confirm(world: Lab) -> str:
        active = world.admin("GET", "cruelties")
        if world.kept["cruelty"] not in json.dumps(active.get("active", active)):
            raise NotTaken("the exchange does not list it as active")
        return f"the exchange lists {name} as active"

    def heal(world: Lab) -> None:
        world.admin("DELETE", "cruelties/" + world.kept.pop("cruelty"))
        release(world, *(PORTS if account is None else (account,)))

    return Fault("lab", "venue", expected, break_, confirm, heal, unwatched=quiet, **more)


def bad_requests(rule: str, send: Callable[[Lab, Client], None], *controls: str, account: str = "wire",
                 undo: Callable[[Client], None] | None = None, **more: Any) -> Fault:
    """Return the fault by which requests of the wire account break a rule. It stays in the judge's window: it lingers.

    `undo` takes back what the requests left at the venue, and would be judged on and on.
    """

    def break_(world: Lab) -> None:
        world.kept["since"] = time.time()
        send(world, Client(world, **mint(world, account)))

    def confirm(world: Lab) -> str:
        for _ in range(10):
            rows = world.admin("GET", f"verdicts?account={account}&since={world.kept['since'] - 2}")["rules"]
            counts = rows.get(rule, {})
            if counts.get("fail") or counts.get("unjudged"):
                return f"the exchange's judge counts {counts.get('fail', 0)} fail and {counts.get('unjudged', 0)} unjudged of {rule}"
            time.sleep(1)  # the verdict about a stop falls seconds after the entry
        raise NotTaken(f"the judge counts neither fail nor unjudged of {rule}")

    return Fault("lab", "venue", red(*controls), break_, confirm, lambda world: undo and undo(Client(world, **mint(world, account))),
                 lingers=True,
                 **{"settle_s": 140, "order": 9, **more})
