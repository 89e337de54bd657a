#!/usr/bin/env python3
"""Stop, now: cancel every entry order at the venue, fence the bot, keep stops as long as the position, until it is seen to be so.

One file, standard library only, Python 3.9+. It takes no lock and waits for nothing: no store, no Ansible, no audit write stands before
the first cancel. Fencing the bot's host, raising the epoch and paging run beside it. It ends when the bot is fenced and two readings,
`settle_s` apart, show no entry order; while no fence is confirmed it says that the bot may still be trading and goes on.

Ends in `flat` or `held with stops` (exit 0) or `NAKED` (exit 3: a position without a stop; what to do is printed). Usage errors: 64.
Venue facts: docs.kraken.com, REST v0 (OpenOrders, CancelOrderBatch, BalanceEx); a key with query and cancel rights is enough.
"""
from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from decimal import Decimal, InvalidOperation
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

SETTINGS = "/etc/golive/kill_switch.json"
BATCH = 50                      # CancelOrderBatch takes at most 50 ids
CALL_TIMEOUT_S = 5.0
FENCE_BUDGET_S = 2.0
UNFENCED_PAUSE_S = 2.0          # two calls a round stay within the slowest tier's budget for a quarter of a minute, then it waits
RATE_PAUSE_S = 3.0              # Kraken's counter falls by 0.33 to 1 a second
STOP_TYPES = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")
REQUIRED = ("system", "venue", "url", "credential", "quote", "pairs", "policy", "epoch_directory", "record_directory")
KNOWN = (*REQUIRED, "ca_file", "fence", "page", "settle_s", "account", "client_id_prefix", "console")


class Problem(Exception):
    """What is wrong with settings or credential, in one sentence."""


class Refused(Exception):
    """The venue answered with errors; its own words."""


class Silent(Exception):
    """The venue did not answer."""


def settings_from(path: str) -> Dict[str, Any]:
    """Return the settings. Raises Problem with what, where, found, expected."""
    try:
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
    except (OSError, ValueError) as exc:
        raise Problem("%s: cannot be read as JSON, found %s" % (path, type(exc).__name__)) from None
    if not isinstance(data, dict):
        raise Problem("%s: expected one JSON object" % path)
    missing = [name for name in REQUIRED if not data.get(name)]
    unknown = sorted(set(data) - set(KNOWN))
    if missing or unknown:
        raise Problem("%s: missing %s; unknown %s" % (path, ", ".join(missing) or "nothing", ", ".join(unknown) or "nothing"))
    if data["venue"] != "kraken" or data["policy"] != "hold":
        raise Problem("%s: venue %s with policy %s is not known, expected kraken with hold" % (path, data["venue"], data["policy"]))
    if not data["url"].startswith("https://") and not data["url"].startswith("http://127.0.0.1:"):
        raise Problem("%s: url must be https" % path)
    return data


