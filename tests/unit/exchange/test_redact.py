"""The venue's own words are shown without anything that is ours."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from golive.exchange.model import Credential
from golive.exchange.redact import CAP, redact
from hypothesis import given
from hypothesis import strategies as st

MINE = Credential("account-AbCdEf", "s3cr3t/s3cr3t+x", "phrase77")


@pytest.mark.parametrize("part", MINE)
@pytest.mark.parametrize(
    "spell",
    [str, lambda t: base64.b64encode(t.encode()).decode(), lambda t: t.encode().hex(), lambda t: quote(t, safe=""), lambda t: t[::-1]],
)
def test_no_spelling_of_a_part_of_the_key_is_shown(part: str, spell) -> None:  # type: ignore[no-untyped-def]
    shown = redact(f"refused for {spell(part)} now", MINE)
    assert spell(part) not in shown
    assert shown.startswith("refused for [")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Your IP 203.0.113.9 is not included", "Your IP [address] is not included"),
        ("clientIp is:2001:db8::9", "clientIp is[address]"),
        ("IP [2001:db8:0:0:0:0:0:1] no", "IP [[address]] no"),
        ("IP [::1]", "IP [[address]]"),
        ("account AA88 N84G WOAK NMOI", "account [account]"),
        ("ask me@example.test", "ask [mail]"),
        ("at 12:30:45 UTC", "at 12:30:45 UTC"),
        ("EAPI:Invalid key", "EAPI:Invalid key"),
        ("EService:Throttled: 1795257720", "EService:Throttled: 1795257720"),
        ("id 0123456789abcdef0123456789abcdef", "id [token]"),
        ("\x1b[31mred\x1b[0m\nline\u202e", "[31mred [0m line"),
    ],
)
def test_addresses_accounts_tokens_and_control_codes_go_plain_words_stay(words: str, shown: str) -> None:
    assert redact(words, MINE) == shown


@given(st.text(max_size=2000))
def test_what_is_shown_is_short_and_on_one_line(words: str) -> None:
    shown = redact(words, MINE)
    assert len(shown) <= CAP
    assert not any(ord(letter) < 32 for letter in shown)


@given(st.ip_addresses(v=4).map(str), st.text(alphabet="abc ,.;()[]", max_size=10), st.text(alphabet="abc ,;()[]", max_size=10))
def test_no_ipv4_address_is_shown(address: str, before: str, after: str) -> None:
    assert address not in redact(f"{before} {address}{after}", MINE)


@given(st.ip_addresses(v=6), st.booleans())
def test_no_ipv6_address_is_shown(address, long_form: bool) -> None:  # type: ignore[no-untyped-def]
    text = address.exploded if long_form else str(address)
    assert text not in redact(f"IP {text} refused", MINE)
