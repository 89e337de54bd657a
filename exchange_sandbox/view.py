"""The venue's own word about an account, in venue-neutral JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accounts import Account
from .money import ZERO, plain, quantum
from .orders import Fill, Order
from .positions import Position

if TYPE_CHECKING:
    from .core import Exchange

FILLS_SHOWN = 1_000


def order_view(order: Order) -> dict[str, Any]:
    out = order.to_dict()
    for name in ("fee_exact", "seq", "account", "amends"):
        out.pop(name)
    return out


def fill_view(fill: Fill) -> dict[str, Any]:
    out = fill.to_dict()
    out.pop("account")
    return out


def _contract(exchange: Exchange, account: Account, position: Position) -> dict[str, Any]:
    """One open position of a perpetual."""
    mark = exchange.engine.index_price[position.symbol]
    return {
        "side": "long" if position.qty > 0 else "short",
        "position_side": position.side,
        "qty": plain(position.qty),
        "entry": plain(position.entry.quantize(quantum(8))),
        "mark": plain(mark),
        "value": plain(position.qty * mark),
        "profit": plain(position.profit(mark)),
        "leverage": account.futures.leverage_of(position.symbol),
        "margin": account.futures.margin_of(position.symbol),
        "without_stop": plain(exchange.judge.naked(account, position.symbol)),
    }


def _margin(exchange: Exchange, account: Account, symbol: str, side: str) -> dict[str, Any]:
    """What is borrowed on one spot pair."""
    loans = [loan for loan in exchange.engine.lending.of(account, symbol) if loan.side == side]
    mark, qty = exchange.engine.index_price[symbol], sum((loan.left for loan in loans), ZERO)
    return {
        "side": "long" if side == "buy" else "short",
        "qty": plain(qty),
        "entry": plain((sum((loan.cost_left for loan in loans), ZERO) / qty).quantize(quantum(8))),
        "mark": plain(mark),
        "value": plain(qty * mark),
        "profit": plain(sum((loan.profit(mark) for loan in loans), ZERO)),
        "margin": plain(sum((loan.margin for loan in loans), ZERO)),
        "without_stop": plain(exchange.judge.naked(account, symbol)),
    }


def account_view(exchange: Exchange, account: Account, short: bool = False) -> dict[str, Any]:
    """Return balances, orders, fills, positions (spot: what was bought and is still there) and equity in dollars."""
    engine = exchange.engine
    opened = list(engine.open_by_account[account.name].values())
    value = exchange.markets.value(account)
    out: dict[str, Any] = {
        "name": account.name,
        "created": account.created,
        "now": exchange.clock.now(),
        "tier": account.tier,
        "limits": account.limits,
        "profile": account.profile,
        "balances": {asset: plain(amount) for asset, amount in sorted(account.balances.items())},
        "held": {asset: plain(amount) for asset, amount in sorted(account.holds.items()) if amount},
        "equity_usd": None if value is None else plain(value),
        "open_orders": len(opened),
        "fills": len(account.fills),
    }
    if short:
        return out
    positions: dict[str, Any] = {}
    for symbol, item in engine.instruments.items():
        qty = account.balance(item.base) if item.venue == account.venue else ZERO
        if item.contract is not None:
            for position in account.futures.open():
                if position.symbol == symbol:
                    positions["%s %s" % (symbol, position.side)] = _contract(exchange, account, position)
        elif qty:
            positions[symbol] = {
                "side": "long",
                "qty": plain(qty),
                "value": plain(qty * engine.last_price[symbol]),
                "without_stop": plain(exchange.judge.naked(account, symbol)),
            }
        for side in dict.fromkeys(loan.side for loan in engine.lending.of(account, symbol)):
            positions["%s margin" % symbol] = _margin(exchange, account, symbol, side)
    out.update(
        {
            "orders": {
                "open": [order_view(order) for order in opened],
                "closed": [order_view(order) for order in engine.orders_of(account.name)[-FILLS_SHOWN:] if not order.is_open],
                "total": len(engine.history[account.name]),
            },
            "fills": [fill_view(fill) for fill in account.fills[-FILLS_SHOWN:]],
            "fills_total": len(account.fills),
            "positions": positions,
            "cancel_all_at": account.cancel_all_at,
            "countdowns": dict(account.countdowns),
            "venue": account.venue,
        }
    )
    level = engine.lending.level(account)
    if level is not None:
        out["margin"] = {"level": plain(level.quantize(quantum(4))), "called": engine.lending.called.get(account.name)}
    return out
