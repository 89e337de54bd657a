"""A bot's account on margin at Kraken: positions long and short, entries on both sides, reduce-only stops, and the owner's own position."""
from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from tests.integration.exchange_sandbox.conftest import Sandbox
from tests.integration.kill_switch.scene import Scene


class MarginScene(Scene):
    """Pairs that the venue lends on: SOL and XRP are the bot's, BTC is the owner's."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        super().__init__(sandbox, folder, "m-%s" % uuid.uuid4().hex[:10], {"USDT": "20000"})
        self.settings.update(pairs=["SOLUSDT", "XRPUSDT"], margin=True)

    def order(self, side: str, volume: str, pair: str = "SOLUSDT", **more: Any) -> str:
        made = self.bot.good("AddOrder", **{"pair": pair, "type": side, "ordertype": "market", "volume": volume, "leverage": "3",
                                            **self.own(), **more})
        return str(made["txid"][0])

    def held(self, side: str = "buy", *, volume: str = "3", pair: str = "SOLUSDT", stop: bool = True) -> None:
        """A position of the bot's, with its stop."""
        self.order(side, volume, pair)
        if stop:
            self.stop_of(side, volume, pair)

    def stop_of(self, side: str, volume: str, pair: str = "SOLUSDT") -> str:
        out, factor = ("sell", 0.9) if side == "buy" else ("buy", 1.1)
        return self.order(out, volume, pair, ordertype="stop-loss", price=self.price(factor, pair), reduce_only="true")

    def both_entries(self, pair: str = "SOLUSDT") -> None:
        """Orders that would open or enlarge, on either side."""
        self.order("buy", "1", pair, ordertype="limit", price=self.price(0.7, pair))
        self.order("sell", "1", pair, ordertype="limit", price=self.price(1.3, pair))

    def positions(self) -> dict[str, float]:
        """Return {pair: size}, short ones negative."""
        found: dict[str, float] = {}
        for one in self.bot.good("OpenPositions").values():
            size = float(one["vol"]) - float(one["vol_closed"])
            found[one["pair"]] = found.get(one["pair"], 0.0) + (size if one["type"] == "buy" else -size)
        return {pair: round(size, 8) for pair, size in found.items() if abs(size) > 1e-9}

    def stops(self) -> list[dict[str, Any]]:
        return [one for one in self.open_orders().values() if one["descr"]["ordertype"] == "stop-loss"]
