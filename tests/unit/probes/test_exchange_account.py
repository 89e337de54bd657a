"""The venue's own word on endpoint, market and account; the wire is a table of answers in Kraken's documented form."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from golive.errors import Undecided
from golive.exchange.model import Answer
from golive.exchange.transport import Peer, Trouble
from golive.guard import kraken_rows
from golive.kill_switch import kill_switch
from golive.probes import _kraken
from golive.probes.exchange_account import FACTS, observe

from .fake_look import NOW, FakeLook

REFERENCE = "vault:kv/x/query#key"
KEY = json.dumps({"key": "SANDBOXquery", "secret": "c2VjcmV0LW9mLXRoZS1xdWVyeS1rZXktdGhhdC1pcy1sb25nLWVub3VnaA=="})
SHIB = {"SHIBUSDT": {"wsname": "SHIB/USDT", "ordermin": "50000", "costmin": "0.5", "status": "online"}}


class Wire:
    """What the venue answers, by method; a callable gets the parameters."""

    def __init__(self, **answers):
        self.answers = {
            "SystemStatus": {"status": "online"}, "Time": {"unixtime": int(NOW.timestamp())}, "AssetPairs": SHIB,
            "Ticker": {"SHIBUSDT": {"c": ["0.00001", "1"]}}, "BalanceEx": {"USDT": {"balance": "100", "hold_trade": "0"}},
            "OpenOrders": {"open": {}}, "ClosedOrders": {"closed": {}, "count": 0}, "OpenPositions": {}, **answers,
        }  # fmt: skip
        self.address, self.headers, self.sent = "127.0.0.1", {"x-golive-sandbox": "rehearsal"}, []

    def __call__(self, where):
        self.where = where
        return self

    def addresses(self, _deadline):
        return [self.address]

    def send(self, request, _deadline):
        parts = urlsplit(request.target)
        method = parts.path.rpartition("/")[2]
        self.sent.append((request.method, method))
        params = {name: values[0] for name, values in parse_qs(parts.query or request.body.decode()).items()}
        answer = self.answers[method]
        answer = answer(params) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        body = answer if isinstance(answer, bytes) else json.dumps({"error": [answer], "result": None} if isinstance(answer, str) else
                                                                   {"error": [], "result": answer}).encode()  # fmt: skip
        return Answer(200, self.headers, body), Peer(self.where.host, self.address, "golive test")


@pytest.fixture
def ask(monkeypatch):
    def asked(rehearsal=True, wire=None, answers=None, **question):
        wire = wire or Wire()
        monkeypatch.setattr(_kraken, "Transport", wire)
        look = FakeLook(answers, rehearsal=rehearsal, secrets={REFERENCE: KEY})
        return observe({"venue": "kraken", "base_url": "https://venue:443", **question}, look)

    return asked


def account(ask, **answers):
    return ask(wire=Wire(**answers), credential=REFERENCE, client_id_prefix="gl", stop_distance_max=0.05).facts


def stop(volume="1000000", price="0.0000098", pair="SHIBUSDT", client_id="gls1", **more):
    return {
        "cl_ord_id": client_id,
        "vol": volume,
        "vol_exec": "0",
        "descr": {"pair": pair, "type": "sell", "ordertype": "stop-loss", "price": price},
        **more,
    }


SHIBS = {"USDT": {"balance": "90"}, "SHIB": {"balance": "1000000"}}


def bought(price="0.00001", volume="1000000", at=1.0, side="buy"):
    """A closed order of the bot's that filled."""
    cost = str(Decimal(price) * Decimal(volume))
    return {"cl_ord_id": "gle1", "vol": volume, "vol_exec": volume, "cost": cost, "closetm": at, "status": "closed",
            "descr": {"pair": "SHIBUSDT", "type": side, "ordertype": "market", "price": "0"}}  # fmt: skip


def protected(ask, price, paid="0.00001", now="0.00001", closed=None):
    return account(ask, BalanceEx=SHIBS, OpenOrders={"open": {"O1": stop(price=price)}}, Ticker={"SHIBUSDT": {"c": [now, "1"]}},
                   ClosedOrders={"closed": {"C1": bought(paid)} if closed is None else closed})["stops_insane"]  # fmt: skip


