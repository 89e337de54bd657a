"""Nothing of a key in any output, in any spelling that the searcher knows. The search shares no code with the redaction."""

from __future__ import annotations

from collections.abc import Iterable

from golive.exchange.model import Credential
from golive.leaks.index import Index

# Texts of the documented answers that are personal or could hold a key: IIBAN, the owner's label, tokens of a session.
PRIVATE = ("AA88 N84G", "AA88N84G", "AA08 N84G", "my-api-key", "secret.token", "3c90c3cc-0d44-4b50")


def leaks(text: str, credential: Credential, also: Iterable[str] = ()) -> list[str]:
    """Return the kinds of what was found, never the text itself."""
    parts = {f"part {number}": part for number, part in enumerate((*credential, *also)) if len(part) >= 8}
    found = [f"{hit.secret} ({hit.form})" for hit in Index.build(parts).search(text.encode())] if parts else []
    return found + [f"private {number}" for number, part in enumerate(PRIVATE) if part in text]


def assert_clean(text: str, credential: Credential, also: Iterable[str] = ()) -> None:
    assert leaks(text, credential, also) == []
