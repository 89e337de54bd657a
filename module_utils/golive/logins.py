"""Is a credential accepted? Asked of a web service, a Redis or a PostgreSQL server, once, without doing anything with the answer.

Standard library only, Python 3.9. PostgreSQL: SCRAM-SHA-256 (RFC 7677), so the password itself never crosses the wire; Redis: AUTH.
An attempt is made once: services lock an account after a few refused ones, and a look must not lock anybody out.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import socket
import ssl
import struct
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from .errors import GoliveError

TIMEOUT_S = 10.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_AUTHENTICATED, _SASL, _CONTINUE, _FINAL = 0, 10, 11, 12


class Answer(NamedTuple):
    """`accepted` is None where the service said neither yes nor no; `words` are its own, without what it was asked."""

    accepted: Optional[bool]
    words: str


def jwt(secret: str, claims: Dict[str, Any]) -> str:
    """Return a JSON Web Token signed with HMAC-SHA-256 (RFC 7519)."""
    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

    text = "%s.%s" % (part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()), part(json.dumps(claims).encode()))
    return "%s.%s" % (text, part(hmac.new(secret.encode("utf-8"), text.encode("ascii"), hashlib.sha256).digest()))


def short_claims(subject: str, seconds: int = 60) -> Dict[str, Any]:
    """Return the claims of a token that ends by itself."""
    now = int(time.time())
    return {"sub": subject, "iat": now, "exp": now + seconds}


def redis(address: str, password: Optional[str], user: Optional[str] = None, ca_file: Optional[str] = None) -> Answer:
    """Log in to `redis://host[:port]` (or `rediss://`); without a password ask whether anybody may come in. Raises OSError."""
    parts = urlsplit(address)
    command = ["PING"] if password is None else ["AUTH", *([user] if user else []), password]
    with _connected(parts.hostname or "", parts.port or 6379, ca_file if parts.scheme == "rediss" else None,
                    tls=parts.scheme == "rediss") as link:
        link.sendall(b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in map(str.encode, command)))
        line = link.makefile("rb").readline(1024).decode("utf-8", "replace").strip()
    if line[:1] == "+":
        return Answer(True, "+OK" if password is not None else line)
    refused = line[1:].split(" ")[0] in {"WRONGPASS", "NOAUTH", "NOPERM"} or "invalid password" in line
    if line[:1] == "-" and password is not None and "no password is set" in line:
        return Answer(None, "no password is set")   # it lets everybody in: ask without one
    return Answer(False if line[:1] == "-" and refused else None, line[1:160])


def postgres(address: str, user: str, password: str, ca_file: Optional[str] = None) -> Answer:
    """Log in to `postgres://host[:port]/database`. A server that lets in without asking is `accepted`. Raises OSError."""
    parts = urlsplit(address)
    with _connected(parts.hostname or "", parts.port or 5432, None, tls=False) as plain:
        plain.sendall(_SSL_REQUEST)
        link: socket.socket = plain
        if plain.recv(1) == b"S":
            link = _context(ca_file).wrap_socket(plain, server_hostname=parts.hostname)
        start = b"\0".join([b"user", user.encode("utf-8"), b"database", parts.path.strip("/").encode("utf-8") or b"postgres", b"", b""])
        link.sendall(struct.pack("!ii", len(start) + 8, 196608) + start)
        scram = _Scram(password)
        while True:
            kind, body = _message(link)
            if kind == b"E":
                fields = _fields(body)
                # 28P01 invalid_password, 28000 invalid_authorization_specification: no; anything else says nothing about the password.
                return Answer(False if fields.get("C") in {"28P01", "28000"} else None, fields.get("M", "")[:160].replace(password, "***"))
            if kind != b"R":
                continue
            code = struct.unpack("!i", body[:4])[0]
            if code == _AUTHENTICATED:
                return Answer(True, "authenticated")
            if code == _SASL and b"SCRAM-SHA-256" in body[4:].split(b"\0"):
                first = scram.first()
                link.sendall(_packet(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
            elif code == _CONTINUE:
                link.sendall(_packet(b"p", scram.final(body[4:].decode("utf-8"))))
            elif code == _FINAL:
                scram.check(body[4:].decode("utf-8"))
            else:
                return Answer(None, "it asks for a password in a way (%d) that would show it" % code)


class _Scram:
    """The client's side of SCRAM-SHA-256 without channel binding."""

    def __init__(self, password: str) -> None:
        self._password, self._nonce = password.encode("utf-8"), base64.b64encode(secrets.token_bytes(18)).decode("ascii")
        self._bare = "n=,r=" + self._nonce
        self._server = b""

    def first(self) -> bytes:
        return ("n,," + self._bare).encode("ascii")

    def final(self, said: str) -> bytes:
        told = _pairs(said)
        if not told.get("r", "").startswith(self._nonce):
            raise GoliveError("the database answered another client's question", todo="look who stands between")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(told["s"]), int(told["i"]))
        key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
        without = "c=biws,r=" + told["r"]
        text = ",".join([self._bare, said, without]).encode("utf-8")
        proof = bytes(one ^ two for one, two in zip(key, hmac.new(hashlib.sha256(key).digest(), text, hashlib.sha256).digest()))
        self._server = hmac.new(hmac.new(salted, b"Server Key", hashlib.sha256).digest(), text, hashlib.sha256).digest()
        return ("%s,p=%s" % (without, base64.b64encode(proof).decode("ascii"))).encode("ascii")

    def check(self, said: str) -> None:
        """Raise GoliveError unless the server knows the password too."""
        if not hmac.compare_digest(base64.b64decode(_pairs(said).get("v", "")), self._server):
            raise GoliveError("what answers for the database does not know the password itself", todo="look who stands between")


def _connected(host: str, port: int, ca_file: Optional[str], *, tls: bool) -> socket.socket:
    link = socket.create_connection((host, port), timeout=TIMEOUT_S)
    return _context(ca_file).wrap_socket(link, server_hostname=host) if tls else link


def _context(ca_file: Optional[str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _packet(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _message(link: socket.socket) -> Tuple[bytes, bytes]:
    head = _exactly(link, 5)
    size = struct.unpack("!i", head[1:])[0] - 4
    if not 0 <= size <= 1 << 20:
        raise ConnectionError("this is no PostgreSQL server")
    return head[:1], _exactly(link, size)


def _exactly(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise ConnectionError("the server hung up")
        data += more
    return data


def _fields(body: bytes) -> Dict[str, str]:
    return {one[:1].decode("ascii", "replace"): one[1:].decode("utf-8", "replace") for one in body.split(b"\0") if one}


def _pairs(said: str) -> Dict[str, str]:
    pairs: List[Tuple[str, str, str]] = [one.partition("=") for one in said.split(",")]
    return {name: value for name, _, value in pairs}
