"""The stimuli of the list, one function each: what was done to the bot, and what the venue saw of it.

Each returns (what was measured, how often it could have gone wrong); the control stimulus that must succeed comes first, so that
a dead bot never looks safe. `Make` opens a copy of the bot with an account of its own.
"""
from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from .world import PAIRS, RIGHTS, Copy, Exchange, NotSeen, wait_for

Make = Callable[..., Copy]
Found = tuple[dict[str, Any], int]
DAY_S = 86400
LOSING_FILLS = 3
HOLD = {"strategy__max_hold_candles": 100000, "strategy__exit_z": "50"}


def _refused(bot: Copy, reason: str) -> list[dict[str, Any]]:
    return [one for one in bot.ledger("risk") if reason in one["reasons"]]


def _positions(exchange: Exchange, bot: Copy) -> dict[str, Any]:
    """Return what was bought and is still there by pair, with the quantity that no resting stop covers.

    One answer of the venue, as its market goes on: between two answers a stop may fire, and leave neither position nor stop.
    """
    found: dict[str, Any] = exchange.state(bot.account)["positions"]
    return found


def _naked(positions: dict[str, Any]) -> int:
    return sum(1 for one in positions.values() if float(one["without_stop"]) > 0)


def paper_mode(exchange: Exchange, make: Make) -> Found:
    """In paper a signal makes a fill in the ledger and no request at the venue; the same market makes a live copy order."""
    live, paper = make("wire").start(), make("shadow").start()
    wait_for(lambda: exchange.entries(live.account) >= 1, "the live copy orders in the same market")
    wait_for(lambda: len(paper.ledger("signal")) >= 5 and paper.ledger("fill"), "signals and fills of the paper copy")
    totals = exchange.verdicts(paper.account)["totals"]
    return {"control_stimulus_passed": True, "order_requests": totals["order_requests"], "paper_fills": len(paper.ledger("fill"))}, len(
        paper.ledger("signal"))


def lost_answer(exchange: Exchange, make: Make) -> Found:
    """The venue executes and its answer is lost: the bot asks before it orders again, by the same client order id."""
    bot = make("wire")
    exchange.strike("drop_ack_after_execution", bot.account, endpoints="AddOrder", times=6)
    bot.start()
    def lost() -> list[dict[str, Any]]:
        return [one for one in bot.ledger("ack") if one.get("found")]

    found = wait_for(lambda: len(lost()) >= 5 and lost(), "five lost answers")
    rules = exchange.verdicts(bot.account)["rules"]
    orders = exchange.state(bot.account)["orders"]
    every = [*orders["open"], *orders.get("closed", [])]
    nameless = sum(1 for one in every if not (one.get("cl_ord_id") or one.get("client_id")))
    return {"control_stimulus_passed": True, "duplicate_orders": rules["duplicate_client_id"]["fail"] + rules["idempotent_retry"]["fail"],
            "orders_without_client_id": nameless}, len(found)


def frozen_feed(exchange: Exchange, make: Make) -> Found:
    """The feed freezes while its socket lives: no entry once the last price is older than the limit."""
    limit = 2.0
    bot = make("wire", risk__max_price_age_s=limit, strategy__max_hold_candles=5).start()
    bot.wait_position()
    exchange.strike("ws_silence", bot.account, heartbeats=True)
    wait_for(lambda: min(age or 0 for age in bot.health()["price_age_s"].values()) > limit, "old prices")
    before, decided = exchange.entries(bot.account), bot.health()["decisions"]
    wait_for(lambda: bot.health()["decisions"] > decided + 40, "decisions on old prices")
    return {"control_stimulus_passed": before >= 1, "entries_on_stale_price": exchange.entries(bot.account) - before,
            "stale_after_s": limit}, bot.health()["decisions"] - decided


def total_loss(exchange: Exchange, make: Make) -> Found:
    """Losing fills reach the total limit: the bot stops itself, keeps its exits, and a restart does not bring it back."""
    bot = make("wire", circuit_breaker__total_loss=-0.3, circuit_breaker__max_daily_loss=100.0, risk__max_daily_loss=100.0,
               risk__stop_loss_fraction="0.01", strategy__max_hold_candles=4).start()
    tripped = wait_for(lambda: bot.ledger("breaker"), "the breaker trips", 90)[0]
    killed = wait_for(lambda: bot.ledger("kill"), "the bot stops itself")[0]
    losing = len(bot.ledger("exit")) + len([one for one in bot.ledger("fill") if one.get("action") == "stop"])
    before, decided = exchange.entries(bot.account), bot.health()["decisions"]
    naked = [one for one in bot.health()["positions"] if not one["stop"]]
    wait_for(lambda: bot.health()["decisions"] > decided + 40, "decisions after the trip")
    bot.end(signal.SIGKILL)
    bot.start()
    wait_for(lambda: bot.health()["decisions"] > 40, "decisions after the restart")
    return {"control_stimulus_passed": before >= 1, "entries_after": exchange.entries(bot.account) - before,
            "exits_possible": not naked, "reset_by_itself": bot.health()["effective_mode"] != "halted", "human_needed": False,
            "stopped_s": (killed["ms"] - tripped["ms"]) / 1000, "limit_quote": "-0.3"}, losing


