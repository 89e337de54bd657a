"""How strong is a secret, and what is known of it: entropy, defaults, reuse, age. Pure; nothing here returns a value.

The estimate is a lower bound in the spirit of NIST SP 800-63B: a random token gets the entropy of its alphabet, repetitions and sequences
count once, and a word from the list of known ones counts for almost nothing, whatever stands around it.
"""
from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Iterable, Mapping
from itertools import pairwise

# Defaults of the parts that a trading system runs on, and the top of every published list; compared without case, digits and punctuation.
KNOWN = frozenset([
    "abc", "abcabc", "abcdef", "admin", "administrator", "asdf", "asdfgh", "changeit", "changeme", "changethis", "default", "dragon",
    "elastic", "example", "fixme", "foobar", "football", "grafana", "guest", "hunter", "iloveyou", "insecure", "letmein", "letmeinnow",
    "login", "master", "minio", "minioadmin", "mongo", "monkey", "mypassword", "nats", "newpassword", "none", "null", "openbao", "pass",
    "passphrase", "passwd", "password", "placeholder", "postgres", "postgresql", "princess", "prometheus", "prometheusadmin", "qwerty",
    "qwertyuiop", "rabbitmq", "redis", "replaceme", "root", "rootpassword", "rootpw", "sa", "sample", "secret", "secretkey", "shadow",
    "sqladmin", "sunshine", "superman", "supersecret", "system", "temp", "test", "testing", "timescale", "timescaledb", "todo", "toor",
    "trader", "trading", "trustno", "ubuntu", "undefined", "user", "vagrant", "vault", "welcome", "xxx", "xxxx", "your", "yourapikey",
    "yourapisecret", "yourpassword", "yoursecret", "yoursecretkey", "zxcvbn",
])  # fmt: skip
_LEET = str.maketrans("013457@$!", "oleastasi")
_ALPHABETS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " ")
_WORD_BITS = 10.0


def texts(value: str) -> list[str]:
    """Return the secrets in a value: every text of a JSON object whose name does not say that it is public, else the whole."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return [one for name, one in found.items() if isinstance(one, str) and name not in {"key", "id", "user", "username", "role_id"}]
    return [value]


def known_weak(text: str) -> bool:
    """Return whether it is a default or one of the first guesses: also with capitals, digits instead of letters, and digits around it."""
    lower = text.lower()
    plain = {re.sub("[^a-z]", "", one) for one in (lower, lower.translate(_LEET))}
    trimmed = re.sub("[^a-z]", "", lower.strip(string.digits + string.punctuation).translate(_LEET))
    digits_only = len(text) < 24 and not any(one.isalpha() for one in text)
    return not text.strip() or bool(({*plain, trimmed} - {""}) & KNOWN) or (digits_only and _steps(text) < 6)


def bits(text: str) -> float:
    """Return a lower bound of the entropy in bits: 0 for a known word; hex has 4 bits a character, base64 close to 6."""
    if known_weak(text):
        return 0.0
    hexadecimal = re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", text) is not None
    pool = 16 if hexadecimal else sum(len(one) for one in _ALPHABETS if set(one) & set(text)) + (64 if not text.isascii() else 0)
    rest, words = text, 0
    for word in sorted((one for one in KNOWN if len(one) >= 4), key=len, reverse=True):
        rest, count = re.subn(re.escape(word), "", rest, flags=re.IGNORECASE)
        words += count
    shannon = -sum(rest.count(one) / len(rest) * math.log2(rest.count(one) / len(rest)) for one in set(rest)) if rest else 0.0
    # A short random text cannot show its whole alphabet: it gets the benefit of the doubt up to log2 of its own length.
    each = min(math.log2(max(pool, 2)), shannon + max(0.0, math.log2(max(pool, 2)) - math.log2(max(len(rest), 2))))
    return round(_steps(rest) * each + words * _WORD_BITS, 1)


def reused(values: Mapping[str, str]) -> list[str]:
    """Return the names that hold a secret which another name holds as well."""
    owners: dict[str, set[str]] = {}
    for name, value in values.items():
        for one in texts(value):
            owners.setdefault(one, set()).add(name)
    return sorted({name for names in owners.values() if len(names) > 1 for name in names})


def weakest(value: str) -> float:
    """Return the entropy of the weakest secret in a value."""
    return min((bits(one) for one in texts(value)), default=0.0)


def classes(value: str) -> int:
    """Return how many of lower case, upper case, digits and symbols the secret with the fewest has."""
    return min((sum(1 for alphabet in _ALPHABETS if set(alphabet) & set(one)) for one in texts(value)), default=0)


def shortest(values: Iterable[str]) -> int:
    """Return the length of the shortest secret."""
    return min((len(one) for value in values for one in texts(value)), default=0)


def _steps(text: str) -> int:
    """Return how many characters surprise: not the same as, one above or below the one before, nor part of a repeated block."""
    block = next((size for size in range(1, len(text) // 2 + 1) if text == (text[:size] * (len(text) // size + 1))[: len(text)]), len(text))
    once = text[:block]
    return (1 if once else 0) + sum(1 for one, two in pairwise(once) if abs(ord(one) - ord(two)) > 1)
