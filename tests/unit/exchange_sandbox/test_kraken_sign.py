"""The published signature vector is accepted, and refused with any one bit flipped."""

from __future__ import annotations

import base64

import pytest

from exchange_sandbox.venues.kraken.sign import matches

# docs.kraken.com, Spot REST authentication: the published example
SECRET = base64.b64decode(
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # pragma: allowlist secret
)  # pragma: allowlist secret
PATH, NONCE = "/0/private/AddOrder", "1616492376594"
BODY = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
SIGN = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="  # pragma: allowlist secret


def test_published_vector_is_accepted() -> None:
    assert matches(SECRET, PATH, NONCE, BODY, SIGN)


def test_every_single_flipped_bit_of_the_signature_is_refused() -> None:
    raw = base64.b64decode(SIGN)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert not matches(SECRET, PATH, NONCE, BODY, base64.b64encode(flipped).decode())


@pytest.mark.parametrize(
    "changed",
    [{"path": "/0/private/AddOrdes"}, {"nonce": "1616492376595"}, {"body": BODY.replace(b"1.25", b"1.26")}, {"secret": SECRET[:-1] + b"_"}],
)
def test_a_change_of_anything_signed_is_refused(changed: dict[str, object]) -> None:
    values = {"secret": SECRET, "path": PATH, "nonce": NONCE, "body": BODY, **changed}
    assert not matches(values["secret"], values["path"], values["nonce"], values["body"], SIGN)  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["", "not base64!", "====", "AAAA", "\u00e9", SIGN[:-4]])
def test_a_malformed_signature_is_no_match(header: str) -> None:
    assert not matches(SECRET, PATH, NONCE, BODY, header)
