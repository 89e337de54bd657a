"""Venues that have no call for the rights of a key: Crypto.com Exchange and Bitstamp. Nothing is sent; the result is undecided.

Of Crypto.com's 95 documented operations none tells a key's rights; for Bitstamp no call was found (2026). A withdrawal that is
tried in the hope of a refusal is no question. What can stand in is a signed attestation over the console's page of the key.
"""

from __future__ import annotations

from typing import ClassVar, Mapping

from ..model import Answer, Credential, KeyReport, Request, Stamp, Venue

ATTESTATION = "exchange.key.rights_attested"


class Unaskable(Venue):
    """A venue that is never asked."""

    askable = False
    attestation = ATTESTATION

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        raise NotImplementedError("%s cannot be asked" % self.title)

    def check(self, answer: Answer) -> None:
        raise NotImplementedError("%s cannot be asked" % self.title)

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        raise NotImplementedError("%s cannot be asked" % self.title)


class Cryptocom(Unaskable):
    """Crypto.com Exchange."""

    name = "cryptocom"
    title = "Crypto.com Exchange"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.crypto.com"}


class Bitstamp(Unaskable):
    """Bitstamp."""

    name = "bitstamp"
    title = "Bitstamp"
    hosts: ClassVar[Mapping[str, str]] = {"production": "www.bitstamp.net"}
