"""Nothing of a key in any output: plain, base64, hex, url-encoded and reversed. The search shares no code with the redaction."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote_plus

from golive.exchange.model import Credential

# Texts of the documented answers that are personal or could hold a key: IIBAN, the owner's label, tokens of a session.
PRIVATE = ("AA88 N84G", "AA88N84G", "AA08 N84G", "my-api-key", "secret.token", "3c90c3cc-0d44-4b50")


def spellings(text: str) -> set[str]:
    raw = text.encode()
    found = {
        text,
        text[::-1],
        raw.hex(),
        raw.hex().upper(),
        quote_plus(text),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    # Base64 inside a longer text starts at one of three offsets; the middle of each is enough to find it.
    for offset in (1, 2):
        found.add(base64.b64encode(b"x" * offset + raw).decode()[4:-4])
    return {one for one in found if len(one) >= 8}


def leaks(text: str, credential: Credential, also: Iterable[str] = ()) -> list[str]:
    """Return the kinds of what was found, never the text itself."""
    found = [f"part {number}" for number, part in enumerate((*credential, *also)) for one in spellings(part) if one in text]
    return found + [f"private {number}" for number, part in enumerate(PRIVATE) if part in text]


def assert_clean(text: str, credential: Credential, also: Iterable[str] = ()) -> None:
    assert leaks(text, credential, also) == []
