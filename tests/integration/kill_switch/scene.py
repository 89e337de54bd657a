"""A bot's account at the rehearsal exchange with entries, positions and stops, the owner's own coins and orders, and the kill machine."""
from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from golive.kill_switch import kill_switch

from tests.integration.exchange_sandbox.conftest import Client, Sandbox

FILE = Path(kill_switch.__file__)
KILL_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]
TRADE_RIGHTS = [*KILL_RIGHTS, "modify-trades"]
STOPPED = [sys.executable, "-c", "print('{\"stopped\": true}')"]
PREFIX = "glbot"
VOLUME = 600000


class Pulls:
    """A kill machine's settings and the pulling of its switch."""

    folder: Path
    settings: dict[str, Any]

    def command(self, *arguments: str, name: str = "settings.json") -> list[str]:
        path = self.folder / name
        path.write_text(json.dumps(self.settings))
        return [sys.executable, "-ISE", str(FILE), "--settings", str(path), *arguments]

    def pull(self, *arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=timeout)


class Scene(Pulls):
    """Kraken: one account, the bot's key, the kill machine's own key and settings."""

    def __init__(self, sandbox: Sandbox, folder: Path, account: str = "bot", balances: dict[str, str] | None = None,
                 tier: str = "unlimited") -> None:
        self.sandbox, self.folder, self.account = sandbox, folder, account
        folder.mkdir(parents=True, exist_ok=True)
        sandbox.account(account, tier=tier, **({"balances": balances} if balances else {}))
        self.bot: Client = sandbox.key(account)
        self.settings: dict[str, Any] = {
            "system": "kraken-micro", "venue": "kraken", "url": sandbox.venue, "credential": str(self.key("key.json", KILL_RIGHTS)),
            "quote": "USDT", "pairs": ["SHIBUSDT"], "policy": "hold", "epoch_directory": str(folder / "epoch"),
            "record_directory": str(folder / "records"), "settle_s": 0.3, "fence": STOPPED}

    def key(self, name: str, rights: list[str]) -> Path:
        made = self.sandbox.ask("POST", "keys", {"account": self.account, "rights": rights}, 201)
        path = self.folder / name
        path.write_text(json.dumps({"key": made["key"], "secret": made["secret"]}))
        path.chmod(0o600)
        return path

    def flatten(self, **more: Any) -> None:
        """Let the profile sell: a key of its own for that, the bot's prefix, what closing may cost, and a short lease."""
        self.settings.update(policy="flatten", client_id_prefix=PREFIX, inventory_since=1, place_stops={"distance_pct": 5},
                             turn={"slot_s": 5},
                             flatten={"loss_cap_quote": 5, "price_guard_pct": 3},
                             trade_credential=str(self.key("trade.json", TRADE_RIGHTS)), **more)

    # -- what is at the venue ---------------------------------------------------------------------------------------------
    def price(self, factor: float, pair: str = "SHIBUSDT") -> str:
        last = self.bot.look(pair)["c"][0]
        return "%.*f" % (len(last.partition(".")[2]), float(last) * factor)

    def own(self) -> dict[str, str]:
        return {"cl_ord_id": PREFIX + uuid.uuid4().hex[:12]}

    def entries(self, count: int = 2, pair: str = "SHIBUSDT", volume: str = str(VOLUME)) -> None:
        for _ in range(count):
            self.bot.buy(pair=pair, ordertype="limit", price=self.price(0.5, pair), volume=volume, **self.own())

    def position(self, *, stop: bool, volume: int = VOLUME, pair: str = "SHIBUSDT") -> None:
        self.bot.buy(pair=pair, volume=str(volume), **self.own())
        if stop:
            self.stop(volume, pair)

    def stop(self, volume: int = VOLUME, pair: str = "SHIBUSDT") -> str:
        made = self.bot.good("AddOrder", pair=pair, type="sell", ordertype="stop-loss", price=self.price(0.9, pair), volume=str(volume),
                             **self.own())
        return made["txid"][0]

    def owners(self) -> dict[str, Any]:
        """Coins and orders that are the owner's: bought by hand, with a sell above and a buy below the market."""
        self.bot.buy(volume="900000")
        sell = self.bot.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="limit", price=self.price(2), volume="300000")
        buy = self.bot.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price=self.price(0.4), volume="300000")
        return {"coins": 900000, "orders": {sell["txid"][0], buy["txid"][0]}}

    def open_orders(self) -> dict[str, Any]:
        return self.bot.good("OpenOrders")["open"]

    def balance(self, asset: str = "SHIB") -> float:
        return float(self.bot.good("Balance").get(asset, "0"))


def record(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])
