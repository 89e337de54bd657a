"""A rotation is proved on both sides: the new value is let in, the old one is not, and what proves nothing is not taken for a proof."""
from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.store import proving

NEW, OLD = "new-value-of-thirty-two-characters", "old-value-of-thirty-two-characters"
NO_CA = Path("/nonexistent")


@contextmanager
def service(answer: Callable[[str], int]) -> Iterator[str]:
    """Serve a page on loopback whose status depends on the bearer token."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer(self.headers.get("Authorization", "").removeprefix("Bearer ")))
            self.send_header("Location", "/login")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def test_the_new_token_is_let_in_and_the_old_one_refused() -> None:
    with service(lambda token: 200 if token == NEW else 401) as url:
        assert proving.tokens(url, "bearer", NEW, OLD, NO_CA) == {"new": "status 200", "old": "status 401", "refused": True}


def test_a_service_that_takes_both_refuses_nothing() -> None:
    with service(lambda _token: 200) as url:
        assert proving.tokens(url, "bearer", NEW, OLD, NO_CA)["refused"] is False


def test_a_service_that_breaks_on_the_old_one_refuses_nothing() -> None:
    with service(lambda token: 200 if token == NEW else 500) as url:
        assert proving.tokens(url, "bearer", NEW, OLD, NO_CA)["refused"] is False


@pytest.mark.parametrize("status", [401, 302, 500])
def test_a_new_token_that_is_not_let_in_ends_the_rotation_before_anything_is_destroyed(status: int) -> None:
    with service(lambda _token: status) as url, pytest.raises(GoliveError, match=f"is not accepted.*status {status}.*nothing was"):
        proving.tokens(url, "bearer", NEW, OLD, NO_CA)


def test_without_the_old_one_nothing_is_proved() -> None:
    with service(lambda _token: 200) as url:
        assert proving.tokens(url, "bearer", NEW, None, NO_CA) == {"new": "status 200", "old": "gone already", "refused": False}


def test_a_key_of_jwts_is_proved_by_what_it_signs() -> None:
    shown: list[str] = []

    def verify(token: str) -> int:
        shown.append(token)
        text, _, signature = token.rpartition(".")
        good = base64.urlsafe_b64encode(hmac.new(NEW.encode(), text.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
        return 200 if hmac.compare_digest(good, signature) else 403

    with service(verify) as url:
        assert proving.tokens(url, "jwt", NEW, OLD, NO_CA)["refused"] is True
    assert not any(value in token for value in (NEW, OLD) for token in shown)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y"])
def test_a_token_is_shown_to_a_web_service_only(url: str) -> None:
    with pytest.raises(GoliveError, match="over the web"):
        proving.tokens(url, "bearer", NEW, OLD, NO_CA)


def test_a_database_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(GoliveError) as caught:
        proving.database("postgres://127.0.0.1:1/x", ("u", OLD), ("u", NEW), NO_CA)
    assert "was not reached" in str(caught.value)
    assert NEW not in str(caught.value)
