"""What a venue file takes and gives: credential, stamp, request, answer, report of a key, refusal. Values only, no network.

A venue file is pure. It builds requests, reads answers and classifies errors; `ask.py` sends, retries and watches the
clock. A venue's `dialogue` is a generator: it yields requests, is sent answers, and returns a `KeyReport`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Callable, ClassVar, Dict, Generator, List, Mapping, NamedTuple, Optional, Tuple, Union

# The closed vocabulary of rights. A venue's own names are mapped to these; what has no mapping is `unrecognised`.
RIGHTS: Tuple[str, ...] = (
    "read",  # see balances, orders, positions, ledgers
    "trade",  # place orders on the market asked about
    "cancel",  # cancel or close orders; said apart only where the venue has a right of its own for it
    "trade_elsewhere",  # place orders on other markets of the venue (margin, futures, options, copy trading, OTC)
    "withdraw",  # move funds out of the venue
    "address_book",  # add or change withdrawal addresses: stages a withdrawal
    "transfer",  # move funds between the owner's wallets, sub-accounts or portfolios
    "deposit",  # create deposit addresses
    "earn",  # stake, lend or subscribe funds to products
    "borrow",  # take and repay loans
    "manage",  # keys, sub-accounts, account settings
    "pay",  # cards, fiat, peer-to-peer, gifts
)
# Whoever may place orders is not judged for being able to cancel them.
IMPLIED_BY: Dict[str, str] = {"cancel": "trade"}

# Why a venue refused. The first group says that the key did not authenticate; the others say nothing about the key.
BAD_KEY, BAD_SIGNATURE, IP_REFUSED, EXPIRED = "bad_key", "bad_signature", "ip_refused", "expired"
WRONG_ENVIRONMENT, AMBIGUOUS = "wrong_environment", "key_ip_or_right"
NO_RIGHT, NONCE, CLOCK, RATE, LOCKED = "no_right", "nonce", "clock", "rate", "locked"
SERVICE, MALFORMED, UNKNOWN_ERROR, NOT_ASKABLE = "service", "malformed", "unknown_error", "not_askable"
NO_LIBRARY, BAD_FORM = "no_library", "bad_form"
NOT_AUTHENTICATED = frozenset([BAD_FORM, BAD_KEY, BAD_SIGNATURE, IP_REFUSED, EXPIRED, WRONG_ENVIRONMENT, AMBIGUOUS])

NEVER = "never"


class Credential(NamedTuple):
    """An API key. `repr` shows nothing, so that no traceback or log can."""

    key: str
    secret: str
    passphrase: str = ""

    def __repr__(self) -> str:
        return "Credential(…)"


class Stamp(NamedTuple):
    """What makes one request unique: time in ms since 1970, the nonce to spend, 32 random hex digits."""

    ms: int
    nonce: int
    unique: str


class Request(NamedTuple):
    """One HTTP request to the venue. `target` is path and query exactly as sent and signed."""

    method: str
    target: str
    headers: Dict[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return "Request(%s %s)" % (self.method, self.target.split("?", 1)[0])


class Answer(NamedTuple):
    """One HTTP answer. `headers` have lower-case names; `truncated` says that the body was cut at the cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False

    def __repr__(self) -> str:
        return "Answer(%d, %d bytes)" % (self.status, len(self.body))


class Refused(Exception):
    """The venue answered, but not with a report: `kind` is one of the words above, `words` the venue's own (unredacted).

    `str()` holds the kind only: the words are shown by whoever has redacted them. `until` is a UTC time to ask again; `hint`
    is ours, for a person.
    """

    def __init__(self, kind: str, words: str = "", until: Optional[datetime] = None, hint: str = "") -> None:
        super().__init__(kind)
        self.kind, self.words, self.until, self.hint = kind, words, until, hint


class IpRule(NamedTuple):
    """From where the key may be used. state: `listed` (entries known), `restricted` (entries not told), `open`, `unknown`."""

    state: str
    entries: Tuple[str, ...] = ()


class KeyReport(NamedTuple):
    """What the venue said about the key. None means: not said."""

    rights: Dict[str, Optional[bool]]
    native: Tuple[str, ...]  # the venue's own names of what is granted, known ones only
    unrecognised: Tuple[str, ...] = ()  # granted names that we do not know
    inseparable: Tuple[str, ...] = ()  # rights above that come with another one and cannot be switched off
    ip: IpRule = IpRule("unknown")
    created: Optional[datetime] = None
    modified: Optional[datetime] = None
    expires: Union[datetime, str, None] = None  # NEVER where the venue says so
    days_left: Optional[float] = None  # where the venue counts days instead of naming the moment
    last_used: Optional[datetime] = None
    sub_account: Optional[bool] = None
    active: Optional[bool] = None  # False: locked, frozen, expired
    nonce_window: Optional[int] = None
    highest_nonce: Optional[int] = None
    notes: Tuple[str, ...] = ()


Dialogue = Generator[Request, Answer, KeyReport]
Stamps = Callable[[], Stamp]


class Venue:
    """One venue. Subclasses fill the class attributes and the three pure steps `request`, `check`, `read`."""

    name = ""  # as in the option `venue`
    title = ""  # as a person writes it
    hosts: ClassVar[Mapping[str, str]] = {}  # environment -> host; "production" always
    fields: Tuple[str, ...] = ("key", "secret")  # parts of the credential that the venue needs
    markets: Tuple[str, ...] = ("spot",)  # what `trade` may be about; the first is the default
    spends_nonce = False  # asking consumes a strictly rising number of the key
    vocabulary: Tuple[str, ...] = ()  # the venue's own names of rights, as `native` may hold them
    marker_header = "x-golive-sandbox"  # carried by every answer of a rehearsal exchange
    attestation = ""  # the control that can stand in where the venue cannot be asked
    uses_cryptography = False
    askable = True  # False: no call tells the rights of a key

    def __init__(self, market: str = "", environment: str = "production") -> None:
        self.market, self.environment = market or self.markets[0], environment

    def flaw(self, credential: Credential) -> Optional[str]:
        """Return what is wrong with the form of a credential (without any of its text), or None."""
        return None

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        """Return the question. `host` is the name asked, for venues that sign it."""
        raise NotImplementedError

    def check(self, answer: Answer) -> None:
        """Raise Refused when the answer is an error in the venue's own form."""
        raise NotImplementedError

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        """Return what the answer says. Raises Refused(MALFORMED) for any form that the venue does not document."""
        raise NotImplementedError

    def dialogue(self, credential: Credential, stamps: Stamps, host: str) -> Dialogue:
        """One question, one answer; venues that need more override this."""
        answer = yield self.request(credential, stamps(), host)
        self.check(answer)
        return self.read(answer, credential)


def rights(granted: List[str], complete: bool, unrecognised: Tuple[str, ...] = ()) -> Dict[str, Optional[bool]]:
    """Return each right: True if granted; False only if the venue's list is complete and holds no name we do not know.

    A name that we do not know may be a new spelling of any right, so it takes the proof out of every absence.
    """
    absent = False if complete and not unrecognised else None
    return {right: (True if right in granted else absent) for right in RIGHTS}
