"""The searcher finds every spelling of every canary, in any surroundings, and knows no secret in clear."""
from __future__ import annotations

import base64
import html
import json
import random
import urllib.parse
from collections.abc import Callable

import pytest
from golive.leaks.canaries import canaries
from golive.leaks.index import Index, is_index
from golive.leaks.spellings import parts, spellings
from hypothesis import given
from hypothesis import strategies as st

CANARIES = canaries(2026)
INDEX = Index.load(Index.build(CANARIES).dump())
# Written here by other means than in the searcher, on purpose.
WRITERS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: f"error: {text}!",
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one byte": lambda text: base64.b64encode(b"x" + text.encode() + b"tail").decode(),
    "base64 after two bytes": lambda text: base64.b64encode(b"xy" + text.encode() + b"ta").decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(b"user:" + text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
    "url": lambda text: "https://x.example/?q=" + urllib.parse.quote(text, safe="") + "&r=1",
    "url path": urllib.parse.quote,
    "form": lambda text: urllib.parse.urlencode({"password": text}),
    "json": lambda text: json.dumps({"message": f"got {text}."}),
    "json as it is": lambda text: json.dumps([text], ensure_ascii=False),
    "json in json": lambda text: json.dumps({"log": json.dumps({"m": text})}),
    "reversed": lambda text: text[::-1],
    "html": lambda text: f"<td>{html.escape(text)}</td>",
    "repr": lambda text: f"ValueError({text!r})",
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("shape", CANARIES)
def test_every_canary_is_found_in_every_spelling(shape: str, writer: str) -> None:
    text = WRITERS[writer](CANARIES[shape].strip())
    found = {hit.secret for hit in INDEX.search(("noise é " * 9 + text + " noise").encode())}
    assert shape in found


@pytest.mark.parametrize("shape", [name for name in CANARIES if name not in {"number", "short"}])
def test_one_wrong_character_is_no_hit_on_the_whole(shape: str) -> None:
    secret = CANARIES[shape].strip()
    broken = "".join(chr(ord(one) ^ 1) if number % 9 == 4 else one for number, one in enumerate(secret))
    assert [hit for hit in INDEX.search(broken.encode()) if hit.secret == shape] == []


def test_half_of_a_random_token_is_a_piece_and_a_word_of_an_address_is_not() -> None:
    for shape in ("base64", "hex"):
        half = len(CANARIES[shape]) // 2
        for piece in (CANARIES[shape][:half], CANARIES[shape][half:]):
            assert {(hit.secret, hit.whole) for hit in INDEX.search(f"...{piece}...".encode())} == {(shape, False)}
    assert list(INDEX.search(CANARIES["url"][:16].encode())) == []


def test_a_key_file_is_found_by_a_line_of_its_body_and_not_by_its_header() -> None:
    header, body, *_ = CANARIES["pem"].splitlines()
    assert list(INDEX.search(header.encode())) == []
    assert {hit.secret for hit in INDEX.search(f'    key: "{body}"'.encode())} == {"pem"}


def test_each_field_of_a_credential_is_searched() -> None:
    index = Index.build({"wire": json.dumps({"key": "SANDBOXabcdef", "secret": CANARIES["base64"], "n": 5})})
    assert [hit.form for hit in index.search(b"id SANDBOXabcdef")] == ["plain"]
    assert list(index.search(CANARIES["base64"].encode()))


def test_a_secret_that_would_match_anything_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="shorter than 6") as refused:
        Index.build({"x": "abq7"})
    assert "abq7" not in str(refused.value)


def test_the_index_holds_no_secret_and_no_spelling_of_one() -> None:
    dumped = INDEX.dump()
    assert is_index(dumped)
    assert list(INDEX.search(dumped.encode())) == []
    for secret in CANARIES.values():
        for part in parts(secret):
            assert not any(one.text.decode("utf-8", "replace") in dumped for one in spellings(part) if len(one.text) >= 8)


def test_two_indexes_of_the_same_secret_have_nothing_in_common() -> None:
    dumped = [json.loads(Index.build({"a": CANARIES["token"]}).dump()) for _ in range(2)]
    one, two = ({entry[0] for group in value["groups"] for entry in group["table"]} for value in dumped)
    assert one
    assert not one & two


def test_a_broken_index_is_refused_without_its_text() -> None:
    for text in ("", "[]", '{"leaks":1}', INDEX.dump()[:-9], '{"leaks":2,"key":"00","names":[],"groups":[]}'):
        with pytest.raises(ValueError, match=r"^not an index of secrets$"):
            Index.load(text)


@given(st.text(min_size=6, max_size=200).filter(lambda text: len(text.strip()) >= 6), st.binary(max_size=40), st.binary(max_size=40))
def test_any_text_is_found_between_any_bytes(secret: str, before: bytes, after: bytes) -> None:
    for part in parts(secret):
        raw = part.encode()
        index = Index.build({"s": secret}, key=b"k" * 32)
        for text in (raw, raw.hex().encode(), urllib.parse.quote(raw, safe="").encode(), part[::-1].encode()):
            assert any(hit.whole for hit in index.search(before + text + after))
        if len(raw) >= 9:
            encoded = base64.b64encode(before + raw + after)
            assert any(hit.whole for hit in index.search(encoded))


def test_random_bytes_give_no_hit() -> None:
    assert list(INDEX.search(random.Random(5).randbytes(300_000))) == []
