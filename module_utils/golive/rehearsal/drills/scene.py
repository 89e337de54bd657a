"""The scene of a drill on the hosts: the live unit itself on an account of its own, and everything taken away again.

What will trade live is what is drilled: `bot-live.service` with its real release, sandboxing and control directory. A drop-in in /run
takes the ticket's question away and gives it the drill's account, state and key; it is gone with the drill, and with a reboot.
"""
from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...errors import GoliveError
from ...kill_switch.kill_switch import Kraken
from ..accounts import Exchange
from .hosts import Host, wait_for

UNIT, FOLDER = "bot-live.service", "/run/golive-drill"
TICKET_TIMER, GUARD = "golive-ticket.timer", "golive-guard-drill"
CONFIG, CONTROLS = f"{FOLDER}/live.json", f"{FOLDER}/control/live"
DROP_INS = f"/run/systemd/system/{UNIT}.d"
DROP_IN = f"{DROP_INS}/90-golive-drill.conf"
DRILL_RELEASES = "/opt/bot/drill"  # /run lets nothing be executed
STATE, LOG = "/var/lib/bot/drill", "/var/log/bot/drill.log"
ORDER_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades", "create-ws-token"]
BEFORE_START = "# before the start"
PAIR = "SHIBUSDT"
VOLUME = "600000"
LIVE_UNIT = f"""# Written by a drill of golive, taken away by it.
[Service]
ExecCondition=
ExecStartPre=
LoadCredentialEncrypted=
LoadCredential=
LoadCredential=exchange_key:{FOLDER}/exchange_key
{BEFORE_START}
Environment=BOT_CONFIG={CONFIG}
StateDirectory=bot/drill
"""
# A copy that trades every few seconds, with control files of its own: no ticket is installed for a drill, so the ticket's timer
# marks the live unit's own directory exit-only. What protects (stops, reconciling, the end of a unit) is as installed.
PAIRS = ["SHIB/USDT", "XRP/USDT", "SOL/USDT", "ETH/USDT"]
TRADING: Mapping[str, Any] = {
    "trade_pairs": PAIRS, "max_positions": 2, "decide_s": 0.1, "paths": {"control_dir": CONTROLS},
    "risk": {"stop_loss_fraction": 0.3, "max_orders_per_minute": 600},
    "strategy": {"candle_s": 0.25, "window": 8, "entry_z": 1.2, "exit_z": 50, "max_hold_candles": 100000}, "venue": {"poll_s": 0.5}}


# One command a host: a drill has many. Each step stands alone.
_PLACES = " ".join((DROP_INS, FOLDER, DRILL_RELEASES, STATE, LOG, "/run/bot/live/kill", "/run/bot/live/no_entries"))
_CLEAR_BOT = (f"systemctl stop {UNIT}; systemctl unmask {UNIT}; rm -rf {_PLACES}; systemctl daemon-reload; "
              f"systemctl reset-failed {UNIT}; systemctl start {TICKET_TIMER};")
_CLEAR_MACHINE = (f"if test -e /run/systemd/system/{GUARD}.service; then "
                  f"systemctl stop {GUARD}.service {GUARD}-kill.path {GUARD}-kill.service; rm -f /run/systemd/system/{GUARD}*; "
                  f"systemctl daemon-reload; fi; rm -rf {FOLDER} /run/{GUARD};")


class InUse(GoliveError):
    """The scene cannot be entered; nothing was touched and nothing is signed."""


