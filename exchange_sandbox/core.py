"""The exchange as one object: clock, engine, markets, keys, journal, judge, recorder and cruelties, and what ties them together."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

from . import state
from .accounts import Account
from .clock import Clock
from .config import Config
from .cruelty import Active, Cruelties
from .doors import Doors
from .effects import Effects
from .engine import Engine, Fact
from .errors import BadRequest, SandboxError
from .ids import Ids
from .instruments import Instrument
from .journal import Journal
from .judge import Judge
from .keys import Key, KeyStore, hashed
from .market import Markets
from .money import parse
from .orders import Fill, Refusal
from .rates import KRAKEN_TIERS, Counter, Tier
from .recorder import Metrics, Recorder
from .recording import Recording
from .scenario import Scenario
from .scenario import read as read_scenario
from .seen import Seen

#: real seconds between beats of the market
BEAT_S = 0.1
Listener = Callable[[list[Fact]], None]


class Exchange:
    """State and rules; venues translate the wire into calls on it."""

    def __init__(
        self,
        config: Config,
        instruments: Iterable[Instrument],
        clock: Optional[Clock] = None,
        recordings: Optional[Mapping[str, Recording]] = None,
    ) -> None:
        self.config = config
        self.clock = clock or Clock()
        try:
            config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise SandboxError("state_dir %s cannot be made: %s" % (config.state_dir, exc.strerror)) from None
        self.engine = Engine(instruments, Ids(config.market.seed))
        self.keys = KeyStore(config.state_dir / "keys.json")
        self.metrics = Metrics()
        self.recorder = Recorder(config.state_dir, config.requests_max_mb, self.metrics)
        self.cruelties = Cruelties(config.market.seed)
        self.judge = Judge(self.engine, self.clock)
        self.markets = Markets(self.engine, config.market, self.clock.now())
        for symbol, recording in (recordings or {}).items():
            self.markets.by_symbol[symbol].generator.replay(recording, self.clock.now())
        self.rest_counters: dict[str, Counter] = {}
        self.trade_counters: dict[tuple[str, str], Counter] = {}
        self.public_counters: dict[str, Counter] = {}
        #: accounts that have used a key from an address, newest last (scope of cruelties on public calls)
        self.addresses: dict[str, str] = {}
        self.failures: dict[str, list[float]] = {}
        self.listeners: list[Listener] = []
        #: called after each beat of the market
        self.after_beat: list[Callable[[], None]] = []
        #: pair names of the venues -> symbol; each venue adds its own finder
        self.pair_finders: list[Callable[[str], Optional[str]]] = [lambda name: name if name in self.engine.instruments else None]
        self.effects = Effects(self)
        self.scenario = Scenario(self)
        self.doors = Doors()
        self.doors.is_expired = lambda: self.cruelty("certificate_expired", None) is not None
        self.has_tls = False
        self._dirty_nonces: set[str] = set()
        self._beat: Optional[asyncio.Task[None]] = None
        self.generation = 0
        #: process id of a child that folds the journal
        self.folding: Optional[int] = None
        self.journal: Journal = state.load(self)
        self.judge.rebuild()
        self.markets.start(self.clock.now())
        self.publish()
        # Before everything that is given out from now on: who is killed twice in a row must not begin twice at the same ids.
        self.journal.append([state.market_fact(self)])
        if config.scenario is not None:
            self.scenario.start(read_scenario(config.scenario))

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to move the markets. Needs a running event loop."""
        self._beat = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop moving and leave everything on disk."""
        if self._beat is not None:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat
        self.publish()
        self._note_nonces()
        with contextlib.suppress(SandboxError):
            state.fold_ended(self, wait=True)
        self.journal.append([state.market_fact(self)])
        self.journal.close()
        self.keys.save()
        self.recorder.close()

    async def _run(self) -> None:
        beats = 0
        while True:
            self.advance()
            beats += 1
            self._note_nonces()
            try:
                self.recorder.flush()
            except OSError as error:
                self.fault("record", error)
            if beats % 50 == 0:
                self.journal.append([state.market_fact(self)])
            await self._commit_quietly()
            await asyncio.sleep(BEAT_S)

    async def _commit_quietly(self) -> None:
        """The beat goes on when the disk refuses; each request that needs it is refused by `durable`."""
        with contextlib.suppress(SandboxError):
            await self.journal.commit()
        try:
            state.fold_ended(self)
            if self.folding is None and self.journal.size > state.FOLD_AT and self.journal.idle:
                state.fold_running(self)
        except SandboxError as error:
            self.fault("fold", error)

    def advance(self) -> None:
        """Bring everything to the present exchange time."""
        now = self.clock.now()
        self.scenario.beat(now)
        for cruelty in self.cruelties.expired(now):
            self.effects.end(cruelty)
        self.engine.expire(now)
        self.markets.advance(now)
        self.effects.beat(now)
        self.publish()
        for callback in self.after_beat:
            callback()
        self.judge.tick(now)
        while self.judge.late:
            seen, account, rule, verdict, why = self.judge.late.popleft()
            self.recorder.add_late(seen, account, rule, verdict, why, now)

    def publish(self) -> list[Fact]:
        """Take the engine's facts: journal them, follow fills, tell the streams."""
        facts = self.engine.drain()
        if not facts:
            return facts
        kept = [fact for fact in facts if fact["t"] != "triggered"]
        self.journal.append(kept)
        for fact in facts:
            if fact["t"] == "fill":
                fill = Fill.from_dict(fact["fill"])
                self.judge.filled(self.engine.accounts[fill.account], fill)
                self.effects.on_fill(fill)
        for listener in self.listeners:
            listener(facts)
        return facts

    async def durable(self) -> None:
        """Return when every order, fill and balance so far is on disk.

        Nonces alone are not waited for: they go to disk with the next beat. A crash within it lets a nonce of that beat be used again.
        """
        if self.journal.urgent or self.journal.failed:
            self._note_nonces()
            await self.journal.commit()

    def when_durable(self, then: Callable[[Optional[SandboxError]], None]) -> None:
        """The same by a callback, at once where nothing has to be waited for. It is given the error when the disk refuses."""
        if not (self.journal.urgent or self.journal.failed):
            then(None)
            return
        self._note_nonces()
        self.journal.then(then)

    def _note_nonces(self) -> None:
        if self._dirty_nonces:
            facts = [{"t": "nonce", "key": hashed(key_id), "nonce": self.keys.by_id[key_id].nonce} for key_id in self._dirty_nonces]
            self.journal.append(facts, urgent=False)
            self._dirty_nonces.clear()

    def used(self, key: Key) -> None:
        """A nonce was taken: it goes into the journal with the next commit."""
        self._dirty_nonces.add(key.id)
        key.last_used = self.clock.now()

    # -- accounts and limits -------------------------------------------------------------------------------------------

    def create_account(
        self,
        name: str,
        balances: dict[str, Decimal],
        profile: dict[str, Any],
        tier: str,
        limits: dict[str, Any],
        venue: str = "kraken",
    ) -> Account:
        """Open an account and put its first balances on it."""
        now = self.clock.now()
        account = Account(name, profile=profile, tier=tier, limits=limits, created=now, venue=venue)
        self.engine.open_account(account)
        self.journal.append([state.account_fact(account)])
        for asset, amount in balances.items():
            if amount:
                self.engine.deposit(account, asset, amount, now)
        self.publish()
        return account

    def change_account(
        self, account: Account, profile: dict[str, Any], tier: str, limits: dict[str, Any], deposits: dict[str, str]
    ) -> None:
        """Change declarations and balances. Raises BadRequest when a balance would become negative."""
        account.profile, account.tier, account.limits = profile, tier, limits
        self.rest_counters = {key: value for key, value in self.rest_counters.items() if self.keys.by_id[key].account != account.name}
        self.trade_counters = {key: value for key, value in self.trade_counters.items() if key[0] != account.name}
        self.journal.append([state.account_fact(account)])
        for asset, amount in deposits.items():
            try:
                self.engine.deposit(account, asset, parse(amount), self.clock.now(), "adjustment")
            except (Refusal, ValueError):
                raise BadRequest("deposit.%s: %s cannot be added" % (asset[:20], amount[:40])) from None
        self.publish()

    @staticmethod
    def secret_text(key: Key) -> str:
        """Return a key's secret for the one answer that hands it out."""
        return base64.b64encode(key.secret).decode() if key.venue == "kraken" else key.secret.decode()

    def start_cruelty(self, name: str, params: Any, for_s: Any, account: Optional[str]) -> Active:
        """Put a cruelty in force. Raises BadRequest."""
        item = self.cruelties.start(name, params, for_s, account, self.clock.now())
        try:
            self.effects.begin(item)
        except BadRequest:
            self.cruelties.stop(item.id)
            raise
        self.advance()
        return item

    def stop_cruelty(self, cruelty_id: str) -> Active:
        """Take a cruelty off. Raises NotFound."""
        item = self.cruelties.stop(cruelty_id)
        self.effects.end(item)
        self.advance()
        return item

    def tier(self, account: Account) -> Tier:
        """Return the limits of an account: its tier's, replaced by its own where it has some."""
        base = KRAKEN_TIERS[account.tier]
        if not account.limits:
            return base
        return Tier(**{**base.__dict__, **account.limits})

    def rest_counter(self, key: Key, account: Account) -> Counter:
        if key.id not in self.rest_counters:
            tier = self.tier(account)
            self.rest_counters[key.id] = Counter(tier.max, tier.decay)
        return self.rest_counters[key.id]

    def trade_counter(self, account: Account, symbol: str) -> Counter:
        name = (account.name, symbol)
        if name not in self.trade_counters:
            tier = self.tier(account)
            self.trade_counters[name] = Counter(tier.trade_max, tier.trade_decay)
        return self.trade_counters[name]

    def public_counter(self, source: str) -> Counter:
        if source not in self.public_counters:
            if len(self.public_counters) > 10_000:
                self.public_counters.clear()
            self.public_counters[source] = Counter(self.config.public_limit, self.config.public_decay)
        return self.public_counters[source]

    def cruelty(self, name: str, account: Optional[str], source: str = "") -> Optional[Active]:
        """Return a cruelty in force for an account; public calls count as the account that last used a key from that address."""
        if not self.cruelties.active:
            return None
        return self.cruelties.find(name, account or self.addresses.get(source))

    def cruelties_of(self, name: str, account: Optional[str], source: str = "") -> list[Active]:
        """Return every cruelty of a name in force for an account: equal ones add up."""
        if not self.cruelties.active:
            return []
        return self.cruelties.find_all(name, account or self.addresses.get(source))

    def symbol_of(self, name: str) -> Optional[str]:
        """Return the symbol of a pair by any venue's name for it, or None."""
        return next((symbol for finder in self.pair_finders if (symbol := finder(name)) is not None), None)

    def fault(self, where: str, error: BaseException) -> None:
        """Count and report a fault of the sandbox itself: type and place, never a value (it could be a secret)."""
        self.metrics.faults.labels("true").inc()
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join("%s:%d" % (Path(frame.filename).name, frame.lineno or 0) for frame in reversed(frames))
        print("exchange_sandbox: fault in %s: %s at %s" % (where, type(error).__name__, places), file=sys.stderr, flush=True)

    def seen(self, venue: str, transport: str, endpoint: str, source: str, agent: str) -> Seen:
        """Begin the record of a request."""
        return Seen(self.recorder.next_id(), self.clock.now(), self.clock.real(), venue, transport, endpoint, source, agent)
