"""The faults under which a kill has to end well: each prepares a scene, and may act while the switch runs.

A world is one account at one venue under one policy. `Kraken` and `Futures` build the same things in their venue's terms.
"""
from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import random
import socket
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.exchange_sandbox.conftest import Client, Sandbox, eventually
from tests.integration.kill_switch.binance_scene import FuturesScene, Signed
from tests.integration.kill_switch.scene import PREFIX, Scene

FENCE = ("import os, sys\nfolder = sys.argv[1]\n"
         "if os.path.exists(folder + '/cut'):\n    sys.exit('no route to host')\n"
         "open(folder + '/fenced', 'w').close()\nprint('{\"stopped\": true}')\n")
GONE_AFTER_S = 3.0          # how long a cruelty of the venue, or a host that is cut off, lasts


class World:
    """A scene, what runs beside the pull, and what has to be true afterwards."""

    def __init__(self, scene: Any, policy: str, rng: random.Random) -> None:
        self.scene, self.policy, self.rng = scene, policy, rng
        self.folder: Path = scene.folder
        self.beside: list[Callable[[], None]] = []      # threads that run from the moment of the pull
        self.commands: list[list[str]] = []             # further switches
        self.dies = 0                                   # the first switch is killed after so many requests
        self.disk_full = False
        self.environment: dict[str, str] = {}
        self.owners: dict[str, Any] = {}
        self.closing: list[Callable[[], None]] = []
        self.must_hold: list[Callable[[], str]] = []    # each returns what is wrong, or nothing
        scene.settings.update(settle_s=0.2, fence=[sys.executable, "-c", FENCE, str(self.folder)], turn={"slot_s": 5},
                              client_id_prefix=PREFIX, place_stops={"distance_pct": 5})
        if policy == "flatten":
            scene.flatten()
            scene.settings["flatten"] = {"loss_cap_quote": 100, "price_guard_pct": 5}

    def fenced(self) -> bool:
        return (self.folder / "fenced").exists()

    def until_fenced(self, act: Callable[[], Any], pause: float) -> None:
        """Do something again and again, as a bot does, until it is stopped."""
        while not self.fenced():
            with contextlib.suppress(AssertionError, OSError, http.client.HTTPException, ValueError):
                act()
            time.sleep(pause)

    def strike(self, name: str, for_s: float = GONE_AFTER_S, **params: Any) -> None:
        self.scene.sandbox.cruelty(name, for_s=for_s, account=self.scene.account, **params)


