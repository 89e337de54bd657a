"""The ledger is read again by us: a broken chain, a gap, a hole in a trail, a loss or a difference to the venue is seen."""
from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from golive.canonical import encode
from golive.errors import Undecided
from golive.ledger import chain, continuity, orders, profit, reconcile
from golive.probes import ledger

from .fake_look import NOW, FakeLook

NOW_MS = int(NOW.timestamp() * 1000)
START = {"mode": "shadow", "release_digest": "sha256:aa", "risk_config_digest": "sha256:r", "config_digest": "sha256:c"}


class Book:
    """Writes a ledger as the contract describes it (docs/how-to/bring-your-own-bot.md), at chosen times."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.head = chain.GENESIS

    def add(self, kind: str, ago_s: float = 0, **data: Any) -> Book:
        ms = NOW_MS - int(ago_s * 1000)
        record = {"seq": len(self.records) + 1, "at": "x", "ms": ms, "kind": kind, "prev": self.head, **data}
        record["hash"] = self.head = hashlib.sha256(encode(record)).hexdigest()
        self.records.append(record)
        return self

    def beats(self, begin_ago: float, end_ago: float, every: float = 10, **data: Any) -> Book:
        ago = begin_ago
        while ago >= end_ago:
            self.add("heartbeat", ago, last_decision_ms=NOW_MS - int(ago * 1000), **data)
            ago -= every
        return self

    def trade(self, name: str, ago_s: float, buy: str, sell: str, fee: str = "0", holes: tuple[str, ...] = (),
              pair: str = "SHIB/USDT") -> Book:
        signal = f"s{name}"
        for action, side, price in (("entry", "buy", buy), ("exit", "sell", sell)):
            order = {"client_id": f"gl{action[1]}{name}", "signal": signal, "pair": pair, "action": action}
            if action == "entry" and "signal" not in holes:
                self.add("signal", ago_s, signal=signal)
            if action == "entry" and "risk" not in holes:
                self.add("risk", ago_s, signal=signal, allowed=True)
            if "request" not in holes:
                self.add("request", ago_s, **order)
            if "ack" not in holes:
                self.add("ack", ago_s, client_id=order["client_id"], ok=True)
            self.add("fill", ago_s, **order, side=side, volume="1", price=price, fee=fee, txid=f"O{name}{action}", simulated=False)
        return self

    def lines(self) -> list[bytes]:
        return [encode(record) + b"\n" for record in self.records]

    def write(self, path: Path) -> str:
        path.write_bytes(b"".join(self.lines()))
        return str(path)


def observe(path: str, question: str, look: Any = None, **ask: Any) -> Any:
    return ledger.observe({"path": path, "question": question, **ask}, look or FakeLook())


def running(hours: float, **start: Any) -> Book:
    seconds = hours * 3600
    return Book().add("start", seconds, **{**START, **start}).beats(seconds - 60, 0, 60)


# --- one reading for a plan -----------------------------------------------------------------------------------------


def test_questions_of_one_plan_are_answered_from_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, book = tmp_path / "l", running(1)
    book.write(path)
    asked = [{"path": str(path), "question": "window"}, {"path": str(path), "question": "decisions"}]
    monkeypatch.setattr(ledger, "_read_before", {})
    monkeypatch.setattr(ledger, "_expected", set())

    def records(seconds: float = 0.0) -> list[int]:
        look = FakeLook()
        look.now = lambda: NOW + timedelta(seconds=seconds)  # type: ignore[method-assign]
        return [ledger.observe(ask, look).facts["records"] for ask in asked]

    ledger.expect(asked, "bot")
    assert records() == [61, 61]
    book.add("heartbeat", 0, last_decision_ms=NOW_MS).write(path)
    assert records(3) == [61, 61]
    assert ledger.observe(asked[1], FakeLook()).facts["last_decision_age_s"] == 0  # of the moment of the reading
    assert records(20) == [62, 62]
    book.add("heartbeat", 0, last_decision_ms=NOW_MS).write(path)
    ledger.expect(asked, "bot")  # the next plan
    assert records(20) == [63, 63]


def test_a_ledger_that_no_plan_named_is_read_each_time(tmp_path: Path) -> None:
    path, book = tmp_path / "l", running(1)
    assert observe(book.write(path), "window").facts["records"] == 61
    assert observe(book.add("heartbeat").write(path), "window").facts["records"] == 62


# --- the chain ------------------------------------------------------------------------------------------------------


HARMS = ["edit", "remove", "swap", "repeat", "first gone", "not json", "list", "deep", "binary", "future", "setback"]


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_chain_is_broken_and_says_where(harm: str, tmp_path: Path) -> None:
    book = running(1)
    lines = book.lines()
    changes: dict[str, Any] = {
        "edit": lambda: lines.__setitem__(3, lines[3].replace(b'"kind":"heartbeat"', b'"kind":"heartbeet"')),
        "remove": lambda: lines.__delitem__(3),
        "swap": lambda: lines.__setitem__(slice(3, 5), [lines[4], lines[3]]),
        "repeat": lambda: lines.insert(3, lines[3]),
        "first gone": lambda: lines.__delitem__(0),
        "not json": lambda: lines.__setitem__(3, b"{{{\n"),
        "list": lambda: lines.__setitem__(3, b"[]\n"),
        "deep": lambda: lines.__setitem__(3, b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n"),
        "binary": lambda: lines.__setitem__(3, b"\xff\xfe\x00\n"),
        "future": lambda: lines.extend(Book().add("heartbeat", -600).lines()),
        "setback": lambda: lines.extend(running(1).add("heartbeat", 100).lines()[-1:]),
    }
    changes[harm]()
    found = chain.read(lines, NOW_MS)
    assert found.broken is not None
    (tmp_path / "l").write_bytes(b"".join(lines))
    facts = observe(str(tmp_path / "l"), "window").facts
    assert facts["chain_intact"] is False
    assert facts["chain_broken_at"].startswith("line ")


def test_the_line_that_is_being_written_is_left_out() -> None:
    lines = running(1).lines()
    assert chain.read([*lines[:-1], lines[-1][:-7]], NOW_MS).broken is None


@pytest.mark.parametrize("content", [None, b"", b"x", b"\n"])
def test_no_ledger_or_an_empty_one_is_never_good(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "l").write_bytes(content)
    try:
        facts = observe(str(tmp_path / "l"), "window").facts
    except Undecided:
        return
    assert facts["chain_intact"] is False


def test_an_unknown_question_is_undecided(tmp_path: Path) -> None:
    with pytest.raises(Undecided, match="no such question"):
        observe(running(1).write(tmp_path / "l"), "fortune")


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_gap_in_the_window_is_counted_and_ends_continuity() -> None:
    book = Book().add("start", 7200, **START).beats(7140, 3600, 60).beats(3300, 0, 60)
    facts = continuity.continuity(book.records, NOW_MS, 7200, 120)
    assert (facts["gaps"], facts["continuous_s"], facts["longest_gap_s"]) == (1, 3300.0, 300.0)


def test_a_bot_that_stopped_is_a_gap_now() -> None:
    facts = continuity.continuity(Book().add("start", 900, **START).beats(840, 600, 60).records, NOW_MS, 900, 120)
    assert (facts["gaps"], facts["continuous_s"]) == (1, 0.0)


def test_too_young_is_undecided_until_it_is_old_enough(tmp_path: Path) -> None:
    with pytest.raises(Undecided) as caught:
        observe(running(2).write(tmp_path / "l"), "continuity", window_s=3 * 3600, max_gap_s=120)
    assert caught.value.until is not None
    assert caught.value.until > "2026-11-21T12:59:00Z"


def test_days_count_whole_and_only_since_the_last_change() -> None:
    facts = continuity.days(running(49).records, NOW_MS, 86400, 120)
    assert (facts["consecutive_days"], facts["releases"], facts["configurations"]) == (2, ["sha256:aa"], ["sha256:r"])
    book = Book().add("start", 49 * 3600, **START).beats(49 * 3600 - 60, 10 * 3600, 60)
    book.add("start", 10 * 3600 - 60, **{**START, "risk_config_digest": "sha256:other"}).beats(10 * 3600 - 120, 0, 60)
    facts = continuity.days(book.records, NOW_MS, 86400, 120)
    assert (facts["consecutive_days"], facts["changes"]) == (0, 1)


def test_missing_days_are_undecided_with_a_date_and_a_change_is_not(tmp_path: Path) -> None:
    ask = {"day_s": 86400, "max_gap_s": 120, "days_wanted": 5}
    with pytest.raises(Undecided, match="2 of 5 days"):
        observe(running(49).write(tmp_path / "l"), "days", **ask)
    changed = Book().add("start", 7200, **START).beats(7140, 3600, 60).add("start", 3590, **{**START, "release_digest": "sha256:bb"})
    assert observe(changed.beats(3560, 0, 60).write(tmp_path / "l"), "days", **ask).facts["consecutive_days"] == 0


def test_a_window_is_open_only_with_all_digests_and_no_end(tmp_path: Path) -> None:
    facts = observe(running(1).write(tmp_path / "l"), "window", release="sha256:aa").facts
    assert (facts["window_open"], facts["mode"], facts["release_matches"]) == (True, "paper", True)
    assert observe(running(1, release_digest=None).write(tmp_path / "l"), "window", release="sha256:aa").facts["window_open"] is False
    assert observe(running(1).add("stop").write(tmp_path / "l"), "window").facts["window_open"] is False
    assert observe(running(1, mode="live").write(tmp_path / "l"), "window").facts["mode"] == "live"


def test_a_heartbeat_without_decisions_is_old(tmp_path: Path) -> None:
    book = running(1).add("heartbeat", 0, last_decision_ms=NOW_MS - 300_000)
    assert observe(book.write(tmp_path / "l"), "decisions").facts["last_decision_age_s"] == 300
    with pytest.raises(Undecided, match="since its last start"):
        observe(running(1).add("start", **START).write(tmp_path / "l"), "decisions")


# --- orders ---------------------------------------------------------------------------------------------------------


def test_success_counts_the_last_answer_and_silence_is_a_failure() -> None:
    book = Book().trade("a", 500, "1", "2")
    book.add("request", 400, client_id="gle1", action="entry", signal="s1")
    book.add("ack", 399, client_id="gle1", ok=False, errors=["EOrder:x"])
    book.add("request", 300, client_id="gle2", action="entry", signal="s2")
    book.add("request", 1, client_id="gle3", action="entry", signal="s3")
    book.add("request", 0, client_id="gle4", action="cancel")
    facts = orders.success(book.records, 0, NOW_MS)
    assert (facts["orders"], facts["orders_failed"], facts["unexplained_failures"], facts["order_success_ratio"]) == (4, 2, 1, 0.5)


def test_without_orders_there_is_no_ratio(tmp_path: Path) -> None:
    observed = observe(running(1).write(tmp_path / "l"), "orders", window_s=3600)
    assert "order_success_ratio" not in observed.facts
    assert observed.opportunities == 0


@pytest.mark.parametrize("hole", ["signal", "risk", "request", "ack"])
def test_each_missing_link_of_a_trail_is_seen(hole: str) -> None:
    assert orders.trail(Book().trade("a", 100, "1", "2").records, 0, NOW_MS)["orders_without_trail"] == 0
    assert orders.trail(Book().trade("a", 100, "1", "2", holes=(hole,)).records, 0, NOW_MS)["orders_without_trail"] == 2


def test_a_bot_that_stops_ordering_leaves_buckets_empty_with_signals() -> None:
    book = Book()
    for number in range(20):
        book.trade(f"{number}", 4000 - number * 100, "1", "2", holes=("request", "ack") if 10 <= number < 15 else ())
    facts = orders.rate(book.records, NOW_MS, 4000, 200)
    assert facts["buckets_empty_with_signals"] == 2
    assert orders.rate(Book().trade("a", 90, "1", "2").records, NOW_MS, 4000, 200)["buckets"] == 0


# --- money ----------------------------------------------------------------------------------------------------------


def test_net_profit_has_fees_and_open_positions_in_it() -> None:
    book = Book().trade("a", 300, "10", "12", fee="0.5")
    assert profit.pnl(book.records, 0, 86400)["net_profit"] == "1"
    book.add("fill", 200, pair="X/USDT", side="buy", volume="2", price="5", fee="0").add("heartbeat", 100, prices={"X/USDT": "4"})
    assert profit.pnl(book.records, 0, 86400)["net_profit"] == "-1"


def test_the_worst_day_is_its_lowest_moment_by_utc_day() -> None:
    day = 86400
    base = (NOW_MS // 1000) % day
    book = Book()
    for price, ago in (("10", base + day + 3600), ("7", base + day + 1800), ("9", base + 1800)):
        book.add("heartbeat", ago, prices={"X/USDT": price})
        if price == "10":
            book.add("fill", ago - 1, pair="X/USDT", side="buy", volume="1", price="10", fee="0")
    facts = profit.pnl(book.records, 0, day)
    assert (facts["worst_day_loss"], facts["days"]) == ("3", 2)


def test_a_window_counts_only_what_was_won_in_it() -> None:
    book = Book().trade("a", 5000, "10", "20").trade("b", 100, "10", "9")
    facts = profit.pnl(book.records, NOW_MS - 1_000_000, 86400)
    assert (facts["net_profit"], facts["trades"], facts["net_return"]) == ("-1", 1, "-0.1")


@pytest.mark.parametrize("bad", [{"volume": "0"}, {"price": "NaN"}, {"side": "hold"}, {"fee": None}, {"volume": "1e"}, {"price": True}])
def test_a_fill_that_is_none_is_undecided(bad: dict[str, Any], tmp_path: Path) -> None:
    book = Book().add("fill", 5, **{"pair": "X/USDT", "side": "buy", "volume": "1", "price": "1", "fee": "0", **bad})
    with pytest.raises(Undecided, match="cannot be read"):
        observe(book.write(tmp_path / "l"), "pnl", window_s=100, day_s=86400)


def test_doing_nothing_is_not_inside_the_paper_interval() -> None:
    paper = Book()
    for number in range(30):
        paper.trade(f"{number}", 30000 - number * 1000, "10", "11" if number % 2 else "10.5")
    live = Book().add("start", 20000, **START).add("heartbeat", 0)
    facts = profit.compare(live.records, paper.records, 0, NOW_MS)
    assert facts["trade_rate_inside"] is False
    same = Book()
    for number in range(20):
        same.trade(f"{number}", 20000 - number * 1000, "10", "11" if number % 2 else "10.5")
    facts = profit.compare(same.records, paper.records, 0, NOW_MS)
    assert (facts["trade_rate_inside"], facts["return_inside"]) == (True, True)


def test_live_is_compared_with_paper_by_the_pairs_that_it_follows() -> None:
    paper = Book()
    for number in range(240):     # two pairs on paper, of which live trades one
        paper.trade(f"{number}", 30000 - number * 125, "10", "11" if number % 4 < 2 else "10.5", pair=("SHIB/USDT", "XRP/USDT")[number % 2])

    def rate(*followed: list[str]) -> tuple[int, bool | None]:
        live = Book()
        for number in range(80):
            live.trade(f"{number}", 20000 - number * 250, "10", "11" if number % 2 else "10.5")
        for pairs in followed:
            live.add("heartbeat", 0, prices=dict.fromkeys(pairs, "10"))
        facts = profit.compare(live.records, paper.records, 0, NOW_MS)
        return facts["paper_trades"], facts.get("trade_rate_inside")

    assert rate(["SHIB/USDT"]) == (120, True)
    assert rate(["SHIB/USDT", "XRP/USDT"], ["SHIB/USDT"]) == (120, True)      # the second pair came, or went, on the way
    assert rate(["SHIB/USDT", "XRP/USDT"]) == rate() == (240, False)


def test_time_in_which_golive_held_the_entries_is_no_idleness() -> None:
    paper = Book()
    for number in range(30):
        paper.trade(f"{number}", 30000 - number * 1000, "10", "11" if number % 2 else "10.5")

    def rate(*heartbeats: tuple[float, list[str]]) -> bool | None:
        live = Book().add("start", 20000, **START)
        for age, halts in heartbeats:
            live.add("heartbeat", age, halts=halts)
        found: bool | None = profit.compare(live.records, paper.records, 0, NOW_MS).get("trade_rate_inside")
        return found

    assert rate((19999, ["no_entries"]), (100, []), (50, [])) is True      # free for 100 s: a twelfth of a trade was to be expected
    assert rate((19999, ["starting"]), (19998, []), (50, [])) is False     # free all the time, and nothing done
    assert rate((19999, []), (19000, ["no_entries"]), (50, ["no_entries"])) is False   # what stops it later is for others to explain
    assert rate((19999, ["no_entries"]), (50, ["no_entries"])) is None     # never free: nothing is known


# --- the venue ------------------------------------------------------------------------------------------------------


def venue_trades(book: Book) -> dict[str, Any]:
    return {
        f"T{number}": {"ordertxid": one["txid"], "time": one["ms"] / 1000, "vol": one["volume"], "fee": one["fee"],
                       "cost": str(Decimal(one["volume"]) * Decimal(one["price"]))}
        for number, one in enumerate(record for record in book.records if record["kind"] == "fill")
    }  # fmt: skip


@pytest.mark.parametrize("harm", ["none", "ours gone", "theirs gone", "fee"])
def test_what_the_venue_tells_otherwise_is_a_difference(harm: str) -> None:
    book = Book().trade("a", 500, "10", "11", fee="0.1")
    theirs, ours = venue_trades(book), list(book.records)
    if harm == "ours gone":
        ours = [record for record in ours if record["kind"] != "fill" or record["side"] == "buy"]
    elif harm == "theirs gone":
        theirs.popitem()
    elif harm == "fee":
        theirs["T0"]["fee"] = "0.2"
    found = reconcile.differences(reconcile.of_ledger(ours, 0, NOW_MS), reconcile.of_trades(theirs, 0, NOW_MS))
    assert len(found) == (harm != "none")


def test_a_position_that_the_account_does_not_hold_is_a_difference() -> None:
    book = Book().add("fill", 9, pair="SHIB/USDT", side="buy", volume="5", price="1", fee="0", txid="O")
    assert reconcile.missing_holdings(book.records, {"SHIB": Decimal(5)}) == []
    assert len(reconcile.missing_holdings(book.records, {})) == 1


SOLD = {"ordertxid": "STOP", "pair": "SHIBUSDT", "type": "sell", "vol": "5", "time": NOW_MS / 1000 - 2}


@pytest.mark.parametrize(("sold", "differ"), [
    ([SOLD], 0),                                             # the stop fired after the bot's last question
    ([{**SOLD, "time": NOW_MS / 1000 - 60}], 1),             # long enough ago to stand in the ledger
    ([{**SOLD, "vol": "4"}], 1), ([{**SOLD, "type": "buy"}], 1), ([{**SOLD, "pair": "XRPUSDT"}], 1), ([], 1)])
def test_a_position_sold_at_the_venue_a_moment_ago_is_explained_by_its_trades_only(sold: list[dict[str, Any]], differ: int) -> None:
    book = Book().add("fill", 300, pair="SHIB/USDT", side="buy", volume="5", price="1", fee="0", txid="O")
    trades = {f"T{number}": one for number, one in enumerate(sold)}
    assert len(reconcile.missing_holdings(book.records, {}, trades, NOW_MS - 30_000)) == differ


def test_what_is_executed_on_both_sides_counts_once() -> None:
    book = Book().add("fill", 2, pair="SHIB/USDT", side="buy", volume="5", price="1", fee="0", txid="O")
    bought = {"T": {"ordertxid": "O", "pair": "SHIBUSDT", "type": "buy", "vol": "5", "time": NOW_MS / 1000 - 2}}
    assert reconcile.missing_holdings(book.records, {"SHIB": Decimal(5)}, bought, NOW_MS - 30_000) == []
    assert len(reconcile.missing_holdings(book.records, {"SHIB": Decimal(4)}, bought, NOW_MS - 30_000)) == 1


def test_an_account_that_moves_while_it_is_read_is_read_again() -> None:
    balances = iter([{"SHIB": "5"}, {}, {}])

    class Venue:
        def private(self, method: str, **_ask: str) -> Any:
            return next(balances) if method == "Balance" else {"trades": {}, "count": 0}

    assert ledger._still(Venue(), 0) == ({}, {})  # type: ignore[arg-type]
    balances = iter([{"SHIB": str(number)} for number in range(9)])
    with pytest.raises(Undecided, match="changed during each of 3 readings"):
        ledger._still(Venue(), 0)  # type: ignore[arg-type]


def test_times_are_utc() -> None:
    assert datetime.fromtimestamp(NOW_MS / 1000, UTC) - NOW < timedelta(seconds=1)
    assert json.loads(running(1).lines()[0])["kind"] == "start"


@pytest.mark.parametrize(("pair", "asset"), [("SHIB/USDT", "SHIB"), ("XRP/USDT", "XXRP"), ("ETH/USDT", "XETH"), ("BTC/USDT", "XXBT")])
def test_a_position_is_found_by_the_venues_own_name_of_its_asset(pair: str, asset: str) -> None:
    book = Book().add("fill", 9, pair=pair, side="buy", volume="5", price="1", fee="0", txid="O")
    assert reconcile.missing_holdings(book.records, {asset: Decimal(5)}) == []
    assert len(reconcile.missing_holdings(book.records, {asset: Decimal(4)})) == 1
