"""Weak secrets are told from strong ones, and what is said of them holds no part of them."""
from __future__ import annotations

import base64
import json
import random

import pytest
from golive.store import strength

CHANCE = random.Random(3)


@pytest.mark.parametrize("text", ["changeme", "Changeme!", "CHANGEME123", "p4ssw0rd", "P@ssw0rd1", "admin", "postgres", "", "   ", "123456",
                                  "00000000", "letmein", "minioadmin", "your_api_key", "Test1234", "toor", "qwerty123456"])  # fmt: skip
def test_defaults_and_first_guesses_have_no_entropy(text: str) -> None:
    assert strength.known_weak(text)
    assert strength.bits(text) == 0.0


@pytest.mark.parametrize("text", ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz", "abcabcabcabcabcabcabc",
                                  "passwordpassword1!", "MySecretPassword2026", "0123456789abcdef", "zyxwvutsrqponm"])  # fmt: skip
def test_length_alone_is_not_strength(text: str) -> None:
    assert strength.bits(text) < 60


def test_random_tokens_get_what_they_were_made_with() -> None:
    for size in (16, 32, 64):
        raw = CHANCE.randbytes(size)
        for text in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
            assert 0.75 * 8 * size <= strength.bits(text) <= 1.15 * 8 * size


def test_a_random_password_of_twelve_is_stronger_than_one_of_eight() -> None:
    assert strength.bits("kV9$xT2m") < 60 < strength.bits("kV9$xT2mQz!7")
    assert strength.classes("kV9$xT2mQz!7") == 4
    assert strength.classes("abcdefkqwz") == 1


def test_a_credential_is_as_strong_as_its_secret_and_its_public_half_does_not_count() -> None:
    strong = base64.b64encode(CHANCE.randbytes(64)).decode()
    assert strength.weakest(json.dumps({"key": "admin", "secret": strong})) > 400
    assert strength.weakest(json.dumps({"key": strong, "secret": "admin"})) == 0.0
    assert strength.weakest("{}") == 0.0


def test_reuse_names_both_and_a_shared_public_half_is_no_reuse() -> None:
    one, two = (json.dumps({"key": "same", "secret": text}) for text in ("one", "two"))
    assert strength.reused({"a": one, "b": two, "c": "two", "d": "three"}) == ["b", "c"]
