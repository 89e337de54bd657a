"""What ssh says of a host that was not reached, in one clause that says what to do."""
from __future__ import annotations

import pytest
from golive.unreached import why

FRAME = "@" * 60
CHANGED = f"""Data could not be sent to remote host "192.0.2.1". Make sure this host can be reached over ssh: {FRAME}
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
{FRAME}
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Host key verification failed.
"""


@pytest.mark.parametrize(("said", "words"), [
    (CHANGED, "its host key is not the pinned one"),
    ("Failed to connect to the host via ssh: No ED25519 host key is known for 192.0.2.1 and you have requested strict", "pinned"),
    ("Failed to connect to the host via ssh: golive@192.0.2.1: Permission denied (publickey).", "refused the login"),
    ("ssh: Could not resolve hostname nowhere: Name or service not known", "does not resolve"),
    ("ssh: connect to host 127.0.0.1 port 9: Connection refused", "Connection refused"),
    ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", "does not answer"),
    ("ssh: connect to host 192.0.2.1 port 22: No route to host", "no way to it"),
    ("kex_exchange_identification: Connection closed by remote host", "closed the connection"),
])
def test_what_is_known_is_said_in_plain_words(said: str, words: str) -> None:
    assert words in why(said)
    assert "@@" not in why(said)
    assert "\n" not in why(said)


def test_what_is_not_known_is_shown_in_its_own_words_without_the_frame() -> None:
    assert why(f"{FRAME}\n\n  something new happened \nand more") == "something new happened"
    assert why("x" * 1000) == "x" * 300
    assert why("") == "no words at all"