class Scene:
    """One account at the venue with the live unit trading on it; a context that leaves nothing behind."""

    def __init__(self, bot: Host, machines: Mapping[str, Host], exchange: Exchange, venue_url: str, ca_file: str,
                 kill_rights: list[str], variables: Mapping[str, Any] | None = None) -> None:
        self.bot, self.machines, self.exchange, self.variables = bot, dict(machines), exchange, variables or {}
        self.account = f"drill-{secrets.token_hex(4)}"
        self.kill_rights = kill_rights
        self.url, self.ca_file = venue_url, ca_file
        self.keys: list[dict[str, str]] = []
        self._orders: Kraken | None = None

    def __enter__(self) -> Scene:
        self._refuse_what_trades()
        self.clear()
        self.exchange.ask("POST", "accounts", {"name": self.account, "balances": {"USDT": "1000"}, "tier": "unlimited",
                                               "profile": {"mode": "live", "stop_within_s": 5, "stale_s": 60}})
        key = self.mint("orders", ORDER_RIGHTS)
        self._orders = kraken(self.url, self.ca_file, key)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.exchange.ask("DELETE", "cruelties")
        self.clear()
        for key in self.keys:
            self.exchange.ask("POST", f"keys/{key['key']}/revoke", {})

    def _refuse_what_trades(self) -> None:
        """A live unit that runs without a drill's drop-in is armed: no drill takes it away."""
        if self.bot.unit(UNIT)["ActiveState"] in ("active", "activating") and self.bot.run("test", "-e", DROP_IN).returncode != 0:
            raise InUse("the live unit is trading, and a drill would stop it", where=self.bot.name, found=UNIT,
                        todo="disarm first (playbooks/operate/go_paper.yml), then drill the new release")

    def clear(self) -> None:
        """Take away what a drill puts on the hosts; also what one left that was killed."""
        # The machines first: a kill that still runs there would mask the unit again.
        for machine in self.machines.values():
            machine.run("sh", "-c", f"{_CLEAR_MACHINE} ip route del blackhole {self.bot.address}/32")
        self.bot.run("sh", "-c", _CLEAR_BOT)

    def mint(self, name: str, rights: list[str], addresses: Sequence[str] = ()) -> dict[str, str]:
        """Return a new key of the account, bound to these addresses; it is revoked with the scene."""
        made = self.exchange.ask("POST", "keys", {"account": self.account, "rights": rights, "name": f"drill {name}",
                                                  "ip_allowlist": list(addresses)})
        self.keys.append({"key": str(made["key"]), "secret": str(made["secret"])})
        return self.keys[-1]

    def machine(self) -> Host:
        """Return the first kill machine."""
        return next(iter(self.machines.values()))

    # -- the bot ----------------------------------------------------------------------------------------------------------
    def start_bot(self, changes: Mapping[str, Any] | None = None, unit: str = LIVE_UNIT) -> None:
        """Start the live unit on the drill's account and wait until the venue has heard it."""
        self.place_unit(unit)
        self.configure(changes or {})
        self.bot.write(f"{FOLDER}/exchange_key", json.dumps(self.mint_for_bot()))
        self.bot.need("systemctl", "start", UNIT)
        wait_for(lambda: len(self.requests()) > 3, "the venue hears the bot of the drill")

    def mint_for_bot(self) -> dict[str, str]:
        """Return a new key as the live unit has to have it: bound to its host's addresses, for the unit asks before its first call."""
        return self.mint("bot", ORDER_RIGHTS, [str(one) for one in self.variables.get("exchange_egress_addresses") or ()])

    def configure(self, changes: Mapping[str, Any], path: str = CONFIG) -> None:
        """Write the live unit's installed configuration with the drill's places and these changes."""
        config = json.loads(self.bot.need("cat", "/etc/bot/live.json"))
        config["paths"].update(state_dir=STATE, log_file=LOG)
        self.bot.write(path, json.dumps(merged(config, changes)), "0640", "root:bot")
        self.bot.need("install", "-d", "-m", "0755", CONTROLS)
        self.bot.need("chmod", "0711", FOLDER)

    def start_trading(self, unit: str = LIVE_UNIT, **changes: Any) -> dict[str, Any]:
        """Start the live unit as a copy that trades, and return what it says once a position is open with its stop."""
        self.start_bot(merged(TRADING, changes), unit)
        return self.position_of_bot()

    def position_of_bot(self) -> dict[str, Any]:
        """Wait until the bot holds a position that its stop at the venue covers, and return what it says of itself."""
        def held() -> dict[str, Any] | None:
            said = self.health()
            quiet = said is not None and said["reconciled"] and not said["unresolved_orders"]
            return said if said and quiet and any(one["stop"] for one in said["positions"]) and self.protected() else None

        return dict(wait_for(held, "the bot of the drill holds a protected position"))

    def health(self) -> dict[str, Any] | None:
        """Return what the bot says of itself, None while it says nothing; used to wait, never as proof of an order."""
        done = self.bot.run("curl", "--silent", "--fail", "--max-time", "3", "http://127.0.0.1:8000/health")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else None

    def ledger(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the whole records of the drill's ledger, of these kinds."""
        lines = self.bot.need("cat", f"{STATE}/ledger.jsonl").splitlines(keepends=True)
        return [one for one in (json.loads(line) for line in lines if line.endswith("\n")) if not kinds or one["kind"] in kinds]

    def place_unit(self, drop_in: str) -> None:
        """Give the live unit a drop-in until the scene ends. What it asks before its start is asked with the drill's numbers."""
        installed = self.bot.need("cat", self.bot.need("systemctl", "show", "--property=FragmentPath", "--value", UNIT).strip())
        self.bot.write(DROP_IN, drop_in.replace(BEFORE_START, asked_before(installed)), "0644")
        self.bot.need("systemctl", "daemon-reload")

    def requests(self) -> list[dict[str, Any]]:
        """Return what the venue was asked on this account."""
        return list(self.exchange.ask("GET", f"requests?account={self.account}")["requests"])

    # -- the account ------------------------------------------------------------------------------------------------------
    def price(self) -> Decimal:
        """Return the last price of the drill's pair."""
        return Decimal(next(iter(self.orders.public("Ticker", pair=PAIR).values()))["c"][0])

    @property
    def orders(self) -> Kraken:
        """Return the client that places the drill's own orders."""
        if self._orders is None:
            raise RuntimeError("the scene was not entered")
        return self._orders

    def entries(self, count: int) -> None:
        """Place entry orders that rest far below the market."""
        price = f"{self.price() / 2:.8f}"
        for _ in range(count):
            self.orders.private("AddOrder", pair=PAIR, type="buy", ordertype="limit", price=price, volume=VOLUME, oflags="post")

    def position(self) -> None:
        """Open a position and put its stop beside it."""
        self.orders.private("AddOrder", pair=PAIR, type="buy", ordertype="market", volume=VOLUME)
        self.orders.private("AddOrder", pair=PAIR, type="sell", ordertype="stop-loss", price=f"{self.price() * Decimal('0.7'):.8f}",
                            volume=VOLUME)

    def state(self) -> dict[str, Any]:
        """Return balances, orders and positions as the venue has them."""
        return dict(self.exchange.ask("GET", f"state/{self.account}"))

    def totals(self) -> dict[str, Any]:
        """Return the judge's totals of this account: entries, order_requests and more."""
        return dict(self.exchange.ask("GET", f"verdicts?account={self.account}")["totals"])

    def open_entries(self) -> int:
        """Return how many entry orders rest at the venue."""
        return entries_of(self.state())

    def protected(self) -> bool:
        """Return whether there is a position and every position is covered by a resting stop, in the judge's count."""
        return protected(self.state())

    def strike(self, name: str, for_s: float = 120, **params: Any) -> None:
        """Let the venue be cruel to this account."""
        self.exchange.ask("POST", "cruelties", {"name": name, "params": params, "for_s": for_s, "account": self.account})


def asked_before(installed: str) -> str:
    """Return the unit's own commands before its start, which must not touch the numbers (nonces) of the real live state."""
    lines = [one for one in installed.replace("\\\n", " ").splitlines() if one.startswith("ExecStartPre=")]
    return "\n".join(["ExecStartPre=", *(one.replace("/var/lib/bot/live/", f"{STATE}/") for one in lines)])


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with changes, section by section."""
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def entries_of(state: Mapping[str, Any]) -> int:
    """Return how many open orders of an account would open or enlarge a position (spot: buys)."""
    return sum(1 for one in state["orders"]["open"] if one["side"] == "buy")


def protected(state: Mapping[str, Any]) -> bool:
    """Return whether an account holds something and all of it is covered by stops."""
    positions = list(state["positions"].values())
    return bool(positions) and all(Decimal(str(one["without_stop"])) <= 0 for one in positions)


def kraken(url: str, ca_file: str, key: Mapping[str, str]) -> Kraken:
    """Return a client of the venue with a key of the drill."""
    return Kraken(url, ca_file, key["key"], base64.b64decode(key["secret"]))
