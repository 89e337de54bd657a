#!/usr/bin/env python3
"""Stop, now: cancel every entry order at the venue, fence the bot, keep stops as long as the position, until it is seen to be so.

One file, standard library only, Python 3.9+. It takes no lock and waits for nothing: no store, no Ansible, no audit write stands before
the first cancel. Fencing the bot's host, raising the epoch and paging run beside it. It ends when the bot is fenced and two readings,
`settle_s` apart, show that nothing is left to do; while no fence is confirmed it says that the bot may still be trading and goes on.

Ends in `flat` or `held with stops` (exit 0) or `NAKED` (exit 3: a position without a stop; what to do is printed). Usage errors: 64.

Assembled from module_utils/golive/kill_switch/parts by `python -m golive.kill_switch.build`: change the parts, not this file.
"""
from __future__ import annotations

import base64
import calendar
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from decimal import Decimal, InvalidOperation
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

# ============================== words
# What can go wrong, in three kinds, and how a venue's number is read.
ZERO = Decimal(0)


class Problem(Exception):
    """What is wrong with settings or credential, in one sentence."""


class Refused(Exception):
    """The venue answered with errors; its own words. `limited`: it asked for fewer requests; `wait_s`: for how long, when it says."""

    def __init__(self, words: str, limited: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(words)
        self.limited, self.wait_s = limited, wait_s


class Gone(Refused):
    """The order is not open any more, or never was: for a cancel that is what was wanted."""


class Silent(Exception):
    """The venue did not answer, or not as documented: whether it acted is not known."""


def number(value: Any) -> Decimal:
    """Return a venue's decimal text; what is none counts as zero."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)


def exact(value: Any, what: str) -> Decimal:
    """Return a venue's decimal text. Raises Silent for everything else: an amount that cannot be read is not known, and never zero."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Silent("%s is no number" % what) from None
    if isinstance(value, bool) or not found.is_finite():
        raise Silent("%s is no number" % what)
    return found


def text_of(value: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros, as venues take it."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def stepped(value: Decimal, step: Decimal, up: bool = False) -> Decimal:
    """Return a value on the venue's grid, downwards unless `up`."""
    if step <= 0:
        return value
    whole = value // step
    return (whole + 1 if up and whole * step != value else whole) * step


# ============================== line
# One kept connection, HTTP/1.1. The standard library's client costs 40 ms to import, a third of what a cold start may take.
CALL_TIMEOUT_S = 5.0        # to connect, and for a whole answer
ANSWER_MAX = 8 << 20
HEAD_MAX = 64 << 10


class Line:
    """HTTP/1.1 over one connection that is opened when needed and dropped after any trouble. One thread at a time."""

    def __init__(self, url: str, ca_file: Optional[str]) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        self._socket: Optional[socket.socket] = None
        self._heard = b""

    def ask(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Tuple[int, Dict[str, str], bytes]:
        """Return status, headers (lower case) and body. Raises Silent when there is no whole answer in time."""
        try:
            line = self._socket = self._socket or self._connect()
            until = time.monotonic() + CALL_TIMEOUT_S
            head = ["%s %s HTTP/1.1" % (method, path), "Host: %s" % self._parts.netloc.rpartition("@")[2], "Accept-Encoding: identity"]
            head += ["%s: %s" % item for item in headers.items()]
            head += ["Content-Length: %d" % len(body or b"")] if body is not None or method != "GET" else []
            line.settimeout(CALL_TIMEOUT_S)
            line.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + (body or b""))
            status, heard = self._head(until)
            raw = self._body(method, status, heard, until)
        except (OSError, ValueError, IndexError) as exc:
            self.drop()
            raise Silent("%s: %s" % (type(exc).__name__, str(exc)[:100])) from None
        if "close" in heard.get("connection", "").lower():
            self.drop()
        return status, heard, raw

    def _connect(self) -> socket.socket:
        host = self._parts.hostname or ""
        plain = socket.create_connection((host, self._parts.port or (443 if self._tls else 80)), CALL_TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)

    def _more(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0 or self._socket is None:
            raise TimeoutError("no whole answer within %g s" % CALL_TIMEOUT_S)
        self._socket.settimeout(left)
        return self._socket.recv(65536)

    def _head(self, until: float) -> Tuple[int, Dict[str, str]]:
        while True:
            while b"\r\n\r\n" not in self._heard:
                got = self._more(until)
                if not got or len(self._heard) > HEAD_MAX:
                    raise ConnectionError("the connection was closed without an answer")
                self._heard += got
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")
            status = int(first.split(" ", 2)[1])
            if status >= 200:       # 1xx announces another head
                return status, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}

    def _take(self, count: int, until: float) -> bytes:
        if count < 0 or count > ANSWER_MAX:
            raise ValueError("an answer of %d bytes" % count)
        while len(self._heard) < count:
            got = self._more(until)
            if not got:
                raise ConnectionError("the answer broke off")
            self._heard += got
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken

    def _body(self, method: str, status: int, heard: Dict[str, str], until: float) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "chunked" in heard.get("transfer-encoding", "").lower():
            return self._chunks(until)
        if "content-length" in heard:
            return self._take(int(heard["content-length"]), until)
        while len(self._heard) <= ANSWER_MAX:       # no length: the answer ends with the connection
            got = self._more(until)
            if not got:
                break
            self._heard += got
        raw = self._heard
        self.drop()
        return raw

    def _chunks(self, until: float) -> bytes:
        parts: List[bytes] = []
        while True:
            while b"\r\n" not in self._heard:
                got = self._more(until)
                if not got:
                    raise ConnectionError("the answer broke off")
                self._heard += got
            size_text, _, self._heard = self._heard.partition(b"\r\n")
            size = int(size_text.split(b";")[0], 16)
            parts.append(self._take(size, until))
            if size == 0:
                while b"\r\n" not in self._heard:     # trailers are not expected; the empty line ends it
                    self._heard += self._more(until) or b"\r\n"
                self._heard = self._heard.partition(b"\r\n")[2]
                return b"".join(parts)
            self._take(2, until)

    def drop(self) -> None:
        """Close the connection; the next question opens a new one."""
        self._heard = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


# ============================== plan
# What a reading calls for: pure decisions over orders and positions, the same for every venue. Nothing here asks or acts.
#
# The three laws, held by the model in tests/unit/kill_switch/test_model.py over every interleaving of small worlds:
# no position loses its stop by our doing; no order of ours opens or enlarges a position; nothing of the owner's is sold or cancelled.
Key = Tuple[str, str, str]      # (market, asset, leg): what a position is told from others by


class Order(NamedTuple):
    """An open order. `asset`: what it exposes to the market (spot: the base asset, else the symbol); `leg`: LONG or SHORT in hedge mode.

    `left`: base currency or contracts still open; `trigger`: price of a stop (0: it follows the market); `reduces`: the venue itself
    holds it to making a position smaller; `whole`: it closes whatever the position is; `service`: which of the venue's lists holds it.
    """

    id: str
    symbol: str
    asset: str
    market: str
    side: str
    stop: bool
    left: Decimal
    trigger: Decimal = ZERO
    reduces: bool = False
    whole: bool = False
    leg: str = ""
    client_id: str = ""
    service: str = "order"
    words: str = ""

    @property
    def key(self) -> Key:
        """Return the position that it belongs to."""
        return (self.market, self.asset, self.leg)


class Position(NamedTuple):
    """A position of the bot's. `market`: spot, margin or futures; `size` is positive; `symbol` is where it is closed."""

    symbol: str
    asset: str
    market: str
    side: str
    size: Decimal
    leg: str = ""
    leverage: str = ""

    @property
    def key(self) -> Key:
        """Return what it is told from others by."""
        return (self.market, self.asset, self.leg)

    @property
    def exit_side(self) -> str:
        """Return the side that makes it smaller."""
        return "sell" if self.side == "long" else "buy"


class Rule(NamedTuple):
    """What the venue takes for a symbol: smallest order, grids of quantity and price, smallest value, largest order (0: none)."""

    minimum: Decimal = ZERO
    lot: Decimal = ZERO
    tick: Decimal = ZERO
    notional: Decimal = ZERO
    most: Decimal = ZERO


class View(NamedTuple):
    """One reading of what is the bot's: its open orders and positions; prices and rules by symbol; ids of orders nobody can judge."""

    orders: Tuple[Order, ...]
    positions: Tuple[Position, ...] = ()
    prices: Mapping[str, Decimal] = {}
    rules: Mapping[str, Rule] = {}
    unclear: Tuple[str, ...] = ()


class Policy(NamedTuple):
    """What the profile wants. `may_place`: a stop may be placed where one is missing. `shared`: the owner trades on the same account."""

    flatten: bool = False
    shared: bool = False
    may_place: bool = False

    @property
    def strict(self) -> bool:
        """Say whether what the account holds may be more than the bot's."""
        return self.shared or self.flatten


class Step(NamedTuple):
    """One thing to do: `cancel` an order, `protect` or `close` a position by an amount, or `claim` its stop and sell that amount."""

    do: str
    order: Order = Order("", "", "", "", "", False, ZERO)
    position: Position = Position("", "", "", "", ZERO)
    amount: Decimal = ZERO


def dust(position: Position, view: View) -> bool:
    """Say whether a position is too small for the venue to take an order for it."""
    rule, price = view.rules.get(position.symbol, Rule()), view.prices.get(position.symbol, ZERO)
    amount = stepped(position.size, rule.lot)
    return amount <= 0 or amount < rule.minimum or (price > 0 and amount * price < rule.notional)


def opens(order: Order, position: Position) -> bool:
    """Say whether an order can open or enlarge a position (size 0: there is none). In doubt it can."""
    if order.market == "spot":
        return order.side == "buy"
    if order.reduces or order.whole:
        return False
    if order.leg:
        return order.side == ("buy" if order.leg == "LONG" else "sell")
    # One-way: the other side makes it smaller, and beyond its size turns it round. Only a stop is worth that doubt.
    return position.size <= 0 or order.side != position.exit_side or not order.stop or order.left > position.size


def surely_opens(order: Order) -> bool:
    """Say whether an order goes whatever the positions are: the first cancel waits for no second reading."""
    if order.market != "spot" and not order.leg and order.stop:
        return False
    return opens(order, Position(order.symbol, order.asset, order.market, "long" if order.side == "sell" else "short", order.left))


class Cover(NamedTuple):
    """What becomes of the orders of one position: `sure` is covered whatever happens, `doubtful` stops may reach beyond it."""

    cancel: Tuple[Order, ...]
    sure: Decimal
    doubtful: Tuple[Order, ...]


def cover(position: Position, orders: List[Order], strict: bool, fenced: bool) -> Cover:
    """Sort the orders of a position. `strict` (spot): what the bot holds is not all that the account holds, so sells are counted.

    A stop that nothing but its own size holds back can turn a position round, or sell the owner's coins, once others have closed it.
    Such stops are kept as far as they fit into what is not covered yet. One that does not fit stays only while nothing else covers.
    Before the fence nothing goes but what opens: the bot may be about to need its stops.
    """
    counted = strict and position.market == "spot"
    cancel = [one for one in orders if opens(one, position) and not (one.stop and one.side == position.exit_side)]
    rest = [one for one in orders if one not in cancel]
    hard = [one for one in rest if one.reduces or one.whole or one.leg or (one.market == "spot" and not counted)]
    sure = position.size if any(one.whole for one in hard) else sum((one.left for one in hard if one.stop), ZERO)
    doubtful = []
    for one in sorted((one for one in rest if one not in hard and one.stop), key=lambda one: (-one.left, one.id)):
        if sure >= position.size and fenced:
            cancel.append(one)
        elif sure + one.left <= position.size:
            sure += one.left
        else:
            doubtful.append(one)
    if doubtful and sure >= position.size and fenced:
        cancel, doubtful = cancel + doubtful, []
    taken = position.size if doubtful else sure
    for one in rest:
        if one not in hard and not one.stop:
            if taken + one.left > position.size and fenced:
                cancel.append(one)
            else:
                taken += one.left
    return Cover(tuple(cancel), min(sure, position.size), tuple(doubtful))


def covers(view: View, policy: Policy, fenced: bool) -> Dict[Key, Cover]:
    """Return what becomes of all orders, by position; what belongs to no position goes, an entry at once, a left stop after the fence."""
    orders: Dict[Key, List[Order]] = {}
    for order in view.orders:
        orders.setdefault(order.key, []).append(order)
    found, strict = {}, policy.strict
    for position in view.positions:
        if position.size > 0 and not (strict and dust(position, view)):
            found[position.key] = cover(position, orders.pop(position.key, []), strict, fenced)
    for key, left in orders.items():
        found[key] = Cover(tuple(one for one in left if fenced or opens(one, Position("", "", key[0], "long", ZERO))), ZERO, ())
    return found


def to_cancel(view: View, policy: Policy, fenced: bool) -> List[Order]:
    """Return the orders that go. As long as there are entries, only these: one that fills meanwhile needs the stops that are there."""
    going = [order for one in covers(view, policy, fenced).values() for order in one.cancel]
    sides = {position.key: position.exit_side for position in view.positions if position.size > 0}
    entries = [one for one in going if surely_opens(one) or one.side != sides.get(one.key, one.side)]
    return entries or going


def stops_of(position: Position, view: View) -> List[Order]:
    """Return the resting stops that make a position smaller, the largest first."""
    found = [one for one in view.orders if one.key == position.key and one.stop and one.side == position.exit_side]
    return sorted(found, key=lambda one: (-one.left, one.id))


def uncovered(position: Position, view: View) -> Decimal:
    """Return how much of a position no resting stop covers."""
    stops = stops_of(position, view)
    if any(one.whole for one in stops):
        return ZERO
    return max(ZERO, position.size - sum((one.left for one in stops), ZERO))


def naked(view: View) -> Dict[str, Decimal]:
    """Return {asset or symbol and leg: amount} of positions that no stop covers; less than the smallest order is dust."""
    found = {}
    for position in view.positions:
        amount = uncovered(position, view)
        if amount > 0 and not dust(position._replace(size=amount), view):
            found[" ".join(part for part in (position.asset, position.leg) if part)] = amount
    return found


def steps(view: View, policy: Policy, fenced: bool, turn: bool, blocked: FrozenSet[Key] = frozenset()) -> List[Step]:
    """Return what to do now, in order; afterwards the venue is read again. Empty: nothing is left to do, or it is not our turn.

    Entries go first. What the venue itself holds to reducing (futures, margin) is closed at once. Spot knows no such thing: there we
    place and sell only behind a confirmed fence and in our `turn`, so that neither the bot nor another switch sells the same twice.
    A stop holds the coins that it would sell; it is cancelled for the sale of what it held and not before.
    `blocked`: positions that are not closed any further (loss cap, refusals); these are protected instead.
    """
    found = covers(view, policy, fenced)
    going = to_cancel(view, policy, fenced)
    if going:
        return [Step("cancel", order=one) for one in going]
    closing: List[Step] = []
    guarding: List[Step] = []
    for position in view.positions:
        counted = policy.strict and position.market == "spot"
        if position.size <= 0 or dust(position, view) or (counted and not (fenced and turn)):
            continue
        rule = view.rules.get(position.symbol, Rule())
        resting = [one for one in exits_of(position, view) if not dust(position._replace(size=one.left), view)]
        if policy.flatten and position.key not in blocked:
            if counted and resting:
                closing.append(Step("claim", order=resting[0], position=position, amount=min(resting[0].left, position.size)))
            else:
                amount = stepped(position.size, rule.lot)
                closing.append(Step("close", position=position, amount=min(amount, rule.most) if rule.most > 0 else amount))
            continue
        amount = stepped(position.size - found[position.key].sure, rule.lot)
        if policy.may_place and amount > 0 and not dust(position._replace(size=amount), view):
            guarding.append(Step("protect", position=position, amount=amount))
    return closing + guarding


def exits_of(position: Position, view: View) -> List[Order]:
    """Return the resting orders that make a position smaller: stops before others, the largest first."""
    found = [one for one in view.orders if one.key == position.key and one.side == position.exit_side]
    return sorted(found, key=lambda one: (not one.stop, -one.left, one.id))


def takes_a_stop_away(step: Step) -> bool:
    """Say whether a step cancels a resting stop or exit: only on a reading that is seen to be of one moment."""
    return step.do == "cancel" and not surely_opens(step.order)


# ============================== venue
# What the switch asks of a venue; one class for each kind of account.


class Fill(NamedTuple):
    """What an order of ours did: amount, money (quote currency) and fee (quote currency; 0 where the venue does not say at once)."""

    amount: Decimal = ZERO
    money: Decimal = ZERO
    fee: Decimal = ZERO


class Venue:
    """One account. Every call raises Refused, Gone or Silent; none repeats itself. Moments are the venue's clock."""

    #: how many ids one request cancels, whether all of a batch have to be of one symbol, and what it needs to be told about
    batch, per_symbol = 1, False

    def open_orders(self) -> Tuple[Order, ...]:
        """Return the bot's open orders: the first question, one request where the venue allows it."""
        raise NotImplementedError

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the whole reading to orders that were just asked for. Orders come first and positions second: a position that is

        opened and protected in between is then seen without its stop, and never a stop without its position.
        """
        raise NotImplementedError

    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel up to `batch` orders; return the ids that are gone. An id that was gone before counts. Refused: the whole request was."""
        raise NotImplementedError

    def claim(self, order: Order) -> Decimal:
        """Cancel one order and return what was left of it. Raises Gone when this call is not the one that cancelled it."""
        raise NotImplementedError

    def prices_of(self, symbols: List[str], needed: bool) -> Dict[str, Decimal]:
        """Return the last prices. Where nothing is to be placed they only tell what is dust, and may be missing."""
        if not symbols:
            return {}
        try:
            return self._prices(symbols)
        except (Refused, Silent):
            if needed:
                raise
            return {}

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        raise NotImplementedError

    def now(self) -> float:
        """Return the venue's clock, in seconds since 1970."""
        raise NotImplementedError

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop that makes a position smaller and can do nothing else; not after `until`."""
        raise NotImplementedError

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Trade an amount at a limit or better, at once or not at all, making the position smaller; not after `until`."""
        raise NotImplementedError

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Ask the venue whether it would take that order from this key, without placing it. Raises Refused when it would not."""
        raise NotImplementedError

    def left_alone(self) -> Dict[str, Any]:
        """Return what was seen and is not the bot's, for the report."""
        return {}


# ============================== kraken_calls
# Kraken's REST protocol, v0 (docs.kraken.com): signing, nonces, envelope.
BATCH = 50                      # CancelOrderBatch takes at most 50 ids
NONCE_LEAP_US = 1_000_000


class Kraken:
    """The calls that stopping needs. One connection; a nonce of its own key, in microseconds."""

    def __init__(self, url: str, ca_file: Optional[str], key: str, secret: bytes) -> None:
        self._line = Line(url, ca_file)
        self._key, self._secret, self._nonce, self._stale = key, secret, 0, 0

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
        try:
            result = self._answer("POST", path, body, {"API-Key": self._key, "API-Sign": signature, "Content-Type": kind})
        except Refused as exc:
            if "EAPI:Invalid nonce" in str(exc):
                # A clock that runs behind, or another switch with the same key: the venue wants a higher number, so leap ever further.
                self._stale += 1
                self._nonce += NONCE_LEAP_US * 4 ** min(self._stale - 1, 12) if self._stale > 1 else 0
            raise
        self._stale = 0
        return result

    def public(self, call: str, **fields: Any) -> Any:
        """Call a public method and return its result."""
        return self._answer("GET", "/0/public/%s?%s" % (call, urllib.parse.urlencode(fields)), None, {})

    def _answer(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Any:
        status, heard, raw = self._line.ask(method, path, body, headers)
        try:
            data = json.loads(raw)
            errors, result = data["error"], data.get("result")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._line.drop()
            if status == 429:
                raise Refused("status 429: too many requests", limited=True, wait_s=_seconds(heard.get("retry-after"))) from None
            raise Silent("status %d without a Kraken answer" % status) from None
        if errors:
            words = "; ".join(str(one) for one in errors)[:300]
            if "EOrder:Unknown order" in words:
                raise Gone(words)
            limited = any(word in words for word in ("Rate limit", "Too many requests", "Throttled", "lockout"))
            raise Refused(words, limited=limited, wait_s=_seconds(heard.get("retry-after")) if limited else 0.0)
        return result


def _seconds(text: Optional[str]) -> float:
    return min(60.0, float(text)) if text and text.isdigit() else 0.0


# ============================== kraken
# An account at Kraken: spot, and margin where the bot uses it. One list of open orders; a batch cancels 50.
STOP_TYPES = ("stop-loss", "stop-loss-limit", "trailing-stop", "trailing-stop-limit")
PAGE = 50


class KrakenAccount(Venue):
    """See Venue. `asks`: key that queries and cancels; `trades`: key that may place (the same, where there is only one)."""

    batch = BATCH

    def __init__(self, asks: Kraken, trades: Kraken, settings: Mapping[str, Any], priced: bool, since: Optional[float]) -> None:
        self._asks, self._trades, self._priced, self._since = asks, trades, priced, since
        self._wanted: List[str] = list(settings["pairs"])
        self._shared, self._margin = settings.get("account") == "shared", bool(settings.get("margin"))
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._pairs: Dict[str, Dict[str, Any]] = {}     # every name that the venue has for a pair -> what AssetPairs says
        self._asked: List[str] = []
        self._raw: Dict[str, Any] = {}
        self._closed: Dict[str, Any] = {}
        self._closed_to = since or 0.0
        self._ahead: Optional[float] = None
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the open orders that are the bot's: on a dedicated account all, on a shared one those with its client id prefix."""
        listed = self._asks.private("OpenOrders")["open"] or {}
        self._raw = {txid: one for txid, one in listed.items() if not self._shared or self._is_ours(one)}
        self._foreign = len(listed) - len(self._raw)
        return tuple(order for order in (self._order(txid, one) for txid, one in self._raw.items()) if order is not None)

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading; pairs are asked for once, prices only where something may be placed or sold."""
        self._learn_pairs()
        known = [self._order(txid, one) for txid, one in self._raw.items()]
        orders = tuple(one for one in known if one is not None)
        unclear = tuple(txid for txid in self._raw if self._order(txid, self._raw[txid]) is None)
        positions = self._spot() + (self._margins() if self._margin or any(one.market == "margin" for one in orders) else [])
        symbols = sorted({one.symbol for one in positions})
        rules = {symbol: _rule(self._pairs[symbol]) for symbol in symbols}
        return View(orders, tuple(positions), self.prices_of(symbols, self._priced), rules, unclear)

    def _is_ours(self, order: Any) -> bool:
        return bool(self._prefix) and isinstance(order, dict) and str(order.get("cl_ord_id") or "").startswith(self._prefix)

    def _order(self, txid: str, raw: Any) -> Optional[Order]:
        """Return an order, None for one that has another form than documented."""
        described = raw.get("descr") if isinstance(raw, dict) else None
        side = described.get("type") if isinstance(described, dict) else None
        if not isinstance(described, dict) or side not in ("buy", "sell"):
            return None
        pair = self._pairs.get(str(described.get("pair")), {})
        symbol = str(pair.get("altname") or described.get("pair"))
        margin = described.get("leverage", "none") not in ("none", None)
        stop = described.get("ordertype") in STOP_TYPES
        return Order(txid, symbol, symbol if margin else str(pair.get("base") or symbol), "margin" if margin else "spot", side, stop,
                     max(ZERO, number(raw.get("vol")) - number(raw.get("vol_exec"))), number(described.get("price")),
                     reduces=raw.get("reduce_only") is True, client_id=str(raw.get("cl_ord_id") or ""),
                     words=str(described.get("order") or "an order"))

    def _learn_pairs(self) -> None:
        named = [str((one.get("descr") or {}).get("pair")) for one in self._raw.values() if isinstance(one, dict)]
        names = [name for name in [*self._wanted, *named] if name not in self._asked]
        if not names:
            return
        listed = self._asks.public("AssetPairs", pair=",".join(sorted(set(names))))
        self._asked += names
        for key, one in listed.items():
            self._pairs.update({name: one for name in (key, one.get("altname"), one.get("wsname")) if name})

    def _symbols(self) -> Dict[str, str]:
        """Return {base asset: the pair that it is sold by}: the first of the settings."""
        found: Dict[str, str] = {}
        for name in [*self._wanted, *self._asked]:
            pair = self._pairs.get(name)
            if pair is not None:
                found.setdefault(str(pair["base"]), str(pair["altname"]))
        return found

    def _spot(self) -> List[Position]:
        balances = self._asks.private("Balance")
        if not isinstance(balances, dict):
            raise Silent("Balance has another form than documented")
        symbols = self._symbols()
        held = {base: exact(balances.get(base, "0"), "balance of %s" % base) for base in symbols}
        if self._since is not None:
            ours = self._net_fills()
            held = {base: min(amount, max(ZERO, ours.get(base, ZERO))) for base, amount in held.items()}
        return [Position(symbols[base], base, "spot", "long", amount) for base, amount in sorted(held.items()) if amount > 0]

    def _net_fills(self) -> Dict[str, Decimal]:
        """Return what the bot's own orders bought and did not sell again, by base asset. Only what is provably the bot's may be sold."""
        self._read_closed()
        net: Dict[str, Decimal] = {}
        for one in {**self._raw, **self._closed}.values():
            if not self._is_ours(one) or (one["descr"].get("leverage", "none") not in ("none", None)):
                continue
            pair = self._pairs.get(str(one["descr"].get("pair")))
            done = exact(one.get("vol_exec"), "vol_exec")
            if pair is None or not done:
                continue
            fee = exact(one.get("fee") or "0", "fee") if "fcib" in str(one.get("oflags")) else ZERO
            net[pair["base"]] = net.get(pair["base"], ZERO) + (done if one["descr"]["type"] == "buy" else -done) - fee
        return net

    def _read_closed(self) -> None:
        found: Dict[str, Any] = {}
        while True:
            page = self._asks.private("ClosedOrders", start=int(self._closed_to) - 1, ofs=len(found))["closed"]
            found.update(page)
            if len(page) < PAGE:
                break
        self._closed.update(found)
        named = {str(one["descr"].get("pair")) for one in found.values() if self._is_ours(one)}
        if named - set(self._pairs):
            listed = self._asks.public("AssetPairs", pair=",".join(sorted(named)))
            for key, one in listed.items():
                self._pairs.update({name: one for name in (key, one.get("altname"), one.get("wsname")) if name})
                self._asked.append(key)
        closes = [float(number(one.get("closetm"))) for one in found.values()]
        self._closed_to = max([self._closed_to, *(moment - 60 for moment in closes)])

    def _margins(self) -> List[Position]:
        """Return margin positions; the venue nets them per pair, so on a shared account those of the bot's pairs are the bot's."""
        sums: Dict[str, Decimal] = {}
        leverage: Dict[str, str] = {}
        mine = {str(self._pairs[name]["altname"]) for name in self._wanted if name in self._pairs}
        for one in (self._asks.private("OpenPositions") or {}).values():
            pair = self._pairs.get(str(one.get("pair")))
            if pair is None:
                pair = self._asks.public("AssetPairs", pair=str(one.get("pair")))[str(one.get("pair"))]
                self._pairs.update({str(one.get("pair")): pair, str(pair["altname"]): pair})
            name = str(pair["altname"])
            if self._shared and name not in mine:
                continue
            left = exact(one.get("vol"), "vol") - exact(one.get("vol_closed") or "0", "vol_closed")
            sums[name] = sums.get(name, ZERO) + (left if one.get("type") == "buy" else -left)
            cost, margin = number(one.get("cost")), number(one.get("margin"))
            leverage[name] = str(max(2, round(cost / margin))) if margin > 0 else "2"
        return [Position(name, name, "margin", "long" if size > 0 else "short", abs(size), leverage=leverage[name])
                for name, size in sorted(sums.items()) if size]

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        found = {}
        for name, row in self._asks.public("Ticker", pair=",".join(symbols)).items():
            pair = self._pairs.get(name)
            found[str(pair["altname"]) if pair else name] = exact(row["c"][0], "price of %s" % name)
        return found

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel by id."""
        ids = [one.id for one in orders]
        try:
            if len(ids) == 1:
                self._asks.private("CancelOrder", txid=ids[0])
            else:
                self._asks.private("CancelOrderBatch", orders=ids)
        except Gone:
            pass
        return ids

    def claim(self, order: Order) -> Decimal:
        """Cancel one order by id; what is left of it is asked for afterwards, because it may have been filled in part meanwhile."""
        done = self._asks.private("CancelOrder", txid=order.id)
        if int(done.get("count") or 0) < 1:
            raise Gone("EOrder:Unknown order")
        raw = self._asks.private("QueryOrders", txid=order.id)[order.id]
        if raw.get("status") != "canceled":
            raise Silent("the cancelled order reads %s" % raw.get("status"))
        return max(ZERO, exact(raw.get("vol"), "vol") - exact(raw.get("vol_exec"), "vol_exec"))

    def now(self) -> float:
        """Return the venue's clock; asked once, then told by the difference."""
        if self._ahead is None:
            self._ahead = float(self._asks.public("Time")["unixtime"]) + 0.5 - time.time()     # whole seconds are told, the rest is guessed
        return time.time() + self._ahead

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop-loss at the market behind the trigger."""
        self._add(position, amount, client_id, until, ordertype="stop-loss", price=text_of(trigger))

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Place a limit order that fills at once or goes; return what it did."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        txid = self._add(position, amount, client_id[:18], until, ordertype="limit", price=text_of(limit), timeinforce="IOC")
        raw = self._asks.private("QueryOrders", txid=txid)[txid]
        return Fill(exact(raw.get("vol_exec"), "vol_exec"), exact(raw.get("cost"), "cost"), number(raw.get("fee")))

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Validate only."""
        self._trades.private("AddOrder", pair=position.symbol, type=position.exit_side, ordertype="limit", price=text_of(limit),
                             volume=text_of(amount), timeinforce="IOC", validate="true")

    def _add(self, position: Position, amount: Decimal, client_id: str, until: Optional[float], **how: str) -> str:
        fields: Dict[str, Any] = {"pair": position.symbol, "type": position.exit_side, "volume": text_of(amount), **how}
        if client_id:
            fields["cl_ord_id"] = client_id
        if position.market == "margin":
            fields.update(leverage=position.leverage, reduce_only="true")
        if until is not None:
            if until - self.now() < 2:      # the venue takes no deadline that is nearer
                raise Refused("too late for this order")
            fields["deadline"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until)) + ".%03dZ" % (until % 1 * 1000)
        return str(self._trades.private("AddOrder", **fields)["txid"][0])


def _rule(pair: Mapping[str, Any]) -> Rule:
    lot = Decimal(1).scaleb(-int(pair.get("lot_decimals") or 0))
    tick = number(pair.get("tick_size")) or Decimal(1).scaleb(-int(pair.get("pair_decimals") or 0))
    return Rule(number(pair.get("ordermin", "0")), lot, tick, number(pair.get("costmin", "0")))


# ============================== binance_calls
# Binance's signed REST protocol, spot and USD-M futures: one way to sign, one envelope of errors (developers.binance.com).
RECV_WINDOW_MS = 5000
RECV_WINDOW_MAX_MS = 60000
GONE = (-2011, -2013, -2022)            # unknown order; order does not exist; reduce-only rejected because nothing is left to reduce
UNKNOWN_OUTCOME = (-1000, -1001, -1006, -1007)  # the venue itself does not know whether it acted


class Binance:
    """The calls that stopping needs. One connection; times are the venue's once it has complained about ours."""

    def __init__(self, url: str, ca_file: Optional[str], key: str, secret: bytes) -> None:
        self._line = Line(url, ca_file)
        self._key, self._secret = key, secret
        self._ahead: Optional[float] = None
        self._time_path = "/api/v3/time"

    def of_futures(self) -> Binance:
        """Return itself, asking the futures' clock."""
        self._time_path = "/fapi/v1/time"
        return self

    def signed(self, method: str, path: str, until: Optional[float] = None, **params: Any) -> Any:
        """Call and return the answer. `until` (venue's clock): the venue refuses the request when it arrives later.

        Raises Refused, Gone or Silent. A clock that the venue does not accept is set by the venue's, once, and the call repeated.
        """
        try:
            return self._signed(method, path, until, params)
        except Refused as exc:
            if "(-1021)" not in str(exc) or until is not None:
                raise
            self._ahead = None
            self.now()
            return self._signed(method, path, until, params)

    def _signed(self, method: str, path: str, until: Optional[float], params: Dict[str, Any]) -> Any:
        moment = (self.now() if until is not None else time.time() + (self._ahead or 0.0)) * 1000
        window = RECV_WINDOW_MS if until is None else min(RECV_WINDOW_MAX_MS, int(until * 1000 - moment))
        if window < 1:
            raise Refused("too late for this order")
        query = urllib.parse.urlencode({**params, "recvWindow": window, "timestamp": int(moment)})
        query += "&signature=" + hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self._key}
        if method in ("GET", "DELETE"):
            return self._answer(method, path + "?" + query, None, headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self._answer(method, path, query.encode(), headers)

    def public(self, path: str, **params: Any) -> Any:
        """Call without a signature."""
        return self._answer("GET", path + ("?" + urllib.parse.urlencode(params) if params else ""), None, {})

    def now(self) -> float:
        """Return the venue's clock; asked once, then told by the difference."""
        if self._ahead is None:
            self._ahead = float(self.public(self._time_path)["serverTime"]) / 1000 - time.time()
        return time.time() + self._ahead

    def _answer(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Any:
        status, heard, raw = self._line.ask(method, path, body, headers)
        try:
            data = json.loads(raw)
        except ValueError:
            self._line.drop()
            if status in (418, 429):
                raise Refused("status %d: too many requests" % status, limited=True, wait_s=_wait(heard)) from None
            raise Silent("status %d without a Binance answer" % status) from None
        if status < 400 and not (isinstance(data, dict) and _code(data) < 0):
            return data
        code = _code(data) if isinstance(data, dict) else 0
        words = ("%s (%d)" % (data.get("msg", ""), code))[:300] if isinstance(data, dict) else "status %d" % status
        if status in (418, 429) or code == -1003:
            raise Refused(words, limited=True, wait_s=_wait(heard))
        if code in UNKNOWN_OUTCOME or (status >= 500 and not code):
            raise Silent("status %d: %s" % (status, words))
        raise (Gone if code in GONE else Refused)(words)


def _code(data: Dict[str, Any]) -> int:
    try:
        return int(data.get("code") or 0)
    except (TypeError, ValueError):
        return 0


def _wait(heard: Dict[str, str]) -> float:
    text = heard.get("retry-after", "")
    return min(120.0, float(text)) if text.isdigit() else 0.0


# ============================== binance_spot
# A spot account at Binance: cancelled one by one, order lists (OCO) as one, because cancelling one leg cancels the list.
SPOT_STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
DAY_MS = 86_400_000
ROWS = 1000


class SpotAccount(Venue):
    """See Venue."""

    batch, per_symbol = 1, True

    def __init__(self, asks: Binance, trades: Binance, settings: Mapping[str, Any], priced: bool, since: Optional[float]) -> None:
        self._asks, self._trades, self._priced, self._since = asks, trades, priced, since
        self._wanted: List[str] = list(settings["pairs"])
        self._shared = settings.get("account") == "shared"
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._info: Dict[str, Dict[str, Any]] = {}
        self._raw: List[Dict[str, Any]] = []
        self._unclear: Tuple[str, ...] = ()
        self._ours: Dict[str, List[int]] = {}           # symbol -> ids of the bot's own orders since the start
        self._trade_rows: Dict[str, Dict[int, Dict[str, Any]]] = {}
        self._listed: Dict[str, Dict[int, bool]] = {}   # symbol -> order id -> is part of an order list
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the open orders that are the bot's."""
        listed = self._asks.signed("GET", "/api/v3/openOrders")
        if not isinstance(listed, list):
            raise Silent("openOrders has another form than documented")
        lists = self._own_lists(listed) if self._shared else set()
        self._raw = [one for one in listed if not self._shared or self._is_ours(one) or one.get("orderListId", -1) in lists]
        self._foreign = len(listed) - len(self._raw)
        return self._orders()

    def _own_lists(self, listed: List[Dict[str, Any]]) -> Any:
        if all(one.get("orderListId", -1) == -1 for one in listed):
            return set()
        return {one["orderListId"] for one in self._asks.signed("GET", "/api/v3/openOrderList")
                if str(one.get("listClientOrderId") or "").startswith(self._prefix)}

    def _is_ours(self, raw: Mapping[str, Any]) -> bool:
        return bool(self._prefix) and str(raw.get("clientOrderId") or "").startswith(self._prefix)

    def _orders(self) -> Tuple[Order, ...]:
        single = [one for one in self._raw if one.get("orderListId", -1) == -1]
        lists: Dict[int, List[Dict[str, Any]]] = {}
        for one in self._raw:
            if one.get("orderListId", -1) != -1:
                lists.setdefault(one["orderListId"], []).append(one)
        odd = [str(one.get("orderId")) for one in self._raw if one.get("side") not in ("BUY", "SELL")]
        self._unclear = tuple(odd)
        out = [self._order(one) for one in single if str(one.get("orderId")) not in odd]
        for number_, legs in lists.items():
            buy = [leg for leg in legs if leg.get("side") == "BUY"]
            stop = [leg for leg in legs if leg.get("type") in SPOT_STOPS]
            shown = self._order((buy or stop or legs)[0])
            out.append(shown._replace(id=str(number_), service="list", stop=bool(stop) and not buy,
                                      words="order list %d of %s" % (number_, shown.symbol)))
        return tuple(out)

    def _order(self, raw: Mapping[str, Any]) -> Order:
        symbol, side = str(raw["symbol"]), str(raw["side"]).lower()
        left = max(ZERO, number(raw.get("origQty")) - number(raw.get("executedQty")))
        return Order(str(raw["orderId"]), symbol, str(self._info.get(symbol, {}).get("baseAsset") or symbol), "spot", side,
                     raw.get("type") in SPOT_STOPS, left, number(raw.get("stopPrice")), client_id=str(raw.get("clientOrderId") or ""),
                     words="%s %s %s %s" % (side, text_of(left), symbol, str(raw.get("type")).lower()))

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading."""
        names = sorted({*self._wanted, *(str(one.get("symbol")) for one in self._raw)} - set(self._info))
        if names:
            listed = self._asks.public("/api/v3/exchangeInfo", symbols=json.dumps(names, separators=(",", ":")))["symbols"]
            self._info.update({one["symbol"]: one for one in listed})
        positions = self._positions()
        symbols = sorted({one.symbol for one in positions})
        return View(self._orders(), tuple(positions), self.prices_of(symbols, self._priced),
                    {symbol: spot_rule(self._info[symbol]) for symbol in symbols}, self._unclear)

    def _positions(self) -> List[Position]:
        rows = self._asks.signed("GET", "/api/v3/account", omitZeroBalances="true")["balances"]
        balances = {row["asset"]: exact(row["free"], "free") + exact(row["locked"], "locked") for row in rows}
        symbols: Dict[str, str] = {}
        for name in [*self._wanted, *sorted(self._info)]:
            if name in self._info:
                symbols.setdefault(self._info[name]["baseAsset"], name)
        held = {base: balances.get(base, ZERO) for base in symbols}
        if self._since is not None:
            net = self._net_fills()
            held = {base: min(amount, max(ZERO, net.get(base, ZERO))) for base, amount in held.items()}
        return [Position(symbols[base], base, "spot", "long", amount) for base, amount in sorted(held.items()) if amount > 0]

    def _net_fills(self) -> Dict[str, Decimal]:
        """Return what the bot's own orders bought and did not sell again, less what the venue took of it as commission.

        A sale by an order list counts whoever placed it, because its legs carry no id of the bot's: less is then sold, never more.
        """
        net: Dict[str, Decimal] = {}
        for symbol in sorted(self._info):
            self._read_history(symbol)
            base, ours = self._info[symbol]["baseAsset"], set(self._ours.get(symbol, []))
            for row in self._trade_rows.get(symbol, {}).values():
                mine = row["orderId"] in ours
                if not mine and not (self._listed.get(symbol, {}).get(row["orderId"]) and not row["isBuyer"]):
                    continue
                amount = exact(row["qty"], "qty") * (1 if row["isBuyer"] else -1)
                fee = exact(row["commission"], "commission") if row.get("commissionAsset") == base else ZERO
                net[base] = net.get(base, ZERO) + amount - fee
        return net

    def _read_history(self, symbol: str) -> None:
        """Read orders and trades since the start, in the windows of a day that the venue takes."""
        rows = self._trade_rows.setdefault(symbol, {})
        since = int((self._since or 0.0) * 1000) if not rows else max(int(row["time"]) for row in rows.values()) - 60_000
        end = int(time.time() * 1000) + 60_000
        start = max(since, 0)
        while start <= end:
            stop = min(end, start + DAY_MS - 1)
            orders = self._asks.signed("GET", "/api/v3/allOrders", symbol=symbol, startTime=start, endTime=stop, limit=ROWS)
            trades = self._asks.signed("GET", "/api/v3/myTrades", symbol=symbol, startTime=start, endTime=stop, limit=ROWS)
            self._ours.setdefault(symbol, []).extend(one["orderId"] for one in orders if self._is_ours(one))
            self._listed.setdefault(symbol, {}).update({one["orderId"]: one.get("orderListId", -1) != -1 for one in orders})
            rows.update({int(one["id"]): one for one in trades})
            full = [page for page in (orders, trades) if len(page) >= ROWS]
            last = min((int(page[-1]["time"]) for page in full), default=stop)
            start = last if full and last > start else stop + 1

    def _prices(self, symbols: List[str]) -> Dict[str, Decimal]:
        rows = self._asks.public("/api/v3/ticker/price", symbols=json.dumps(symbols, separators=(",", ":")))
        return {row["symbol"]: exact(row["price"], "price of %s" % row["symbol"]) for row in rows}

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel one order, or one list."""
        for one in orders:
            with contextlib.suppress(Gone):
                self._delete(one)
        return [one.id for one in orders]

    def _delete(self, order: Order) -> Any:
        if order.service == "list":
            return self._asks.signed("DELETE", "/api/v3/orderList", symbol=order.symbol, orderListId=order.id)
        return self._asks.signed("DELETE", "/api/v3/order", symbol=order.symbol, orderId=order.id)

    def claim(self, order: Order) -> Decimal:
        """Cancel one order or list; the answer says what was left of it."""
        done = self._delete(order)
        reports = done["orderReports"] if order.service == "list" else [done]
        return max(ZERO, min(exact(one["origQty"], "origQty") for one in reports)
                   - sum((exact(one["executedQty"], "executedQty") for one in reports), ZERO))

    def now(self) -> float:
        """Return the venue's clock."""
        return self._asks.now()

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a stop; at the market where the venue takes that for the symbol, else with a limit 5 % beyond."""
        how: Dict[str, Any] = {"type": "STOP_LOSS"}
        info = self._info[position.symbol]
        if "STOP_LOSS" not in info.get("orderTypes", ["STOP_LOSS"]):
            tick = spot_rule(info).tick
            limit = max(tick, (trigger * Decimal("0.95")) // tick * tick if tick > 0 else trigger)
            how = {"type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": text_of(limit)}
        self._trades.signed("POST", "/api/v3/order", until, symbol=position.symbol, side="SELL", quantity=text_of(amount),
                            stopPrice=text_of(trigger), newClientOrderId=client_id, newOrderRespType="ACK", **how)

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Sell at a limit, at once or not at all."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        done = self._trades.signed("POST", "/api/v3/order", until, symbol=position.symbol, side="SELL", type="LIMIT", timeInForce="IOC",
                                   quantity=text_of(amount), price=text_of(limit), newClientOrderId=client_id, newOrderRespType="FULL")
        quote = self._info[position.symbol].get("quoteAsset")
        fees = sum((number(one.get("commission")) for one in done.get("fills") or [] if one.get("commissionAsset") == quote), ZERO)
        return Fill(exact(done["executedQty"], "executedQty"), exact(done["cummulativeQuoteQty"], "cummulativeQuoteQty"), fees)

    def rehearse(self, position: Position, amount: Decimal, limit: Decimal) -> None:
        """Ask the venue's test of orders."""
        self._trades.signed("POST", "/api/v3/order/test", symbol=position.symbol, side="SELL", type="LIMIT", timeInForce="IOC",
                            quantity=text_of(amount), price=text_of(limit))


def spot_rule(info: Mapping[str, Any]) -> Rule:
    """Return a symbol's limits out of its filters."""
    filters = {one["filterType"]: one for one in info["filters"]}
    lot, notional = filters.get("LOT_SIZE", {}), filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return Rule(number(lot.get("minQty")), number(lot.get("stepSize")), number(filters.get("PRICE_FILTER", {}).get("tickSize")),
                number(notional.get("minNotional") or notional.get("notional")), number(lot.get("maxQty")))


# ============================== binance_futures
# A USD-M futures account at Binance. Conditional orders live in a service of their own, with its own list and deletes, per symbol.
#
# In one-way mode every order of ours is reduce-only; in hedge mode the venue refuses that flag, and the position's side takes its place.
FUTURES_STOPS = ("STOP", "STOP_MARKET", "TRAILING_STOP_MARKET")


class FuturesAccount(Venue):
    """See Venue."""

    batch, per_symbol = 10, True

    def __init__(self, asks: Binance, trades: Binance, settings: Mapping[str, Any], priced: bool) -> None:
        self._asks, self._trades, self._priced = asks.of_futures(), trades.of_futures(), priced
        self._wanted = set(settings["pairs"])
        self._shared = settings.get("account") == "shared"
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._rules: Dict[str, Rule] = {}
        self._unclear: Tuple[str, ...] = ()
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the bot's orders of both services."""
        plain = self._asks.signed("GET", "/fapi/v1/openOrders")
        algo = self._asks.signed("GET", "/fapi/v1/openAlgoOrders")
        algo = algo.get("orders", algo) if isinstance(algo, dict) else algo
        if not isinstance(plain, list) or not isinstance(algo, list):
            raise Silent("the open orders have another form than documented")
        rows = [("order", one) for one in plain] + [("algo", one) for one in algo]
        mine = [(service, one) for service, one in rows if not self._shared or self._is_ours(service, one)]
        self._foreign = len(rows) - len(mine)
        self._unclear = tuple(str(one.get("orderId") or one.get("algoId")) for _, one in mine if one.get("side") not in ("BUY", "SELL"))
        return tuple(futures_order(service, one) for service, one in mine if one.get("side") in ("BUY", "SELL"))

    def _is_ours(self, service: str, raw: Mapping[str, Any]) -> bool:
        named = str(raw.get("clientAlgoId" if service == "algo" else "clientOrderId") or "")
        return bool(self._prefix) and named.startswith(self._prefix)

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading; on a shared account what is in `pairs` is the bot's, because the venue nets positions by symbol."""
        positions, prices = [], {}
        for row in self._asks.signed("GET", "/fapi/v3/positionRisk"):
            size, symbol = exact(row["positionAmt"], "positionAmt"), str(row["symbol"])
            if not size or (self._shared and symbol not in self._wanted):
                continue
            side = str(row.get("positionSide") or "BOTH")
            leg = "" if side == "BOTH" else side
            long = size > 0 if not leg else leg == "LONG"
            positions.append(Position(symbol, symbol, "futures", "long" if long else "short", abs(size), leg))
            prices[symbol] = exact(row["markPrice"], "markPrice")
        if positions and not {one.symbol for one in positions} <= set(self._rules) and (self._priced or not self._rules):
            self._learn_rules()
        rules = {one.symbol: self._rules.get(one.symbol, Rule()) for one in positions}
        return View(orders, tuple(positions), prices, rules, self._unclear)

    def _learn_rules(self) -> None:
        for info in self._asks.public("/fapi/v1/exchangeInfo")["symbols"]:
            self._rules[str(info["symbol"])] = futures_rule(info)

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel orders of one symbol and service; conditional ones have no batch by id."""
        if orders[0].service == "order" and len(orders) > 1:
            answers = self._asks.signed("DELETE", "/fapi/v1/batchOrders", symbol=orders[0].symbol,
                                        orderIdList=json.dumps([int(one.id) for one in orders], separators=(",", ":")))
            refused = [one for one in answers if isinstance(one, dict) and int(one.get("code") or 0) < 0]
            hard = [one for one in refused if int(one["code"]) not in (-2011, -2013)]
            if hard:
                raise Refused("%s (%s)" % (hard[0].get("msg"), hard[0]["code"]))
            return [one.id for one in orders]
        for one in orders:
            with contextlib.suppress(Gone):
                self._delete(one)
        return [one.id for one in orders]

    def _delete(self, order: Order) -> Any:
        if order.service == "algo":
            return self._asks.signed("DELETE", "/fapi/v1/algoOrder", symbol=order.symbol, algoId=order.id)
        return self._asks.signed("DELETE", "/fapi/v1/order", symbol=order.symbol, orderId=order.id)

    def now(self) -> float:
        """Return the venue's clock."""
        return self._asks.now()

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a conditional market order that can only reduce."""
        self._trades.signed("POST", "/fapi/v1/algoOrder", until, algoType="CONDITIONAL", symbol=position.symbol,
                            side=position.exit_side.upper(), type="STOP_MARKET", triggerPrice=text_of(trigger), quantity=text_of(amount),
                            clientAlgoId=client_id, newOrderRespType="RESULT", **_only_reduces(position))

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Trade against the position at a limit, at once or not at all."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        done = self._trades.signed("POST", "/fapi/v1/order", until, symbol=position.symbol, side=position.exit_side.upper(), type="LIMIT",
                                   timeInForce="IOC", quantity=text_of(amount), price=text_of(limit), newClientOrderId=client_id,
                                   newOrderRespType="RESULT", **_only_reduces(position))
        filled, money = exact(done["executedQty"], "executedQty"), exact(done["cumQuote"], "cumQuote")
        return Fill(filled, money, self._fee(position.symbol, done["orderId"]) if filled > 0 else ZERO)

    def _fee(self, symbol: str, order_id: Any) -> Decimal:
        """Return what the venue took for an order; 0 where it does not say."""
        try:
            rows = self._asks.signed("GET", "/fapi/v1/userTrades", symbol=symbol, orderId=order_id)
            return sum((number(one.get("commission")) for one in rows), ZERO)
        except (Refused, Silent, TypeError, AttributeError):
            return ZERO


def _only_reduces(position: Position) -> Dict[str, str]:
    return {"positionSide": position.leg} if position.leg else {"reduceOnly": "true"}


def futures_order(service: str, raw: Mapping[str, Any]) -> Order:
    """Return an order of either service."""
    algo = service == "algo"
    kind = str(raw.get("orderType") if algo else raw.get("origType") or raw.get("type"))
    side, symbol = str(raw["side"]).lower(), str(raw["symbol"])
    left = number(raw.get("quantity")) if algo else max(ZERO, number(raw.get("origQty")) - number(raw.get("executedQty")))
    leg = str(raw.get("positionSide") or "BOTH")
    return Order(str(raw["algoId"] if algo else raw["orderId"]), symbol, symbol, "futures", side, kind in FUTURES_STOPS, left,
                 number(raw.get("triggerPrice") if algo else raw.get("stopPrice")), raw.get("reduceOnly") is True,
                 raw.get("closePosition") is True, "" if leg == "BOTH" else leg,
                 str(raw.get("clientAlgoId" if algo else "clientOrderId") or ""), service,
                 "%s %s %s %s" % (side, text_of(left), symbol, kind.lower()))


def futures_rule(info: Mapping[str, Any]) -> Rule:
    """Return a symbol's limits. The least value does not bind orders that only reduce; the largest order is that of the market."""
    filters = {one["filterType"]: one for one in info["filters"]}
    lot, market = filters.get("LOT_SIZE", {}), filters.get("MARKET_LOT_SIZE", {})
    most = min((number(one.get("maxQty")) for one in (lot, market) if number(one.get("maxQty")) > 0), default=ZERO)
    return Rule(number(lot.get("minQty")), number(lot.get("stepSize")), number(filters.get("PRICE_FILTER", {}).get("tickSize")), ZERO, most)


# ============================== settings
# The settings file and the keys: every field known, or one clear sentence.
SETTINGS = "/etc/golive/kill_switch.json"
VENUES = ("kraken", "binance", "binance_usdm")
POLICIES = ("hold", "flatten")
REQUIRED = ("system", "venue", "url", "credential", "quote", "pairs", "policy", "epoch_directory", "record_directory")
KNOWN = (*REQUIRED, "ca_file", "fence", "page", "settle_s", "account", "client_id_prefix", "console", "margin", "inventory_since",
         "flatten", "place_stops", "trade_credential", "turn")
FLATTEN = ("loss_cap_quote", "price_guard_pct", "give_up_s", "fee_pct")
TURN = {"rank": 0, "of": 1, "slot_s": 10.0}


SLOT_LEAST_S = 5.0


class Selling(NamedTuple):
    """How positions are closed: at what cost at most (quote currency), how far from the last price, and for how long it is tried."""

    loss_cap: Decimal = ZERO
    guard_pct: Decimal = Decimal(2)
    give_up_s: float = 120.0
    fee_pct: Decimal = Decimal("0.5")


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
    if data["venue"] not in VENUES or data["policy"] not in POLICIES:
        raise Problem("%s: venue %s with policy %s is not known, expected one of %s with %s"
                      % (path, data["venue"], data["policy"], ", ".join(VENUES), " or ".join(POLICIES)))
    if not data["url"].startswith("https://") and not data["url"].startswith("http://127.0.0.1:"):
        raise Problem("%s: url must be https" % path)
    _check_selling(path, data)
    return data


def _check_selling(path: str, data: Dict[str, Any]) -> None:
    """Refuse settings with which somebody else's coins could be sold, or a sale could cost without limit."""
    spot, shared, flatten = data["venue"] != "binance_usdm", data.get("account") == "shared", data["policy"] == "flatten"
    if (shared or flatten) and not data.get("client_id_prefix"):
        raise Problem("%s: a %s needs client_id_prefix, by which the bot's own orders are told from others"
                      % (path, "shared account" if shared else "policy flatten"))
    if len(str(data.get("client_id_prefix") or "")) > 12:
        raise Problem("%s: client_id_prefix: expected 12 characters at most, found %s" % (path, data["client_id_prefix"]))
    if spot and (shared or flatten) and data.get("inventory_since") is None:
        raise Problem("%s: a %s on spot needs inventory_since, a moment at which the bot held nothing: only what its own orders bought "
                      "since then is its own" % (path, "shared account" if shared else "policy flatten"))
    if data.get("inventory_since") is not None:
        moment_of(data["inventory_since"], path)
    given = data.get("flatten") or {}
    odd = sorted(set(given) - set(FLATTEN)) if isinstance(given, dict) else ["no object"]
    if odd:
        raise Problem("%s: flatten: unknown %s, expected %s" % (path, ", ".join(odd), ", ".join(FLATTEN)))
    if flatten and number(given.get("loss_cap_quote")) <= 0:
        raise Problem("%s: policy flatten needs flatten.loss_cap_quote, what closing may cost at most, in %s" % (path, data["quote"]))
    turn = {**TURN, **(data.get("turn") or {})} if isinstance(data.get("turn") or {}, dict) else {}
    if set(turn) != set(TURN) or not 0 <= turn["rank"] < turn["of"] or turn["slot_s"] < SLOT_LEAST_S:
        raise Problem("%s: turn: expected {\"rank\": this machine's, from 0, \"of\": how many machines, \"slot_s\": %g or more}, found %r"
                      % (path, SLOT_LEAST_S, data.get("turn")))
    placed = data.get("place_stops")
    if placed and (not isinstance(placed, dict) or not ZERO < number(placed.get("distance_pct")) < 100):
        raise Problem("%s: place_stops: expected {\"distance_pct\": percent below 100}, found %r" % (path, placed))


def selling_of(data: Dict[str, Any]) -> Selling:
    """Return how positions are closed."""
    given = data.get("flatten") or {}
    plain = Selling()
    return Selling(number(given.get("loss_cap_quote")), number(given.get("price_guard_pct", plain.guard_pct)),
                   float(given.get("give_up_s", plain.give_up_s)), number(given.get("fee_pct", plain.fee_pct)))


def moment_of(value: Any, path: str) -> float:
    """Return a moment in seconds since 1970, given as such or as 2026-11-21T10:15:00Z. Raises Problem."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(calendar.timegm(time.strptime(str(value), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        raise Problem("%s: inventory_since: expected a time like 2026-11-21T10:15:00Z, found %r" % (path, value)) from None


def credential_from(path: str, name: str = "kill_key", decode: bool = True) -> Tuple[str, bytes]:
    """Return key id and secret: a systemd-creds sealed file (`.cred`) or a private JSON file. Raises Problem, never with a value.

    `decode`: the secret is base64 (Kraken); else its characters are the key (Binance).
    """
    try:
        raw = _sealed(path, name) if path.endswith(".cred") else _plain(path)
        data = json.loads(raw)
        return str(data["key"]), base64.b64decode(data["secret"], validate=True) if decode else str(data["secret"]).encode()
    except Problem:
        raise
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise Problem("%s: holds no usable key, found %s" % (path, type(exc).__name__)) from None


def _plain(path: str) -> bytes:
    handed = os.environ.get("CREDENTIALS_DIRECTORY")    # systemd's own ACL there shows as a group's right
    if os.stat(path).st_mode & 0o077 and not (handed and os.path.dirname(path) == handed):
        raise Problem("%s: may be read by others; chmod 600 it" % path)
    with open(path, "rb") as handle:
        return handle.read()


def _sealed(path: str, name: str) -> bytes:
    import subprocess  # noqa: PLC0415 (a cold start without a sealed key does not pay for it)
    try:
        done = subprocess.run(["systemd-creds", "decrypt", "--name=%s" % name, path, "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=CALL_TIMEOUT_S, check=True)
    except subprocess.SubprocessError as exc:
        raise ValueError(type(exc).__name__) from None
    return done.stdout


def key_files(data: Dict[str, Any]) -> Tuple[str, Optional[str]]:
    """Return the file of the key that cancels, and of the one that may trade (None: the same)."""
    return str(data["credential"]), data.get("trade_credential") or None


# ============================== beside
# What runs beside the cancel and is never waited for: the epoch, the fence around the bot, the page to people.
FENCE_BUDGET_S = 2.0
CONSOLE = "log in at the venue, delete the bot's API key, cancel its orders"


class Beside:
    """Three things that need no venue. Each says its trouble once and keeps nobody waiting."""

    def __init__(self, settings: Dict[str, Any], mark: Callable[[str], None], trouble: Callable[[str], None],
                 say: Callable[[str], None]) -> None:
        self._settings, self._mark, self._trouble, self._say = settings, mark, trouble, say
        self.fenced = threading.Event()
        self.epoch: Optional[int] = None
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self.raise_epoch, self.fence, self.page)]

    def start(self) -> None:
        """Begin all three."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Give the epoch its time; it stops every other money action and is worth two seconds."""
        self._threads[0].join(FENCE_BUDGET_S)

    def raise_epoch(self) -> None:
        """Raise the counter that every other money action asks for; a money action with an older ticket is refused from now on."""
        directory = self._settings["epoch_directory"]
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
            self._trouble("the epoch could not be raised here: %s" % type(exc).__name__)

    def fence(self) -> None:
        """Stop and mask the bot on its own host by a forced ssh command, again and again until it is confirmed."""
        import subprocess  # noqa: PLC0415 (imported beside the first cancel, not before it)
        command: List[str] = self._settings.get("fence") or []
        if not command:
            if not self.fenced.is_set():
                self._trouble("no way to reach the bot's host is configured: power it off yourself, then confirm with --fenced")
            return
        told = False
        while not self.fenced.is_set():
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
                answer = json.loads(done.stdout or b"{}") if done.returncode == 0 else {}
                if answer.get("stopped") is True:
                    self._mark("fenced_s")
                    self.fenced.set()
                    self._say("the bot is stopped%s on its host" % ("" if answer.get("masked") is False else " and masked"))
                    undone = [word for word in ("masked", "voided") if answer.get(word) is False]
                    if undone:
                        self._trouble("on the bot's host it is not %s, and may come back: %s" % (
                            " and not ".join(undone), "; ".join(str(one) for one in answer.get("problems") or [])[:300] or "no reason"))
                    return
                words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-200:]
            except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as exc:
                words = type(exc).__name__
            if not told:
                self._trouble("the bot's host did not confirm the stop (%s): power it off, then confirm with --fenced" % words)
                told = True
            time.sleep(1)

    def page(self) -> None:
        """Tell people, by a webhook; never waited for."""
        self.tell("The kill switch was pulled", "paged_s")

    def tell(self, text: str, mark: str) -> None:
        """Send one alert."""
        page = self._settings.get("page")
        if not page:
            return
        try:
            with open(page["token_file"], encoding="ascii") as handle:
                token = handle.read().strip()
            body = json.dumps([{"labels": {"alertname": "KillSwitch", "severity": "critical", "system": self._settings["system"]},
                                "annotations": {"summary": text}}])
            line = Line(page["url"], page.get("ca_file") or None)
            status, _, _ = line.ask("POST", urllib.parse.urlsplit(page["url"]).path or "/alerts", body.encode(),
                                    {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
            line.drop()
            if status >= 300:
                raise OSError("status %d" % status)
            self._mark(mark)
        except (OSError, KeyError, Silent) as exc:
            self._trouble("nobody could be paged: %s" % (str(exc)[:80] or type(exc).__name__))


# ============================== turn
# Whose turn it is to place and to sell on spot, by the venue's clock.
#
# Spot knows no reduce-only: two switches, or two pulls on one machine, could sell the same coins twice, and then the owner's. So time is
# cut into slots by the venue's clock, one machine each in turn, and whatever it sends in its slot carries a deadline within it.
# The venue refuses what comes late, so a machine that reads in its own slot sees all that the others have done. On one machine the pulls
# tell each other by a lock of the kernel's on a directory, which nobody waits for and which ends with the process.
MARGIN_S = 1.0              # between the slots: what the clocks may be apart
WORTH_S = 2.0               # less time than this is not worth beginning


class Turn:
    """This machine's turn."""

    def __init__(self, settings: Dict[str, Any], now: Callable[[], float], say: Callable[[str], None]) -> None:
        given = {**TURN, **(settings.get("turn") or {})}
        self._rank, self._of, self._slot = int(given["rank"]), int(given["of"]), float(given["slot_s"])
        self._now, self._say, self._directory = now, say, str(settings["epoch_directory"])
        self._lock: Optional[int] = None

    def until(self) -> Optional[float]:
        """Return when this turn ends, None when it is not our turn."""
        now = self._now()
        slot = int(now // self._slot)
        begin, end = slot * self._slot + MARGIN_S, (slot + 1) * self._slot - MARGIN_S
        if self._of == 1:
            begin, end = now, now + self._slot - MARGIN_S
        if slot % self._of != self._rank and self._of > 1:
            return None
        return end if begin <= now <= end - WORTH_S and self._alone() else None

    def _alone(self) -> bool:
        """Say whether no other pull of this machine acts; the first keeps the right until it ends."""
        if self._lock is not None:
            return True
        try:
            handle = os.open(self._directory, os.O_RDONLY)
        except OSError:
            return True         # no directory, no second pull that could have locked it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            self._say("another pull on this machine places and sells; this one watches")
            return False
        self._lock = handle
        return True


# ============================== kill
# One pull of the switch: look, do what the plan says, look again, until nothing is left to do behind a confirmed fence.
UNFENCED_PAUSE_S = 2.0          # two calls a round stay within the slowest tier's budget for a quarter of a minute, then it waits
RATE_PAUSE_S = 3.0              # Kraken's counter falls by 0.33 to 1 a second
WARN_EVERY_S = 5.0
REFUSALS_MAX = 3
PASSING = ("EService", "Internal error", "Invalid nonce", "(-1021)", "too late")       # refusals that say nothing about the order


class Kill:
    """One pull of the switch."""

    def __init__(self, settings: Dict[str, Any], venue: Venue, say: Callable[[str], None]) -> None:
        self.settings, self.venue, self.say = settings, venue, say
        self.started = time.monotonic()
        self.marks: Dict[str, float] = {}
        self.cancelled: List[str] = []
        self.troubles: List[str] = []
        self.beside = Beside(settings, self.mark, self.trouble, say)
        self.policy = Policy(settings["policy"] == "flatten", settings.get("account") == "shared", bool(settings.get("place_stops")))
        self.turn = Turn(settings, venue.now, self.trouble) if self.policy.strict and settings["venue"] != "binance_usdm" else None
        self._until: Optional[float] = None             # how long this turn lasts, by the venue's clock
        self.selling = selling_of(settings)
        self.view: Optional[View] = None
        self._reference: Dict[str, Decimal] = {}        # price of each symbol when it was first read: what closing is measured against
        self.fees, self.slippage, self.costs_known = ZERO, ZERO, True
        self._blocked: Set[Key] = set()
        self._unprotectable: Set[Key] = set()
        self._refusals: Dict[Tuple[str, Key], int] = {}

    def elapsed(self) -> float:
        """Return the seconds since the switch was pulled."""
        return time.monotonic() - self.started

    def run(self) -> Dict[str, Any]:
        """Pull the switch and return the record once it is over."""
        self.beside.start()
        self.say("by hand: %s" % self.settings.get("console", CONSOLE))
        state = self.until_clean()
        self.beside.finish()
        return self.record(state)

    # -- the loop ---------------------------------------------------------------------------------------------------------
    def until_clean(self) -> str:
        """Go on until two readings, settle_s apart and begun behind the fence, leave nothing to do; return the final state."""
        settle = float(self.settings.get("settle_s", 10.0))
        clean_since: Optional[float] = None
        warned = 0.0
        while True:
            fenced = self.beside.fenced.is_set()    # before the reading: what it shows is then the bot's last word
            self._until = self.attempt(self.turn.until) if self.turn is not None and fenced else None
            view, busy = self.look()
            if view is None or busy:
                clean_since = None
            if view is None:
                continue
            todo = self.todo(view, fenced)
            if todo:
                clean_since = None
                if not any(takes_a_stop_away(step) for step in todo) or self._still(view):
                    self.do(todo, view)
                continue
            if busy:
                continue
            if view.unclear:
                clean_since = None
                self.trouble("these orders cannot be judged, look at them yourself: %s" % ", ".join(view.unclear[:20]))
                time.sleep(min(1.0, settle))
                continue
            now = time.monotonic()
            if not fenced:
                clean_since = None
                if now - warned > WARN_EVERY_S:
                    self.say("no entry order is at the venue, but the bot is not fenced: it may still be trading")
                    warned = now
                self.beside.fenced.wait(min(UNFENCED_PAUSE_S, max(settle, 0.2)))
                continue
            if self._waits(view):
                clean_since = None
                time.sleep(0.2)
                continue
            if clean_since is None:
                clean_since = now
            elif now - clean_since >= settle:
                return self.final(view)
            # Two readings, not a stream of them: the venue counts each call, and the next trouble may need what is left.
            time.sleep(settle)

    def look(self) -> Tuple[Optional[View], bool]:
        """Cancel what goes in any case, and return the rest of the reading, and whether anything was cancelled."""
        orders = self.attempt(self.venue.open_orders)
        if orders is None:
            return None, False
        urgent = [one for one in orders if surely_opens(one)]
        if urgent:
            self.cancel(urgent)
            if not self.policy.flatten and not self.policy.may_place:
                return None, True               # the next look shows what is left; under a flood every call counts
        else:
            self.mark("no_entries_s")
        view = self.attempt(lambda: self.venue.read(tuple(one for one in orders if one not in urgent)))
        if view is not None:
            if urgent:
                gone = {one.id for one in urgent}
                view = view._replace(orders=tuple(one for one in view.orders if one.id not in gone))
            self.view = view
            for symbol, price in view.prices.items():
                self._reference.setdefault(symbol, price)
        return view, bool(urgent)

    def todo(self, view: View, fenced: bool) -> List[Step]:
        """Return what the plan asks for and what can be done now."""
        if fenced and self.policy.flatten and self.elapsed() - self.marks.get("fenced_s", 0.0) > self.selling.give_up_s:
            for position in view.positions:
                if position.key not in self._blocked and not dust(position, view):
                    self.block(position, "not closed within %.0f s" % self.selling.give_up_s)
        mine = self.turn is None or self._until is not None
        return self._possible(steps(view, self.policy, fenced, mine, frozenset(self._blocked)))

    def _possible(self, wanted: Sequence[Step]) -> List[Step]:
        return [step for step in wanted if step.do != "protect" or step.position.key not in self._unprotectable]

    def _waits(self, view: View) -> bool:
        """Say whether something is left to do in another turn."""
        return bool(self._possible(steps(view, self.policy, True, True, frozenset(self._blocked))))

    def _still(self, view: View) -> bool:
        """Ask for the orders again: one that was filled while positions were read would make another look superfluous."""
        again = self.attempt(self.venue.open_orders)
        return again is not None and {(one.id, one.left) for one in again} == {(one.id, one.left) for one in view.orders}

    # -- what is done -----------------------------------------------------------------------------------------------------
    def do(self, todo: Sequence[Step], view: View) -> None:
        """Carry out the steps of one round; each stands alone."""
        self.cancel([step.order for step in todo if step.do == "cancel"])
        for step in todo:
            if step.do == "protect":
                self.guarded(step, lambda step=step: self.protect(step.position, step.amount, view, self._deadline(step)))  # type: ignore[misc]
            elif step.do == "close":
                self.guarded(step, lambda step=step: self.close(step.position, step.amount, view, self._deadline(step)))  # type: ignore[misc]
            elif step.do == "claim":
                self.guarded(step, lambda step=step: self.claim(step, view))  # type: ignore[misc]

    def _deadline(self, step: Step) -> Optional[float]:
        """Return until when the venue may take an order of ours; None where the venue itself holds it to reducing."""
        return self._until if step.position.market == "spot" else None

    def cancel(self, orders: Sequence[Order]) -> None:
        """Cancel in the venue's batches; an id that is gone meanwhile is what was wanted. What a batch refuses goes one by one."""
        for part in self._parts(orders):
            try:
                done = self.venue.cancel(part)
            except Refused as exc:
                if len(part) == 1 or exc.limited:
                    self.attempt(_raiser(exc))
                    return
                self.trouble("the venue refused the batch (%s), cancelling one by one" % exc)
                done = [one.id for one in part if self.attempt(lambda one=one: self.venue.cancel([one]))]  # type: ignore[misc]
            except (Silent, KeyError, TypeError, AttributeError, ValueError) as exc:
                self.attempt(_raiser(exc))
                return
            if done:
                self.mark("first_cancel_s")
            self.cancelled += done

    def _parts(self, orders: Sequence[Order]) -> List[List[Order]]:
        groups: Dict[Tuple[str, str], List[Order]] = {}
        for one in orders:
            groups.setdefault((one.service, one.symbol) if self.venue.per_symbol else ("", ""), []).append(one)
        size = self.venue.batch
        return [group[start:start + size] for group in groups.values() for start in range(0, len(group), size)]

    def guarded(self, step: Step, act: Callable[[], Any]) -> None:
        """Do a step; one that the venue refuses again and again is given up, so that the end can be told."""
        before = len(self.troubles)
        refused: List[Refused] = []

        def once() -> Any:
            try:
                return act()
            except Gone:
                return None
            except Refused as exc:
                refused.append(exc)
                raise
        self.attempt(once)
        if not refused or refused[0].limited or any(word in str(refused[0]) for word in PASSING):
            return
        key = (step.do, step.position.key)
        self._refusals[key] = self._refusals.get(key, 0) + 1
        if self._refusals[key] >= REFUSALS_MAX:
            if step.do == "protect":
                self._unprotectable.add(step.position.key)
            else:
                self.block(step.position, self.troubles[-1] if len(self.troubles) > before else str(refused[0]))

    def block(self, position: Position, why: str) -> None:
        """Close a position no further; it is protected instead."""
        self._blocked.add(position.key)
        self.trouble("%s is not closed any further: %s" % (position.symbol, why))

    def protect(self, position: Position, amount: Decimal, view: View, until: Optional[float]) -> None:
        """Place a stop for an amount. Its client id is the same for every switch that sees the same, so that only one is placed."""
        price, rule = view.prices.get(position.symbol, ZERO), view.rules.get(position.symbol, Rule())
        if price <= 0:
            raise Silent("no price of %s" % position.symbol)
        share = number((self.settings.get("place_stops") or {}).get("distance_pct")) / 100
        trigger = stepped(price * (1 - share if position.side == "long" else 1 + share), rule.tick)
        count = sum(1 for one in view.orders if one.key == position.key)
        seed = "%s|%s|%s|%d" % (self.settings["system"], position.symbol, position.leg, count)
        prefix = str(self.settings.get("client_id_prefix") or "")
        client_id = (prefix + "k" + hashlib.sha256(seed.encode()).hexdigest())[:18]
        self.venue.protect(position, amount, max(trigger, rule.tick), client_id, until)
        self.say("a stop was placed for %s %s" % (amount, position.asset))

    def claim(self, step: Step, view: View) -> None:
        """Cancel a resting sell and, because it was ours to cancel, sell what was left of it before the deadline, or protect it again."""
        limit = self.limit(step.position, step.amount, view)
        if limit is None:
            return
        self.venue.rehearse(step.position, step.amount, limit)     # a stop is not taken away for a sale that the venue would refuse
        until = self._until if self._until is not None else self.venue.now()
        left = min(self.venue.claim(step.order), step.amount)
        self.cancelled.append(step.order.id)
        position, rule = step.position, view.rules.get(step.position.symbol, Rule())
        while left > 0 and not dust(position._replace(size=left), view) and self.venue.now() < until:
            amount = stepped(min(left, rule.most) if rule.most > 0 else left, rule.lot)
            try:
                fill = self.close(position, amount, view, until)
            except Refused as exc:
                self.trouble("the venue refused: %s" % exc)
                if not exc.limited:
                    break
                self.pause(exc)
                continue
            left -= fill.amount
            if fill.amount <= 0:
                break
        if left > 0 and not dust(position._replace(size=left), view):
            self.protect(position, stepped(left, rule.lot), view, until)

    def limit(self, position: Position, amount: Decimal, view: View) -> Optional[Decimal]:
        """Return the worst price that price guard and loss cap allow for an amount, None when there is none: the position is blocked."""
        price, rule = view.prices.get(position.symbol, ZERO), view.rules.get(position.symbol, Rule())
        if price <= 0:
            raise Silent("no price of %s" % position.symbol)
        reference = self._reference.get(position.symbol, price)
        fee = amount * price * self.selling.fee_pct / 100
        room = (self.selling.loss_cap - self.fees - self.slippage - fee) / amount       # quote currency a unit
        guard = price * self.selling.guard_pct / 100
        if position.side == "long":
            limit = stepped(max(price - guard, reference - room), rule.tick, up=True)
            short = limit > price
        else:
            limit = stepped(min(price + guard, reference + room), rule.tick)
            short = limit < price
        if room <= 0 or short:
            self.block(position, "closing it would cost more than %s %s" % (self.selling.loss_cap, self.settings["quote"]))
            return None
        return limit

    def close(self, position: Position, amount: Decimal, view: View, until: Optional[float]) -> Fill:
        """Trade one slice at the price guard or better, as far as the loss cap still allows."""
        limit = self.limit(position, amount, view)
        if limit is None:
            return Fill()
        reference = self._reference.get(position.symbol, limit)
        try:
            fill = self.venue.close(position, amount, limit, until)
        except Silent:
            self.costs_known = False            # it may have traded; the next reading shows the position, not its price
            raise
        self.mark("first_close_s")
        self.fees += fill.fee
        worse = fill.amount * reference - fill.money
        self.slippage += worse if position.side == "long" else -worse
        return fill

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do one step; trouble at the venue is said once in its own words, and tried again after a short pause."""
        try:
            return act()
        except Gone:
            return None
        except Refused as exc:
            self.trouble("the venue refused: %s" % exc)
            self.pause(exc)
        except Silent as exc:
            self.trouble("the venue did not answer: %s" % exc)
            time.sleep(0.25)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError) as exc:
            self.trouble("the venue's answer has another form than documented: %s" % type(exc).__name__)
            time.sleep(0.5)
        return None

    def pause(self, exc: Refused) -> None:
        """Wait as the venue asks."""
        time.sleep(max(exc.wait_s, RATE_PAUSE_S) if exc.limited else 1.0 if "Unavailable" in str(exc) else 0.1)

    # -- the record -------------------------------------------------------------------------------------------------------
    def final(self, view: View) -> str:
        """Return the state in one word, and say what is naked or too small to be traded."""
        self.mark("final_s")
        bare = naked(view)
        small = [one for one in view.positions if one.size > 0 and dust(one, view)]
        if small:
            self.say("too small to trade, left: %s" % ", ".join("%s %s" % (one.size, one.asset) for one in small))
        if bare:
            self.say("NAKED: no stop covers " + ", ".join("%s %s" % (amount, asset) for asset, amount in sorted(bare.items())))
            return "NAKED"
        return "held with stops" if any(one.size > 0 and not dust(one, view) for one in view.positions) else "flat"

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
        view = self.view or View(())
        record = {"system": self.settings["system"], "state": state, "seconds": round(self.elapsed(), 3), "marks": self.marks,
                  "cancelled": len(set(self.cancelled)), "fenced": self.beside.fenced.is_set(), "epoch": self.beside.epoch,
                  "troubles": self.troubles, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "policy": self.settings["policy"],
                  "naked": {asset: str(amount) for asset, amount in naked(view).items()},
                  "positions": [{"symbol": one.symbol, "side": one.side, "leg": one.leg, "size": str(one.size), "dust": dust(one, view)}
                                for one in view.positions if one.size > 0],
                  "cost": {"currency": self.settings["quote"], "fees": str(self.fees), "slippage": str(self.slippage),
                           "complete": self.costs_known}, "left_alone": self.venue.left_alone()}
        try:
            os.makedirs(self.settings["record_directory"], mode=0o750, exist_ok=True)
            name = "kill-%s-%d.json" % (time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.getpid())
            with open(os.path.join(self.settings["record_directory"], name), "w", encoding="utf-8") as handle:
                json.dump(record, handle, indent=1)
        except OSError as exc:
            self.say("this record could not be written: %s" % exc.strerror)
        return record


def _raiser(exc: BaseException) -> Callable[[], Any]:
    def again() -> Any:
        raise exc
    return again


# ============================== main
# The command line.


def venue_of(settings: Dict[str, Any], path: str = SETTINGS) -> Venue:
    """Return the account that the settings name. Raises Problem."""
    cancels, trades = key_files(settings)
    decode, ca_file = settings["venue"] == "kraken", settings.get("ca_file") or None
    first = credential_from(cancels, "kill_key", decode)
    second = credential_from(trades, "trade_key", decode) if trades else None
    priced = settings["policy"] == "flatten" or bool(settings.get("place_stops"))
    since = moment_of(settings["inventory_since"], path) if settings.get("inventory_since") is not None else None
    if settings["venue"] == "kraken":
        asks = Kraken(settings["url"], ca_file, *first)
        return KrakenAccount(asks, Kraken(settings["url"], ca_file, *second) if second else asks, settings, priced, since)
    one = Binance(settings["url"], ca_file, *first)
    two = Binance(settings["url"], ca_file, *second) if second else one
    if settings["venue"] == "binance":
        return SpotAccount(one, two, settings, priced, since)
    return FuturesAccount(one, two, settings, priced)


def dry_run(kill: Kill) -> int:
    """Say what would be done, in what order, and touch nothing."""
    orders = kill.attempt(kill.venue.open_orders)
    view: Optional[View] = kill.attempt(lambda: kill.venue.read(orders)) if orders is not None else None
    if view is None:
        return 2
    kill.say("0. would raise the epoch, void the ticket, stop and mask the bot, page")
    going: List[Order] = []
    left = view
    while True:         # a pull reads again after each round; here the rounds are thought through
        now = to_cancel(left, kill.policy, fenced=True)
        if not now:
            break
        going += now
        left = left._replace(orders=tuple(one for one in left.orders if one not in now))
    first = [one for one in going if surely_opens(one)]
    for number, (word, listed) in enumerate((("cancel", first), ("cancel", [one for one in going if one not in first]),
                                             ("keep", [one for one in view.orders if one not in going])), 1):
        for one in listed:
            kill.say("%d. would %s %s: %s" % (number, word, one.id, one.words or "%s %s %s" % (one.side, one.left, one.symbol)))
    for txid in view.unclear:
        kill.say("1. would not judge %s: look at it yourself" % txid)
    for position in view.positions:
        kill.say("position: %s %s %s%s" % (position.side, position.size, position.asset,
                                           ", too small to trade" if dust(position, view) else ""))
    last = steps(left, kill.policy, True, True)
    for step in last:
        kill.say("4. %s" % _told(step))
    closed = [step.position.key for step in last if step.do == "close"]
    for one in left.orders:
        if one.key in closed:
            kill.say("4. would then cancel %s, which is left behind" % one.id)
    for asset, amount in sorted(naked(left).items()):
        kill.say("no stop covers %s %s" % (amount, asset))
    kill.say("5. would read everything back until two readings are clean")
    return 0


def _told(step: Step) -> str:
    if step.do == "protect":
        return "would place a stop for %s %s" % (step.amount, step.position.asset)
    if step.do == "close":
        return "would close %s %s, reducing only" % (step.amount, step.position.symbol)
    return "would cancel %s and, behind the fence, sell the %s %s that it held" % (step.order.id, step.amount, step.position.asset)


USAGE = """usage: kill_switch.py [--now] [--dry-run] [--fenced] [--settings FILE]

Stop, now: cancel every entry order at the venue, fence the bot, keep the stops.

  --now            the same as no option; what the card says
  --dry-run        list orders, positions and what would be done, in order; touch nothing
  --fenced         you have powered the bot's host off yourself
  --settings FILE  default: %s""" % SETTINGS


class Options(NamedTuple):
    """The command line."""

    settings: str = SETTINGS
    dry_run: bool = False
    fenced: bool = False
    help: bool = False


def options_of(arguments: List[str]) -> Options:
    """Return the options. Raises Problem. (The library for this costs 15 ms of the cold start.)"""
    found, left = Options(), list(arguments)
    while left:
        word, _, value = left.pop(0).partition("=")
        if word == "--settings" and (value or left):
            found = found._replace(settings=value or left.pop(0))
        elif word == "--dry-run" and not value:
            found = found._replace(dry_run=True)
        elif word == "--fenced" and not value:
            found = found._replace(fenced=True)
        elif word in ("--help", "-h"):
            found = found._replace(help=True)
        elif word != "--now" or value:
            raise Problem("%s: unknown, or without its value; see --help" % word[:60])
    return found


def main(arguments: Optional[List[str]] = None) -> int:
    """Command line; see the head of the file."""
    began = time.monotonic()

    def say(text: str) -> None:
        clean = "".join(char if char.isprintable() else "?" for char in text)
        with contextlib.suppress(OSError):  # a terminal that is gone must not end the kill
            print("[%7.3f s] %s" % (time.monotonic() - began, clean), flush=True)

    try:
        chosen = options_of(sys.argv[1:] if arguments is None else arguments)
        if chosen.help:
            print(USAGE)
            return 0
        settings = settings_from(chosen.settings)
        venue = venue_of(settings, chosen.settings)
    except Problem as exc:
        print("kill_switch: %s" % exc, file=sys.stderr)
        print("by hand: %s" % CONSOLE, file=sys.stderr)
        return 64
    kill = Kill(settings, venue, say)
    if chosen.dry_run:
        return dry_run(kill)
    if chosen.fenced:
        kill.beside.fenced.set()
    record = kill.run()
    cost = record["cost"]
    say("%s after %.1f s, %d orders cancelled, cost: fees %s and slippage %s %s%s" % (
        record["state"], record["seconds"], record["cancelled"], cost["fees"], cost["slippage"], cost["currency"],
        "" if cost["complete"] else ", not all known"))
    with contextlib.suppress(OSError):
        print(json.dumps(record), flush=True)
    return 3 if record["state"] == "NAKED" else 0


if __name__ == "__main__":
    sys.exit(main())