def test_status_clock_pairs_and_endpoint(ask):
    seen = ask(pairs=["SHIB/USDT"])
    facts = seen.facts
    assert (facts["venue_status"], facts["clock_offset_abs_s"], facts["pairs_missing"], facts["pairs_not_tradable"]) == (
        "online",
        0,
        [],
        [],
    )
    assert facts["endpoint.private_address"] is True
    assert facts["endpoint.sandbox_marker"] is True
    assert all(name in FACTS or f"{name.split('.')[0]}.*" in FACTS for name in facts)


def test_a_venue_clock_that_is_off_is_told(ask):
    assert ask(wire=Wire(Time={"unixtime": int(NOW.timestamp()) - 7})).facts["clock_offset_abs_s"] == pytest.approx(6, abs=1)


def test_a_pair_that_the_venue_does_not_know_is_missing(ask):
    assert ask(pairs=["DOGE/USDT"], wire=Wire(AssetPairs="EQuery:Unknown asset pair")).facts["pairs_missing"] == ["DOGE/USDT"]


def test_a_pair_that_is_not_online_is_told(ask):
    offline = {"SHIBUSDT": {**SHIB["SHIBUSDT"], "status": "cancel_only"}}
    assert ask(pairs=["SHIB/USDT"], wire=Wire(AssetPairs=offline)).facts["pairs_not_tradable"] == ["SHIB/USDT: cancel_only"]


def test_an_exit_walks_the_book(ask):
    book = {"SHIBUSDT": {"bids": [["0.00001", "9000000", 1], ["0.000005", "900000000", 1]], "asks": [["0.00001001", "9000000", 1]]}}
    facts = ask(pairs=["SHIB/USDT"], notional=5, wire=Wire(Depth=book)).facts
    assert facts["exit.below_minimum"] == []
    assert facts["exit.depth_ratio_min"] == pytest.approx(18)
    assert facts["exit.spread_bps_max"] == pytest.approx(9.99, abs=0.01)


def test_a_size_below_the_minimum_cannot_be_sold(ask):
    book = {"SHIBUSDT": {"bids": [["0.00001", "9000000", 1]], "asks": [["0.00001001", "9000000", 1]]}}
    assert ask(pairs=["SHIB/USDT"], notional=0.4, wire=Wire(Depth=book)).facts["exit.below_minimum"] == ["SHIB/USDT"]


def test_the_peg_is_a_cross_rate(ask):
    prices = {"XBTUSD": "99000", "XBTUSDT": "100000"}
    wire = Wire(Ticker=lambda params: {params["pair"]: {"c": [prices[params["pair"]]]}})
    assert ask(peg_pairs=["XBT/USD", "XBT/USDT"], wire=wire).facts["peg.price"] == pytest.approx(0.99)


def difference(ask, said, *quotes):
    left = [{"SHIBUSDT": {"b": [bid], "c": [last], "a": [high]}} for bid, last, high in quotes]
    return ask(pairs=["SHIB/USDT"], bot_health_url="http://bot/health", answers={"/health": {"prices": {"SHIB/USDT": said}}},
               wire=Wire(Ticker=lambda _params: left.pop(0))).facts["price.difference_bps_max"]  # fmt: skip


@pytest.mark.parametrize(("said", "bps"), [("1.00", 0), ("1.03", 0), ("0.99", 0), ("1.04", 0), ("1.05", 100), ("0.97", 200)])
def test_the_bots_price_is_held_against_what_the_venue_said_before_and_after_it(ask, said, bps):
    assert difference(ask, said, ("0.99", "1.00", "1.01"), ("1.02", "1.03", "1.04")) == pytest.approx(bps)


def test_an_empty_account_has_nothing_open(ask):
    facts = account(ask)
    assert (facts["open_orders"], facts["positions"], facts["margin_used"], facts["equity"]) == (0, 0, False, "100.0000")
    assert facts["foreign_orders"] == facts["positions_without_stop"] == facts["unpriced"] == []