def credential_from(path: str) -> Tuple[str, bytes]:
    """Return key id and secret: a systemd-creds sealed file (`.cred`) or a private JSON file. Raises Problem, never with a value."""
    try:
        if path.endswith(".cred"):
            done = subprocess.run(["systemd-creds", "decrypt", "--name=kill_key", path, "-"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, timeout=CALL_TIMEOUT_S, check=True)
            raw = done.stdout
        else:
            if os.stat(path).st_mode & 0o077:
                raise Problem("%s: may be read by others; chmod 600 it" % path)
            with open(path, "rb") as handle:
                raw = handle.read()
        data = json.loads(raw)
        return str(data["key"]), base64.b64decode(data["secret"], validate=True)
    except Problem:
        raise
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as exc:
        raise Problem("%s: holds no usable key, found %s" % (path, type(exc).__name__)) from None


class Kraken:
    """The calls that stopping needs. One connection; a nonce of its own key, in microseconds."""

    def __init__(self, url: str, ca_file: Optional[str], key: str, secret: bytes) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        self._key, self._secret, self._nonce = key, secret, 0
        self._connection: Optional[http.client.HTTPConnection] = None

    def private(self, call: str, **fields: Any) -> Any:
        """Call a private method and return its result. Raises Refused in the venue's words, Silent when there is no answer."""
        path = "/0/private/" + call
        self._nonce = max(self._nonce + 1, time.time_ns() // 1000)
        listed = any(isinstance(value, list) for value in fields.values())  # batch calls take lists, and these only as JSON
        given = dict(fields, nonce=self._nonce)
        body = json.dumps(given).encode() if listed else urllib.parse.urlencode(given).encode()
        message = path.encode() + hashlib.sha256(str(self._nonce).encode() + body).digest()
        signature = base64.b64encode(hmac.new(self._secret, message, hashlib.sha512).digest()).decode()
        kind = "application/json" if listed else "application/x-www-form-urlencoded"
        headers = {"API-Key": self._key, "API-Sign": signature, "Content-Type": kind}
        return self._answer("POST", path, body, headers)

    def public(self, call: str, **fields: Any) -> Any:
        """Call a public method and return its result."""
        return self._answer("GET", "/0/public/%s?%s" % (call, urllib.parse.urlencode(fields)), None, {})

    def _answer(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            raw = answer.read(8 << 20)
        except (OSError, http.client.HTTPException) as exc:
            self._drop()
            raise Silent("%s: %s" % (type(exc).__name__, str(exc)[:100])) from None
        try:
            data = json.loads(raw)
            errors, result = data["error"], data.get("result")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._drop()
            raise Silent("status %d without a Kraken answer" % answer.status) from None
        if errors:
            raise Refused("; ".join(str(one) for one in errors)[:300])
        return result

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port or 443, timeout=CALL_TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(host, port or 80, timeout=CALL_TIMEOUT_S)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


Orders = Dict[str, Any]
Pairs = Dict[str, Dict[str, str]]


def sort_orders(orders: Orders, held: Dict[str, Decimal], pairs: Pairs) -> Tuple[List[str], List[str], List[str]]:
    """Return (ids to cancel, ids that stay, ids that cannot be judged) of spot orders. Pure.

    A buy opens or enlarges a position and goes. A sell on spot can only make one smaller and stays, unless its pair is known and its
    asset no longer held (an orphan stop). With margin a sell may open a short position, which this version does not judge.
    """
    cancel: List[str] = []
    keep: List[str] = []
    unclear: List[str] = []
    for txid, order in orders.items():
        described = order.get("descr") if isinstance(order, dict) else None
        side = described.get("type") if isinstance(described, dict) else None
        if not isinstance(described, dict) or side not in ("buy", "sell") or described.get("leverage", "none") != "none":
            unclear.append(txid)
        elif side == "buy":
            cancel.append(txid)
        else:
            pair = pairs.get(str(described.get("pair")))
            orphan = pair is not None and held.get(pair["base"], Decimal(0)) <= 0
            (cancel if orphan else keep).append(txid)
    return cancel, keep, unclear


def uncovered(orders: Orders, keep: List[str], held: Dict[str, Decimal], pairs: Pairs, dust: Dict[str, Decimal]) -> Dict[str, Decimal]:
    """Return {asset: amount} of what is held and no resting stop covers, dust left out. Pure."""
    covered: Dict[str, Decimal] = {}
    for txid in keep:
        described = orders[txid].get("descr") or {}
        pair = pairs.get(str(described.get("pair")), {})
        if described.get("ordertype") in STOP_TYPES and "base" in pair:
            left = number(orders[txid].get("vol")) - number(orders[txid].get("vol_exec"))
            covered[pair["base"]] = covered.get(pair["base"], Decimal(0)) + left
    return {asset: amount - covered.get(asset, Decimal(0)) for asset, amount in held.items()
            if amount - covered.get(asset, Decimal(0)) > dust.get(asset, Decimal(0))}


def number(value: Any) -> Decimal:
    """Return a venue's decimal text; what is none counts as zero."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)


class Kill:
    """One pull of the switch."""

    def __init__(self, settings: Dict[str, Any], venue: Kraken, say: Callable[[str], None]) -> None:
        self.settings, self.venue, self.say = settings, venue, say
        self.started = time.monotonic()
        self.fenced = threading.Event()
        self.marks: Dict[str, float] = {}
        self.cancelled: List[str] = []
        self.troubles: List[str] = []
        self.epoch: Optional[int] = None
        self._pairs: Pairs = {}
        self._asked: Set[str] = set()

    def elapsed(self) -> float:
        """Return the seconds since the switch was pulled."""
        return time.monotonic() - self.started

    def run(self) -> Dict[str, Any]:
        """Pull the switch and return the record once it is over."""
        beside = [threading.Thread(target=part, daemon=True) for part in (self.raise_epoch, self.fence, self.page)]
        for thread in beside:
            thread.start()
        self.console()
        state = self.cancel_until_clean()
        for thread in beside[:1]:
            thread.join(FENCE_BUDGET_S)
        return self.record(state)

    # -- beside the cancel ------------------------------------------------------------------------------------------------
    def raise_epoch(self) -> None:
        """Raise the counter that every other money action asks for; a money action with an older ticket is refused from now on."""
        directory = self.settings["epoch_directory"]
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            known = max([int(name) for name in os.listdir(directory) if name.isdigit()] or [0])
            # Seconds since 1970 keep rising even where the directory was lost with its disk. One empty file an epoch needs no lock.
            self.epoch = max(known + 1, int(time.time()))
            os.close(os.open(os.path.join(directory, str(self.epoch)), os.O_CREAT | os.O_WRONLY, 0o644))
            handle = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except (OSError, ValueError) as exc:
            self.trouble("the epoch could not be raised here: %s" % type(exc).__name__)

    def fence(self) -> None:
        """Stop and mask the bot on its own host by a forced ssh command, again and again until it is confirmed."""
        command = self.settings.get("fence")
        if not command:
            self.trouble("no way to reach the bot's host is configured: power it off yourself, then confirm with --fenced")
            return
        told = False
        while not self.fenced.is_set():
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
                if done.returncode == 0 and json.loads(done.stdout or b"{}").get("stopped") is True:
                    self.mark("fenced_s")
                    self.fenced.set()
                    self.say("the bot is stopped and masked on its host")
                    return
                words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-200:]
            except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as exc:
                words = type(exc).__name__
            if not told:
                self.trouble("the bot's host did not confirm the stop (%s): power it off, then confirm with --fenced" % words)
                told = True
            time.sleep(1)

    def page(self) -> None:
        """Tell people, by a webhook; never waited for."""
        page = self.settings.get("page")
        if not page:
            return
        try:
            with open(page["token_file"], encoding="ascii") as handle:
                token = handle.read().strip()
            parts = urllib.parse.urlsplit(page["url"])
            tls = ssl.create_default_context(cafile=page.get("ca_file"))
            connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=CALL_TIMEOUT_S, context=tls)
            body = json.dumps([{"labels": {"alertname": "KillSwitch", "severity": "critical", "system": self.settings["system"]},
                                "annotations": {"summary": "The kill switch was pulled"}}])
            connection.request("POST", parts.path or "/alerts", body,
                               {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
            status = connection.getresponse().status
            if status >= 300:
                raise OSError("status %d" % status)
            self.mark("paged_s")
        except (OSError, KeyError, http.client.HTTPException) as exc:
            self.trouble("nobody could be paged: %s" % (str(exc)[:80] or type(exc).__name__))

    def console(self) -> None:
        """Print what a person can do at the venue's own console, whatever becomes of this program."""
        self.say("by hand: %s" % self.settings.get("console", "log in at the venue, delete the bot's API key, cancel its orders"))

    # -- the cancel -------------------------------------------------------------------------------------------------------
    def cancel_until_clean(self) -> str:
        """Cancel entries until two readings, settle_s apart and after the fence, show none; return the final state in one word."""
        settle = float(self.settings.get("settle_s", 10.0))
        clean_since: Optional[float] = None
        warned = 0.0
        while True:
            reading = self.attempt(self.read)
            if reading is None:
                clean_since = None
                continue
            orders, held, pairs, dust = reading
            cancel, keep, unclear = sort_orders(orders, held, pairs)
            if cancel:
                clean_since = None
                self.attempt(lambda ids=cancel: self.cancel(ids))  # type: ignore[misc]
                continue
            if unclear:
                clean_since = None
                self.trouble("these orders cannot be judged, look at them yourself: %s" % ", ".join(unclear[:20]))
                time.sleep(min(1.0, settle))
                continue
            self.mark("no_entries_s")
            now = time.monotonic()
            if not self.fenced.is_set():
                clean_since = None
                if now - warned > 5:
                    self.say("no entry order is at the venue, but the bot is not fenced: it may still be trading")
                    warned = now
                self.fenced.wait(UNFENCED_PAUSE_S)
                continue
            if clean_since is None:
                clean_since = now
            elif now - clean_since >= settle:
                naked = uncovered(orders, keep, held, pairs, dust)
                if naked:
                    self.say("NAKED: no stop covers " + ", ".join("%s %s" % (amount, asset) for asset, amount in sorted(naked.items())))
                    return "NAKED"
                return "held with stops" if any(held.values()) and keep else "flat"
            # Two readings, not a stream of them: the venue counts each call, and the next trouble may need what is left.
            time.sleep(settle)

    def read(self) -> Tuple[Orders, Dict[str, Decimal], Pairs, Dict[str, Decimal]]:
        """Return the bot's open orders, what its pairs hold, the pairs as the venue names them, and the dust limit of each asset."""
        orders = self.ours(self.venue.private("OpenOrders")["open"] or {})
        buys = {txid: one for txid, one in orders.items() if sort_orders({txid: one}, {}, {})[0]}
        if buys:
            return buys, {}, {}, {}  # first things first: a buy goes whatever is held; the rest is read after the first cancel
        names = {*self.settings["pairs"], *(str((one.get("descr") or {}).get("pair")) for one in orders.values() if isinstance(one, dict))}
        if names - self._asked:
            listed = self.venue.public("AssetPairs", pair=",".join(sorted(names)))
            self._asked |= names
            self._pairs.update({name: {"base": one["base"], "minimum": one.get("ordermin", "0")} for key, one in listed.items()
                                for name in (key, one.get("altname"), one.get("wsname")) if name})
        balances = self.venue.private("Balance")
        held = {pair["base"]: number(balances.get(pair["base"])) for pair in self._pairs.values()}
        return orders, held, self._pairs, {pair["base"]: number(pair["minimum"]) for pair in self._pairs.values()}

    def ours(self, orders: Orders) -> Orders:
        """Return the orders that are the bot's: on a dedicated account all, on a shared one those with its client id prefix."""
        if self.settings.get("account") != "shared":
            return orders
        prefix = str(self.settings.get("client_id_prefix") or "")
        return {txid: one for txid, one in orders.items()
                if prefix and isinstance(one, dict) and str(one.get("cl_ord_id") or "").startswith(prefix)}

    def cancel(self, ids: List[str]) -> None:
        """Cancel by id, in batches; an id that is gone meanwhile is what was wanted. What a batch refuses goes one by one."""
        for start in range(0, len(ids), BATCH):
            part = ids[start:start + BATCH]
            try:
                if len(part) == 1:
                    self.venue.private("CancelOrder", txid=part[0])
                else:
                    self.venue.private("CancelOrderBatch", orders=part)
            except Refused as exc:
                if len(part) == 1 or "Rate limit" in str(exc):
                    raise
                self.trouble("the venue refused the batch (%s), cancelling one by one" % exc)
                for txid in part:
                    self.attempt(lambda txid=txid: self.venue.private("CancelOrder", txid=txid))  # type: ignore[misc]
            self.mark("first_cancel_s")
            self.cancelled += part

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do one step; trouble at the venue is said once in its own words, and tried again after a short pause."""
        try:
            return act()
        except Refused as exc:
            if "EOrder:Unknown order" in str(exc):
                return None
            self.trouble("the venue refused: %s" % exc)
            time.sleep(RATE_PAUSE_S if "Rate limit" in str(exc) else 1.0 if "Unavailable" in str(exc) else 0.1)
        except Silent as exc:
            self.trouble("the venue did not answer: %s" % exc)
            time.sleep(0.25)
        except (KeyError, TypeError, AttributeError) as exc:
            self.trouble("the venue's answer has another form than documented: %s" % type(exc).__name__)
            time.sleep(0.5)
        return None

    # -- the record -------------------------------------------------------------------------------------------------------
    def mark(self, name: str) -> None:
        """Remember when something was true for the first time, in seconds since the start."""
        self.marks.setdefault(name, round(self.elapsed(), 3))

    def trouble(self, text: str) -> None:
        """Say a trouble once."""
        if text not in self.troubles:
            self.troubles.append(text)
            self.say(text)

    def record(self, state: str) -> Dict[str, Any]:
        """Write and return what happened; a disk that is full is said, and stops nothing."""
        record = {"system": self.settings["system"], "state": state, "seconds": round(self.elapsed(), 3), "marks": self.marks,
                  "cancelled": len(set(self.cancelled)), "fenced": self.fenced.is_set(), "epoch": self.epoch, "troubles": self.troubles,
                  "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        try:
            os.makedirs(self.settings["record_directory"], mode=0o750, exist_ok=True)
            name = "kill-%s-%d.json" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.getpid())
            with open(os.path.join(self.settings["record_directory"], name), "w", encoding="utf-8") as handle:
                json.dump(record, handle, indent=1)
        except OSError as exc:
            self.say("this record could not be written: %s" % exc.strerror)
        return record


def dry_run(kill: Kill) -> int:
    """Say what would be done, in what order, and touch nothing. A pair's holdings are read as in earnest."""
    orders = kill.attempt(lambda: kill.ours(kill.venue.private("OpenOrders")["open"] or {}))
    if orders is None:
        return 2
    buys, rest, unclear = sort_orders(orders, {}, {})
    reading = None if buys else kill.attempt(kill.read)
    if reading is not None:
        buys, rest, unclear = sort_orders(*reading[:3])
    for word, ids in (("cancel", buys), ("keep", rest), ("not judge", unclear)):
        for txid in ids:
            kill.say("would %s %s: %s" % (word, txid, (orders[txid].get("descr") or {}).get("order", "an order")))
    kill.say("would raise the epoch, void the ticket, stop and mask the bot, page")
    return 0


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--settings", default=SETTINGS)
    parser.add_argument("--dry-run", action="store_true", help="list what would be done; touch nothing")
    parser.add_argument("--fenced", action="store_true", help="you have powered the bot's host off yourself")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(text: str) -> None:
        clean = "".join(char if char.isprintable() else "?" for char in text)
        with contextlib.suppress(OSError):  # a terminal that is gone must not end the kill
            print("[%7.3f s] %s" % (time.monotonic() - began, clean), flush=True)

    try:
        settings = settings_from(chosen.settings)
        key, secret = credential_from(settings["credential"])
    except Problem as exc:
        print("kill_switch: %s" % exc, file=sys.stderr)
        print("by hand: log in at the venue, delete the bot's API key, cancel its orders", file=sys.stderr)
        return 64
    kill = Kill(settings, Kraken(settings["url"], settings.get("ca_file"), key, secret), say)
    if chosen.dry_run:
        return dry_run(kill)
    if chosen.fenced:
        kill.fenced.set()
    record = kill.run()
    say("%s after %.1f s, %d orders cancelled" % (record["state"], record["seconds"], record["cancelled"]))
    with contextlib.suppress(OSError):
        print(json.dumps(record), flush=True)
    return 3 if record["state"] == "NAKED" else 0


if __name__ == "__main__":
    sys.exit(main())