def daily_loss(exchange: Exchange, make: Make) -> Found:
    """Losing fills reach the daily limit: entries end, also across kill -9, until the next UTC day. Moves the exchange's clock."""
    bot = make("wire", circuit_breaker__max_daily_loss=100.0, circuit_breaker__total_loss=-100.0, risk__max_daily_loss=0.3,
               risk__stop_loss_fraction="0.01", strategy__max_hold_candles=4).start()
    wait_for(lambda: bot.ledger("daily_limit"), "the daily limit", 90)
    before, decided = exchange.entries(bot.account), bot.health()["decisions"]
    wait_for(lambda: bot.health()["decisions"] > decided + 40, "decisions after the limit")
    # What was open when the limit was reached belongs to the loss; in a sharp move that is most of it.
    wait_for(lambda: not bot.health()["positions"], "what was open at the limit is closed", 60)
    losing, after = len(bot.ledger("exit")), exchange.entries(bot.account)
    if losing < LOSING_FILLS:
        raise NotSeen(f"{LOSING_FILLS} losing fills before the daily limit: the market made it in {losing}")
    bot.end(signal.SIGKILL)
    bot.start()
    wait_for(lambda: bot.health()["decisions"] > 40, "decisions after the restart")
    restarted = exchange.entries(bot.account)
    bot.end()
    exchange.admin("POST", "clock", {"step": DAY_S})
    bot.start(ahead_s=DAY_S)
    wait_for(lambda: exchange.entries(bot.account) > restarted, "an entry on the next day", 60)
    return {"control_stimulus_passed": before >= 1, "entries_after": after - before, "entries_after_restart": restarted - after,
            "entries_next_day": exchange.entries(bot.account) - restarted, "limit_quote": "0.3"}, losing


def many_signals(exchange: Exchange, make: Make) -> Found:
    """More pairs signal than positions are allowed: the venue never sees more held than the limit."""
    bot = make("wire", trade_pairs=PAIRS, max_positions=3, **HOLD).start()
    wait_for(lambda: _refused(bot, "max_positions") and len(bot.ledger("signal")) >= 8, "a signal beyond the limit", 60)
    most = 0
    for _ in range(20):
        most = max(most, len(_positions(exchange, bot)))
        time.sleep(0.1)
    return {"control_stimulus_passed": most >= 1, "positions_max": most}, len(bot.ledger("signal"))


def balance_sources_fail(exchange: Exchange, make: Make) -> Found:
    """One balance source after another fails: the next is used, and with none left nothing is bought."""
    def tier(bot: Copy) -> float:
        return next(float(line.split()[1]) for line in bot.get("/metrics").splitlines() if line.startswith("bot_balance_tier "))

    first = make("wire").start()
    used = {wait_for(lambda: tier(first), "the first source")}
    bot = make("wire", rights=RIGHTS[:-1]).start()
    used.add(wait_for(lambda: tier(bot) == 2.0 and 2.0, "the second source"))
    wait_for(lambda: exchange.entries(bot.account) >= 1, "an entry by the second source")
    exchange.strike("balance_source_failure", bot.account, endpoints="BalanceEx")
    used.add(wait_for(lambda: tier(bot) == 3.0 and 3.0, "the third source"))
    exchange.calm()  # of two cruelties of one name the first strikes
    exchange.strike("balance_source_failure", bot.account, endpoints="BalanceEx,Balance")
    wait_for(lambda: _refused(bot, "balance_unknown"), "an entry refused for want of a balance", 60)
    before = exchange.entries(bot.account)
    wait_for(lambda: len(_refused(bot, "balance_unknown")) >= 5, "five signals without a balance", 60)
    exchange.calm()
    return {"control_stimulus_passed": True, "tiers_used": len(used), "orders_on_stale_balance": exchange.entries(bot.account) - before,
            }, len(_refused(bot, "balance_unknown"))


def venue_fails(exchange: Exchange, make: Make) -> Found:
    """The venue answers with errors: the bot goes to paper, its stops stay at the venue, and only a person brings it back."""
    bot = make("wire", max_positions=1, **HOLD).start()
    bot.wait_position()
    # An order in flight is resolved before the mode changes; here none is, so that the time to the switch is the switch's own.
    wait_for(lambda: bot.health()["unresolved_orders"] == 0 and bot.health()["reconciled"], "no order in flight")
    before, started = exchange.entries(bot.account), time.monotonic()
    exchange.strike("http_5xx", bot.account)
    wait_for(lambda: bot.health()["effective_mode"] == "paper", "the switch to paper")
    seconds = time.monotonic() - started
    exchange.calm()
    naked = _naked(_positions(exchange, bot))
    bot.end()
    bot.start()
    wait_for(lambda: bot.health()["decisions"] > 40, "decisions after the restart")
    fills = sum(1 for one in bot.ledger("fill") if not one.get("simulated"))
    return {"control_stimulus_passed": before >= 1, "seconds_to_paper": round(seconds, 3), "positions_without_stop": naked,
            "orders_after_switch": exchange.entries(bot.account) - before, "returned_by_itself": bot.health()["effective_mode"] != "paper",
            "positions_equal_venue": fills == len(exchange.state(bot.account)["fills"])}, 1