def test_a_position_without_a_stop_is_told(ask):
    assert account(ask, BalanceEx=SHIBS)["positions_without_stop"] == ["SHIB: 1E+6"]


def test_a_position_with_a_stop_of_its_size_is_covered(ask):
    facts = account(ask, BalanceEx=SHIBS, OpenOrders={"open": {"O1": stop()}}, ClosedOrders={"closed": {"C1": bought()}})
    assert (facts["positions"], facts["positions_without_stop"], facts["stops_insane"]) == (1, [], [])


@pytest.mark.parametrize(("asset", "pair"), [("XXRP", "XRPUSDT"), ("XXBT", "XBTUSDT"), ("XETH", "ETHUSDT"), ("XZEC", "ZECUSDT")])
def test_a_stop_covers_an_asset_that_has_another_name_in_the_balance(ask, asset, pair):
    held = {"USDT": {"balance": "90"}, asset: {"balance": "1000000"}}
    paid = bought()
    paid["descr"]["pair"] = pair
    ticker = {pair: {"c": ["0.00001", "1"]}}
    orders = {"OpenOrders": {"open": {"O1": stop(pair=pair)}}, "ClosedOrders": {"closed": {"C1": paid}}}
    covered = account(ask, BalanceEx=held, Ticker=ticker, **orders)
    assert (covered["positions_without_stop"], covered["stops_insane"]) == ([], [])
    assert account(ask, BalanceEx=held, Ticker=ticker)["positions_without_stop"] == [f"{asset}: 1E+6"]


def other(side, kind):
    return {**stop(), "descr": {"pair": "SHIBUSDT", "type": side, "ordertype": kind, "price": "0.1"}}


@pytest.mark.parametrize("order", [
    stop(volume="400000"), stop(pair="XRPUSDT"), stop(vol_exec="900000", cost="9"), other("sell", "limit"), other("buy", "stop-loss"),
])  # fmt: skip
def test_what_does_not_protect_the_whole_position_leaves_it_naked(ask, order):
    closed = {"closed": {"C1": bought(volume="1900000")}}
    assert account(ask, BalanceEx=SHIBS, OpenOrders={"open": {"O1": order}}, ClosedOrders=closed)["positions_without_stop"]


@pytest.mark.parametrize("price", ["0.000001", "0.00002", "0"])
def test_a_stop_far_away_or_on_the_wrong_side_is_insane(ask, price):
    assert len(protected(ask, price)) == 1


@pytest.mark.parametrize("now", ["0.0000099", "0.0000101", "0.00002", "0.0001"])
def test_the_distance_of_a_stop_is_from_what_was_paid_wherever_the_market_went(ask, now):
    assert protected(ask, "0.0000098", now=now) == []
    assert len(protected(ask, "0.0000094", now=now)) == 1


def test_what_was_paid_is_the_average_of_the_buys_that_made_the_position(ask):
    earlier = {"C0": bought("0.00009", at=0.1), "C1": bought("0.00009", at=0.2, side="sell")}
    two = {"C2": bought("0.00001", "500000", at=1), "C3": bought("0.000012", "500000", at=2), **earlier}
    assert protected(ask, "0.0000105", now="0.000011", closed=two) == []
    assert protected(ask, "0.0000104", now="0.000011", closed=two) == ["O1: 0.0000104 of 0.000011, now 0.000011"]


def test_a_stop_of_a_position_whose_price_nobody_tells_is_not_judged(ask):
    with pytest.raises(Undecided, match="do not reach back to what SHIB was bought at"):
        protected(ask, "0.0000098", closed={})


def test_dust_is_no_position(ask):
    facts = account(ask, BalanceEx={"SHIB": {"balance": "10"}})
    assert (facts["positions"], facts["positions_without_stop"]) == (0, [])


def test_an_asset_that_nobody_prices_counts_as_held(ask):
    facts = account(ask, BalanceEx={"WEIRD": {"balance": "3"}}, Ticker="EQuery:Unknown asset pair")
    assert (facts["unpriced"], facts["positions"], facts["foreign_assets"]) == (["WEIRD"], 1, ["WEIRD"])


