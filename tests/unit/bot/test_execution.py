"""An order is written before it is sent, exists at most once at the venue, and every position gets a stop."""
from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from kraken_micro.book import State
from kraken_micro.errors import VenueRefused, VenueUnclear
from kraken_micro.execution import Execution, Intent, client_id
from kraken_micro.faults import Faults
from kraken_micro.metrics import Metrics
from kraken_micro.venue import OrderState


class FakeOrders:
    """A venue that fills immediate orders at once; `trouble` is raised before or after an order took effect."""

    def __init__(self) -> None:
        self.there: dict[str, OrderState] = {}
        self.sent: list[str] = []
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.deaf = False
        self.fill = Decimal(1)

    async def add(self, _instrument: Any, name: str, _side: str, order_type: str, volume: Decimal, price: Decimal | None) -> str:
        self.sent.append(name)
        if self.before and (trouble := self.before.pop(0)):
            raise trouble
        if any(one.client_id == name for one in self.there.values()):
            raise VenueRefused(["EOrder:cl_ord_id not unique"])
        txid = f"O{len(self.there)}"
        done = volume * self.fill if order_type == "limit" else Decimal(0)
        status = "closed" if order_type == "limit" else "open"
        self.there[txid] = OrderState(txid, name, status, done, done * (price or 0), Decimal("0.01") * (done > 0))
        if self.after and (trouble := self.after.pop(0)):
            raise trouble
        return txid

    async def find(self, name: str) -> OrderState | None:
        if self.deaf:
            raise VenueUnclear("silent")
        return next((one for one in self.there.values() if one.client_id == name), None)

    async def query(self, txids: list[str]) -> dict[str, OrderState]:
        if self.deaf:
            raise VenueUnclear("silent")
        return {txid: self.there[txid] for txid in txids}

    async def cancel(self, txid: str) -> None:
        old = self.there[txid]
        self.there[txid] = OrderState(txid, old.client_id, "canceled", old.executed, old.cost, old.fee)


@pytest.fixture
def venue() -> FakeOrders:
    return FakeOrders()


@pytest.fixture
def make(open_ledger: Callable[[], Any], venue: FakeOrders, clock: Any) -> Any:
    def build(**faults: Any) -> tuple[Execution, State, Any]:
        ledger, state = open_ledger()
        execution = Execution(ledger, state.venue, venue, Metrics(), Faults(faults), clock, clock.sleep)  # type: ignore[arg-type]
        return execution, state, ledger

    return build


@pytest.fixture
def entry(shib: Any) -> Intent:
    return Intent(shib, "entry", "buy", "limit", Decimal(100000), Decimal("0.00001"), "abcdef0123456")


def test_client_ids_are_ours_short_and_the_same_for_each_attempt() -> None:
    assert client_id("entry", "abcdef0123456789") == client_id("entry", "abcdef0123456789")
    assert len(client_id("stop", "a" * 15, 7)) <= 18
    assert client_id("stop", "a" * 15).startswith("gl")


async def test_a_filled_entry_is_a_position_with_its_fee(make: Any, entry: Intent) -> None:
    execution, state, _ = make()
    await execution.place(entry)
    assert state.venue.positions["SHIB/USDT"].cost == Decimal("1.01")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_answer_never_becomes_a_second_order(make: Any, venue: FakeOrders, entry: Intent, when: str) -> None:
    getattr(venue, when).append(VenueUnclear("timeout"))
    execution, state, _ = make()
    await execution.place(entry)
    assert len(venue.there) == 1
    assert len(set(venue.sent)) == 1
    assert state.venue.positions["SHIB/USDT"].volume == 100000


async def test_the_fault_with_a_new_id_per_attempt_does_double_the_order(make: Any, venue: FakeOrders, entry: Intent) -> None:
    venue.after.append(VenueUnclear("timeout"))
    execution, _state, _ = make(client_id_per_attempt=True)
    await execution.place(entry)
    assert len(venue.there) == 2


async def test_a_duplicate_refused_by_the_venue_is_the_order_we_already_have(make: Any, venue: FakeOrders, entry: Intent) -> None:
    execution, state, _ = make()
    await venue.add(None, entry.client_id, "buy", "limit", entry.volume, entry.price)
    await execution.place(entry)
    assert len(venue.there) == 1
    assert state.venue.positions["SHIB/USDT"].volume == 100000


async def test_what_the_venue_does_not_tell_stays_unresolved_until_it_does(make: Any, venue: FakeOrders, entry: Intent) -> None:
    venue.after.append(VenueUnclear("timeout"))
    venue.deaf = True
    execution, state, _ = make()
    assert await execution.place(entry) is None
    assert [order.client_id for order in state.venue.unresolved()] == [entry.client_id]
    venue.deaf = False
    await execution.resolve(entry.client_id)
    assert not state.venue.unresolved()
    assert state.venue.positions["SHIB/USDT"].volume == 100000


async def test_an_absent_order_is_given_up_only_after_its_deadline(make: Any, venue: FakeOrders, entry: Intent, clock: Any) -> None:
    venue.before.append(VenueUnclear("timeout"))
    started = clock.now
    execution, _state, _ = make()
    await execution.place(entry)
    assert clock.now - started > 3
    assert venue.sent == [entry.client_id] * 2


async def test_a_kill_between_order_and_answer_is_found_out_at_the_next_start(
    make: Any, venue: FakeOrders, entry: Intent, open_ledger: Any, clock: Any
) -> None:
    class KilledError(BaseException):
        pass

    execution, _state, ledger = make()
    venue.after.append(KilledError())  # type: ignore[arg-type]
    with pytest.raises(KilledError):
        await execution.place(entry)
    ledger.close()
    ledger, state = open_ledger()
    again = Execution(ledger, state.venue, venue, Metrics(), Faults({}), clock, clock.sleep)  # type: ignore[arg-type]
    for order in state.venue.unresolved():
        await again.resolve(order.client_id)
    assert len(venue.there) == 1
    assert state.venue.positions["SHIB/USDT"].volume == 100000


async def test_a_refusal_is_final_and_in_the_venues_words(make: Any, venue: FakeOrders, entry: Intent) -> None:
    venue.before.append(VenueRefused(["EOrder:Insufficient funds"]))
    execution, state, ledger = make()
    assert await execution.place(entry) is None
    assert state.venue.positions == {}
    assert [record["errors"] for record in ledger.read() if record["kind"] == "ack"] == [["EOrder:Insufficient funds"]]


async def test_telling_a_fill_twice_changes_nothing(make: Any, venue: FakeOrders, entry: Intent) -> None:
    execution, state, _ = make()
    order = await execution.place(entry)
    execution.record(order, venue.there["O0"])
    assert state.venue.positions["SHIB/USDT"].volume == 100000


async def test_a_restart_folds_to_the_same_state(make: Any, venue: FakeOrders, entry: Intent, open_ledger: Any) -> None:
    venue.fill = Decimal("0.37")
    execution, state, ledger = make()
    await execution.place(entry)
    ledger.append("breaker", reason="loss", simulated=False)
    ledger.close()
    _, again = open_ledger()
    assert again == state
    assert again.latches.breaker == "loss"


async def test_orders_of_a_minute_ago_are_forgotten_without_another_order(make: Any, entry: Intent, clock: Any) -> None:
    execution, _, _ = make()
    await execution.place(entry)
    assert execution.sent_last_minute() == 1
    clock.now += 60
    assert execution.sent_last_minute() == 0
