"""Redis and JWT by known answers; PostgreSQL is asked for real in tests/integration/store."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading

import pytest
from golive import logins


def one_answer(answer: bytes) -> tuple[str, list[bytes], threading.Thread]:
    """Serve one connection with one line and keep what was asked."""
    listening = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        with listening, listening.accept()[0] as link:
            asked.append(link.recv(4096))
            link.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"redis://127.0.0.1:{listening.getsockname()[1]}", asked, thread


@pytest.mark.parametrize(("answer", "password", "accepted"), [
    (b"+OK\r\n", "right", True), (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", "wrong", False),
    (b"-ERR invalid password\r\n", "wrong", False), (b"+PONG\r\n", None, True), (b"-NOAUTH Authentication required.\r\n", None, False),
    (b"-ERR Client sent AUTH, but no password is set\r\n", "any", None), (b"-LOADING the dataset\r\n", "any", None), (b"", "any", None)])
def test_redis_says_yes_no_or_neither(answer: bytes, password: str | None, accepted: bool | None) -> None:
    address, asked, thread = one_answer(answer)
    found = logins.redis(address, password)
    thread.join()
    assert found.accepted is accepted
    assert asked[0] == (b"*1\r\n$4\r\nPING\r\n" if password is None else b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(password),
                                                                                                              password.encode()))
    assert password is None or password not in found.words


def test_a_jwt_is_signed_as_the_standard_says() -> None:
    head, body, signature = logins.jwt("key", {"sub": "x"}).split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256", "typ": "JWT"}
    wanted = hmac.new(b"key", f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == wanted
    claims = logins.short_claims("x")
    assert claims["exp"] - claims["iat"] == 60