@pytest.mark.parametrize("where", ["OpenOrders", "ClosedOrders"])
def test_an_order_without_the_bots_prefix_is_foreign(ask, where):
    rows = {"O9": stop(client_id="someone"), "O8": stop(client_id=None), "O7": stop()}
    answers = {where: {"open" if where == "OpenOrders" else "closed": rows}}
    assert account(ask, **answers)["foreign_orders"] == ["O8", "O9"]


SOLS = {"SOLUSDT": {"altname": "SOLUSDT", "wsname": "SOL/USDT", "base": "SOL", "quote": "USDT", "ordermin": "0.1", "status": "online"}}


def on_margin(ask, side="buy", cost="300", now="100", net="0", stops=(), **answers):
    """Three SOL on margin, at 100; the venue names the pair by its key in positions and by its other name in orders."""
    position = {"pair": "SOLUSDT", "type": side, "vol": "3", "vol_closed": "0", "cost": cost, "net": net}
    rows = {"M%d" % number: one for number, one in enumerate(stops)}
    return account(ask, **{"OpenPositions": {"T1": position}, "OpenOrders": {"open": rows}, "AssetPairs": SOLS,
                           "Ticker": {"SOLUSDT": {"c": [now, "1"]}}, **answers})  # fmt: skip


def margin_stop(side="sell", price="97", volume="3", kind="stop-loss", leverage="3:1"):
    about = {"pair": "SOLUSDT", "type": side, "ordertype": kind, "price": price, "leverage": leverage}
    return {"cl_ord_id": "gls1", "vol": volume, "vol_exec": "0", "cost": "0", "opentm": 1.0, "reduce_only": True, "descr": about}


def test_margin_is_told(ask):
    facts = on_margin(ask, net="-1.5")
    assert (facts["margin_used"], facts["positions"], facts["equity"]) == (True, 1, "98.5000")


@pytest.mark.parametrize(("side", "stop"), [("buy", margin_stop()), ("sell", margin_stop("buy", "103"))])
def test_a_position_on_margin_is_covered_by_a_stop_of_its_size_on_margin(ask, side, stop):
    covered = on_margin(ask, side, stops=[stop])
    assert (covered["positions_without_stop"], covered["stops_insane"]) == ([], [])
    assert on_margin(ask, side)["positions_without_stop"] == ["SOLUSDT margin: 3"]


@pytest.mark.parametrize("stop", [
    margin_stop(volume="2"), margin_stop("buy", "103"), margin_stop(kind="limit"), margin_stop(leverage="none"), margin_stop(leverage=None),
])  # fmt: skip
def test_what_does_not_protect_the_whole_of_a_position_on_margin_leaves_it_naked(ask, stop):
    assert on_margin(ask, stops=[stop])["positions_without_stop"]


def test_a_stop_on_margin_protects_no_coins(ask):
    facts = on_margin(ask, stops=[margin_stop()], BalanceEx={"SOL": {"balance": "3"}})
    assert facts["positions_without_stop"] == ["SOL: 3"]


@pytest.mark.parametrize(("side", "price", "now", "sane"), [
    ("buy", "95.1", "100", True), ("buy", "94.9", "100", False), ("buy", "101", "100", False), ("buy", "94.9", "96", False),
    ("buy", "101", "120", True), ("buy", "0", "100", False), ("sell", "104.9", "100", True), ("sell", "105.1", "100", False),
    ("sell", "99", "100", False), ("sell", "99", "90", True), ("sell", "0", "100", False),
])  # fmt: skip
def test_a_stop_on_margin_is_measured_from_what_was_paid_on_either_side(ask, side, price, now, sane):
    stop = margin_stop("sell" if side == "buy" else "buy", price)
    assert (on_margin(ask, side, now=now, stops=[stop])["stops_insane"] == []) is sane


def test_a_stop_on_margin_that_trails_covers_and_has_no_distance(ask):
    facts = on_margin(ask, stops=[margin_stop(kind="trailing-stop", price="+1.0%")])
    assert (facts["positions_without_stop"], facts["stops_insane"]) == ([], [])


