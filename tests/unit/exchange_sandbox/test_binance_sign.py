"""The published signature vectors are accepted, wherever the parameters stand, and refused with any one bit flipped."""

from __future__ import annotations

import pytest

from exchange_sandbox.venues.binance.sign import matches, split

# developers.binance.com, Spot REST API, "SIGNED Endpoint Examples for POST /api/v3/order", HMAC keys: the three published examples
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # pragma: allowlist secret
NON_ASCII = "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC"
ORDER, REST = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC", "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
WHOLE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"  # pragma: allowlist secret
JOINED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"  # pragma: allowlist secret
ESCAPED = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"  # pragma: allowlist secret
VECTORS = [
    pytest.param("", "%s&%s&signature=%s" % (ORDER, REST, WHOLE), id="all in the body"),
    pytest.param("%s&%s&signature=%s" % (ORDER, REST, WHOLE), "", id="all in the query"),
    pytest.param("", "%s&%s&signature=%s" % (NON_ASCII, REST, ESCAPED), id="symbol outside ASCII"),
    pytest.param(ORDER, "%s&signature=%s" % (REST, JOINED), id="query and body"),
]


@pytest.mark.parametrize(("query", "body"), VECTORS)
def test_published_vectors_are_accepted(query: str, body: str) -> None:
    payload, given = split(query, body)
    assert matches(SECRET, payload, given)
    assert matches(SECRET, payload, given.upper())


@pytest.mark.parametrize(("query", "body"), VECTORS)
def test_every_single_flipped_bit_of_the_signature_is_refused(query: str, body: str) -> None:
    payload, given = split(query, body)
    raw = bytes.fromhex(given)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert not matches(SECRET, payload, flipped.hex())


@pytest.mark.parametrize(("query", "body"), VECTORS)
def test_every_single_flipped_bit_of_what_was_signed_is_refused(query: str, body: str) -> None:
    payload, given = split(query, body)
    raw = payload.encode()
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert not matches(SECRET, flipped.decode("latin-1"), given)


@pytest.mark.parametrize("given", ["", "zz", WHOLE[:-2], WHOLE + "00", "\u00e9" * 64, "\ud800"])
def test_a_malformed_signature_is_no_match(given: str) -> None:
    assert not matches(SECRET, "%s&%s" % (ORDER, REST), given)
