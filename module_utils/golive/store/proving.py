"""Proves a rotation: the new value is let in, the old one is not, asked of the service itself. Values stay in memory."""
from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import hvac

from .. import logins
from ..errors import GoliveError
from ..logins import Answer
from .client import said

TIMEOUT_S = 10.0
BEARER, JWT = "bearer", "jwt"


def tokens(url: str, kind: str, new: str, old: str | None, ca_file: Path) -> dict[str, Any]:
    """Ask a web service with both; `{new, old, refused}`, words for people. Raises GoliveError when the new one is not accepted.

    `old` is None where it is gone already: then nothing can be proved any more, and `refused` is False.
    """
    answers = {name: None if value is None else bearer(url, _shown(kind, value), ca_file) for name, value in (("new", new), ("old", old))}
    return _judged(answers["new"], answers["old"], url)


def database(address: str, before: tuple[str, str], after: tuple[str, str], ca_file: Path) -> dict[str, Any]:
    """Log in to a PostgreSQL server with (user, password) of before and after. Raises GoliveError when the new one is not accepted."""
    try:
        new, old = (logins.postgres(address, *one, ca_file=str(ca_file)) for one in (after, before))
    except (OSError, ValueError) as exc:
        raise GoliveError("the database was not reached", where=address.rpartition("@")[2], found=type(exc).__name__,
                          todo="the new password is in the store; ask again with another rotation") from None
    return _judged(new, old, address)


def static_password(connected: hvac.Client, role: str) -> tuple[str, str]:
    """Return user and password of a database's static role, as the store keeps them."""
    mount, _, name = role.partition("/")
    data = said(lambda: connected.read(f"{mount}/static-creds/{name}"), f"read the password of {role}")
    if not data:
        raise GoliveError(f"there is no static role {role}", todo="name it as <mount>/<role>")
    return str(data["data"]["username"]), str(data["data"]["password"])


def bearer(url: str, token: str, ca_file: Path) -> Answer:
    """Ask a URL with a bearer token, by no proxy and no redirect."""
    if not url.startswith(("http://", "https://")):
        raise GoliveError("a token is proved over the web", found=url.partition(":")[0][:20], expected="http:// or https://")
    handlers: list[Any] = [urllib.request.ProxyHandler({}), _NoRedirect()]
    if url.startswith("https://"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca_file))))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 (checked above)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
            return Answer(True, f"status {answer.status}")
    except urllib.error.HTTPError as exc:
        return Answer(False if exc.code in {401, 403} else None, f"status {exc.code}")
    except (OSError, ValueError) as exc:
        return Answer(None, f"no answer ({type(exc).__name__})")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A page to log in at is no acceptance."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _shown(kind: str, value: str) -> str:
    return logins.jwt(value, logins.short_claims("golive-rotation")) if kind == JWT else value


def _judged(new: Answer | None, old: Answer | None, where: str) -> dict[str, Any]:
    if new is None or not new.accepted:
        raise GoliveError("the new value is not accepted", where=where.rpartition("@")[2], found=new.words if new else None,
                          todo="nothing was destroyed: look whether its consumer was restarted, then run again")
    return {"new": new.words, "old": old.words if old else "gone already", "refused": old is not None and old.accepted is False}