class Kraken(World):
    """Spot at Kraken."""

    venue = "kraken"

    def __init__(self, sandbox: Sandbox, folder: Path, policy: str, rng: random.Random) -> None:
        super().__init__(Scene(sandbox, folder, "k-" + uuid.uuid4().hex[:10]), policy, rng)

    def build(self) -> None:
        """A protected position and two entries of the bot's."""
        self.scene.position(stop=True)
        self.scene.entries(2)

    def another_bot(self) -> Callable[[], Any]:
        bot = Client(self.scene.sandbox.venue, *_minted(self.scene))
        price = self.scene.price(0.5)
        return lambda: bot.buy(ordertype="limit", price=price, **self.scene.own())

    def near_entry(self) -> None:
        self.scene.bot.buy(ordertype="limit", price=self.scene.price(0.997), **self.scene.own())

    def dip(self) -> None:
        self.scene.sandbox.ask("POST", "markets/SHIBUSDT/price", {"pct": -1.0}, 200)

    def second_position(self) -> None:
        self.scene.settings["pairs"] = ["SHIBUSDT", "XRPUSDT"]
        self.scene.position(stop=True, volume=20, pair="XRPUSDT")

    def dust(self) -> None:
        self.scene.settings["pairs"] = ["SHIBUSDT", "XRPUSDT"]
        self.scene.position(stop=False, volume=20, pair="XRPUSDT")
        self.scene.bot.good("AddOrder", pair="XRPUSDT", type="sell", ordertype="market", volume="19.5", **self.scene.own())

    def stale_clock(self) -> None:
        """The kill host's clock is behind: its key was used with a nonce of half a minute from now."""
        for name in ("credential", "trade_credential"):
            if name in self.scene.settings:
                kept = json.loads(Path(self.scene.settings[name]).read_text())
                Client(self.scene.sandbox.venue, kept["key"], kept["secret"]).call("Balance", nonce=time.time_ns() // 1000 + 30_000_000)

    def owner(self) -> None:
        self.scene.settings.update(account="shared", inventory_since=1)
        owners = self.scene.owners()

        def check() -> str:
            if owners["orders"] - set(self.scene.open_orders()):
                return "an order of the owner's is gone"
            return "" if self.scene.balance() >= owners["coins"] else "coins of the owner's are gone"
        self.owners = owners
        self.must_hold.append(check)

    def entries_left(self) -> int:
        return sum(1 for txid, one in self.scene.open_orders().items()
                   if one["descr"]["type"] == "buy" and txid not in self.owners.get("orders", ()))

    def positions(self) -> dict[str, tuple[float, float]]:
        """Return {asset: (size, how much of it no stop covers)} of what is the bot's, dust left out."""
        orders, found = self.scene.open_orders(), {}
        for asset, pair, least in (("SHIB", "SHIBUSDT", 50000.0), ("XXRP", "XRPUSDT", 2.0)):
            size = self.scene.balance(asset) - (self.owners.get("coins", 0) if asset == "SHIB" else 0)
            stops = sum(float(one["vol"]) - float(one["vol_exec"]) for txid, one in orders.items() if one["descr"]["pair"] == pair
                        and one["descr"]["ordertype"] == "stop-loss" and txid not in self.owners.get("orders", ()))
            if size >= least:
                found[asset] = (size, size - stops if size - stops >= least else 0.0)
        return found


class Futures(World):
    """USD-M futures at Binance."""

    venue = "binance_usdm"

    def __init__(self, sandbox: Sandbox, folder: Path, policy: str, rng: random.Random) -> None:
        super().__init__(FuturesScene(sandbox, folder), policy, rng)
        self.scene.bot.sync()

    def build(self) -> None:
        """A protected long position, a plain and a conditional entry of the bot's."""
        self.scene.order("SOLUSDT", "BUY", "3")
        self.scene.algo("SOLUSDT", "SELL", 0.85, quantity="3", reduceOnly="true")
        self.scene.entries(1)
        self.scene.algo("SOLUSDT", "BUY", 1.15, quantity="1")

    def another_bot(self) -> Callable[[], Any]:
        price, scene = self.scene.price(0.8), self.scene
        bot = Signed(scene.sandbox.venue, *scene.mint())
        bot.offset = scene.bot.offset
        return lambda: bot.good("POST", "/fapi/v1/order", symbol="SOLUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="1",
                                price=price, **scene.own())

    def near_entry(self) -> None:
        self.scene.order("SOLUSDT", "BUY", "1", type="LIMIT", timeInForce="GTC", price=self.scene.price(0.997))

    def dip(self) -> None:
        self.scene.sandbox.ask("POST", "markets/binance_usdm:SOLUSDT/price", {"pct": -1.0}, 200)

    def second_position(self) -> None:
        self.scene.order("XRPUSDT", "SELL", "100")
        self.scene.algo("XRPUSDT", "BUY", 1.15, quantity="100", reduceOnly="true")

    def dust(self) -> None:
        """The smallest lot: on futures it can be closed, and has to be."""
        self.scene.settings["pairs"] = ["SOLUSDT", "XRPUSDT", "BTCUSDT"]
        self.scene.order("BTCUSDT", "BUY", "0.002")
        self.scene.order("BTCUSDT", "SELL", "0.001", reduceOnly="true")

    def stale_clock(self) -> None:
        self.scene.sandbox.ask("POST", "clock", {"step": 7}, 200)
        self.scene.bot.sync()

    def owner(self) -> None:
        """The owner trades another symbol by hand, and has an order without the bot's prefix on one of the bot's."""
        self.scene.settings.update(account="shared")
        self.scene.order("ETHUSDT", "BUY", "0.1", newClientOrderId="by-hand-" + uuid.uuid4().hex[:8])
        kept = [self.scene.order(symbol, "BUY", amount, type="LIMIT", timeInForce="GTC", price=price,
                                 newClientOrderId="by-hand-" + uuid.uuid4().hex[:8])["orderId"]
                for symbol, amount, price in (("ETHUSDT", "0.1", "2000"), ("SOLUSDT", "1", self.scene.price(0.7)))]

        def check() -> str:
            if set(kept) - {one["orderId"] for one in self.scene.open_orders()}:
                return "an order of the owner's is gone"
            return "" if self.scene.positions().get(("ETHUSDT", "BOTH")) == 0.1 else "the owner's position is gone"
        self.owners = {"orders": set(kept)}
        self.must_hold.append(check)

    def entries_left(self) -> int:
        plain = [one for one in self.scene.open_orders() if one["orderId"] not in self.owners.get("orders", ())]
        return sum(1 for one in [*plain, *self.scene.open_algos()] if not one["reduceOnly"] and not one["closePosition"])

    def positions(self) -> dict[str, tuple[float, float]]:
        algos, found = self.scene.open_algos(), {}
        for (symbol, _side), size in self.scene.positions().items():
            if symbol == "ETHUSDT":
                continue
            side = "SELL" if size > 0 else "BUY"
            stops = sum(float(one["quantity"]) for one in algos if (one["symbol"], one["side"]) == (symbol, side) and one["reduceOnly"])
            found[symbol] = (abs(size), max(0.0, round(abs(size) - stops, 8)))
        return found


def _minted(scene: Scene) -> tuple[str, str]:
    made = scene.sandbox.key(scene.account)
    return made.key, made.secret


# -- the faults -------------------------------------------------------------------------------------------------------------
def host_cut_off(world: Any) -> None:
    (world.folder / "cut").touch()

    def heal() -> None:
        time.sleep(GONE_AFTER_S)
        (world.folder / "cut").unlink()
    world.beside.append(heal)


def bot_floods(world: Any) -> None:
    act = world.another_bot()
    world.beside.append(lambda: world.until_fenced(act, 0.0))


def bot_places_again(world: Any) -> None:
    act = world.another_bot()
    world.beside.append(lambda: world.until_fenced(lambda: act() if world.entries_left() < 2 else None, 0.05))


def audit_disk_full(world: Any) -> None:
    world.disk_full = True


def vault_sealed(world: Any) -> None:
    door = socket.create_server(("127.0.0.1", 0))
    door.settimeout(0.0)
    world.environment.update(VAULT_ADDR="http://127.0.0.1:%d" % door.getsockname()[1], VAULT_TOKEN="sealed")

    def check() -> str:
        try:
            door.accept()[0].close()
            return "the kill asked the secret store"
        except OSError:
            return ""
    world.must_hold.append(check)
    world.closing.append(door.close)


def lock_held(world: Any) -> None:
    for name in (world.scene.settings["record_directory"], world.folder / "settings.json", world.scene.settings["credential"]):
        path = Path(name)
        if not path.exists():
            path.mkdir(parents=True) if not path.suffix else path.touch()
        handle = os.open(path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        world.closing.append(lambda handle=handle: os.close(handle))


def venue_5xx(world: Any) -> None:
    world.strike("http_5xx")


def venue_429(world: Any) -> None:
    world.strike("rate_limit", status=429, retry_after_s=1)


def venue_maintenance(world: Any) -> None:
    world.strike("maintenance")


def venue_slow(world: Any) -> None:
    world.strike("latency", ms=600, for_s=6)


def venue_half_answers(world: Any) -> None:
    world.strike("half_json", ratio=0.5, for_s=4)


def first_cancel_refused(world: Any) -> None:
    world.strike("cancel_fails_once", times=2, for_s=30)


def fill_after_the_reading(world: Any) -> None:
    world.near_entry()

    def dip() -> None:
        time.sleep(0.05 + 0.3 * world.rng.random())
        world.dip()
    world.beside.append(dip)


def partial_fills(world: Any) -> None:
    world.strike("partial_fill_then_disconnect", share=0.5, for_s=4)


def second_kill(world: Any) -> None:
    world.scene.settings["turn"] = {"slot_s": 5, "rank": 0, "of": 2}
    world.commands.append([])       # made when everything is settled: the same settings, the other machine


def kill_host_dies(world: Any) -> None:
    world.dies = world.rng.randint(1, 9)


def clock_skewed(world: Any) -> None:
    world.stale_clock()


def dust(world: Any) -> None:
    world.dust()


def several_positions(world: Any) -> None:
    world.second_position()


def owners_things(world: Any) -> None:
    world.owner()


FAULTS: dict[str, Callable[[Any], None]] = {one.__name__: one for one in (
    owners_things, several_positions, dust, host_cut_off, bot_floods, bot_places_again, audit_disk_full, vault_sealed, lock_held,
    fill_after_the_reading, second_kill, kill_host_dies, clock_skewed, venue_5xx, venue_429, venue_maintenance, venue_slow,
    venue_half_answers, first_cancel_refused, partial_fills)}
#: what has to be at the venue before the bot's own things are (the owner's coins), and what only after (cruelties strike what is placed)
BEFORE = ("owners_things", "several_positions", "dust")
__all__ = ["BEFORE", "FAULTS", "Futures", "Kraken", "World", "eventually"]
