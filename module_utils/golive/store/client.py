"""Talks to the store through hvac: one login a run, one short-lived token, errors in the store's own words."""
from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import hvac
import requests
from hvac.exceptions import InternalServerError, VaultError

from ..errors import GoliveError
from ..rundir import write_atomic
from .settings import Settings, token_directory

TIMEOUT_S = 10
_T = TypeVar("_T")
_REFUSED = re.compile(r"certificate verify failed: ([^(]{1,120})")


def said(action: Callable[[], _T], what: str) -> _T:
    """Call the store. Raises GoliveError with the store's own words; hvac's errors hold paths and reasons, never values."""
    stranger = GoliveError(f"what stands at the store's address gave no answer of a store, asked to {what}",
                           todo="look for a proxy or another service at vault_address")
    try:
        answer = action()
        # hvac hands on what is no JSON as it is: right for a snapshot and for "no content", wrong for the page of a proxy.
        if isinstance(answer, requests.Response) and answer.status_code == 200 and answer.content[:2] != b"\x1f\x8b":
            raise stranger
        return answer
    except (TypeError, KeyError, requests.exceptions.JSONDecodeError):
        raise stranger from None
    except VaultError as exc:
        words = "; ".join(str(one) for one in (exc.errors or [])) or str(exc).split(", on ")[0]
        raise GoliveError(f"the store refused to {what}", found=words[:300], todo=_todo(exc, words)) from None
    except requests.exceptions.SSLError as exc:
        reason = _REFUSED.search(str(exc))  # OpenSSL's own words: has expired, self-signed, hostname mismatch
        raise GoliveError(f"the store's certificate is not accepted, asked to {what}", found=reason and reason[1].strip(),
                          todo="an expired one is renewed by the role tls; else check vault_controller_ca_file") from None
    except requests.exceptions.RequestException as exc:
        raise GoliveError(f"the store does not answer, asked to {what}", found=type(exc).__name__) from None


def _todo(exc: VaultError, words: str) -> str | None:
    if isinstance(exc, InternalServerError) and "internal error" in words:
        # It says no more to a client; most often it could write none of its audit devices, and then it serves nobody.
        return "look at its audit devices first: with every one of them on a full disk it refuses to serve; then at its journal"
    return None


def unauthenticated(settings: Settings, timeout_s: float = TIMEOUT_S) -> hvac.Client:
    """Return a client without a token: health, seal state, initialisation (which may take longer than a question)."""
    verify = str(settings.ca_file)
    if not settings.ca_file.is_file():
        raise GoliveError("the authority of the store's certificate is not there", where=settings.ca_file.name, todo="make lab, or copy it")
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc, no CA bundle of the environment
    session.verify = verify    # hvac leaves a session that it is given as it is
    return hvac.Client(url=settings.address, verify=verify, timeout=timeout_s, session=session, namespace=None)


def login(settings: Settings, run: str | None) -> hvac.Client:
    """Return a client with this run's token; the first use in a run logs in, later ones find the token in memory (M22)."""
    client = unauthenticated(settings)
    keep = token_directory() / run if run else None
    if keep is not None and keep.is_file():
        client.token = keep.read_text("utf-8")
        with contextlib.suppress(VaultError, requests.exceptions.RequestException):
            client.auth.token.lookup_self()
            return client
    credentials = settings.credentials()
    # use_token would set it on this client; it does not outlive the worker that asked
    answer = said(lambda: client.auth.approle.login(**credentials), "log the controller in")
    client.token = answer["auth"]["client_token"]
    if keep is not None:
        write_atomic(keep, client.token.encode("utf-8"))
    return client


def forget(settings: Settings, run: str) -> None:
    """Revoke this run's token and remove it from memory. A store that does not answer lets it expire by itself."""
    keep = token_directory() / run
    if not keep.is_file():
        return
    client = unauthenticated(settings)
    client.token = keep.read_text("utf-8")
    with contextlib.suppress(VaultError, requests.exceptions.RequestException):
        client.auth.token.revoke_self()
    with contextlib.suppress(OSError):
        keep.unlink()


def read_field(client: hvac.Client, path: str, field: str) -> str:
    """Return one field of a KV v2 secret, `path` as in a reference: `<mount>/<path>`."""
    mount, _, rest = path.partition("/")
    answer = said(lambda: client.secrets.kv.v2.read_secret_version(path=rest, mount_point=mount, raise_on_deleted_version=True),
                  f"read {path}")
    value = answer["data"]["data"].get(field)
    if not isinstance(value, str):
        raise GoliveError(f"secret {path} has no text field {field}", todo="write it into the store")
    return value


def write_secret(client: hvac.Client, path: str, fields: dict[str, str], *, replace: bool = False) -> int:
    """Write a KV v2 secret and return its version; one that is there is kept (check-and-set 0) unless `replace`."""
    mount, _, rest = path.partition("/")
    cas = None if replace else 0
    kv = client.secrets.kv.v2
    answer: dict[str, Any] = said(lambda: kv.create_or_update_secret(path=rest, secret=fields, cas=cas, mount_point=mount), f"write {path}")
    return int(answer["data"]["version"])


def exists(client: hvac.Client, path: str) -> bool:
    """Return whether a KV v2 secret is there, from its metadata; its value is not read."""
    mount, _, rest = path.partition("/")
    try:
        client.secrets.kv.v2.read_secret_metadata(path=rest, mount_point=mount)
    except hvac.exceptions.InvalidPath:
        return False
    except (VaultError, requests.exceptions.RequestException) as exc:
        raise GoliveError(f"the store cannot say whether {path} is there", found=type(exc).__name__) from None
    return True


def private_file(path: Path, data: bytes) -> None:
    """Write an identity or an encrypted share, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(path, data, 0o600)
    os.chmod(path, 0o600)