def bot_cut_off(exchange: Exchange, make: Make) -> Found:
    """The bot dies with a position open: a resting stop at the venue covers it."""
    # One position: with room for more the kill can fall between another entry's fill and its stop, which is no question of what rests.
    bot = make("wire", max_positions=1, **HOLD).start()
    bot.wait_position()
    bot.end(signal.SIGKILL)
    started = time.monotonic()
    held = _positions(exchange, bot)
    time.sleep(1)  # the drill's own waiting time: what protects must still be there later
    return {"control_stimulus_passed": bool(held), "positions_naked": _naked(_positions(exchange, bot)),
            "waited_s": round(time.monotonic() - started, 3)}, len(held)


def kill_and_restart(exchange: Exchange, make: Make) -> Found:
    """kill -9 with a position open: positions, orders, breaker and the day's loss are the same afterwards."""
    bot = make("wire", **HOLD).start()
    bot.wait_position()
    (bot.folder / "control/no_entries").touch()
    wait_for(lambda: "no_entries" in bot.health()["entries_halted_by"], "entries end, so that nothing changes meanwhile")
    wait_for(lambda: bot.health()["reconciled"] and not bot.health()["unresolved_orders"], "quiet books")
    before, orders = bot.health(), sorted(str(one.get("cl_ord_id") or one.get("client_id")) for one in exchange.open_orders(bot.account))
    bot.end(signal.SIGKILL)
    bot.start()
    # One that fell back to paper for want of answers from the venue shows the books of its paper half: nothing is compared with those.
    after = wait_for(lambda: (now := bot.health())["reconciled"] and now["effective_mode"] == before["effective_mode"] and now,
                     "the books agree with the venue, in the mode of before")
    known = sorted(one["client_id"] for one in after["orders"])
    day = [one["day"] for one in bot.ledger("day")]
    return {"positions_equal": after["positions"] == before["positions"], "orders_equal": known == orders,
            "breaker_equal": after["latches"]["breaker"] == before["latches"]["breaker"], "daily_loss_equal": len(day) == len(set(day)),
            }, len(before["positions"])


def bad_signals(exchange: Exchange, make: Make) -> Found:
    """Four situations that forbid an entry: each refuses with its reason and sends no order; the good one before them ordered."""
    bot = make("wire", max_positions=1, **HOLD).start()
    wait_for(lambda: exchange.entries(bot.account) >= 1, "the good signal orders")
    wait_for(lambda: _refused(bot, "max_positions"), "a signal beyond the limit", 60)
    other = make("wire", strategy__max_hold_candles=4)
    (other.folder / "control/no_entries").touch()
    other.start()
    wait_for(lambda: _refused(other, "no_entries"), "a signal while entries are forbidden", 60)
    exchange.strike("balance_source_failure", other.account, endpoints="BalanceEx,Balance,TradeBalance")
    oversized = make("wire", position_size_usdt=10.0, rights=RIGHTS[:-1])
    exchange.admin("PATCH", f"accounts/{oversized.account}", {"deposit": {"USDT": "-195"}})
    oversized.start()
    wait_for(lambda: _refused(oversized, "balance"), "a signal larger than the balance", 60)
    stale = make("wire", risk__max_spread_fraction="0.0000001").start()
    wait_for(lambda: _refused(stale, "spread"), "a signal in a market that is too wide", 60)
    sent = exchange.entries(bot.account) - 1 + sum(exchange.entries(one.account) for one in (other, oversized, stale))
    refusals = [one for each in (bot, other, oversized, stale) for one in each.ledger("risk") if not one.get("allowed", False)]
    return {"control_stimulus_passed": True, "orders_for_bad_signals": sent,
            "rejections_without_reason": sum(1 for one in refusals if not one["reasons"] and one.get("allowed") is False)}, 4


SCENARIOS: dict[str, Callable[[Exchange, Make], Found]] = {
    "wire_paper_mode": paper_mode, "wire_lost_answer": lost_answer, "wire_frozen_feed": frozen_feed, "wire_total_loss": total_loss,
    "wire_many_signals": many_signals, "wire_balance_sources_fail": balance_sources_fail,
    "wire_venue_fails": venue_fails, "wire_bot_cut_off": bot_cut_off, "wire_bad_signals": bad_signals, "kill_and_restart": kill_and_restart,
    # Last: it moves the exchange's clock by a day.
    "wire_daily_loss": daily_loss}