@pytest.mark.parametrize("answers", [
    {"OpenPositions": None}, {"OpenPositions": []}, {"OpenPositions": {"T1": 7}}, {"AssetPairs": SHIB}, {"AssetPairs": []},
    {"Ticker": {}}, {"OpenPositions": {"T1": {"pair": "SOLUSDT", "type": "buy", "vol": "a lot", "cost": "1"}}},
    {"OpenPositions": {"T1": {"pair": "SOLUSDT", "type": "long", "vol": "1", "cost": "1"}}},
    {"OpenOrders": {"open": {"M1": {**margin_stop(), "vol": None}}}},
])  # fmt: skip
def test_margin_that_is_not_told_as_documented_is_undecided(ask, answers):
    with pytest.raises(Undecided):
        on_margin(ask, **answers)


def test_the_probe_and_the_guard_take_the_same_orders_for_stops_as_the_kill_switch():
    assert kraken_rows.STOP_TYPES == kill_switch.STOP_TYPES


def test_a_fee_below_the_venues_is_told(ask, tmp_path):
    path = tmp_path / "shadow.json"
    path.write_text('{"paper": {"taker_fee": "0.001"}}')
    wire = Wire(TradeVolume={"fees": {"SHIBUSDT": {"fee": "0.4000"}}})
    facts = ask(wire=wire, pairs=["SHIB/USDT"], credential=REFERENCE, bot_configuration=str(path)).facts
    assert facts["fees.modelled_below_venue"] == ["SHIB/USDT: 0.001 below 0.004"]


def test_nothing_but_reading_is_ever_asked(ask):
    wire = Wire(BalanceEx=SHIBS)
    ask(wire=wire, pairs=["SHIB/USDT"], credential=REFERENCE, client_id_prefix="gl", stop_distance_max=0.05)
    private = {name for method, name in wire.sent if method == "POST"}
    assert private == {"BalanceEx", "OpenOrders", "ClosedOrders", "OpenPositions"}


def test_a_sandbox_key_is_not_used_in_production(ask):
    wire = Wire()
    wire.address, wire.headers = "104.16.1.1", {}
    with pytest.raises(Undecided, match="rehearsal"):
        ask(rehearsal=False, wire=wire, credential=REFERENCE)
    assert not [one for one in wire.sent if one[0] == "POST"]


def test_a_rehearsal_does_not_use_its_key_at_a_public_address(ask):
    wire = Wire()
    wire.address = "104.16.1.1"
    with pytest.raises(Undecided, match="public address"):
        ask(wire=wire, credential=REFERENCE)


def test_production_tells_a_sandbox_that_answers_in_the_venues_place(ask):
    facts = ask(rehearsal=False).facts
    assert facts["endpoint.sandbox_marker"] is True
    assert facts["endpoint.private_address"] is True


@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b'{"error":[]}', {"status": 7}, "EService:Unavailable", Trouble("no way", again=True), b"{" * 70000]
)
def test_a_venue_that_does_not_answer_is_undecided(ask, answer):
    with pytest.raises(Undecided):
        ask(wire=Wire(SystemStatus=answer))


@pytest.mark.parametrize("answers", [
    {"BalanceEx": []}, {"BalanceEx": {"USDT": {"balance": "NaN"}}}, {"BalanceEx": {"USDT": None}}, {"OpenOrders": {}},
    {"BalanceEx": "EAPI:Invalid nonce"}, {"ClosedOrders": {"closed": []}},
])  # fmt: skip
def test_an_account_that_is_not_told_is_undecided(ask, answers):
    with pytest.raises(Undecided):
        account(ask, **answers)


def test_a_refusal_shows_no_part_of_the_key(ask):
    with pytest.raises(Undecided) as raised:
        account(ask, BalanceEx="EAPI:Invalid key SANDBOXquery")
    assert "SANDBOXquery" not in raised.value.reason


@pytest.mark.parametrize(
    "question", [{"venue": "binance"}, {"base_url": "http://venue"}, {"pairs": ["SHIB"]}, {"credential": "vault:other#key"}]
)
def test_a_question_that_means_nothing_is_undecided(ask, question):
    with pytest.raises(Undecided):
        ask(**question)
