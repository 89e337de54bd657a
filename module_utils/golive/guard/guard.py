#!/usr/bin/env python3
"""Watch one account from a host that is not the bot's, and stop the bot: the venue's word only, a loop of at most 4 s.

Standard library only, Python 3.9+. One process an account. It reads with its own key (query and cancel), decides (`decide.py`), and acts:
page; `no_entries` and `step_down` as a file on the bot's host, and where that is not acknowledged in time its own cancel of every entry;
`kill` by starting the kill switch on this host, only on two readings in a row and a second endpoint of the venue that agrees.
What it must not forget (the day's loss, where it started, what was dealt with) lies in its state file, written each loop.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from decimal import Decimal
from typing import Any, Dict, List, Optional, Set

from ..kill_switch.kill_switch import Binance, Kraken
from . import acts, decide, settings
from .account import NO_WORD, Account, Skipped, told
from .binance_account import FuturesWatch, SpotWatch
from .kraken_account import KrakenWatch
from .reading import Reading

SETTINGS = "/etc/golive/guard.json"
KILL_STARTS_WITHIN_S = 10.0
SAID_AGAIN_S = 60.0     # a trouble that lasts is one line a minute in the journal


class Guard:
    """One account's guard."""

    def __init__(self, given: settings.Settings, account: Account) -> None:
        self.given, self.account = given, account
        self.memory = self._recall()
        self.found: List[decide.Finding] = []
        self.bot: Optional[decide.Bot] = None
        self.trouble = ""
        self._said: Dict[str, float] = {}
        self.stopping = asyncio.Event()
        self._doubt = decide.Doubt()
        self._background: Set[asyncio.Task[None]] = set()
        self._heard_at = self._decided_at = time.time()
        self._telling: Optional[asyncio.Task[None]] = None
        self._told_at, self._told_words = float("-inf"), ""
        self._asked: Dict[str, float] = {}
        self._acknowledged: Set[str] = set()
        self._acknowledged_s: Dict[str, float] = {}     # from the first wish to the first acknowledgement, seconds
        self._paged: Dict[str, float] = {}
        self._paging: Optional[asyncio.Task[None]] = None
        self._venue = asyncio.Lock()
        self._reading: Optional[asyncio.Task[Reading]] = None
        self._confirming: Optional[asyncio.Task[None]] = None
        self._cancelling: Optional[asyncio.Task[None]] = None
        self._kill_asked: Optional[float] = None
        self._epoch = acts.highest_epoch(given.epoch_directory)
        self._loops = self._readings = self._self_cancelled = 0
        self._loop_s = 0.0
        self._margin_level: Optional[Decimal] = None
        self._beat_at = float("-inf")

    def say(self, text: str) -> None:
        """Write a line for the journal, control characters taken out."""
        with contextlib.suppress(OSError):
            print("".join(char if char.isprintable() else "?" for char in text)[:500], flush=True)

    # -- the loop ---------------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Watch until told to stop."""
        period = self.given.number["loop_s"]
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                await self.once(began + period)
            except Exception as exc:  # noqa: BLE001 (whatever it is: the next loop looks again, and silence becomes blindness)
                self._trouble("the loop failed: %s" % type(exc).__name__)
            self._loop_s = time.monotonic() - began
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), max(0.0, period - self._loop_s))
        for task in self._background:
            task.cancel()
        self._keep()

    async def once(self, until: float) -> None:
        """Do one loop: read as far as the time allows, decide, keep, act."""
        reading = await self._read(until)
        known = list(self.found)
        if reading is not None:
            self._readings += 1
            self._margin_level = reading.margin_level
            self.memory = decide.remember(self.memory, reading)
        now = time.time()
        own = decide.own_findings(self.memory, self.given.limits, now, self._bot_now(now), self._heard_at)
        venue = decide.findings(self.memory, reading, self.given.limits) if reading is not None else []
        self.found = decide.carry_over(known, own + venue, reading is not None)
        for one in self.found:
            if one.key not in {before.key for before in known}:
                self.say("FOUND %s: %s; action %s" % (one.check, one.text, one.action))
        for one in known:
            if one.key not in {now_.key for now_ in self.found}:
                self.say("gone: %s" % one.key)
        self._keep()            # before the act: a loss that was seen is not forgotten, whatever happens next
        if reading is not None:
            twice = self._doubt.read([one for one in self.found if one.action == "kill"])
            doubted = [one for one in self.found if one.key in twice and one.key not in self.memory.killed]
            if doubted and self._confirming is None:
                self._confirming = self._start(self._kill_where_two_agree(doubted, reading))
        self._watch_kill()
        self._tell()
        if self._cancelling is None and (self._late() or self._kill_asked is not None):
            self._cancelling = self._start(self._cancel_entries(reading))
        self._page()
        self._heartbeat()
        self._loops += 1

    async def _read(self, until: float) -> Optional[Reading]:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._ask(self.account.read, self.memory))
        done, _ = await asyncio.wait({self._reading}, timeout=max(0.01, until - time.monotonic()))
        if not done:
            return None         # the venue is slow: the same question goes on, and nothing is known meanwhile
        task, self._reading = self._reading, None
        try:
            return task.result()
        except Skipped:
            return None
        except NO_WORD as exc:
            self._trouble("the venue gave no word: %s" % exc)
            return None

    async def _ask(self, question: Any, *given: Any) -> Any:
        async with self._venue:
            return await asyncio.get_running_loop().run_in_executor(None, question, *given)

    def _bot_now(self, now: float) -> Optional[decide.Bot]:
        """Return what the bot said; one that does not say when it decided is as old as its last word on that."""
        if self.bot is None or not self.bot.running:
            return self.bot
        return self.bot if self.bot.decision_age_s is not None else decide.Bot(True, now - self._decided_at)

    # -- kill -------------------------------------------------------------------------------------------------------------
    async def _kill_where_two_agree(self, doubted: List[decide.Finding], reading: Reading) -> None:
        try:
            for one in doubted:
                try:
                    second = await self._ask(self.account.second, one, reading)
                    agreed = decide.agrees(one, second, self.memory, reading, self.given.limits)
                except NO_WORD as exc:
                    self._trouble("%s is not confirmed, the second endpoint gave no word: %s" % (one.key, exc))
                    continue
                if agreed:
                    self._kill(one)
                else:
                    self._trouble("%s is not confirmed: %s shows otherwise" % (one.key, self.account.confirmed_by[one.check]))
        finally:
            self._confirming = None

    def _kill(self, finding: decide.Finding) -> None:
        self._epoch = acts.highest_epoch(self.given.epoch_directory)
        try:
            acts.ask_for_kill(self.given.kill_request, "%s: %s" % (finding.check, finding.text))
        except OSError as exc:
            self._trouble("the kill could not be asked for: %s" % exc.strerror)
            return              # the next loop asks again
        self.say("KILL: %s" % finding.text)
        self._kill_asked = time.monotonic()
        killed = [*self.memory.killed, finding.key][-decide.HANDLED_MAX:]
        self.memory = decide.dealt_with(self.memory._replace(killed=killed), [finding])
        self._keep()

    def _watch_kill(self) -> None:
        """A kill raises the epoch at once. One that does not is asked for again, and the entries are cancelled here meanwhile."""
        if self._kill_asked is None:
            return
        if acts.highest_epoch(self.given.epoch_directory) > self._epoch:
            self.say("the kill switch runs")
            self._kill_asked = None
        elif time.monotonic() - self._kill_asked > KILL_STARTS_WITHIN_S:
            self._trouble("the kill switch did not start; asking again")
            with contextlib.suppress(OSError):
                acts.ask_for_kill(self.given.kill_request, "asked again")
            self._kill_asked = time.monotonic()

    # -- the bot ----------------------------------------------------------------------------------------------------------
    def _tell(self) -> None:
        """Tell the bot's host what it must know, again while it holds: the file does not outlive a reboot of that host."""
        wanted = decide.words(self.found)
        now = time.monotonic()
        self._asked = {word: self._asked.get(word, now) for word in wanted}
        self._acknowledged &= set(wanted)
        news = ",".join(wanted) != self._told_words
        if self._telling is not None or not (news or now - self._told_at >= self.given.number["tell_every_s"]):
            return
        self._told_at, self._told_words = now, ",".join(wanted)
        self._telling = self._start(self._tell_now(wanted))

    async def _tell_now(self, wanted: List[str]) -> None:
        try:
            bot, taken, trouble = await acts.tell_bot(self.given.tell_bot, wanted)
            for word in set(taken) & set(wanted) - self._acknowledged:
                self._acknowledged_s[word] = round(time.monotonic() - self._asked.get(word, time.monotonic()), 3)
            self._acknowledged = set(taken) & set(wanted)
            if bot is not None:
                self.bot, self._heard_at = bot, time.time()
                if not bot.running or bot.decision_age_s is not None:
                    self._decided_at = time.time()
            if trouble:
                self._trouble("the bot's host: %s" % trouble)
            if wanted and set(wanted) == self._acknowledged:
                self.say("acknowledged: %s" % ", ".join(wanted))
            elif wanted:
                self._told_words = "?"      # not everything was taken: say it again in the next loop
        finally:
            self._telling = None

    def _late(self) -> List[str]:
        """Return the words that the bot's host has not acknowledged in time."""
        now, most = time.monotonic(), self.given.number["acknowledge_s"]
        return [word for word, asked in self._asked.items() if word not in self._acknowledged and now - asked >= most]

    async def _cancel_entries(self, reading: Optional[Reading]) -> None:
        """Cancel every entry ourselves, in each loop in which a word is late or the kill has not started."""
        try:
            orders = reading.orders if reading is not None else await self._ask(self.account.open_now)
            going = decide.entries(orders, shared=self.given.shared, prefix=self.given.limits.client_id_prefix)
            if going:
                await self._ask(self.account.cancel, going)
                self._self_cancelled += len(going)
                self.say("cancelled %d entries: not acknowledged: %s" % (len(going), ", ".join(self._late()) or "the kill"))
        except NO_WORD as exc:
            self._trouble("entries could not be cancelled: %s" % exc)
        finally:
            self._cancelling = None

    # -- people -----------------------------------------------------------------------------------------------------------
    def _page(self) -> None:
        now = time.monotonic()
        self._paged = {key: at for key, at in self._paged.items() if key in {one.key for one in self.found}}
        due = [one for one in self.found if now - self._paged.get(one.key, float("-inf")) >= self.given.number["page_repeat_s"]]
        if due and self._paging is None:
            self._paging = self._start(self._page_now(due))

    async def _page_now(self, due: List[decide.Finding]) -> None:
        try:
            if self.given.page is not None:
                done = "acknowledged: %s" % (", ".join(sorted(self._acknowledged)) or "nothing yet")
                await asyncio.get_running_loop().run_in_executor(None, acts.page, self.given.page, self.given.system, due, done)
            self._paged.update({one.key: time.monotonic() for one in due})
            acted = [one for one in due if one.action != "kill" or one.key in self.memory.killed]
            self.memory = decide.dealt_with(self.memory, acted)
        except OSError as exc:
            self._trouble("nobody could be paged: %s" % (str(exc)[:80] or type(exc).__name__))
        finally:
            self._paging = None

    def _heartbeat(self) -> None:
        """Show life on another host, and only while we see: a guard that is blind is silent, and silence is red there."""
        now = time.monotonic()
        seeing = time.time() - self.memory.seen_at <= self.given.limits.blind_s and self._readings > 0
        if self.given.heartbeat and seeing and now - self._beat_at >= self.given.number["heartbeat_every_s"]:
            self._beat_at = now
            self._start(self._beat())

    async def _beat(self) -> None:
        code, _out, err = await acts.run(self.given.heartbeat, b"", acts.SSH_TIMEOUT_S)
        if code != 0:
            self._trouble("the heartbeat was not taken: %s" % err)

    # -- what is kept and shown -------------------------------------------------------------------------------------------
    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    def _trouble(self, text: str) -> None:
        now = time.monotonic()
        self._said = {one: at for one, at in self._said.items() if now - at < SAID_AGAIN_S}
        if text not in self._said:
            self._said[text] = now
            self.say(text)
        self.trouble = text

    def _recall(self) -> decide.Memory:
        try:
            with open(self.given.state_file, encoding="utf-8") as handle:
                return decide.load(json.load(handle)["memory"])
        except FileNotFoundError:
            return decide.fresh(time.time())
        except (OSError, ValueError, KeyError, TypeError) as exc:
            self.say("the state file cannot be read: %s" % type(exc).__name__)
            return decide.fresh(time.time(), lost=True)

    def _keep(self) -> None:
        state = {"format": 1, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "memory": decide.dump(self.memory),
                 "findings": [one._asdict() for one in self.found], "acknowledged": sorted(self._acknowledged),
                 "acknowledged_s": self._acknowledged_s, "killed": self.memory.killed,
                 "self_cancelled": self._self_cancelled, "trouble": self.trouble, "loops": self._loops, "readings": self._readings}
        try:
            acts.write_state(self.given.state_file, state)
        except OSError as exc:
            self._trouble("the state file cannot be written: %s" % exc.strerror)

    def metrics(self) -> str:
        """Return what is known, in Prometheus's text form."""
        memory, now = self.memory, time.time()
        rows = {"loop_seconds": self._loop_s, "loops_total": self._loops, "readings_total": self._readings,
                "reading_age_seconds": now - memory.seen_at, "equity_quote": memory.equity, "exposure_quote": memory.exposure,
                "day_start_quote": memory.day_start, "start_quote": memory.start, "self_cancelled_total": self._self_cancelled,
                "bot_heard_age_seconds": now - self._heard_at, "kills_total": len(memory.killed),
                "margin_level": self._margin_level, "call_counter": self.account.budget.level(time.monotonic())}
        lines = ["golive_guard_%s %s" % (name, value) for name, value in rows.items() if value is not None]
        lines += ['golive_guard_found{check="%s"} %d' % (check, sum(1 for one in self.found if one.check == check))
                  for check in decide.CHECKS]
        return "\n".join([*lines, *told(self.account.calls)]) + "\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one scrape on loopback."""
        with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            good = asked.startswith(b"GET /metrics ")
            body = self.metrics().encode() if good else b"only /metrics is here\n"
            writer.write(b"HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                         % (b"200 OK" if good else b"404 Not Found", len(body), body))
            await writer.drain()
        writer.close()


def account_of(given: settings.Settings, key: str, secret: bytes) -> Account:
    """Return the account that the settings name."""
    number = given.number
    budget = decide.Budget(number["calls_max"], number["calls_decay"], max(3.0, number["calls_max"] / 20))
    common = (given.pairs, budget, number["closed_every_s"], given.limits.client_id_prefix)
    if given.venue == "kraken":
        return KrakenWatch(Kraken(given.url, given.ca_file, key, secret), *common, margin=number["margin_level_min"] > 0)
    return (SpotWatch if given.venue == "binance" else FuturesWatch)(Binance(given.url, given.ca_file, key, secret), *common)


async def watch(given: settings.Settings, key: str, secret: bytes) -> None:
    """Run until SIGTERM."""
    guard = Guard(given, account_of(given, key, secret))
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, guard.stopping.set)
    server = await asyncio.start_server(guard.serve, "127.0.0.1", given.metrics_port)
    guard.say("watching %s for %s" % (given.url, given.system))
    async with server:
        await guard.run()


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line: `--settings FILE`. Exit 64 for settings or a key that cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--settings", default=SETTINGS)
    chosen = parser.parse_args(arguments)
    try:
        given = settings.read(chosen.settings)
        key, secret = settings.key_from(given.credential, given.venue)
    except settings.Problem as exc:
        print("guard: %s" % exc, file=sys.stderr)
        return 64
    asyncio.run(watch(given, key, secret))
    return 0


if __name__ == "__main__":
    sys.exit(main())
