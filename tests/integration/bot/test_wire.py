"""The bot on the wire: what the exchange's judge says, and what is left when things break."""
from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.exchange_sandbox.conftest import Client

from .conftest import RIGHTS, wait_for


def counted(bot: Any, *kinds: str) -> int:
    return len(bot.ledger(*kinds))


def test_orders_fills_and_stops_draw_no_complaint_of_the_judge(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot().start()
    wait_for(lambda: counted(bot, "exit") >= 2, "two round trips")
    bot.wait_position()
    verdicts = exchange.verdicts(bot.account)
    assert verdicts["totals"]["fail"] == 0, {name: one for name, one in verdicts["rules"].items() if one["fail"]}
    assert verdicts["totals"]["unjudged"] == 0
    assert verdicts["totals"]["entries"] >= 2
    assert bot.stop() == 0
    assert bot.ledger()[-1]["kind"] == "stop"
    assert {order["type"] for order in exchange.open_orders(bot.account)} <= {"stop-loss"}


def test_shadow_trades_on_paper_and_sends_nothing_private(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot("shadow").start()
    wait_for(lambda: counted(bot, "fill") >= 2, "fills of the dry run")
    assert exchange.verdicts(bot.account)["totals"]["requests"] == 0
    assert all(record["simulated"] for record in bot.ledger("fill", "request"))


def test_a_lost_answer_leaves_one_order_one_position_one_stop(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot()
    exchange.strike("drop_ack_after_execution", bot.account, endpoints="AddOrder", times=1)
    bot.start()
    position = bot.wait_position()
    found = [record for record in bot.ledger("ack") if record.get("found")]
    assert len(found) == 1
    volumes = [record["volume"] for record in bot.ledger("fill") if record["signal"] == bot.ledger("fill")[0]["signal"]]
    assert position["volume"] in volumes
    assert exchange.verdicts(bot.account)["rules"]["duplicate_client_id"]["fail"] == 0


def test_kill_nine_with_an_open_position_comes_back_to_the_same_books(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(strategy__max_hold_candles=100000, strategy__exit_z="50").start()
    before = bot.wait_position()
    bot.kill()
    resting = {order.get("cl_ord_id") or order.get("client_id") for order in exchange.open_orders(bot.account)}
    assert before["stop"] in resting
    bot.start()
    wait_for(lambda: bot.health()["reconciled"], "the books to agree with the venue")
    after = {one["pair"]: one for one in bot.health()["positions"]}
    assert after[before["pair"]] == before


def test_trouble_at_the_venue_ends_on_paper_with_stops_in_place_and_no_way_back_by_restart(
    make_bot: Callable[..., Any], exchange: Any
) -> None:
    bot = make_bot(strategy__max_hold_candles=100000, strategy__exit_z="50").start()
    position = bot.wait_position()
    exchange.strike("http_5xx", bot.account)
    wait_for(lambda: bot.health()["effective_mode"] == "paper", "the failsafe")
    exchange.calm()
    sent = exchange.verdicts(bot.account)["totals"]["entries"]
    bot.stop()
    bot.start()
    wait_for(lambda: bot.health()["decisions"] > 40, "decisions after the restart")
    assert bot.health()["effective_mode"] == "paper"
    assert exchange.verdicts(bot.account)["totals"]["entries"] == sent
    assert position["stop"] in json.dumps(exchange.open_orders(bot.account))
    bot.stop()
    assert bot.command("release", "--latch", "failsafe", "--by", "operator", "--reason", "venue is well again").returncode == 0
    bot.start()
    assert bot.health()["effective_mode"] == "wire"


def test_a_kill_file_stops_entries_and_keeps_stops_across_a_restart(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(strategy__max_hold_candles=100000, strategy__exit_z="50").start()
    position = bot.wait_position()
    (bot.folder / "control/kill").touch()
    wait_for(lambda: bot.health()["effective_mode"] == "halted", "the kill")
    (bot.folder / "control/kill").unlink()
    bot.stop()
    bot.start()
    assert bot.health()["effective_mode"] == "halted"
    assert position["stop"] in json.dumps(exchange.open_orders(bot.account))


def test_no_entries_is_obeyed_and_lifted(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot()
    (bot.folder / "control/no_entries").touch()
    bot.start()
    wait_for(lambda: [one for one in bot.ledger("risk") if "no_entries" in one["reasons"]], "a signal that was blocked")
    assert exchange.verdicts(bot.account)["totals"]["entries"] == 0
    (bot.folder / "control/no_entries").unlink()
    bot.wait_position()


def tier(bot: Any) -> str:
    return next(line.split()[1] for line in bot.get("/metrics")[1].splitlines() if line.startswith("bot_balance_tier "))


def test_balance_falls_back_tier_by_tier_and_nothing_is_bought_without_one(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot().start()
    wait_for(lambda: tier(bot) == "1.0", "the stream's balance")
    bot.stop()
    bot = make_bot(rights=RIGHTS).start()
    wait_for(lambda: tier(bot) == "2.0", "the second source")
    exchange.strike("balance_source_failure", bot.account, endpoints="BalanceEx")
    wait_for(lambda: tier(bot) == "3.0", "the third source")
    exchange.calm()
    exchange.strike("balance_source_failure", bot.account, endpoints="BalanceEx,Balance")
    wait_for(lambda: [one for one in bot.ledger("risk") if "balance_unknown" in one["reasons"]], "an entry refused for want of a balance")
    entries = exchange.verdicts(bot.account)["totals"]["entries"]
    seen = counted(bot, "risk")
    wait_for(lambda: counted(bot, "risk") > seen, "one more signal")
    assert exchange.verdicts(bot.account)["totals"]["entries"] == entries


def test_a_frozen_feed_ends_entries(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(risk__max_price_age_s=1, strategy__max_hold_candles=5).start()
    bot.wait_position()
    exchange.strike("ws_silence", heartbeats=True)
    wait_for(lambda: min(age or 0 for age in bot.health()["price_age_s"].values()) > 1.5, "old prices")
    before = exchange.verdicts(bot.account)["totals"]["entries"]
    decided = bot.health()["decisions"]
    wait_for(lambda: bot.health()["decisions"] > decided + 40, "decisions on old prices")
    assert exchange.verdicts(bot.account)["totals"]["entries"] == before


def test_the_key_never_stands_in_log_health_or_metrics(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot()
    exchange.strike("key_revoked", bot.account)
    bot.start()
    wait_for(lambda: "EAPI:Invalid key" in bot.log(), "the venue's refusal in the log")
    said = bot.log() + bot.get("/health")[1] + bot.get("/metrics")[1] + bot.get("/")[1] + (bot.folder / "out").read_text()
    assert bot.key["key"] not in said
    assert bot.key["secret"] not in said


def test_the_emergency_button_asks_for_password_and_form_and_then_stops(make_bot: Callable[..., Any]) -> None:
    bot = make_bot("shadow").start()
    status, page = bot.get("/")
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert (status, bool(token)) == (200, True)
    form = f"csrf={token[1] if token else ''}".encode()
    basic = {"Authorization": "Basic " + base64.b64encode(b"golive:correct horse").decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"golive:wrong horse").decode()}
    assert bot.get("/emergency-stop", data=form)[0] == 401
    assert bot.get("/emergency-stop", wrong, form)[0] == 401
    assert bot.get("/emergency-stop", basic, b"csrf=" + b"0" * 64)[0] == 403
    assert bot.get("/emergency-stop", {**basic, "Origin": "http://evil.example"}, form)[0] == 403
    assert bot.get("/", {"Host": "evil.example:80"})[0] == 403
    assert bot.health()["effective_mode"] == "shadow"
    assert bot.get("/emergency-stop", basic, form)[0] == 200
    wait_for(lambda: bot.health()["effective_mode"] == "halted", "the stop")


def test_self_check_and_diagnosis_say_unknown_when_the_venue_is_silent(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot("shadow").start()
    good = json.loads(bot.command("check", "--json").stdout)
    assert (good["failed"], good["components"] >= 5) == (0, True)
    exchange.strike("html_error", endpoints="SystemStatus")
    answer = bot.command("diagnose", "--topic", "api")
    report = json.loads(answer.stdout)
    assert (answer.returncode, report["unknown"]) == (1, ["venue_status"])
    assert json.loads(bot.command("check", "--json").stdout)["failed_names"] == ["venue_rest"]


def test_two_instances_on_one_ledger_are_refused_in_one_sentence(make_bot: Callable[..., Any]) -> None:
    bot = make_bot("shadow").start()
    again = bot.command("run")
    assert again.returncode == 2
    assert "another process writes this ledger" in again.stderr
    assert "Traceback" not in again.stderr


def entries(bot: Any, exchange: Any) -> int:
    return int(exchange.verdicts(bot.account)["totals"]["entries"])


def test_a_breaker_tripped_by_losses_ends_entries_across_kill_nine(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(circuit_breaker__max_daily_loss=0.2, risk__stop_loss_fraction="0.02")
    exchange.strike("losing_fills", bot.account, pct=4)
    bot.start()
    wait_for(lambda: bot.health()["latches"]["breaker"], "the breaker")
    wait_for(lambda: entries(bot, exchange) >= 1, "the exchange to have judged the entry")
    before = entries(bot, exchange)
    bot.kill()
    bot.start()
    decided = bot.health()["decisions"]
    wait_for(lambda: [one for one in bot.ledger("risk")[-3:] if "breaker" in one["reasons"]], "a signal that the breaker blocked")
    wait_for(lambda: bot.health()["decisions"] > decided + 40, "more decisions")
    assert entries(bot, exchange) == before
    assert bot.health()["latches"]["breaker"]


def test_the_total_loss_stops_the_bot_by_itself(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(circuit_breaker__total_loss=-0.2, risk__stop_loss_fraction="0.02")
    exchange.strike("losing_fills", bot.account, pct=4)
    bot.start()
    wait_for(lambda: bot.health()["effective_mode"] == "halted", "the bot to stop itself")
    assert "total loss" in bot.ledger("kill")[0]["reason"]
    assert {order["type"] for order in exchange.open_orders(bot.account)} <= {"stop-loss"}


def test_the_fault_that_trades_on_paper_is_seen_by_the_exchange(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot("shadow", faults={"paper_sends_orders": True}).start()
    wait_for(lambda: "leaked order refused" in bot.log(), "the order that must not be")
    assert counted(bot, "fill") >= 1


WRONGS = {"sign_other_bytes": "signature", "no_rounding": "filters", "binary_floats": "filters", "no_stop": "order_without_stop",
          "nonce_two_generators": "nonce_rising"}  # fmt: skip


@pytest.mark.parametrize(("fault", "rule"), WRONGS.items())
def test_each_fault_is_called_by_its_rule(make_bot: Callable[..., Any], exchange: Any, fault: str, rule: str) -> None:
    bot = make_bot(faults={fault: True}).start()
    wait_for(lambda: exchange.verdicts(bot.account)["rules"][rule]["fail"], f"the judge to name {rule}")


def rest_beside(exchange: Any, bot: Any) -> None:
    """Let an order rest on the bot's account that the bot knows nothing of."""
    made = exchange.admin("POST", "keys", {"account": bot.account, "rights": RIGHTS})
    client = Client(f"http://127.0.0.1:{exchange.port}", made["key"], made["secret"])
    client.buy(ordertype="limit", price="0.00000100", volume="1000000", cl_ord_id="gle-beside")


def rests(exchange: Any, bot: Any) -> bool:
    return "gle-beside" in json.dumps(exchange.open_orders(bot.account))


def test_a_timer_that_runs_at_the_venue_is_switched_off_by_the_first_decision_and_orders_outlive_the_bot(
    make_bot: Callable[..., Any], exchange: Any
) -> None:
    bot = make_bot(faults={"no_signals": True})
    rest_beside(exchange, bot)
    made = exchange.admin("POST", "keys", {"account": bot.account, "rights": RIGHTS})
    Client(f"http://127.0.0.1:{exchange.port}", made["key"], made["secret"]).good("CancelAllOrdersAfter", timeout=12)
    set_at = exchange.admin("GET", "clock")["now"]
    bot.start()
    wait_for(lambda: "CancelAllOrdersAfter" in asked(exchange, bot), "the timer to be switched off")
    bot.kill()
    wait_for(lambda: exchange.admin("GET", "clock")["now"] > set_at + 13, "the time at which it would have fired")
    assert rests(exchange, bot)


def test_a_bot_that_lives_and_does_not_decide_lets_the_venue_cancel(make_bot: Callable[..., Any], exchange: Any) -> None:
    bot = make_bot(failsafe__on_disconnect="cancel_all", failsafe__disconnect_timeout_s=3, faults={"no_stop": True, "no_signals": True})
    bot.start()
    rest_beside(exchange, bot)
    first = exchange.admin("GET", "clock")["now"]
    wait_for(lambda: exchange.admin("GET", "clock")["now"] > first + 6, "twice the timer's time")
    assert rests(exchange, bot)     # it decides, and so the timer never fires
    bot.stop()
    bot.config["faults"]["stop_deciding"] = True
    bot.start()
    wait_for(lambda: not rests(exchange, bot), "the venue to cancel")
    assert bot.process.poll() is None


def asked(exchange: Any, bot: Any) -> set[str]:
    rows = exchange.admin("GET", f"requests?limit=200&account={bot.account}")["requests"]
    return {str(one.get("endpoint") or one.get("path")).rpartition("/")[2] for one in rows}
